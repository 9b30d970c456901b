//! Rows of words to columns of words, in registers of AVX-512: how what lies in memory one after the
//! other comes to be computed side by side, and back.

use std::arch::x86_64::{
    __m512i, _mm512_shuffle_i32x4, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// The columns of sixteen rows of sixteen words of 32 bits.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn sixteen(rows: [__m512i; 16]) -> [__m512i; 16] {
    let fours = fours(rows);
    let mut columns = rows;
    for j in 0..4 {
        let four = quarters([fours[j], fours[4 + j], fours[8 + j], fours[12 + j]]);
        [columns[j], columns[4 + j], columns[8 + j], columns[12 + j]] = four;
    }
    columns
}

/// The columns of eight rows of eight words of 64 bits.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn eight(rows: [__m512i; 8]) -> [__m512i; 8] {
    let mut pairs = rows;
    for i in 0..4 {
        let [x, y] = [rows[2 * i], rows[2 * i + 1]];
        [pairs[2 * i], pairs[2 * i + 1]] =
            [_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y)];
    }
    let mut columns = rows;
    for j in 0..2 {
        let four = quarters([pairs[j], pairs[2 + j], pairs[4 + j], pairs[6 + j]]);
        [columns[j], columns[2 + j], columns[4 + j], columns[6 + j]] = four;
    }
    columns
}

/// Of rows of sixteen words of 32 bits, in quarters of a register, four rows together: quarter q of
/// result 4 i + j holds word 4 q + j of rows 4 i to 4 i + 3.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn fours<const N: usize>(rows: [__m512i; N]) -> [__m512i; N] {
    let mut pairs = rows;
    for i in 0..N / 2 {
        let [x, y] = [rows[2 * i], rows[2 * i + 1]];
        pairs[2 * i] = _mm512_unpacklo_epi32(x, y);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(x, y);
    }
    let mut fours = pairs;
    for i in 0..N / 4 {
        for j in 0..2 {
            let [x, y] = [pairs[4 * i + j], pairs[4 * i + 2 + j]];
            fours[4 * i + 2 * j] = _mm512_unpacklo_epi64(x, y);
            fours[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(x, y);
        }
    }
    fours
}

/// Quarter q of four registers, in result q.
#[target_feature(enable = "avx512f")]
#[inline]
fn quarters([x, y, z, u]: [__m512i; 4]) -> [__m512i; 4] {
    let (even, odd) = ((even(x, y), even(z, u)), (odd(x, y), odd(z, u)));
    [
        self::even(even.0, even.1),
        self::even(odd.0, odd.1),
        self::odd(even.0, even.1),
        self::odd(odd.0, odd.1),
    ]
}

/// Quarters 0 and 2 of both.
#[target_feature(enable = "avx512f")]
#[inline]
fn even(x: __m512i, y: __m512i) -> __m512i {
    _mm512_shuffle_i32x4::<0b10_00_10_00>(x, y)
}

/// Quarters 1 and 3 of both.
#[target_feature(enable = "avx512f")]
#[inline]
fn odd(x: __m512i, y: __m512i) -> __m512i {
    _mm512_shuffle_i32x4::<0b11_01_11_01>(x, y)
}
