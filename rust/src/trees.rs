//! Trees of which the sender knows all leaves and the receiver all but one.
//!
//! Half-tree, in the pseudorandom correlated form (pcGGM; Guo, Yang, Wang, Zhang, Xie, Liu, Zhao,
//! EUROCRYPT 2023). The children of a node p are `H(p)` and `p ^ H(p)`, so that the nodes of each
//! level sum to Delta and a level costs one hash a parent. Only leaves are made by two hashes, which
//! makes them independent of Delta.
//!
//! Eight trees grow side by side, in lanes. A level is rows of eight nodes, one of each tree, and the
//! leaves of a group of trees are 16 KiB, which stay in the first cache until the code has them.
//!
//! The hash is `H(x) = AES(s) ^ s` with `s = sigma(x)`, and sigma is linear. So inner nodes are
//! kept as their sigma: it is taken once a parent and not once a hash, and leaves need none.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::aes::{Aes, Block};
use crate::session::numbered_key;

/// Levels of a tree.
pub const DEPTH: usize = 7;
/// Leaves of a tree.
pub const LEAVES: usize = 1 << DEPTH;
/// Trees side by side. Leaf l of lane j is number `l * LANES + j` of a group.
pub const LANES: usize = 8;
/// Leaves of the trees side by side.
pub const GROUP: usize = LEAVES * LANES;
/// Groups of a chunk. One noise value falls on each of their 816 trees (see [`crate::code`]).
pub const GROUPS: usize = 102;
/// Trees of a chunk.
pub const TREES: usize = GROUPS * LANES;
/// Bytes of a group's correction: for each tree a Block a level, one more for the last, and one for
/// the leaf that the receiver lacks.
pub const CORRECTION: usize = LANES * BLOCKS * BYTES;

const BYTES: usize = size_of::<Block>();
/// Blocks of a tree's correction.
const BLOCKS: usize = DEPTH + 2;
/// Where the two sums of the last level and the sum of all leaves stand in it.
const LAST: usize = DEPTH - 1;
const TOTAL: usize = DEPTH + 1;

/// A node of each tree.
pub type Row = [Block; LANES];

/// Leaves of a group: leaf l of each tree in row `place(l)`.
pub type Leaves = [Row; LEAVES];

/// The row of each leaf, [`place`] of its number.
pub const PLACES: [u8; LEAVES] = {
    let mut places = [0; LEAVES];
    let mut leaf = 0;
    while leaf < LEAVES {
        places[leaf] = place(leaf as u8);
        leaf += 1;
    }
    places
};

/// The row of a leaf: bit i - 1 is the complement of bit 7 - i of its number, which level i
/// decides. Its own inverse.
#[must_use]
pub const fn place(leaf: u8) -> u8 {
    (!leaf << 1).reverse_bits()
}

/// Where trees grow. The nodes are wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Nursery {
    #[zeroize(skip)] // both keys are public
    tree: Aes,
    #[zeroize(skip)]
    mask: Aes,
    /// The sigma of the nodes of a level, and in the end the leaves themselves. Bit i - 1 of a
    /// row's number is 1 for left children of level i, 0 for right ones, so that a level grows in
    /// place: left children behind, and right children where their parents were.
    nodes: Box<Leaves>,
}

impl Nursery {
    /// An empty nursery for the first chunk of a session.
    #[must_use]
    pub fn new(sid: &[u8; 32]) -> Self {
        let [tree, mask] = ["tree", "mask"].map(|name| numbered_key(sid, name, 0));
        Self { tree, mask, nodes: Box::new([[0; LANES]; LEAVES]) }
    }

    /// Makes ready for a chunk, whose trees have keys of their own.
    pub fn turn_to(&mut self, sid: &[u8; 32], chunk: usize) {
        [self.tree, self.mask] = ["tree", "mask"].map(|name| numbered_key(sid, name, chunk));
    }

    /// Grows a group of trees from their roots and writes the correction that goes to the receiver.
    ///
    /// Shapes: `keys` [`DEPTH`] correlated transfers a tree, of tree j from `j * DEPTH`, level
    /// after level, as the sender has them (q); `base` b of the value of each tree. The result is
    /// all leaves.
    /// Secret: all arguments and the leaves; no branch and no index depends on them.
    pub fn grow(
        &mut self,
        delta: Block,
        roots: &Row,
        keys: &[Block; LANES * DEPTH],
        base: &Row,
        correction: &mut [u8; CORRECTION],
    ) -> &Leaves {
        let (correction, _) = correction.as_chunks_mut::<BYTES>();
        let mut put = |lane: usize, i: usize, block: Block| {
            correction[lane * BLOCKS + i] = block.to_le_bytes();
        };
        let key = |lane: usize, level: usize| keys[lane * DEPTH + level];
        self.nodes[0] = roots.map(|root| sigma(root ^ delta));
        self.nodes[1] = roots.map(sigma);
        for (lane, root) in roots.iter().enumerate() {
            put(lane, 0, key(lane, 0) ^ root);
        }
        for level in 1..LAST {
            let lefts = self.split(level, |_| ());
            for (lane, left) in lefts.iter().enumerate() {
                put(lane, level, key(lane, level) ^ left);
            }
        }
        let [right, left] = self.unfold();
        let mut masks: [Row; 2] =
            [0, delta].map(|delta| std::array::from_fn(|lane| key(lane, LAST) ^ delta));
        self.mask.circular_each(masks.as_flattened_mut());
        for lane in 0..LANES {
            put(lane, LAST, masks[0][lane] ^ left[lane]);
            put(lane, LAST + 1, masks[1][lane] ^ right[lane]);
            put(lane, TOTAL, left[lane] ^ right[lane] ^ base[lane]);
        }
        masks.zeroize();
        &self.nodes
    }

    /// Grows a group of trees from the sender's correction, but for the paths to one leaf each; these
    /// leaves get the sender's, exclusive or the tree's value times Delta.
    ///
    /// Shapes: `places[j]` is the row of the leaf that is missing in tree j, so that its bit i - 1
    /// says on which side of level i nodes are known, 0 for left: the choice of that level's
    /// transfer. `keys` and `base` as at [`Nursery::grow`], as the receiver has them (t, c).
    /// Secret: all but the correction; no branch depends on it. Which nodes are set depends on
    /// `places`, the receiver's own noise: it indexes memory at home only, and the sender sees
    /// nothing of it.
    pub fn regrow(
        &mut self,
        places: &[u8; LANES],
        keys: &[Block; LANES * DEPTH],
        base: &Row,
        correction: &[u8; CORRECTION],
    ) -> &Leaves {
        let places = places.map(usize::from);
        let (correction, _) = correction.as_chunks::<BYTES>();
        let get = |lane: usize, i: usize| Block::from_le_bytes(correction[lane * BLOCKS + i]);
        let key = |lane: usize, level: usize| keys[lane * DEPTH + level];
        // The sum of the nodes of a level. Nodes on the path stay 0, so that they enter no sum.
        let mut sums = [0; LANES];
        for (lane, place) in places.iter().enumerate() {
            sums[lane] = key(lane, 0) ^ get(lane, 0);
            self.nodes[place & 1][lane] = 0;
            self.nodes[(place & 1) ^ 1][lane] = sigma(sums[lane]);
        }
        for level in 1..LAST {
            let rows = 1 << level;
            // The children of 0 on the path are in no sum either.
            let lefts = self.split(level, |lefts| {
                places.iter().enumerate().for_each(|(lane, place)| lefts[place % rows][lane] = 0);
            });
            for (lane, place) in places.iter().enumerate() {
                // Left and right children sum to their parents.
                let known = lefts[lane] ^ select((place / rows) & 1, sums[lane]);
                let sibling = key(lane, level) ^ get(lane, level) ^ known;
                self.nodes[(place % (2 * rows)) ^ rows][lane] = sigma(sibling);
                sums[lane] ^= sibling;
            }
        }
        let [right, left] = self.unfold();
        let mut masks: Row = std::array::from_fn(|lane| key(lane, LAST));
        self.mask.circular_each(&mut masks);
        for (lane, place) in places.iter().enumerate() {
            // The children of 0 on the path are in both sums; they go out again.
            let (missing, sibling) = (*place, place ^ (LEAVES / 2));
            let all = left[lane] ^ right[lane];
            let (dummy, beside) = (self.nodes[missing][lane], self.nodes[sibling][lane]);
            let side = place / (LEAVES / 2);
            let known = left[lane] ^ select(side, all) ^ beside;
            let leaf = masks[lane] ^ get(lane, LAST + side) ^ known;
            self.nodes[sibling][lane] = leaf;
            self.nodes[missing][lane] = get(lane, TOTAL) ^ all ^ dummy ^ beside ^ leaf ^ base[lane];
        }
        masks.zeroize();
        &self.nodes
    }

    /// Grows the level after `level`, levels counted from 1, and sums the left children of each tree.
    /// `known` may change left children before anything is made of them.
    fn split(&mut self, level: usize, known: impl FnOnce(&mut [Row])) -> Row {
        let (parents, lefts) = self.nodes[..2 << level].split_at_mut(1 << level);
        self.tree.hash_into(parents.as_flattened(), lefts.as_flattened_mut());
        known(lefts);
        split(parents, lefts)
    }

    /// Makes the leaves of their parents, and sums the right ones and the left ones of each tree.
    fn unfold(&mut self) -> [Row; 2] {
        let Self { tree, nodes, .. } = self;
        let (rights, lefts) = nodes.split_at_mut(LEAVES / 2);
        tree.hash_into(rights.as_flattened(), lefts.as_flattened_mut());
        flip(rights);
        tree.hash_each(rights.as_flattened_mut());
        [sum(rights), sum(lefts)]
    }
}

/// Makes right children of parents and left children, and sums the left ones.
fn split(parents: &mut [Row], lefts: &mut [Row]) -> Row {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if has!("avx2") {
        // SAFETY: `x86::split` needs avx2, which was just detected.
        #[expect(unsafe_code, reason = "a door to x86")]
        return unsafe { x86::split(parents, lefts) };
    }
    portable::split(parents, lefts)
}

/// Adds the sigma of 1.
fn flip(rows: &mut [Row]) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if has!("avx2") {
        // SAFETY: `x86::flip` needs avx2, which was just detected.
        #[expect(unsafe_code, reason = "a door to x86")]
        return unsafe { x86::flip(rows) };
    }
    portable::flip(rows);
}

/// The sum of rows.
pub fn sum(rows: &[Row]) -> Row {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if has!("avx2") {
        // SAFETY: `x86::sum` needs avx2, which was just detected.
        #[expect(unsafe_code, reason = "a door to x86")]
        return unsafe { x86::sum(rows) };
    }
    portable::sum(rows)
}

/// (hi, lo) to (hi ^ lo, hi).
const fn sigma(block: Block) -> Block {
    block.rotate_right(64) ^ (block >> 64 << 64)
}

/// A Block if the bit is 1, else 0.
fn select(bit: usize, block: Block) -> Block {
    (bit as Block).wrapping_neg() & block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;
    use crate::session::session_key;

    fn blocks<const N: usize>(entropy: &mut Entropy) -> [Block; N] {
        std::array::from_fn(|_| {
            let mut bytes = [0; BYTES];
            entropy.fill(&mut bytes);
            Block::from_le_bytes(bytes)
        })
    }

    /// H under a key, one Block at a time.
    fn hash(sid: &[u8; 32], label: &str) -> impl Fn(Block) -> Block {
        let aes = session_key(sid, label);
        move |block| {
            let mut image = [block];
            aes.circular_each(&mut image);
            image[0]
        }
    }

    /// What the sender has for one group.
    struct Group {
        delta: Block,
        roots: Row,
        keys: [Block; LANES * DEPTH],
        base: Row,
    }

    impl Group {
        fn draw(entropy: &mut Entropy) -> Self {
            let [delta] = blocks(entropy);
            let (roots, keys, base) = (blocks(entropy), blocks(entropy), blocks(entropy));
            Self { delta, roots, keys, base }
        }

        fn grow(&self, nursery: &mut Nursery) -> (Leaves, [u8; CORRECTION]) {
            let mut correction = [0; CORRECTION];
            let Self { delta, roots, keys, base } = self;
            (*nursery.grow(*delta, roots, keys, base, &mut correction), correction)
        }

        /// What the receiver makes of a correction, given the places and the values times Delta.
        fn regrow(
            &self,
            nursery: &mut Nursery,
            places: &[u8; LANES],
            products: &Row,
            correction: &[u8; CORRECTION],
        ) -> Leaves {
            let mut keys = self.keys;
            for (lane, keys) in keys.as_chunks_mut::<DEPTH>().0.iter_mut().enumerate() {
                for (level, key) in keys.iter_mut().enumerate() {
                    *key ^= select(usize::from(places[lane]) >> level & 1, self.delta);
                }
            }
            let base = std::array::from_fn(|lane| self.base[lane] ^ products[lane]);
            *nursery.regrow(places, &keys, &base, correction)
        }
    }

    /// The leaves and the correction of one tree, by the formulas.
    fn slow(
        sid: &[u8; 32],
        delta: Block,
        root: Block,
        keys: &[Block; DEPTH],
        base: Block,
    ) -> (Vec<Block>, Vec<u8>) {
        let (tree, mask) = (hash(sid, "tree/0"), hash(sid, "mask/0"));
        let side = |nodes: &[Block], side| nodes.iter().skip(side).step_by(2).fold(0, |a, b| a ^ b);
        let mut correction = Vec::new();
        let mut nodes = vec![root, root ^ delta];
        for (level, key) in keys.iter().enumerate() {
            match level {
                0 => {}
                LAST => nodes = nodes.iter().flat_map(|p| [tree(*p), tree(p ^ 1)]).collect(),
                _ => nodes = nodes.iter().flat_map(|p| [tree(*p), p ^ tree(*p)]).collect(),
            }
            if level < LAST {
                correction.push(key ^ side(&nodes, 0));
            } else {
                correction.push(mask(*key) ^ side(&nodes, 0));
                correction.push(mask(key ^ delta) ^ side(&nodes, 1));
            }
        }
        correction.push(nodes.iter().fold(base, |a, b| a ^ b));
        (nodes, correction.iter().flat_map(|block| block.to_le_bytes()).collect())
    }

    #[test]
    fn leaves_and_correction_are_those_of_the_formulas() {
        let (sid, mut entropy) = ([3; 32], Entropy::from_seed_for_tests([21; 32]));
        let mut nursery = Nursery::new(&sid);
        for _ in 0..2 {
            let group = Group::draw(&mut entropy);
            let (leaves, correction) = group.grow(&mut nursery);
            for lane in 0..LANES {
                let keys = &group.keys.as_chunks().0[lane];
                let (slow_leaves, slow_correction) =
                    slow(&sid, group.delta, group.roots[lane], keys, group.base[lane]);
                for (leaf, slow) in slow_leaves.iter().enumerate() {
                    let row = usize::from(PLACES[leaf]);
                    assert_eq!(leaves[row][lane], *slow, "seed 21, lane {lane}, leaf {leaf}");
                }
                let bytes = CORRECTION / LANES;
                assert_eq!(correction[lane * bytes..][..bytes], slow_correction, "seed 21");
            }
        }
    }

    #[test]
    fn all_leaves_agree_but_one_which_differs_by_the_value_times_delta() {
        let mut entropy = Entropy::from_seed_for_tests([22; 32]);
        let mut nursery = Nursery::new(&[4; 32]);
        let group = Group::draw(&mut entropy);
        let products = blocks(&mut entropy);
        let (mut wanted, correction) = group.grow(&mut nursery);
        // Every leaf is once the missing one; lanes differ.
        for first in (0..LEAVES).step_by(LANES) {
            let places = std::array::from_fn(|lane| PLACES[(first + lane) % LEAVES]);
            let change = |wanted: &mut Leaves| {
                for lane in 0..LANES {
                    wanted[usize::from(places[lane])][lane] ^= products[lane];
                }
            };
            change(&mut wanted);
            let leaves = group.regrow(&mut nursery, &places, &products, &correction);
            assert!(leaves == wanted, "seed 22, from leaf {first}");
            change(&mut wanted);
        }
    }

    #[test]
    fn a_changed_correction_changes_leaves() {
        let mut entropy = Entropy::from_seed_for_tests([23; 32]);
        let mut nursery = Nursery::new(&[4; 32]);
        let group = Group::draw(&mut entropy);
        let (wanted, mut correction) = group.grow(&mut nursery);
        let places = [0x5a; LANES];
        for i in 0..BLOCKS {
            correction[i * BYTES] ^= 1;
            let leaves = group.regrow(&mut nursery, &places, &[0; LANES], &correction);
            correction[i * BYTES] ^= 1;
            // Bit 6 of 0x5a is 1: the sum of right leaves is used, that of left ones is not.
            assert_eq!(leaves == wanted, i == LAST, "seed 23, block {i}");
        }
    }

    #[test]
    fn a_place_is_its_own_inverse_and_every_row_has_a_leaf() {
        for leaf in 0..LEAVES as u8 {
            assert_eq!(place(place(leaf)), leaf);
        }
        assert_eq!(place(0), 127);
        assert_eq!(place(0b100_0000), 0b111_1110);
    }

    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    #[test]
    fn the_fast_twin_agrees_with_the_portable_one() {
        let mut entropy = Entropy::from_seed_for_tests([24; 32]);
        for n in [0, 1, 2, 5, 64] {
            let mut draw = || (0..n).map(|_| blocks(&mut entropy)).collect::<Vec<Row>>();
            let (parents, lefts) = (draw(), draw());
            assert_eq!(sum(&lefts), portable::sum(&lefts), "seed 24, {n} rows");
            let (mut fast, mut slow) = (parents.clone(), parents.clone());
            flip(&mut fast);
            portable::flip(&mut slow);
            assert_eq!(fast, slow, "seed 24, {n} rows");
            let (mut fast, mut slow) = ((parents.clone(), lefts.clone()), (parents, lefts));
            let sums = split(&mut fast.0, &mut fast.1);
            assert_eq!(sums, portable::split(&mut slow.0, &mut slow.1), "seed 24, {n} rows");
            assert_eq!(fast, slow, "seed 24, {n} rows");
        }
    }
}
