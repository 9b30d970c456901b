//! Correlated oblivious transfers: rows t at the receiver, q at the sender, with
//! `q_i = t_i ^ choice_i * Delta`.
//!
//! SoftSpoken (Roy, CRYPTO 2022) with k = 4, the part for semi-honest parties. The 128 bits of
//! Delta are 32 groups of 4; the bits of group g are the number `D_g`. For each group the receiver
//! grows a tree of 16 leaf seeds (Goldreich, Goldwasser, Micali, JACM 1986), and the base transfers
//! open all of them but number `D_g` to the sender: `plant` and `grow`. From then on each extension
//! takes one message of 32 bits a row.
//!
//! Why the law holds. Let `r_x` be the stream of leaf x and u the sum of all sixteen. Bit b of t is
//! the sum of `r_x` over the x with bit b. The sender sums over the x with bit b in `x ^ D`, in
//! which `r_D` has no part. Where bit b of D is 0 both sums are the same; where it is 1 they differ
//! by u, which the message `d = u ^ choices` turns into choices.
//!
//! The sender keeps leaf x under the number `y = x ^ D_g`. So the leaf that it does not have is
//! always number 0, both parties run the same fold over numbers, and where the sender reads and
//! writes does not depend on Delta: `grow` fixes this order level by level, by selecting between
//! both children.
//!
//! What a dishonest party can do here. The sender says nothing in this part and sees choices only
//! under `r_D`, which it does not have: it learns nothing of them, semi-honest or malicious. A
//! malicious receiver can send a false sum in a tree, which spoils leaves for one value of a bit of
//! Delta only, or other choices in group g than elsewhere, which spoils rows only where Delta has
//! bits in that group; by whether the match then fails it learns such bits, each at the risk of
//! being caught. The rows are checked before anything is made of them
//! ([`Receiver::extend_checked`]); by other choices a receiver then learns no bits of Delta but
//! those that it has guessed: b of them with 2^-b, else the run ends. A false sum in a tree tells
//! one bit in the same way, unless trees are checked as well ([`Receiver::plant_checked`]): then
//! such a run ends before there is anything to see.

mod consistency;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::aes::{Aes, Block};
use crate::base_ot::TRANSFERS;
use crate::bits;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::gf128;
use crate::session::session_key;

/// What session, extension and d are hashed after for the check.
const DOMAIN: &[u8] = b"greenlane/vole/1/cot/check";
/// What the trees' message is hashed after.
const PLANTED: &[u8] = b"greenlane/vole/1/cot/planted";
/// Bits of Delta in a group, levels of a tree (Roy's k). At 4 a row costs 32 bits of message and 4
/// calls of AES; at 2 it would be 64 bits and 2 calls, at 8 16 bits and 32 calls.
const DEPTH: usize = 4;
/// Leaves of a tree.
const LEAVES: usize = 1 << DEPTH;
/// Groups of bits, each with a tree.
const GROUPS: usize = TRANSFERS / DEPTH;
/// Rows that one Block of a stream feeds.
const BITS: usize = 128;
/// Bytes of a Block.
const BYTES: usize = size_of::<Block>();

/// Bytes of the trees' message: two Blocks a level and group.
pub const TREES: usize = GROUPS * DEPTH * 2 * BYTES;
/// Bytes of the trees' message with what shows that all trees are whole.
pub const CHECKED_TREES: usize = TREES + consistency::SHOWN;

/// Blocks of a stream that are folded at a time. 16 streams of 24 Blocks are 6 KiB and stay in L1
/// beside the four planes that they become; all planes of a piece are 48 KiB and stay in L2.
const PIECE: usize = 24;

/// Rows that an extension sacrifices to its check: 128 would hide the sum of the choices, which has
/// 128 bits, if sums of random rows were never dependent; as many again make that sure but with
/// 2^-128.
const SACRIFICED: usize = 2 * BITS;
/// Rows that are summed side by side in the check.
const ABREAST: usize = 64;

/// Bytes of the message of a checked extension by `rows` rows.
pub const fn checked_length(rows: usize) -> usize {
    message_length(rows.saturating_add(SACRIFICED)).saturating_add(2 * BYTES)
}

/// Bytes of the message d of `rows` rows.
pub const fn message_length(rows: usize) -> usize {
    (rows / 8).saturating_mul(GROUPS)
}

/// The receiver's half: the seeds of all leaves. Wiped on drop.
pub struct Receiver {
    /// Leaf x of group g at 16g + x.
    leaves: Vec<Aes>,
    planted: [u8; 32],
}

impl Receiver {
    /// Draws a tree a group and tells the sender, under the keys of the base transfers, what opens
    /// all leaves but one.
    ///
    /// Shapes: `pairs` 128 pairs of keys, of which the sender has number `Delta_i`; the message
    /// [`TREES`] bytes: for each group, level and side c the sum of the level's nodes on that side,
    /// under key `1 - c` of transfer `4g + 4 - level`. `sid` is the session's identifier. Of
    /// `entropy`, each group takes 16 bytes, its root. Secret: `pairs` and the seeds; no branch and
    /// no index depends on them.
    pub fn plant(
        sid: &[u8; 32],
        pairs: &[[Block; 2]; TRANSFERS],
        entropy: &mut Entropy,
    ) -> (Self, Vec<u8>) {
        let (seeds, message) = Self::draw(sid, pairs, entropy);
        (Self::of(sid, &seeds, &message), message)
    }

    /// As [`Receiver::plant`], and shows that every tree opens to the same leaves whatever Delta
    /// is.
    ///
    /// Shapes: the message is [`CHECKED_TREES`] bytes.
    pub fn plant_checked(
        sid: &[u8; 32],
        pairs: &[[Block; 2]; TRANSFERS],
        entropy: &mut Entropy,
    ) -> (Self, Vec<u8>) {
        let (seeds, mut message) = Self::draw(sid, pairs, entropy);
        message.extend(consistency::show(sid, &seeds));
        (Self::of(sid, &seeds, &message), message)
    }

    fn of(sid: &[u8; 32], seeds: &[Block], message: &[u8]) -> Self {
        let leaves = seeds.iter().map(|seed| Aes::new(*seed)).collect();
        Self { leaves, planted: planted(sid, message) }
    }

    /// The seeds of all leaves, and the message that opens them.
    fn draw(
        sid: &[u8; 32],
        pairs: &[[Block; 2]; TRANSFERS],
        entropy: &mut Entropy,
    ) -> (Zeroizing<Vec<Block>>, Vec<u8>) {
        let branching = Branching::of(sid);
        let mut roots = Zeroizing::new([[0; BYTES]; GROUPS]);
        entropy.fill(roots.as_flattened_mut());
        let mut nodes: Zeroizing<Vec<_>> =
            roots.iter().map(|root| Block::from_le_bytes(*root)).collect::<Vec<_>>().into();
        let mut message = vec![0; TREES];
        let (sums, _) = message.as_chunks_mut::<BYTES>();
        for level in 1..=DEPTH {
            let width = 1 << (level - 1);
            let sides = branching.children(&nodes);
            for g in 0..GROUPS {
                let pair = &pairs[transfer(g, level)];
                for (c, side) in sides.iter().enumerate() {
                    let sum = side[g * width..][..width].iter().fold(pair[1 - c], |a, b| a ^ b);
                    sums[place(g, level) + c] = sum.to_le_bytes();
                }
            }
            let [left, right] = &sides;
            nodes = left
                .iter()
                .zip(right.iter())
                .flat_map(|(l, r)| [*l, *r])
                .collect::<Vec<_>>()
                .into();
        }
        (nodes, message)
    }

    /// Makes rows as [`Receiver::extend`], and shows that all groups were given the same choices.
    ///
    /// Shapes: the message is [`checked_length`] bytes: d of the rows and of 256 more whose choices
    /// are drawn from `entropy`, then two sums over all of them: of the choices, and of t. Secret:
    /// as at [`Receiver::extend`]; the sacrificed rows hide the choices in their sum.
    pub fn extend_checked(
        &self,
        e: u32,
        choices: &[Block],
        entropy: &mut Entropy,
    ) -> (Vec<u8>, Zeroizing<Vec<Block>>) {
        // With room from the start: a vector that grows leaves its old place unwiped.
        let mut all = Zeroizing::new(Vec::with_capacity(choices.len() + SACRIFICED / BITS));
        all.extend_from_slice(choices);
        for _ in 0..SACRIFICED / BITS {
            let mut drawn = Zeroizing::new([0; BYTES]);
            entropy.fill(&mut *drawn);
            all.push(Block::from_le_bytes(*drawn));
        }
        let (mut message, mut rows) = self.extend(e, &all);
        let check = Check::of(&self.planted, e, &message);
        let mut bits = Zeroizing::new(Vec::with_capacity(BITS * all.len()));
        bits.extend(all.iter().flat_map(|block| (0..BITS).map(move |i| block >> i & 1)));
        let sums = [check.sum(&bits), check.sum(&rows)];
        message.extend(sums.iter().flat_map(|sum| sum.to_le_bytes()));
        rows.truncate(BITS * choices.len());
        (message, rows)
    }

    /// Makes `128 * choices.len()` rows.
    ///
    /// Shapes: bit i of `choices` is bit i % 128 of Block i / 128; the result is the message d for
    /// the sender, [`message_length`] bytes, group after group, and the rows t. `e` counts the
    /// extensions of a session: the same `e` twice would tell the sender the difference of the two
    /// choices. Secret: `choices` and the rows; no branch and no index depends on them.
    pub fn extend(&self, e: u32, choices: &[Block]) -> (Vec<u8>, Zeroizing<Vec<Block>>) {
        let blocks = choices.len();
        let mut message = vec![0; message_length(BITS * blocks)];
        let (d, _) = message.as_chunks_mut::<BYTES>();
        let mut rows = Zeroizing::new(vec![0; BITS * blocks]);
        let mut fold = Fold::new();
        for (piece, (choices, rows)) in
            choices.chunks(PIECE).zip(rows.chunks_mut(BITS * PIECE)).enumerate()
        {
            let start = piece * PIECE;
            for (g, leaves) in self.leaves.chunks_exact(LEAVES).enumerate() {
                let (sums, _) = fold.group(g, leaves, counter(e, start), choices.len());
                let d = &mut d[g * blocks + start..][..choices.len()];
                for (d, (sum, choices)) in d.iter_mut().zip(sums.iter().zip(choices)) {
                    *d = (sum ^ choices).to_le_bytes();
                }
            }
            fold.rows(rows);
        }
        (message, rows)
    }
}

/// The sender's half: Delta and the seeds of all leaves but one a group. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Sender {
    delta: Block,
    /// Leaf `y ^ D_g` of group g at 15g + y - 1.
    #[zeroize(skip)] // an `Aes` wipes itself
    leaves: Vec<Aes>,
    #[zeroize(skip)] // public
    planted: [u8; 32],
}

impl Sender {
    /// Opens all leaves but one of each group.
    ///
    /// Shapes: `keys` the 128 keys with number `Delta_i` of the base transfers; `trees` [`TREES`]
    /// bytes, as [`Receiver::plant`] returns them. `sid` is the session's identifier. Secret:
    /// `delta`, `keys` and the seeds. No branch and no index depends on them: what is on the path
    /// of `D_g` and what is beside it is told apart by selecting between both.
    ///
    /// # Errors
    /// [`Error::Length`] if `trees` has another length. Any other bytes open to some leaves; if
    /// they are not the receiver's, the law does not hold.
    pub fn grow(
        sid: &[u8; 32],
        delta: Block,
        keys: &[Block; TRANSFERS],
        trees: &[u8],
    ) -> Result<Self, Error> {
        check_trees(trees, TREES)?;
        Ok(Self::of(sid, delta, &Self::open(sid, delta, keys, trees), trees))
    }

    /// As [`Sender::grow`], from the message of [`Receiver::plant_checked`].
    ///
    /// # Errors
    /// [`Error::Length`] if `trees` is not [`CHECKED_TREES`] bytes, [`Error::Check`] if the leaves
    /// are not those that the receiver has. A receiver that spoils leaves for some values of bits
    /// of Delta only passes if it has guessed these bits.
    pub fn grow_checked(
        sid: &[u8; 32],
        delta: Block,
        keys: &[Block; TRANSFERS],
        trees: &[u8],
    ) -> Result<Self, Error> {
        check_trees(trees, CHECKED_TREES)?;
        let (opening, shown) = trees.split_at(TREES);
        let seeds = Self::open(sid, delta, keys, opening);
        if !bool::from(consistency::agrees(sid, delta, &seeds, shown)) {
            return Err(Error::Check { argument: "trees" });
        }
        Ok(Self::of(sid, delta, &seeds, trees))
    }

    fn of(sid: &[u8; 32], delta: Block, seeds: &[Block], trees: &[u8]) -> Self {
        let mut leaves = Vec::with_capacity(GROUPS * (LEAVES - 1));
        let known = seeds.chunks_exact(LEAVES).flat_map(|leaves| &leaves[1..]);
        leaves.extend(known.map(|seed| Aes::new(*seed)));
        Self { delta, leaves, planted: planted(sid, trees) }
    }

    /// The seeds of leaf `y ^ D_g` of group g at 16g + y, but of the missing one, y = 0.
    fn open(
        sid: &[u8; 32],
        delta: Block,
        keys: &[Block; TRANSFERS],
        trees: &[u8],
    ) -> Zeroizing<Vec<Block>> {
        let branching = Branching::of(sid);
        let (sums, _) = trees.as_chunks::<BYTES>();
        // Node p of a level stands at y = p ^ (the first bits of D_g), so that number 0, on the
        // path, is the one that stays unknown; 0 stands in for it.
        let mut nodes = Zeroizing::new(vec![0; GROUPS]);
        for level in 1..=DEPTH {
            let width = 1 << (level - 1);
            let [left, right] = branching.children(&nodes);
            nodes = vec![0; 2 * GROUPS * width].into();
            for (g, nodes) in nodes.chunks_exact_mut(2 * width).enumerate() {
                let i = transfer(g, level);
                let d = bit(delta, i);
                let [on_left, on_right] =
                    [0, 1].map(|c| Block::from_le_bytes(sums[place(g, level) + c]));
                // Side d is that of the path: key d opens the sum of the other.
                let mut beside = keys[i] ^ Block::conditional_select(&on_right, &on_left, d);
                for y in 1..width {
                    let (left, right) = (left[g * width + y], right[g * width + y]);
                    nodes[2 * y] = Block::conditional_select(&left, &right, d);
                    nodes[2 * y + 1] = Block::conditional_select(&right, &left, d);
                    beside ^= nodes[2 * y + 1];
                }
                nodes[1] = beside;
            }
        }
        nodes
    }

    /// Makes rows from the message of [`Receiver::extend_checked`].
    ///
    /// A receiver that gave other choices to one group than to another passes only if it has
    /// guessed the bits of Delta of one of them.
    ///
    /// # Errors
    /// [`Error::Length`] as at [`Sender::extend`]; [`Error::Check`] if the groups do not agree.
    pub fn extend_checked(
        &self,
        e: u32,
        message: &[u8],
        n: usize,
    ) -> Result<Zeroizing<Vec<Block>>, Error> {
        let (expected, actual) = (checked_length(n), message.len());
        if actual != expected {
            return Err(Error::Length { argument: "d", expected, actual });
        }
        let (d, sums) = message.split_at(expected - 2 * BYTES);
        let (sums, _) = sums.as_chunks();
        let [choices, t] = [sums[0], sums[1]].map(Block::from_le_bytes);
        let mut rows = self.extend(e, d, n + SACRIFICED)?;
        let q = Zeroizing::new(Check::of(&self.planted, e, d).sum(&rows));
        let due = Zeroizing::new(t ^ gf128::multiply(choices, self.delta));
        if !bool::from(q.to_le_bytes().ct_eq(&due.to_le_bytes())) {
            return Err(Error::Check { argument: "d" });
        }
        rows.truncate(n);
        Ok(rows)
    }

    /// Makes `n` rows.
    ///
    /// Shapes: `d` [`message_length`] bytes, as [`Receiver::extend`] returns them for the same `e`;
    /// the result is the n rows q. Secret: Delta and the rows; no branch and no index depends on
    /// them.
    ///
    /// # Errors
    /// [`Error::Length`] if n is no multiple of 128 or `d` is not as long as n rows need. Any other
    /// bytes make rows; if they are not the receiver's, the law does not hold.
    pub fn extend(&self, e: u32, d: &[u8], n: usize) -> Result<Zeroizing<Vec<Block>>, Error> {
        if !n.is_multiple_of(BITS) {
            return Err(Error::Length { argument: "n", expected: BITS, actual: n });
        }
        if d.len() != message_length(n) {
            let (argument, actual) = ("d", d.len());
            return Err(Error::Length { argument, expected: message_length(n), actual });
        }
        let blocks = n / BITS;
        let (d, _) = d.as_chunks::<BYTES>();
        let mut rows = Zeroizing::new(vec![0; n]);
        let mut fold = Fold::new();
        for (piece, rows) in rows.chunks_mut(BITS * PIECE).enumerate() {
            let (start, length) = (piece * PIECE, rows.len() / BITS);
            for (g, leaves) in self.leaves.chunks_exact(LEAVES - 1).enumerate() {
                let (_, planes) = fold.group(g, leaves, counter(e, start), length);
                let d = &d[g * blocks + start..][..length];
                for (b, plane) in planes.chunks_exact_mut(length).enumerate() {
                    let mask =
                        Block::conditional_select(&0, &Block::MAX, bit(self.delta, DEPTH * g + b));
                    for (bits, d) in plane.iter_mut().zip(d) {
                        *bits ^= mask & Block::from_le_bytes(*d);
                    }
                }
            }
            fold.rows(rows);
        }
        Ok(rows)
    }
}

fn check_trees(trees: &[u8], expected: usize) -> Result<(), Error> {
    match trees.len() {
        actual if actual == expected => Ok(()),
        actual => Err(Error::Length { argument: "trees", expected, actual }),
    }
}

/// The digest of the trees' message, and of the session.
fn planted(sid: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let context = Sha256::new_with_prefix(PLANTED).chain_update(sid);
    context.chain_update(message).finalize().into()
}

/// The sum that both sides compare: row 64k + j counts `x^k y^j` times, for x and y that are drawn
/// after all that choices depend on is fixed, by hashing it: the session, the trees, the number of
/// the extension, and d (Keller, Orsini, Scholl, CRYPTO 2015, made non-interactive). Without the
/// trees a receiver could fix d, and with it x and y, and then look for trees in which groups that
/// disagree have the same sum: by a birthday, 2^64 of them.
///
/// If groups disagree, the sums of both sides agree as a polynomial of degree below 2^17 does in a
/// random point with its root: below 2^-110 for each message that a receiver tries at home.
struct Check {
    x: Block,
    y: Block,
}

impl Check {
    fn of(planted: &[u8; 32], e: u32, d: &[u8]) -> Self {
        let context = Sha256::new_with_prefix(DOMAIN).chain_update(planted);
        let digest = context.chain_update(e.to_le_bytes()).chain_update(d).finalize();
        let (halves, _) = digest.as_chunks::<BYTES>();
        Self { x: Block::from_le_bytes(halves[0]), y: Block::from_le_bytes(halves[1]) }
    }

    fn sum(&self, rows: &[Block]) -> Block {
        let mut abreast = Zeroizing::new([0; ABREAST]);
        let mut power = 1;
        for rows in rows.chunks(ABREAST) {
            gf128::accumulate(&mut abreast[..rows.len()], rows, power);
            power = gf128::multiply(power, self.x);
        }
        abreast.iter().rev().fold(0, |sum, row| gf128::multiply(sum, self.y) ^ row)
    }
}

/// The two keys that tell left children from right ones: child = AES(node) ^ node.
struct Branching {
    sides: [Aes; 2],
}

impl Branching {
    fn of(sid: &[u8; 32]) -> Self {
        Self { sides: ["cot/left", "cot/right"].map(|label| session_key(sid, label)) }
    }

    /// The left children of all nodes, then the right ones.
    fn children(&self, nodes: &[Block]) -> [Zeroizing<Vec<Block>>; 2] {
        [0, 1].map(|c| {
            let mut side = Zeroizing::new(nodes.to_vec());
            self.sides[c].hash_each(&mut side);
            side
        })
    }
}

/// Where a piece of the streams of all groups becomes planes, then rows. Wiped on drop.
struct Fold {
    /// The streams of the group at hand, by number.
    streams: Zeroizing<[[Block; PIECE]; LEAVES]>,
    sums: Zeroizing<[Block; PIECE]>,
    /// Plane b of group g at `(4g + b) * length`, length that of the piece.
    planes: Zeroizing<[Block; BITS * PIECE]>,
}

impl Fold {
    fn new() -> Self {
        Self {
            streams: [[0; PIECE]; LEAVES].into(),
            sums: [0; PIECE].into(),
            planes: [0; BITS * PIECE].into(),
        }
    }

    /// Folds the streams of one group, Blocks `first` to `first + length`: the sum of all of them,
    /// and four planes, of which number b sums the streams whose numbers have bit b.
    ///
    /// Without a leaf of number 0 the planes are right and the sum is not.
    fn group(
        &mut self,
        g: usize,
        leaves: &[Aes],
        first: Block,
        length: usize,
    ) -> (&[Block], &mut [Block]) {
        let missing = LEAVES - leaves.len();
        for (leaf, stream) in leaves.iter().zip(&mut self.streams[missing..]) {
            leaf.stream(first, &mut stream[..length]);
        }
        let planes = &mut self.planes[DEPTH * g * length..][..DEPTH * length];
        fold(&self.streams, &mut self.sums, planes);
        (&self.sums[..length], planes)
    }

    /// Turns the planes of all groups into rows.
    fn rows(&self, rows: &mut [Block]) {
        bits::rows(&self.planes[..rows.len()], rows);
    }
}

/// Folds sixteen streams into four planes, as long as `planes` has room for, and their sum.
fn fold(streams: &[[Block; PIECE]; LEAVES], sums: &mut [Block; PIECE], planes: &mut [Block]) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if has!("avx2") {
        // SAFETY: `x86::fold` needs avx2, which was just detected.
        #[expect(unsafe_code, reason = "the only door to x86")]
        let done = unsafe { x86::fold(streams, sums, planes) };
        return portable_fold(streams, sums, planes, done);
    }
    portable_fold(streams, sums, planes, 0);
}

/// The definition of `fold`, from Block `start` on.
///
/// Neighbours are summed, which leaves half as many streams whose numbers have one bit less. What
/// the odd ones of each round sum to is the plane of the bit that goes.
fn portable_fold(
    streams: &[[Block; PIECE]; LEAVES],
    sums: &mut [Block; PIECE],
    planes: &mut [Block],
    start: usize,
) {
    let length = planes.len() / DEPTH;
    for m in start..length {
        let mut folded = streams.each_ref().map(|stream| stream[m]);
        for b in 0..DEPTH {
            let mut odd = 0;
            for x in 0..LEAVES >> (b + 1) {
                odd ^= folded[2 * x + 1];
                folded[x] = folded[2 * x] ^ folded[2 * x + 1];
            }
            planes[b * length + m] = odd;
        }
        sums[m] = folded[0];
    }
}

/// The input of AES for Block `start` of the streams of extension e.
fn counter(e: u32, start: usize) -> Block {
    (Block::from(e) << 64) + start as Block
}

/// The base transfer, and the bit of Delta, that belongs to a level: the path from the root takes
/// the highest bit of `D_g` first.
fn transfer(g: usize, level: usize) -> usize {
    DEPTH * g + DEPTH - level
}

/// Where the two sums of a level stand in the trees' message, in Blocks.
fn place(g: usize, level: usize) -> usize {
    2 * (DEPTH * g + level - 1)
}

fn bit(delta: Block, i: usize) -> Choice {
    Choice::from((delta >> i) as u8 & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: [u8; 32] = [0xc0; 32];
    const DELTA: Block = 0x0123_4567_89ab_cdef_1000_8421_0f0f_f0f1;

    fn blocks(n: usize, entropy: &mut Entropy) -> Vec<Block> {
        let mut bytes = vec![[0; BYTES]; n];
        entropy.fill(bytes.as_flattened_mut());
        bytes.into_iter().map(Block::from_le_bytes).collect()
    }

    /// Both keys of each base transfer, the keys that delta chooses, and both halves.
    struct Session {
        pairs: [[Block; 2]; TRANSFERS],
        keys: [Block; TRANSFERS],
        receiver: Receiver,
        trees: Vec<u8>,
        sender: Sender,
    }

    impl Session {
        fn of(seed: u8, delta: Block) -> Self {
            let mut entropy = Entropy::from_seed_for_tests([seed; 32]);
            let drawn = blocks(2 * TRANSFERS, &mut entropy);
            let pairs: [[Block; 2]; TRANSFERS] =
                std::array::from_fn(|i| [drawn[2 * i], drawn[2 * i + 1]]);
            let keys = std::array::from_fn(|i| pairs[i][(delta >> i & 1) as usize]);
            let (receiver, trees) = Receiver::plant(&SID, &pairs, &mut entropy);
            let sender = Sender::grow(&SID, delta, &keys, &trees).unwrap();
            Self { pairs, keys, receiver, trees, sender }
        }
    }

    fn has(bits: &[Block], i: usize) -> bool {
        bits[i / BITS] >> (i % BITS) & 1 == 1
    }

    /// The rows that break the law.
    fn broken(delta: Block, choices: &[Block], t: &[Block], q: &[Block]) -> Vec<usize> {
        assert_eq!((t.len(), q.len()), (BITS * choices.len(), BITS * choices.len()));
        let expected = |i: usize| t[i] ^ if has(choices, i) { delta } else { 0 };
        (0..q.len()).filter(|i| q[*i] != expected(*i)).collect()
    }

    #[test]
    fn rows_differ_by_delta_exactly_where_the_choice_is_one() {
        for (seed, delta) in (1..).zip([DELTA, 0, Block::MAX, 1, 1 << 127]) {
            let session = Session::of(seed, delta);
            let mut entropy = Entropy::from_seed_for_tests([seed ^ 0xff; 32]);
            for n in [0, 128, BITS * PIECE, BITS * (PIECE + 1), 5760] {
                for e in [0, 1, 7] {
                    let choices = blocks(n / BITS, &mut entropy);
                    let (d, t) = session.receiver.extend(e, &choices);
                    assert_eq!(d.len(), message_length(n));
                    let q = session.sender.extend(e, &d, n).unwrap();
                    assert!(
                        broken(delta, &choices, &t, &q).is_empty(),
                        "seed {seed}, n {n}, e {e}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_fast_fold_agrees_with_the_portable_one_on_every_length() {
        let mut entropy = Entropy::from_seed_for_tests([19; 32]);
        for length in 1..=PIECE {
            let streams = std::array::from_fn(|_| blocks(PIECE, &mut entropy).try_into().unwrap());
            let [(mut fast_sums, mut fast_planes), (mut sums, mut planes)] =
                [(); 2].map(|()| ([0; PIECE], vec![0; DEPTH * length]));
            fold(&streams, &mut fast_sums, &mut fast_planes);
            portable_fold(&streams, &mut sums, &mut planes, 0);
            assert!(fast_sums == sums && fast_planes == planes, "seed 19, length {length}");
            for (b, plane) in planes.chunks(length).enumerate() {
                for m in 0..length {
                    let odd = (0..LEAVES).filter(|x| x >> b & 1 == 1);
                    assert!(plane[m] == odd.fold(0, |sum, x| sum ^ streams[x][m]), "seed 19");
                    assert!(sums[m] == streams.iter().fold(0, |sum, s| sum ^ s[m]), "seed 19");
                }
            }
        }
    }

    /// What the module says, a bit at a time, with trees walked from the root.
    mod twin {
        use super::*;

        fn mmo(label: &str, x: Block) -> Block {
            let mut block = [x];
            session_key(&SID, label).encrypt_each(&mut block);
            block[0] ^ x
        }

        fn child(parent: Block, c: usize) -> Block {
            mmo(["cot/left", "cot/right"][c], parent)
        }

        /// Node `p` of a level below the root.
        pub(super) fn node(root: Block, level: usize, p: usize) -> Block {
            (0..level).rev().fold(root, |node, bit| child(node, p >> bit & 1))
        }

        pub(super) fn stream_bit(seed: Block, e: u32, p: usize) -> bool {
            let mut block = [(Block::from(e) << 64) + (p / 128) as Block];
            Aes::new(seed).encrypt_each(&mut block);
            block[0] >> (p % 128) & 1 == 1
        }

        pub(super) fn number(delta: Block, g: usize) -> usize {
            (delta >> (4 * g)) as usize & 15
        }

        /// All leaves of a tree but number D, from the sums of the message and the keys. The others
        /// are reached from the nodes beside the path.
        pub(super) fn opened(
            delta: Block,
            g: usize,
            keys: &[Block; 128],
            trees: &[u8],
        ) -> Vec<Option<Block>> {
            let number = number(delta, g);
            let mut nodes = vec![None];
            for level in 1..=4 {
                let i = 4 * g + 4 - level;
                let d = number >> (4 - level) & 1;
                let mut next: Vec<Option<Block>> =
                    (0..2 * nodes.len()).map(|p| Some(child(nodes[p / 2]?, p % 2))).collect();
                let at = ((g * 4 + level - 1) * 2 + 1 - d) * 16;
                let sum = Block::from_le_bytes(trees[at..at + 16].try_into().unwrap()) ^ keys[i];
                let others = next.iter().skip(1 - d).step_by(2).flatten().fold(sum, |a, b| a ^ b);
                next[(number >> (4 - level)) ^ 1] = Some(others);
                nodes = next;
            }
            nodes
        }
    }

    #[test]
    fn trees_message_and_rows_are_those_of_the_formulas() {
        let (seed, n) = (20, 128);
        let session = Session::of(seed, DELTA);
        // `Session::of` draws the pairs first, then `plant` the roots.
        let mut entropy = Entropy::from_seed_for_tests([seed; 32]);
        let roots = blocks(2 * TRANSFERS + GROUPS, &mut entropy).split_off(2 * TRANSFERS);
        let mut trees = Vec::new();
        for (g, root) in roots.iter().enumerate() {
            for level in 1..=4 {
                for c in 0..2 {
                    let side = (0..1 << level).filter(|p| p % 2 == c);
                    let sum = side.fold(0, |sum, p| sum ^ twin::node(*root, level, p));
                    let masked = session.pairs[4 * g + 4 - level][1 - c] ^ sum;
                    trees.extend_from_slice(&masked.to_le_bytes());
                }
            }
        }
        assert!(trees == session.trees, "seed {seed}");
        for e in [0, 1, 7] {
            let choices = blocks(n / BITS, &mut entropy);
            let (d, t) = session.receiver.extend(e, &choices);
            let q = session.sender.extend(e, &d, n).unwrap();
            let (mut slow_d, mut slow_t, mut slow_q) = (vec![0; 4 * n], vec![0; n], vec![0; n]);
            for g in 0..GROUPS {
                let leaves: Vec<_> = (0..16).map(|x| twin::node(roots[g], 4, x)).collect();
                let opened = twin::opened(DELTA, g, &session.keys, &trees);
                let number = twin::number(DELTA, g);
                for x in 0..16 {
                    assert!(
                        opened[x] == (x != number).then_some(leaves[x]),
                        "seed {seed}, group {g}"
                    );
                }
                for i in 0..n {
                    let r: Vec<bool> =
                        leaves.iter().map(|leaf| twin::stream_bit(*leaf, e, i)).collect();
                    let d = r.iter().fold(has(&choices, i), |a, b| a ^ b);
                    slow_d[g * n / 8 + i / 8] |= u8::from(d) << (i % 8);
                    for b in 0..4 {
                        let t = (0..16).filter(|x| x >> b & 1 == 1).fold(false, |a, x| a ^ r[x]);
                        let known = (0..16).filter(|x| *x != number && (x ^ number) >> b & 1 == 1);
                        let q = known.fold(false, |a, x| a ^ r[x]) ^ (number >> b & 1 == 1 && d);
                        slow_t[i] |= Block::from(t) << (4 * g + b);
                        slow_q[i] |= Block::from(q) << (4 * g + b);
                    }
                }
            }
            assert!(d == slow_d && *t == slow_t && *q == slow_q, "seed {seed}, e {e}");
        }
    }

    #[test]
    fn a_flipped_bit_of_d_breaks_its_row_exactly_where_delta_has_bits_of_its_group() {
        let (seed, n, e) = (21, 256, 3);
        let session = Session::of(seed, DELTA);
        let mut entropy = Entropy::from_seed_for_tests([22; 32]);
        let choices = blocks(n / BITS, &mut entropy);
        let (d, t) = session.receiver.extend(e, &choices);
        let mut unnoticed = 0;
        for g in 0..GROUPS {
            for i in [0, 7, 127, 128, 201, 255] {
                let mut forged = d.clone();
                forged[g * n / 8 + i / 8] ^= 1 << (i % 8);
                let q = session.sender.extend(e, &forged, n).unwrap();
                let bits = DELTA >> (4 * g) & 15;
                let expected = if bits == 0 { vec![] } else { vec![i] };
                assert_eq!(
                    broken(DELTA, &choices, &t, &q),
                    expected,
                    "seeds {seed}, 22, group {g}"
                );
                unnoticed += usize::from(bits == 0);
            }
        }
        assert!(unnoticed > 0, "delta has an empty group");
    }

    #[test]
    fn a_false_sum_of_a_tree_breaks_rows_exactly_where_delta_opens_it() {
        let (seed, n) = (23, 128);
        let session = Session::of(seed, DELTA);
        let choices = blocks(n / BITS, &mut Entropy::from_seed_for_tests([24; 32]));
        let (d, t) = session.receiver.extend(0, &choices);
        for (at, g, level, c) in (0..TREES / BYTES).map(|at| (at, at / 8, at / 2 % 4 + 1, at % 2)) {
            let mut forged = session.trees.clone();
            forged[BYTES * at + 5] ^= 0x10;
            let sender = Sender::grow(&SID, DELTA, &session.keys, &forged).unwrap();
            let q = sender.extend(0, &d, n).unwrap();
            let opens = DELTA >> (4 * g + 4 - level) & 1 != c as Block;
            let holds = broken(DELTA, &choices, &t, &q).is_empty();
            assert_eq!(holds, !opens, "seeds {seed}, 24, group {g}, level {level}, side {c}");
        }
    }

    #[test]
    fn other_sessions_keys_and_extensions_do_not_fit() {
        let (seed, n) = (25, 128);
        let session = Session::of(seed, DELTA);
        let choices = blocks(n / BITS, &mut Entropy::from_seed_for_tests([26; 32]));
        let (d, t) = session.receiver.extend(5, &choices);
        let other = Sender::grow(&[0xc1; 32], DELTA, &session.keys, &session.trees).unwrap();
        let unlike = std::array::from_fn(|i| session.keys[i] ^ 1);
        let unkeyed = Sender::grow(&SID, DELTA, &unlike, &session.trees).unwrap();
        for (sender, e) in [(&session.sender, 6), (&other, 5), (&unkeyed, 5)] {
            let q = sender.extend(e, &d, n).unwrap();
            assert_eq!(broken(DELTA, &choices, &t, &q).len(), n, "seeds {seed}, 26");
        }
    }

    #[test]
    fn other_choices_in_one_group_are_found_out_before_there_are_rows() {
        let mut entropy = Entropy::from_seed_for_tests([31; 32]);
        let mut pairs = [[0; 2]; TRANSFERS];
        for key in pairs.as_flattened_mut() {
            let mut bytes = [0; BYTES];
            entropy.fill(&mut bytes);
            *key = Block::from_le_bytes(bytes);
        }
        let delta = 0x1234_5678_9abc_def1_2345_6789_abcd_ef12; // no group of four bits is zero
        let keys = std::array::from_fn(|i| pairs[i][usize::from(delta >> i & 1 == 1)]);
        let (receiver, trees) = Receiver::plant(&SID, &pairs, &mut entropy);
        let sender = Sender::grow(&SID, delta, &keys, &trees).unwrap();
        let choices = [5, u128::MAX / 3, 0];
        let (message, t) = receiver.extend_checked(3, &choices, &mut entropy);
        assert_eq!(message.len(), checked_length(384));
        let q = sender.extend_checked(3, &message, 384).unwrap();
        assert_eq!((t.len(), q.len()), (384, 384));
        for (i, (t, q)) in t.iter().zip(&*q).enumerate() {
            let choice = choices[i / BITS] >> (i % BITS) & 1;
            assert_eq!(*q, t ^ (choice * delta), "row {i}");
        }
        for at in [0, 79, 80, 80 * 31 + 79, message.len() - 32, message.len() - 1] {
            let mut changed = message.clone();
            changed[at] ^= 4;
            let refused = sender.extend_checked(3, &changed, 384).err();
            assert_eq!(refused, Some(Error::Check { argument: "d" }), "byte {at}");
        }
        assert!(sender.extend_checked(3, &message[1..], 384).is_err());
        // It shows nothing but two sums, and other sums for the same choices.
        let (again, _) = receiver.extend_checked(3, &choices, &mut entropy);
        assert_ne!(message[message.len() - 32..], again[again.len() - 32..]);
    }

    #[test]
    fn a_false_sum_of_a_checked_tree_passes_exactly_where_delta_does_not_open_it() {
        let mut entropy = Entropy::from_seed_for_tests([32; 32]);
        let drawn = blocks(2 * TRANSFERS, &mut entropy);
        let (pairs, _) = drawn.as_chunks::<2>();
        let pairs: [[Block; 2]; TRANSFERS] = pairs.try_into().unwrap();
        for delta in [DELTA, 0, Block::MAX] {
            let keys = std::array::from_fn(|i| pairs[i][(delta >> i & 1) as usize]);
            let (receiver, trees) = Receiver::plant_checked(&SID, &pairs, &mut entropy);
            assert_eq!(trees.len(), CHECKED_TREES);
            let sender = Sender::grow_checked(&SID, delta, &keys, &trees).unwrap();
            let choices = blocks(1, &mut entropy);
            let (d, t) = receiver.extend(0, &choices);
            let q = sender.extend(0, &d, BITS).unwrap();
            assert!(broken(delta, &choices, &t, &q).is_empty(), "seed 32");
            for at in 0..CHECKED_TREES / BYTES {
                let mut forged = trees.clone();
                forged[BYTES * at + 5] ^= 0x10;
                let grown = Sender::grow_checked(&SID, delta, &keys, &forged);
                let (g, level, c) = (at / 8, at / 2 % 4 + 1, at % 2);
                // Behind the trees stands what shows them, which every Delta reads.
                let opens = at >= TREES / BYTES || delta >> (4 * g + 4 - level) & 1 != c as Block;
                let due = opens.then_some(Error::Check { argument: "trees" });
                assert_eq!(grown.err(), due, "seed 32, block {at}");
            }
            for actual in [0, TREES, CHECKED_TREES - 1, CHECKED_TREES + 1] {
                let grown = Sender::grow_checked(&SID, delta, &keys, &vec![0; actual]);
                let expected = CHECKED_TREES;
                assert_eq!(
                    grown.err(),
                    Some(Error::Length { argument: "trees", expected, actual })
                );
            }
        }
    }

    #[test]
    fn messages_of_wrong_length_are_refused() {
        let session = Session::of(27, DELTA);
        for actual in [0, TREES - 1, TREES + 1, 2 * TREES] {
            let error = Error::Length { argument: "trees", expected: TREES, actual };
            let grown = Sender::grow(&SID, DELTA, &session.keys, &vec![0; actual]);
            assert_eq!(grown.err(), Some(error));
        }
        for n in [0, 128, 5760] {
            let expected = n / 8 * 32;
            for actual in [0, 1, expected + 1, expected + 512, 2 * expected, 511] {
                if actual != expected {
                    let error = Error::Length { argument: "d", expected, actual };
                    let rows = session.sender.extend(0, &vec![0; actual], n);
                    assert_eq!(rows.err(), Some(error));
                }
            }
        }
        let n = usize::MAX - 127;
        let error = Error::Length { argument: "d", expected: usize::MAX, actual: 512 };
        assert_eq!(session.sender.extend(0, &[0; 512], n).err(), Some(error));
        for n in [1, 127, 129, usize::MAX] {
            let error = Error::Length { argument: "n", expected: 128, actual: n };
            assert_eq!(session.sender.extend(0, &[0; 512], n).err(), Some(error));
        }
    }
}
