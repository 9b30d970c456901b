//! Sixteen keys side by side in the 32-bit lanes of AVX-512: a register holds the same word of all.

use std::arch::x86_64::{
    __m512i, _mm256_loadu_si256, _mm512_add_epi32, _mm512_rol_epi32, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512, _mm512_zextsi256_si512,
};

use super::{Block, CONSTANTS, Key, LANES};
use crate::transposed;

/// A quarter round (RFC 8439, section 2.1) of four words of the state.
macro_rules! quarter_round {
    ($s:ident, $a:literal, $b:literal, $c:literal, $d:literal) => {
        half_round!($s, $a, $b, $c, $d, 16, 12);
        half_round!($s, $a, $b, $c, $d, 8, 7);
    };
}

macro_rules! half_round {
    ($s:ident, $a:literal, $b:literal, $c:literal, $d:literal, $first:literal, $second:literal) => {
        $s[$a] = _mm512_add_epi32($s[$a], $s[$b]);
        $s[$d] = _mm512_rol_epi32::<$first>(_mm512_xor_si512($s[$d], $s[$a]));
        $s[$c] = _mm512_add_epi32($s[$c], $s[$d]);
        $s[$b] = _mm512_rol_epi32::<$second>(_mm512_xor_si512($s[$b], $s[$c]));
    };
}

#[target_feature(enable = "avx512f")]
pub(super) fn blocks(keys: &[[Key; LANES]], counter: u32, out: &mut [[Block; LANES]]) {
    for (keys, out) in keys.iter().zip(out) {
        let initial = begin(keys, counter);
        let mut s = initial;
        for _ in 0..10 {
            quarter_round!(s, 0, 4, 8, 12);
            quarter_round!(s, 1, 5, 9, 13);
            quarter_round!(s, 2, 6, 10, 14);
            quarter_round!(s, 3, 7, 11, 15);
            quarter_round!(s, 0, 5, 10, 15);
            quarter_round!(s, 1, 6, 11, 12);
            quarter_round!(s, 2, 7, 8, 13);
            quarter_round!(s, 3, 4, 9, 14);
        }
        for (word, initial) in s.iter_mut().zip(initial) {
            *word = _mm512_add_epi32(*word, initial);
        }
        for (block, row) in out.iter_mut().zip(transposed::sixteen(s)) {
            #[expect(unsafe_code, reason = "stores take pointers")]
            // SAFETY: a block has the 64 bytes that are written; no alignment is asked for.
            unsafe {
                _mm512_storeu_si512(block.as_mut_ptr().cast(), row);
            }
        }
    }
}

/// The state in front of the rounds.
#[target_feature(enable = "avx512f")]
#[inline]
fn begin(keys: &[Key; LANES], counter: u32) -> [__m512i; 16] {
    let mut rows = [_mm512_setzero_si512(); LANES];
    for (row, key) in rows.iter_mut().zip(keys) {
        #[expect(unsafe_code, reason = "loads take pointers")]
        // SAFETY: a key has the 32 bytes that are read; no alignment is asked for.
        let key = unsafe { _mm256_loadu_si256(key.as_ptr().cast()) };
        *row = _mm512_zextsi256_si512(key);
    }
    let words = transposed::sixteen(rows);
    let mut state = [_mm512_setzero_si512(); 16];
    for (word, constant) in state.iter_mut().zip(CONSTANTS) {
        *word = _mm512_set1_epi32(constant as i32);
    }
    state[4..12].copy_from_slice(&words[..8]);
    state[12] = _mm512_set1_epi32(counter as i32);
    state
}
