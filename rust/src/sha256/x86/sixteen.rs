//! SHA-256 of sixteen blocks, each in one of the 32-bit lanes of AVX-512.
//!
//! A register holds the same word of all blocks, so that rounds are written as the standard has them
//! (FIPS 180-4, sections 4.1.2 and 6.2.2). Rotations and functions of three words are one instruction
//! each: 17 in a round and 11 for a word of the schedule are 1,616 for sixteen blocks. On the SHA
//! extensions the rounds of one block wait for each other for 128 cycles.

use std::arch::x86_64::{
    __m512i, _mm_set_epi32, _mm256_storeu_si256, _mm512_add_epi32, _mm512_broadcast_i32x4,
    _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_loadu_si512,
    _mm512_permutex2var_epi64, _mm512_ror_epi32, _mm512_set_epi64, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
};

use super::two::K;
use crate::sha256::{Block, Digest, State};
use crate::transposed;

/// Blocks at once.
pub(super) const LANES: usize = 16;

/// Of the bits of three words: whether an odd number is set, the second or third by the first, and
/// whether most are set. Bit i of a table is for the bits i has.
const PARITY: i32 = 0b1001_0110;
const CHOICE: i32 = 0b1100_1010;
const MAJORITY: i32 = 0b1110_1000;

/// A round. Words stay where they are; the next round names them anew.
macro_rules! round {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $g:ident, $h:ident,
     $w:expr, $k:expr) => {
        let sum = _mm512_add_epi32($h, _mm512_add_epi32($w, _mm512_set1_epi32($k as i32)));
        let choice = _mm512_ternarylogic_epi32::<CHOICE>($e, $f, $g);
        let sum = _mm512_add_epi32(_mm512_add_epi32(sum, choice), sum1($e));
        let majority = _mm512_ternarylogic_epi32::<MAJORITY>($a, $b, $c);
        $d = _mm512_add_epi32($d, sum);
        $h = _mm512_add_epi32(_mm512_add_epi32(sum, majority), sum0($a));
    };
}

/// Word t of the schedule, in the place of word t - 16, from it and words t - 15, t - 7 and t - 2.
macro_rules! schedule {
    ($w:ident, $t:literal) => {
        let sum = _mm512_add_epi32($w[$t], $w[($t + 9) % 16]);
        let small = _mm512_add_epi32(sigma0($w[($t + 1) % 16]), sigma1($w[($t + 14) % 16]));
        $w[$t] = _mm512_add_epi32(sum, small);
    };
}

/// For each t below 16, with an index that is known, so that words stay in registers.
macro_rules! sixteen_times {
    ($do:ident, $w:ident) => {
        sixteen_times!($do, $w, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    };
    ($do:ident, $w:ident, $($t:literal)+) => {
        $($do!($w, $t);)+
    };
}

#[target_feature(enable = "avx512bw,avx512f")]
pub(super) fn compress_each(state: &State, blocks: &[[Block; LANES]], out: &mut [[Digest; LANES]]) {
    for (blocks, out) in blocks.iter().zip(out) {
        compress(state, blocks, out);
    }
}

#[target_feature(enable = "avx512bw,avx512f")]
#[inline]
fn compress(state: &State, blocks: &[Block; LANES], out: &mut [Digest; LANES]) {
    let mut s = [_mm512_setzero_si512(); 8];
    for (lanes, word) in s.iter_mut().zip(state) {
        *lanes = _mm512_set1_epi32(*word as i32);
    }
    let initial = s;
    let mut w = words(blocks);
    rounds(&mut s, &w, &K[0..4]);
    for k in [&K[4..8], &K[8..12], &K[12..16]] {
        sixteen_times!(schedule, w);
        rounds(&mut s, &w, k);
    }
    for (word, initial) in s.iter_mut().zip(initial) {
        *word = _mm512_add_epi32(*word, initial);
    }
    write(s, out);
}

/// Sixteen rounds.
#[target_feature(enable = "avx512bw,avx512f")]
#[inline]
fn rounds(s: &mut [__m512i; 8], w: &[__m512i; 16], k: &[[u32; 4]]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *s;
    for (w, k) in w.as_chunks::<8>().0.iter().zip(k.as_flattened().as_chunks::<8>().0) {
        round!(a, b, c, d, e, f, g, h, w[0], k[0]);
        round!(h, a, b, c, d, e, f, g, w[1], k[1]);
        round!(g, h, a, b, c, d, e, f, w[2], k[2]);
        round!(f, g, h, a, b, c, d, e, w[3], k[3]);
        round!(e, f, g, h, a, b, c, d, w[4], k[4]);
        round!(d, e, f, g, h, a, b, c, w[5], k[5]);
        round!(c, d, e, f, g, h, a, b, w[6], k[6]);
        round!(b, c, d, e, f, g, h, a, w[7], k[7]);
    }
    *s = [a, b, c, d, e, f, g, h];
}

#[target_feature(enable = "avx512f")]
#[inline]
fn sum0(x: __m512i) -> __m512i {
    parity(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn sum1(x: __m512i) -> __m512i {
    parity(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn sigma0(x: __m512i) -> __m512i {
    parity(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn sigma1(x: __m512i) -> __m512i {
    parity(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn parity(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<PARITY>(x, y, z)
}

/// Word t of all blocks, for each t.
#[target_feature(enable = "avx512bw,avx512f")]
#[inline]
fn words(blocks: &[Block; LANES]) -> [__m512i; 16] {
    let mut rows = [_mm512_setzero_si512(); LANES];
    for (row, block) in rows.iter_mut().zip(blocks) {
        #[expect(unsafe_code, reason = "loads take pointers")]
        // SAFETY: a block has the 64 bytes that are read; no alignment is asked for.
        let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        *row = _mm512_shuffle_epi8(bytes, swap());
    }
    transposed::sixteen(rows)
}

/// Writes the digest of each lane: its eight words, big-endian.
#[target_feature(enable = "avx512bw,avx512f")]
#[inline]
fn write(mut state: [__m512i; 8], out: &mut [Digest; LANES]) {
    for words in &mut state {
        *words = _mm512_shuffle_epi8(*words, swap());
    }
    let halves = transposed::fours(state);
    // Both halves of the digests of two lanes, from quarters of registers that hold four halves.
    let (low, high) =
        (_mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4));
    for j in 0..4 {
        for (pair, which) in [low, high].into_iter().enumerate() {
            let digests = _mm512_permutex2var_epi64(halves[j], which, halves[4 + j]);
            let parts = [_mm512_castsi512_si256(digests), _mm512_extracti64x4_epi64::<1>(digests)];
            for (digest, part) in parts.into_iter().enumerate() {
                let out = &mut out[4 * (2 * pair + digest) + j];
                #[expect(unsafe_code, reason = "stores take pointers")]
                // SAFETY: a digest has the 32 bytes that are written; no alignment is asked for.
                unsafe {
                    _mm256_storeu_si256(out.as_mut_ptr().cast(), part);
                }
            }
        }
    }
}

/// Reverses the bytes of each word.
#[target_feature(enable = "avx512f")]
#[inline]
fn swap() -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203))
}
