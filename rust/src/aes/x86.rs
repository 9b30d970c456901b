//! AES on the instructions of x86, in registers of one, two or four Blocks.
//!
//! A round takes 3 to 5 cycles and one or two may start in each, but within one register each waits
//! for the one before: registers side by side fill the gap. The instructions take the same time on
//! all data.

use std::arch::x86_64::{
    __m128i, _mm_aeskeygenassist_si128, _mm_shuffle_epi32, _mm_slli_si128, _mm_xor_si128,
};

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::lanes::one;
use super::{Block, Job};

/// The eleven round keys (FIPS 197, section 5.2).
type Keys = [Block; 11];

/// A set of instructions, by the number of Blocks to its registers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path {
    Four,
    Two,
    One,
}

impl Path {
    /// All, the fastest first.
    pub(super) const ALL: [Self; 3] = [Self::Four, Self::Two, Self::One];

    /// Whether this machine has it.
    fn is_here(self) -> bool {
        let one = has!("aes", "avx2");
        let two = one && has!("vaes");
        match self {
            Self::Four => two && has!("avx512f"),
            Self::Two => two,
            Self::One => one,
        }
    }
}

/// A key, expanded, and a path that this machine has. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Cipher {
    keys: Keys,
    #[zeroize(skip)]
    path: Path,
}

impl Cipher {
    /// Expands a key, if this machine has the path.
    pub(super) fn expand(key: Block, path: Path) -> Option<Self> {
        if !path.is_here() {
            return None;
        }
        // SAFETY: `expand` needs aes, which is part of every path, and this one is here.
        #[expect(unsafe_code, reason = "a door to x86")]
        let keys = unsafe { expand(key) };
        Some(Self { keys, path })
    }

    pub(super) fn run(&self, job: Job<'_>) {
        // SAFETY: `Cipher::expand` made this value, and saw that the features of its path are here.
        #[expect(unsafe_code, reason = "a door to x86")]
        unsafe {
            match self.path {
                Path::Four => by_four::run(&self.keys, job),
                Path::Two => by_two::run(&self.keys, job),
                Path::One => by_one::run(&self.keys, job),
            }
        }
    }
}

/// The key expansion (FIPS 197, section 5.2), in the form of Intel, "AES new instructions set", 2012,
/// section "Key expansion using AESKEYGENASSIST".
#[target_feature(enable = "aes,sse2")]
fn expand(key: Block) -> Keys {
    let mut keys = [key; 11];
    let mut last = one::spread(key);
    // The instruction takes the round constant, a power of x in GF(2^8), as part of its code.
    macro_rules! round {
        ($round:literal, $constant:literal) => {
            last = next(last, _mm_aeskeygenassist_si128::<$constant>(last));
            one::store(std::array::from_mut(&mut keys[$round]), last);
        };
    }
    round!(1, 0x01);
    round!(2, 0x02);
    round!(3, 0x04);
    round!(4, 0x08);
    round!(5, 0x10);
    round!(6, 0x20);
    round!(7, 0x40);
    round!(8, 0x80);
    round!(9, 0x1b);
    round!(10, 0x36);
    keys
}

/// A round key from the one before: word i is the sum of words 0 to i and of the assisting word.
#[target_feature(enable = "sse2")]
#[inline]
fn next(last: __m128i, assist: __m128i) -> __m128i {
    let pairs = _mm_xor_si128(last, _mm_slli_si128::<4>(last));
    let sums = _mm_xor_si128(pairs, _mm_slli_si128::<8>(pairs));
    _mm_xor_si128(sums, _mm_shuffle_epi32::<0xff>(assist))
}

/// Kinds of images of x: AES(x), AES(x) ^ x, and AES(s) ^ s with s = sigma(x).
const ENCRYPT: u8 = 0;
const HASH: u8 = 1;
const CIRCULAR: u8 = 2;

/// One twin: the same walk over the batch for each width of registers.
macro_rules! twin {
    (
        mod $name:ident of $lanes:ident, $together:literal at once, on $features:literal:
        $round:ident, $last:ident, $add:ident, $xor:ident, $and:ident, $swap:ident
    ) => {
        mod $name {
            use std::arch::x86_64::{$add, $and, $last, $round, $swap, $xor};

            use super::super::lanes::$lanes::{
                LANES, Lanes, load, load_part, spread, store, store_part,
            };
            use super::super::{Block, Job};
            use super::{CIRCULAR, ENCRYPT, HASH, Keys};

            #[target_feature(enable = $features)]
            pub(super) fn run(keys: &Keys, job: Job<'_>) {
                match job {
                    Job::Encrypt(blocks) => each::<ENCRYPT>(keys, blocks),
                    Job::Hash(blocks) => each::<HASH>(keys, blocks),
                    Job::HashInto(from, to) => into::<HASH>(keys, from, to),
                    Job::Circular(blocks) => each::<CIRCULAR>(keys, blocks),
                    Job::CircularInto(from, to) => into::<CIRCULAR>(keys, from, to),
                    Job::Stream(first, out) => stream(keys, first, out),
                }
            }

            #[target_feature(enable = $features)]
            fn each<const KIND: u8>(keys: &Keys, blocks: &mut [Block]) {
                let rest = each_by::<KIND, $together>(keys, blocks);
                let rest = each_by::<KIND, 1>(keys, rest);
                if !rest.is_empty() {
                    let [lanes] = image::<KIND, 1>(keys, [load_part(rest)]);
                    store_part(rest, lanes);
                }
            }

            /// N registers at a time, as long as there are that many Blocks; gives back the rest.
            #[target_feature(enable = $features)]
            #[inline]
            fn each_by<'a, const KIND: u8, const N: usize>(
                keys: &Keys,
                blocks: &'a mut [Block],
            ) -> &'a mut [Block] {
                let mut batches = blocks.chunks_exact_mut(N * LANES);
                for batch in &mut batches {
                    store_all(batch, image::<KIND, N>(keys, load_all::<N>(batch)));
                }
                batches.into_remainder()
            }

            #[target_feature(enable = $features)]
            fn into<const KIND: u8>(keys: &Keys, from: &[Block], to: &mut [Block]) {
                let (from, to) = into_by::<KIND, $together>(keys, from, to);
                let (from, to) = into_by::<KIND, 1>(keys, from, to);
                if !to.is_empty() {
                    let [lanes] = image::<KIND, 1>(keys, [load_part(from)]);
                    store_part(to, lanes);
                }
            }

            /// As `each_by`.
            #[target_feature(enable = $features)]
            #[inline]
            fn into_by<'a, const KIND: u8, const N: usize>(
                keys: &Keys,
                from: &'a [Block],
                to: &'a mut [Block],
            ) -> (&'a [Block], &'a mut [Block]) {
                let mut sources = from.chunks_exact(N * LANES);
                let mut targets = to.chunks_exact_mut(N * LANES);
                for (source, target) in (&mut sources).zip(&mut targets) {
                    store_all(target, image::<KIND, N>(keys, load_all::<N>(source)));
                }
                (sources.remainder(), targets.into_remainder())
            }

            #[target_feature(enable = $features)]
            fn stream(keys: &Keys, first: Block, out: &mut [Block]) {
                // Lanes count in their low halves; the counter is public.
                if (first as u64).checked_add(out.len() as u64).is_none() {
                    for (i, block) in out.iter_mut().enumerate() {
                        *block = first.wrapping_add(i as Block);
                    }
                    return each::<ENCRYPT>(keys, out);
                }
                let mut counter = load(&std::array::from_fn(|i| first.wrapping_add(i as Block)));
                let rest = stream_by::<$together>(keys, &mut counter, out);
                let rest = stream_by::<1>(keys, &mut counter, rest);
                if !rest.is_empty() {
                    let [lanes] = image::<ENCRYPT, 1>(keys, [counter]);
                    store_part(rest, lanes);
                }
            }

            /// As `each_by`.
            #[target_feature(enable = $features)]
            #[inline]
            fn stream_by<'a, const N: usize>(
                keys: &Keys,
                counter: &mut Lanes,
                out: &'a mut [Block],
            ) -> &'a mut [Block] {
                let step = spread(LANES as Block);
                let mut batches = out.chunks_exact_mut(N * LANES);
                for batch in &mut batches {
                    let mut x = [*counter; N];
                    for x in &mut x {
                        *x = *counter;
                        *counter = $add(*counter, step);
                    }
                    store_all(batch, image::<ENCRYPT, N>(keys, x));
                }
                batches.into_remainder()
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn image<const KIND: u8, const N: usize>(keys: &Keys, x: [Lanes; N]) -> [Lanes; N] {
                let mut x = x;
                if KIND == CIRCULAR {
                    for x in &mut x {
                        *x = sigma(*x);
                    }
                }
                let mut y = x;
                for y in &mut y {
                    *y = $xor(*y, spread(keys[0]));
                }
                for key in &keys[1..10] {
                    let key = spread(*key);
                    for y in &mut y {
                        *y = $round(*y, key);
                    }
                }
                for (y, x) in y.iter_mut().zip(x) {
                    let key = spread(keys[10]);
                    // The last round ends with an xor anyway.
                    *y = $last(*y, if KIND == ENCRYPT { key } else { $xor(x, key) });
                }
                y
            }

            /// (hi, lo) to (hi ^ lo, hi).
            #[target_feature(enable = $features)]
            #[inline]
            fn sigma(x: Lanes) -> Lanes {
                let hi = spread(Block::from(u64::MAX) << 64);
                $xor($swap::<0b01_00_11_10>(x), $and(x, hi))
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn load_all<const N: usize>(blocks: &[Block]) -> [Lanes; N] {
                let mut x = [spread(0); N];
                for (x, blocks) in x.iter_mut().zip(blocks.as_chunks().0) {
                    *x = load(blocks);
                }
                x
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn store_all<const N: usize>(blocks: &mut [Block], y: [Lanes; N]) {
                for (y, blocks) in y.into_iter().zip(blocks.as_chunks_mut().0) {
                    store(blocks, y);
                }
            }
        }
    };
}

// Three registers at once: with the eleven round keys they are as many as 16 registers hold. The
// machine starts the next three before these are done. Of 32 registers there are enough for four.
twin!(
    mod by_one of one, 3 at once, on "aes,avx2":
    _mm_aesenc_si128, _mm_aesenclast_si128, _mm_add_epi64, _mm_xor_si128, _mm_and_si128,
    _mm_shuffle_epi32
);
twin!(
    mod by_two of two, 3 at once, on "avx2,vaes":
    _mm256_aesenc_epi128, _mm256_aesenclast_epi128, _mm256_add_epi64, _mm256_xor_si256,
    _mm256_and_si256, _mm256_shuffle_epi32
);
twin!(
    mod by_four of four, 4 at once, on "avx512f,vaes":
    _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_add_epi64, _mm512_xor_si512,
    _mm512_and_si512, _mm512_shuffle_epi32
);
