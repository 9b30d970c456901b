//! Trees that serve all chunks of a session.
//!
//! Stationary syndrome decoding (ePrint 2025/295): the places of the noise stay, its values are new
//! in each chunk. So trees are grown once, and leaf l of a chunk is a hash of seed l. A chunk then
//! costs the sender one Block a tree to say and no transfers, which is why it may be short, and all
//! of it at work in the second cache.
//!
//! One code for all chunks would be broken: the outputs of many chunks would span the 816 columns
//! of the noise and no more. Here every chunk has the trees in an order of its own, and the leaves
//! of each tree turned by an offset of its own, both public; so each noise value falls on a column
//! of the code that is new. That this is as good as a new code each time is an assumption of this
//! profile.

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::aes::{Aes, Block};
use crate::entropy::Entropy;
use crate::session::numbered_key;
use crate::shuffle::Shuffle;
use crate::trees::{self, CORRECTION, GROUPS, LANES, Nursery, Row, TREES};

/// Leaves of a tree that serve. With 32 a chunk of the sender is 418 KB, which the second cache
/// holds; with 16 one output in eight would go into the next chunk's noise.
pub const LEAVES: usize = 32;
/// Rows of a group's leaves, in their order.
pub const ORDER: [u8; LEAVES] = {
    let mut order = [0; LEAVES];
    let mut leaf = 0;
    while leaf < LEAVES {
        order[leaf] = leaf as u8;
        leaf += 1;
    }
    order
};
/// The leaves that serve have rows that are multiples of this. A tree has more leaves than serve
/// only so that there is one kind of tree.
const APART: usize = trees::LEAVES / LEAVES;
/// The levels above those that choose among them.
const FORCED: usize = APART.ilog2() as usize;

/// Bytes of the message that plants the trees: of each group's correction all but the last Block a
/// tree.
pub const PLANTED: usize = GROUPS * (CORRECTION - LANES * BYTES);
/// Bytes of the message of a chunk: the sum of the leaves of each tree, plus b of its value.
pub const SUMS: usize = TREES * BYTES;

const BYTES: usize = size_of::<Block>();
/// Bytes of a tree's correction.
const OF_TREE: usize = CORRECTION / LANES;
/// What the order and offsets of a chunk are drawn from, before the session's identifier.
const DOMAIN: &[u8] = b"greenlane/vole/1/stationary";

/// Has the missing leaf of each tree among those that serve: on the levels above, both sides take 0
/// for the transfer, so that the sender says in clear what opens the other side.
///
/// It must not be left to the receiver's choices: with a leaf missing that does not serve, it would
/// know all seeds of a tree, and with the sum of its leaves b, and so Delta.
pub fn force(places: &mut [u8], keys: &mut [Block]) {
    places.iter_mut().for_each(|place| *place &= !(APART as u8 - 1));
    keys.chunks_exact_mut(trees::DEPTH).for_each(|keys| keys[..FORCED].fill(0));
}

/// The seeds of all leaves. Wiped on drop.
///
/// Secret: all of them; no branch and no index depends on them.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seeds {
    /// Seed l of tree j at `j * LEAVES + l`.
    seeds: Vec<Block>,
    leaves: [Row; LEAVES],
}

impl Seeds {
    /// No seeds yet.
    pub fn new() -> Self {
        Self { seeds: vec![0; TREES * LEAVES], leaves: [[0; LANES]; LEAVES] }
    }

    /// Plants all trees from their roots, and writes what is told of them: of each correction all
    /// but the sum of a tree's leaves, as the leaf that the receiver lacks is to stay missing.
    ///
    /// Shapes: `keys` as at [`Nursery::grow`], of group after group; `told` [`PLANTED`] bytes.
    pub fn plant(
        &mut self,
        nursery: &mut Nursery,
        delta: Block,
        roots: &[Row],
        keys: &[Block],
        told: &mut [u8],
    ) {
        let groups = told.chunks_exact_mut(PLANTED / GROUPS).zip(keys.as_chunks().0);
        for (g, (told, keys)) in groups.enumerate() {
            let mut correction = Zeroizing::new([0; CORRECTION]);
            let leaves = nursery.grow(delta, &roots[g], keys, &[0; LANES], &mut correction);
            self.keep(g, leaves);
            let trees =
                correction.chunks_exact(OF_TREE).zip(told.chunks_exact_mut(OF_TREE - BYTES));
            trees.for_each(|(tree, told)| told.copy_from_slice(&tree[..told.len()]));
        }
    }

    /// Takes the leaves of group g as seeds.
    fn keep(&mut self, g: usize, leaves: &trees::Leaves) {
        let trees = self.seeds[g * LANES * LEAVES..].chunks_exact_mut(LEAVES);
        for (lane, seeds) in trees.take(LANES).enumerate() {
            for (seed, row) in seeds.iter_mut().zip(leaves.iter().step_by(APART)) {
                *seed = row[lane];
            }
        }
    }

    /// The leaves of group g of a chunk, and the sum of those of each tree.
    pub fn grow(&mut self, chunk: &Chunk, g: usize) -> (&mut [Row; LEAVES], Row) {
        for (lane, (tree, turn)) in chunk.group(g).enumerate() {
            let seeds = &self.seeds[tree * LEAVES..][..LEAVES];
            for (l, row) in self.leaves.iter_mut().enumerate() {
                row[lane] = seeds[l ^ turn];
            }
        }
        chunk.leaf.hash_each(self.leaves.as_flattened_mut());
        let sums = trees::sum(&self.leaves);
        (&mut self.leaves, sums)
    }
}

/// How the trees stand in one chunk. Public.
pub struct Chunk {
    /// The key that makes leaves of seeds.
    leaf: Aes,
    /// For each place of a tree the tree, and the offset of its leaves.
    trees: Shuffle,
    turns: [u8; TREES],
}

impl Chunk {
    /// Draws the order and the offsets of chunk `number`.
    pub fn draw(sid: &[u8; 32], number: usize) -> Self {
        let digest = Sha256::new_with_prefix(DOMAIN)
            .chain_update(sid)
            .chain_update((number as u32).to_le_bytes())
            .finalize();
        let mut entropy = Entropy::from_public_seed(digest.into());
        let trees = Shuffle::draw(TREES, &mut entropy).expect("816 rows are not too many");
        let mut turns = [0; TREES];
        entropy.fill(&mut turns);
        turns.iter_mut().for_each(|turn| *turn %= LEAVES as u8);
        Self { leaf: numbered_key(sid, "leaf", number), trees, turns }
    }

    /// Tree and offset of each lane of group g.
    pub fn group(&self, g: usize) -> impl Iterator<Item = (usize, usize)> {
        let lanes = g * LANES..(g + 1) * LANES;
        let trees = self.trees.slots()[lanes.clone()].iter();
        trees.zip(&self.turns[lanes]).map(|(tree, turn)| (*tree as usize, usize::from(*turn)))
    }
}

/// The receiver's trees: all seeds but one a tree. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Punctured {
    seeds: Seeds,
    /// Which seed of each tree is missing.
    pub missing: [u8; TREES],
}

impl Punctured {
    /// No seeds yet.
    pub fn new() -> Self {
        Self { seeds: Seeds::new(), missing: [0; TREES] }
    }

    /// Plants all trees from what was told of them, but for the seeds in rows `places`.
    ///
    /// Shapes: `keys` as at [`Nursery::regrow`], of group after group; `told` [`PLANTED`] bytes.
    pub fn plant(
        &mut self,
        nursery: &mut Nursery,
        places: &[[u8; LANES]],
        keys: &[Block],
        told: &[u8],
    ) {
        let groups = told.chunks_exact(PLANTED / GROUPS).zip(keys.as_chunks().0);
        for (g, (told, keys)) in groups.enumerate() {
            // 0 for the sums that were not told: the missing leaf comes out wrong, and is never
            // read.
            let mut correction = [0; CORRECTION];
            let trees =
                correction.chunks_exact_mut(OF_TREE).zip(told.chunks_exact(OF_TREE - BYTES));
            trees.for_each(|(tree, told)| tree[..told.len()].copy_from_slice(told));
            let leaves = nursery.regrow(&places[g], keys, &[0; LANES], &correction);
            self.seeds.keep(g, leaves);
            for (missing, place) in self.missing[g * LANES..].iter_mut().zip(&places[g]) {
                *missing = place / APART as u8;
            }
        }
    }

    /// The leaves of group g of a chunk, completed by the sender's sums and our c of each value,
    /// and in which row of each tree its noise is.
    ///
    /// Secret: all but `told`. Which leaf is completed depends on the places of the noise, which
    /// are our own: they index memory at home only.
    pub fn grow(
        &mut self,
        chunk: &Chunk,
        g: usize,
        told: &[u8],
        base: &Row,
    ) -> (&[Row; LEAVES], [u8; LANES]) {
        let (leaves, sums) = self.seeds.grow(chunk, g);
        let mut places = [0; LANES];
        let (told, _) = told.as_chunks::<BYTES>();
        for (lane, (tree, turn)) in chunk.group(g).enumerate() {
            let place = self.missing[tree] ^ turn as u8;
            let leaf = &mut leaves[usize::from(place)][lane];
            *leaf ^= sums[lane] ^ Block::from_le_bytes(told[lane]) ^ base[lane];
            places[lane] = place;
        }
        (leaves, places)
    }
}
