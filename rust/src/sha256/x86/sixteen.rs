//! SHA-256 of sixteen blocks, each in one of the 32-bit lanes of AVX-512.
//!
//! 17 instructions in a round and 11 for a word of the schedule are 1,616 for sixteen blocks. On the SHA
//! extensions the rounds of one block wait for each other for 128 cycles.

use std::arch::x86_64::{
    __m512i, _mm_set_epi32, _mm256_storeu_si256, _mm512_add_epi32, _mm512_broadcast_i32x4,
    _mm512_castsi512_si256, _mm512_extracti64x4_epi64, _mm512_loadu_si512,
    _mm512_permutex2var_epi64, _mm512_ror_epi32, _mm512_set_epi64, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_srli_epi32, _mm512_ternarylogic_epi32,
};

use super::two::K;
use crate::compression::{CHOICE, MAJORITY, PARITY, WORDS};
use crate::sha256::{Block, Digest, State};
use crate::transposed;

/// Blocks at once.
pub(super) const LANES: usize = 16;

compression! {
    u32 as i32, _mm512_set1_epi32, _mm512_add_epi32, _mm512_ror_epi32, _mm512_srli_epi32,
    _mm512_ternarylogic_epi32,
    sums 2 13 22, 6 11 25,
    sigmas 7 18 3, 17 19 10
}

#[target_feature(enable = "avx512bw,avx512f")]
pub(super) fn compress_each(state: &State, blocks: &[[Block; LANES]], out: &mut [[Digest; LANES]]) {
    let (constants, _) = K.as_flattened().as_chunks();
    for (blocks, out) in blocks.iter().zip(out) {
        let mut s = [_mm512_setzero_si512(); 8];
        for (lanes, word) in s.iter_mut().zip(state) {
            *lanes = everywhere(*word);
        }
        compress(&mut s, words(blocks), constants);
        write(s, out);
    }
}

/// Word t of all blocks, for each t.
#[target_feature(enable = "avx512bw,avx512f")]
#[inline]
fn words(blocks: &[Block; LANES]) -> [__m512i; WORDS] {
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
