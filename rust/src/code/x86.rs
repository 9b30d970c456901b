//! The code on AVX2: two Blocks to a register, those of a [`Pair`] or those of two blocks of the
//! code.

use std::arch::x86_64::{
    __m256i, _mm256_castsi128_si256, _mm256_castsi256_si128, _mm256_extracti128_si256,
    _mm256_inserti128_si256, _mm256_xor_si256,
};

use crate::aes::Block;
use crate::aes::lanes::{one, two};
use crate::memory;
use crate::trees::{LANES, Row};

use super::quadratic_residue::{SIDE, products};
use super::{Noise, Pair, READ, ROOM, Value, WINDOW, window};

/// Bytes of a line of the caches.
const LINE: usize = 64;
/// How many elements of a bucket ahead the place of one is asked for. A line has four Blocks, so this
/// is two lines of them, four of pairs: enough where elements of a bucket follow one another closely.
const AHEAD: usize = 8;

/// The two rounds, for elements of one or two Blocks.
macro_rules! rounds {
    ($name:ident, $element:ty, $zero:expr, $load:path, $store:path, $xor:ident, $group:ty, $rows:path, $leaf:path) => {
        pub(super) mod $name {
            use std::arch::x86_64::$xor;

            use super::*;

            /// The first round: writes the running sum of the elements to their places in buckets.
            #[target_feature(enable = "avx2")]
            pub(in super::super) fn push(
                sum: &mut $element,
                group: $group,
                order: &[u8],
                to: &[u32],
                buckets: &mut [$element],
            ) {
                let mut running = $load(sum);
                for (place, to) in order.iter().zip(to.as_chunks::<LANES>().0) {
                    let row = $rows(group, *place);
                    for (lane, to) in to.iter().enumerate() {
                        running = $xor(running, $leaf(row, lane));
                        $store(&mut buckets[*to as usize], running);
                        memory::prefetch(buckets, *to as usize + AHEAD);
                    }
                }
                $store(sum, running);
            }

            /// The second round, from buckets to buckets.
            #[target_feature(enable = "avx2")]
            pub(in super::super) fn reroute(
                from: &[u16],
                first: &[$element],
                to: &[u32],
                second: &mut [$element],
            ) {
                let mut running = $load(&$zero);
                let parts = from.chunks_exact(ROOM).zip(to.chunks_exact(ROOM));
                for (bucket, (from, to)) in parts.enumerate() {
                    let window = window(first, bucket);
                    let next = &first[((bucket + 1) * ROOM).min(first.len() - ROOM)..][..ROOM];
                    // Else each first look at a line of the next bucket waits for the third cache.
                    for ((from, to), next) in from.iter().zip(to).zip(next) {
                        memory::prefetch(std::slice::from_ref(next), 0);
                        running = $xor(running, $load(&window[usize::from(*from)]));
                        $store(&mut second[*to as usize], running);
                        memory::prefetch(second, *to as usize + AHEAD);
                    }
                }
            }
        }
    };
}

/// The blocks of the code, two side by side.
#[target_feature(enable = "avx2")]
pub(super) fn compress(from: &[u16], second: &[Block], out: &mut [Block]) {
    let parts = from.chunks_exact(2 * ROOM).zip(out.chunks_exact_mut(ROOM));
    for (pair, (from, out)) in parts.enumerate() {
        let [window, other_window] = [2 * pair, 2 * pair + 1].map(|bucket| window(second, bucket));
        let (from, other_from) = from.split_at(ROOM);
        let (out, other_out) = out.split_at_mut(ROOM / 2);
        let from = from.as_chunks::<READ>().0.iter().zip(other_from.as_chunks::<READ>().0);
        let out = out.as_chunks_mut::<SIDE>().0.iter_mut().zip(other_out.as_chunks_mut::<SIDE>().0);
        for (block, ((from, other_from), (out, other_out))) in from.zip(out).enumerate() {
            prefetch_next(second, 2 * (pair + 1) * ROOM, 2 * block);
            prefetch_next(second, 2 * (pair + 1) * ROOM, 2 * block + 1);
            let both = |i: usize| {
                let (from, other_from) = (usize::from(from[i]), usize::from(other_from[i]));
                beside(&window[from], &other_window[other_from])
            };
            let x = |j: usize| both(SIDE + j);
            let mut add = |i: usize, y: __m256i| {
                let sum = _mm256_xor_si256(both(i), y);
                store_block(&mut out[i], _mm256_castsi256_si128(sum));
                store_block(&mut other_out[i], _mm256_extracti128_si256::<1>(sum));
            };
            products!(x, _mm256_xor_si256, add);
        }
    }
}

/// The blocks of the code, c and a side by side.
#[target_feature(enable = "avx2")]
pub(super) fn compress_pairs<V: Value>(
    from: &[u16],
    second: &[Pair],
    sums: &mut [Block],
    values: &mut [V],
) {
    let out = sums.chunks_exact_mut(ROOM / 2).zip(values.chunks_exact_mut(ROOM / 2));
    for (bucket, (from, (sums, values))) in from.chunks_exact(ROOM).zip(out).enumerate() {
        let window = window(second, bucket);
        let out = sums.as_chunks_mut::<SIDE>().0.iter_mut().zip(values.as_chunks_mut::<SIDE>().0);
        for (block, (from, (sums, values))) in
            from.as_chunks::<READ>().0.iter().zip(out).enumerate()
        {
            prefetch_next(second, (bucket + 1) * ROOM, block);
            let element = |i: usize| load_pair(&window[usize::from(from[i])]);
            let x = |j: usize| element(SIDE + j);
            let mut add = |i: usize, y: __m256i| {
                let sum = _mm256_xor_si256(element(i), y);
                store_block(&mut sums[i], _mm256_castsi256_si128(sum));
                let mut a = 0;
                store_block(&mut a, _mm256_extracti128_si256::<1>(sum));
                values[i] = V::low(a);
            };
            products!(x, _mm256_xor_si256, add);
        }
    }
}

/// Asks, while a block of one bucket is read, for as many elements of the next one: else each first
/// look at a line waits for the third cache. Elements of a code that is no longer than a window fill
/// half of the second cache or all of it, and then asking takes as long as it saves.
#[inline(always)]
fn prefetch_next<T>(elements: &[T], bucket: usize, block: usize) {
    if elements.len() > WINDOW {
        let start = bucket + block * READ;
        let lines = (start..start + READ).step_by(LINE / size_of::<T>());
        lines.for_each(|element| memory::prefetch(elements, element));
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_block(block: &Block) -> one::Lanes {
    one::load(std::array::from_ref(block))
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_block(block: &mut Block, lanes: one::Lanes) {
    one::store(std::array::from_mut(block), lanes);
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_pair(pair: &Pair) -> two::Lanes {
    two::load(&pair.0)
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_pair(pair: &mut Pair, lanes: two::Lanes) {
    two::store(&mut pair.0, lanes);
}

/// A row of leaves.
fn row(leaves: &[Row], place: u8) -> &Row {
    &leaves[usize::from(place)]
}

/// A row of leaves, and the noise there.
fn rows<'a>((leaves, noise): (&'a [Row], &'a Noise), place: u8) -> (&'a Row, &'a Row) {
    (row(leaves, place), noise.row(place))
}

#[target_feature(enable = "avx2")]
#[inline]
fn leaf(row: &Row, lane: usize) -> one::Lanes {
    load_block(&row[lane])
}

#[target_feature(enable = "avx2")]
#[inline]
fn leaf_and_noise((leaves, noise): (&Row, &Row), lane: usize) -> two::Lanes {
    beside(&leaves[lane], &noise[lane])
}

/// Two Blocks from two places.
#[target_feature(enable = "avx2")]
#[inline]
fn beside(a: &Block, b: &Block) -> two::Lanes {
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(load_block(a)), load_block(b))
}

rounds!(single, Block, 0, load_block, store_block, _mm_xor_si128, &[Row], row, leaf);
rounds!(
    double,
    Pair,
    Pair([0; 2]),
    load_pair,
    store_pair,
    _mm256_xor_si256,
    (&[Row], &Noise),
    rows,
    leaf_and_noise
);
