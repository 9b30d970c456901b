//! Squares of bits turned on AVX2: bits within bytes by swaps, bytes by interleaving.
//!
//! Numbers are written in parts: plane b = 8 g + r and column c = 8 h + s, with r, s in 0..8 and g, h in
//! 0..16. A register holds 16 bytes of group g in its lower and of group g + 8 in its upper half.

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_castsi256_si128, _mm256_extracti128_si256,
    _mm256_permute4x64_epi64, _mm256_set_m128i, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_slli_epi64, _mm256_srli_epi64, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8,
    _mm256_xor_si256,
};

use super::{Block, Square};
use crate::aes::lanes::one;

/// Whether this machine has the instructions.
#[inline]
pub(super) fn is_here() -> bool {
    has!("avx2")
}

#[target_feature(enable = "avx2")]
pub(super) fn rows(planes: &[Block], out: &mut [Square]) {
    let squares = out.len();
    for (k, square) in out.iter_mut().enumerate() {
        // Byte h of `parts[g][s]` holds column 8 h + s of the planes of group g.
        let mut parts = [[_mm256_setzero_si256(); 8]; 8];
        for (g, part) in parts.iter_mut().enumerate() {
            for (r, x) in part.iter_mut().enumerate() {
                let (lower, upper) = (8 * g + r, 8 * (g + 8) + r);
                *x = pair(planes[lower * squares + k], planes[upper * squares + k]);
            }
            *part = turn_bits(*part);
        }
        for s in 0..8 {
            let mut x = [_mm256_setzero_si256(); 8];
            for (x, part) in x.iter_mut().zip(&parts) {
                *x = part[s];
            }
            for (h, x) in turn_bytes(x).into_iter().enumerate() {
                let rows = [_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x)];
                for (i, row) in rows.into_iter().enumerate() {
                    one::store(std::array::from_mut(&mut square[8 * (2 * h + i) + s]), row);
                }
            }
        }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn pair(lower: Block, upper: Block) -> __m256i {
    _mm256_set_m128i(one::spread(upper), one::spread(lower))
}

/// Swaps bit s of each byte of register r with bit r of register s (Warren, Hacker's Delight, 2nd
/// edition, section 7-3).
#[target_feature(enable = "avx2")]
#[inline]
fn turn_bits(mut x: [__m256i; 8]) -> [__m256i; 8] {
    for i in 0..4 {
        (x[i], x[i + 4]) = swap::<4>(x[i], x[i + 4], 0x0f);
    }
    for i in [0, 1, 4, 5] {
        (x[i], x[i + 2]) = swap::<2>(x[i], x[i + 2], 0x33);
    }
    for i in [0, 2, 4, 6] {
        (x[i], x[i + 1]) = swap::<1>(x[i], x[i + 1], 0x55);
    }
    x
}

/// Swaps the bits of `a` that lie `BY` above `columns` with the bits `columns` of `b`, in each byte.
#[target_feature(enable = "avx2")]
#[inline]
fn swap<const BY: i32>(a: __m256i, b: __m256i, columns: i8) -> (__m256i, __m256i) {
    let differing = _mm256_xor_si256(_mm256_srli_epi64::<BY>(a), b);
    let differing = _mm256_and_si256(differing, _mm256_set1_epi8(columns));
    (_mm256_xor_si256(a, _mm256_slli_epi64::<BY>(differing)), _mm256_xor_si256(b, differing))
}

/// Register j gets bytes 2 j and 2 j + 1 of all 16 halves of registers, as two rows.
#[target_feature(enable = "avx2")]
#[inline]
fn turn_bytes(mut x: [__m256i; 8]) -> [__m256i; 8] {
    // In half a register, byte h of register g has the address (g, h) of 3 + 4 bits. To interleave the
    // upper four registers with the lower four moves its highest bit to the end. After three times the
    // address is (h, g).
    for _ in 0..3 {
        let last = x;
        for i in 0..4 {
            x[2 * i] = _mm256_unpacklo_epi8(last[i], last[i + 4]);
            x[2 * i + 1] = _mm256_unpackhi_epi8(last[i], last[i + 4]);
        }
    }
    for x in &mut x {
        // The lower halves have groups 0 to 7 of both rows, the upper ones groups 8 to 15.
        *x = _mm256_permute4x64_epi64::<0b11_01_10_00>(*x);
    }
    x
}
