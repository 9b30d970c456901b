//! The compressing code of the VOLE: a linear map over F2 from N elements to half as many.
//!
//! Block-accumulate (Kolesnikov, Peceny, Raghuraman, Rindal, "Block-accumulate codes"): two rounds,
//! each a running sum and then a random permutation, and a code of short blocks. Where theirs are
//! random, ours are all the extended quadratic residue code [48, 24, 12]. The map is the same for
//! all chunks of a session; both parties draw the permutations from the session's identifier.
//!
//! Why it hides noise. A linear test of outputs is a word of the code, read as a test of the noise
//! vector, and over F2 it is blind only if the word misses the place of every noise value. The
//! expected number of words that weigh less than `0.105 N` is below 2^-44, for all N in use; any
//! other one misses 816 places, one in each tree, with probability at most
//! `(1 - 0.105)^816 < 2^-128`.
//!
//! Why it walks as it does. An element read or written at random in 1.7 MB, beyond the second
//! cache, costs a miss of the first cache, both ways. So a permutation is walked in two steps that
//! miss seldom: an element is written to the next free place of the bucket in which it is read
//! again, 128 of them open at a time, and picked from there when all of the bucket is in the first
//! cache. All running sums pass through registers on the way. `benches/expansion.rs` times it.

mod portable;
mod quadratic_residue;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use sha2::{Digest, Sha256};
use zeroize::{DefaultIsZeroes, Zeroize, ZeroizeOnDrop};

use crate::aes::Block;
use crate::entropy::Entropy;
use crate::shuffle::Shuffle;
use crate::trees::{self, LANES, LEAVES, Row};

use quadratic_residue::SIDE;

/// Elements that a block of the short code reads: `SIDE` of the first half, `SIDE` of the second.
const READ: usize = 2 * SIDE;
/// Elements of a bucket: 17 blocks. 26 KB of pairs, or of single elements of two buckets, stay in
/// the first cache.
const ROOM: usize = 17 * READ;
/// Elements that 16 bits can tell apart. Where a bucket is read, its place in such a window is what
/// is kept: it needs no check against the window's length.
const WINDOW: usize = 1 << 16;

const _: () =
    assert!(trees::TREES.is_multiple_of(ROOM), "a code of 2 k leaves a tree fills buckets by twos");

/// What the permutations of a session are drawn from, before its identifier.
const DOMAIN: &[u8] = b"greenlane/vole/1/code";

/// What the receiver compresses, c and a, which go the same way.
///
/// 32 bytes even where a has only 8: one register and one line of the cache. 24 bytes took the same
/// time, and two arrays of 16 and 8 bytes a sixth more.
#[derive(Clone, Copy, Default, Zeroize)]
#[repr(align(32))]
pub struct Pair(pub(crate) [Block; 2]);

/// What the receiver keeps of an a: its low bits.
pub trait Value: DefaultIsZeroes + Into<Block> {
    /// The low bits of a Block; the others are zero in every a.
    fn low(block: Block) -> Self;
}

impl Value for u64 {
    #[inline]
    fn low(block: Block) -> Self {
        block as Self
    }
}

impl Value for Block {
    #[inline]
    fn low(block: Block) -> Self {
        block
    }
}

/// The code of a session. Public.
pub struct Code {
    first: Route,
    second: Route,
}

impl Code {
    /// Draws the permutations of a session from its identifier, for trees of so many leaves.
    ///
    /// # Panics
    /// If the leaves are an odd number, or there are 2^32 of them in all.
    #[must_use]
    pub fn draw(sid: &[u8; 32], leaves: usize) -> Self {
        assert!(leaves.is_multiple_of(2), "buckets are compressed by twos");
        let length = trees::TREES * leaves;
        let seed = Sha256::new_with_prefix(DOMAIN).chain_update(sid).finalize();
        // Nothing here is secret, so the seed may be public.
        let mut entropy = Entropy::from_public_seed(seed.into());
        let mut draw = || Shuffle::draw(length, &mut entropy).expect("less than 2^32 rows");
        let (first, second) = (draw(), draw());
        Self {
            first: Route::new(first.slots(), |slot| slot),
            second: Route::new(second.slots(), |slot| read(slot, length / 2)),
        }
    }

    /// Elements that go in.
    #[must_use]
    pub fn length(&self) -> usize {
        self.first.to.len()
    }

    /// Elements that come out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.length() / 2
    }
}

/// When the blocks read a slot of the second round: block k, in its turn, element i of its half.
fn read(slot: usize, outputs: usize) -> usize {
    let (half, slot) = (slot / outputs, slot % outputs);
    slot / SIDE * READ + half * SIDE + slot % SIDE
}

/// A permutation as a walk through buckets.
struct Route {
    /// Where each element is written: the next free place of its bucket.
    to: Vec<u32>,
    /// Of each element, in the order of reading, the place in its bucket's window.
    from: Vec<u16>,
}

impl Route {
    /// The way of elements into slots that are read in this order.
    fn new(slots: &[u32], order: impl Fn(usize) -> usize) -> Self {
        // The next free place of each bucket.
        let mut free: Vec<usize> = (0..slots.len()).step_by(ROOM).collect();
        let mut from = vec![0; slots.len()];
        let room = room(slots.len());
        let to = slots.iter().map(|slot| {
            let at = order(*slot as usize);
            let bucket = at / ROOM;
            let place = free[bucket];
            free[bucket] += 1;
            from[at] = (place - start(bucket, room)) as u16;
            place as u32
        });
        Self { to: to.collect(), from }
    }
}

/// Where elements stand in a round: a window at least, which a short code does not fill.
fn room(length: usize) -> usize {
    length.max(WINDOW)
}

/// Where the window of a bucket starts: with the bucket, or as late as a window can.
fn start(bucket: usize, room: usize) -> usize {
    (bucket * ROOM).min(room - WINDOW)
}

/// The window of a bucket, of all elements.
fn window<T>(elements: &[T], bucket: usize) -> &[T; WINDOW] {
    elements[start(bucket, elements.len())..]
        .first_chunk()
        .expect("a window starts where it ends in time")
}

/// The Blocks of a group of trees in the order of the code: leaf after leaf, a row each.
fn in_order<'a>(order: &[u8], row: impl Fn(u8) -> &'a Row) -> impl Iterator<Item = Block> {
    order.iter().flat_map(move |place| *row(*place))
}

/// The noise of a group of trees: one value in each lane. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Noise {
    /// For each row of leaves the number of a row of values. For most it is 0, and row 0 is zero.
    rows: [u8; LEAVES],
    values: [Row; LANES + 1],
}

impl Noise {
    /// No noise.
    #[must_use]
    pub fn new() -> Self {
        Self { rows: [0; LEAVES], values: [[0; LANES]; LANES + 1] }
    }

    /// Sets `values[j]` in row `places[j]` of lane j, and zero elsewhere.
    ///
    /// Secret: all. `places` are the receiver's own; they index memory at home only.
    pub fn set(&mut self, places: &[u8; LANES], values: &Row) {
        self.rows = [0; LEAVES];
        self.values = [[0; LANES]; LANES + 1];
        for (lane, (place, value)) in places.iter().zip(values).enumerate() {
            // Where another lane has noise in the same row, both share its values.
            let row = &mut self.rows[usize::from(*place)];
            *row = if *row == 0 { lane as u8 + 1 } else { *row };
            self.values[usize::from(*row)][lane] = *value;
        }
    }

    /// The values in a row of leaves.
    fn row(&self, place: u8) -> &Row {
        &self.values[usize::from(self.rows[usize::from(place)])]
    }
}

impl Default for Noise {
    fn default() -> Self {
        Self::new()
    }
}

/// Elements on their way through the code. Wiped on drop.
///
/// `T` is [`Block`] at the sender, [`Pair`] at the receiver. Secret: the elements; they decide no
/// branch and no index.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Encoder<T: Zeroize> {
    /// The buckets of the first round, then of the second.
    rounds: [Vec<T>; 2],
    /// The running sum of the first round, and over how many leaves.
    sum: T,
    summed: usize,
}

impl<T: Copy + Default + Zeroize> Encoder<T> {
    /// An encoder without elements, for codes as long as this one.
    #[must_use]
    pub fn new(code: &Code) -> Self {
        let round = || vec![T::default(); room(code.length())];
        Self { rounds: [round(), round()], sum: T::default(), summed: 0 }
    }

    /// The places of the next group, at most [`trees::GROUPS`] in all.
    fn next<'a>(&mut self, code: &'a Code, order: &[u8]) -> &'a [u32] {
        let start = self.summed;
        self.summed += order.len() * LANES;
        &code.first.to[start..self.summed]
    }

    /// Starts anew.
    fn restart(&mut self, code: &Code) {
        debug_assert_eq!(self.summed, code.length(), "all elements were pushed");
        (self.sum, self.summed) = (T::default(), 0);
    }
}

impl Encoder<Block> {
    /// Takes the next group of [`trees::GROUPS`], row `order[l]` for leaf l of each tree.
    pub fn push(&mut self, code: &Code, leaves: &[Row], order: &[u8]) {
        let to = self.next(code, order);
        let Self { rounds: [first, _], sum, .. } = self;
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if has!("avx2") {
            // SAFETY: `single::push` needs avx2, which was just detected.
            #[expect(unsafe_code, reason = "a door to x86")]
            return unsafe { x86::single::push(sum, leaves, order, to, first) };
        }
        portable::push(sum, in_order(order, |place| &leaves[usize::from(place)]), to, first);
    }

    /// Compresses the elements that were pushed, and starts anew: [`Code::outputs`] elements.
    pub fn finish(&mut self, code: &Code, out: &mut [Block]) {
        self.restart(code);
        let [first, second] = &mut self.rounds;
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if has!("avx2") {
            // SAFETY: both need avx2, which was just detected.
            #[expect(unsafe_code, reason = "a door to x86")]
            unsafe {
                x86::single::reroute(&code.first.from, first, &code.second.to, second);
                return x86::compress(&code.second.from, second, out);
            }
        }
        portable::reroute(&code.first.from, first, &code.second.to, second);
        portable::compress(&code.second.from, second, |i, element| out[i] = element);
    }
}

impl Encoder<Pair> {
    /// Takes the next group of [`trees::GROUPS`]: c from `leaves`, a from `noise`; rows as above.
    pub fn push(&mut self, code: &Code, leaves: &[Row], noise: &Noise, order: &[u8]) {
        let to = self.next(code, order);
        let Self { rounds: [first, _], sum, .. } = self;
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if has!("avx2") {
            // SAFETY: `double::push` needs avx2, which was just detected.
            #[expect(unsafe_code, reason = "a door to x86")]
            return unsafe { x86::double::push(sum, (leaves, noise), order, to, first) };
        }
        let c = in_order(order, |place| &leaves[usize::from(place)]);
        let a = in_order(order, |place| noise.row(place));
        portable::push(sum, c.zip(a).map(|(c, a)| Pair([c, a])), to, first);
    }

    /// Compresses the elements that were pushed, and starts anew: [`Code::outputs`] c and as many
    /// a.
    pub fn finish<V: Value>(&mut self, code: &Code, sums: &mut [Block], values: &mut [V]) {
        self.restart(code);
        let [first, second] = &mut self.rounds;
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if has!("avx2") {
            // SAFETY: both need avx2, which was just detected.
            #[expect(unsafe_code, reason = "a door to x86")]
            unsafe {
                x86::double::reroute(&code.first.from, first, &code.second.to, second);
                return x86::compress_pairs(&code.second.from, second, sums, values);
            }
        }
        portable::reroute(&code.first.from, first, &code.second.to, second);
        portable::compress(&code.second.from, second, |i, Pair([c, a])| {
            (sums[i], values[i]) = (c, V::low(a));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::quadratic_residue::ROWS;
    use super::*;
    use crate::trees::{GROUP, Leaves, PLACES};

    const LENGTH: usize = trees::TREES * LEAVES;
    const OUTPUTS: usize = LENGTH / 2;

    fn blocks(n: usize, entropy: &mut Entropy) -> Vec<Block> {
        let mut bytes = vec![0; n * size_of::<Block>()];
        entropy.fill(&mut bytes);
        bytes.as_chunks().0.iter().map(|block| Block::from_le_bytes(*block)).collect()
    }

    /// The rows of a group from its Blocks in the order of the code.
    fn leaves(group: &[Block]) -> Leaves {
        let mut leaves = [[0; LANES]; LEAVES];
        for (row, place) in group.as_chunks().0.iter().zip(PLACES) {
            leaves[usize::from(place)] = *row;
        }
        leaves
    }

    /// The code by its definition.
    fn slow(sid: &[u8; 32], elements: &[Block]) -> Vec<Block> {
        let seed = Sha256::digest([DOMAIN, sid].concat()).into();
        let mut entropy = Entropy::from_seed_for_tests(seed);
        let mut elements = elements.to_vec();
        for _ in 0..2 {
            let (mut sum, mut moved) = (0, vec![0; LENGTH]);
            let shuffle = Shuffle::draw(LENGTH, &mut entropy).unwrap();
            for (element, slot) in elements.iter().zip(shuffle.slots()) {
                sum ^= element;
                moved[*slot as usize] = sum;
            }
            elements = moved;
        }
        let (upper, lower) = elements.split_at(OUTPUTS);
        let out = |i: usize| {
            let (row, block) = (ROWS[i % SIDE], &lower[i / SIDE * SIDE..][..SIDE]);
            block.iter().enumerate().fold(upper[i], |sum, (j, element)| {
                sum ^ if row >> j & 1 == 1 { *element } else { 0 }
            })
        };
        (0..OUTPUTS).map(out).collect()
    }

    fn compress(encoder: &mut Encoder<Block>, code: &Code, elements: &[Block]) -> Vec<Block> {
        for group in elements.chunks_exact(GROUP) {
            encoder.push(code, &leaves(group), &PLACES);
        }
        let mut out = vec![0; OUTPUTS];
        encoder.finish(code, &mut out);
        out
    }

    #[test]
    fn both_sides_compress_by_the_definition() {
        let (sid, mut entropy) = ([6; 32], Entropy::from_seed_for_tests([31; 32]));
        let code = Code::draw(&sid, LEAVES);
        let (mut single, mut double) = (Encoder::new(&code), Encoder::<Pair>::new(&code));
        let (mut noise, mut a) = (Noise::new(), vec![0; LENGTH]);
        // Twice, so that a second use sees nothing of the first.
        for _ in 0..2 {
            let c = blocks(LENGTH, &mut entropy);
            a.fill(0);
            for (c, a) in c.chunks_exact(GROUP).zip(a.chunks_exact_mut(GROUP)) {
                let values: Row = *blocks(LANES, &mut entropy).first_chunk().unwrap();
                // Up to eight lanes have their noise at one leaf.
                let of_lanes = std::array::from_fn(|_| entropy.below(16) as usize * 8 % LEAVES);
                for (lane, (leaf, value)) in of_lanes.iter().zip(values).enumerate() {
                    a[leaf * LANES + lane] = value;
                }
                noise.set(&of_lanes.map(|leaf| PLACES[leaf]), &values);
                double.push(&code, &leaves(c), &noise, &PLACES);
            }
            let (slow_c, slow_a) = (slow(&sid, &c), slow(&sid, &a));
            assert!(compress(&mut single, &code, &c) == slow_c, "seed 31");
            let (mut sums, mut values) = (vec![0; OUTPUTS], vec![0_u128; OUTPUTS]);
            double.finish(&code, &mut sums, &mut values);
            assert!(sums == slow_c, "seed 31");
            assert!(values == slow_a, "seed 31");
        }
    }

    #[test]
    fn the_code_is_linear_and_has_the_sessions_permutations() {
        let mut entropy = Entropy::from_seed_for_tests([32; 32]);
        let (code, other) = (Code::draw(&[1; 32], LEAVES), Code::draw(&[2; 32], LEAVES));
        let (x, y) = (blocks(LENGTH, &mut entropy), blocks(LENGTH, &mut entropy));
        let both: Vec<Block> = x.iter().zip(&y).map(|(x, y)| x ^ y).collect();
        let mut encoder = Encoder::new(&code);
        let mut compress = |code, x| compress(&mut encoder, code, x);
        let sum: Vec<Block> =
            compress(&code, &x).iter().zip(compress(&code, &y)).map(|(x, y)| x ^ y).collect();
        assert!(compress(&code, &both) == sum, "seed 32");
        assert!(compress(&other, &both) != sum, "seed 32");
    }

    #[test]
    fn routes_lead_every_element_to_its_slot() {
        let mut entropy = Entropy::from_seed_for_tests([33; 32]);
        let shuffle = Shuffle::draw(LENGTH, &mut entropy).unwrap();
        for order in [|slot| slot, (|slot| read(slot, OUTPUTS)) as fn(usize) -> usize] {
            let route = Route::new(shuffle.slots(), order);
            let mut buckets = vec![usize::MAX; LENGTH];
            for (i, to) in route.to.iter().enumerate() {
                buckets[*to as usize] = i;
            }
            let mut seen = vec![false; LENGTH];
            for slot in 0..LENGTH {
                let at = order(slot);
                let i = window(&buckets, at / ROOM)[usize::from(route.from[at])];
                assert_eq!(shuffle.slots()[i] as usize, slot, "seed 33");
                assert!(!std::mem::replace(&mut seen[at], true), "seed 33");
            }
        }
    }

    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    #[test]
    fn the_fast_twin_agrees_with_the_portable_one() {
        let mut entropy = Entropy::from_seed_for_tests([34; 32]);
        let code = Code::draw(&[3; 32], LEAVES);
        let elements = blocks(LENGTH, &mut entropy);
        let fast = compress(&mut Encoder::new(&code), &code, &elements);
        let (mut first, mut second, mut slow) =
            (vec![0; LENGTH], vec![0; LENGTH], vec![0; OUTPUTS]);
        portable::push(&mut 0, elements.into_iter(), &code.first.to, &mut first);
        portable::reroute(&code.first.from, &first, &code.second.to, &mut second);
        portable::compress(&code.second.from, &second, |i, element| slow[i] = element);
        assert!(fast == slow, "seed 34");
    }
}
