//! SHA-256 on the SHA extensions of x86, several blocks interleaved.
//!
//! `sha256rnds2` takes 4 cycles and a new one may start every 2, but within one block each waits for
//! the one before. Two blocks side by side fill the gap. Register layout and the order of the
//! instructions follow Intel, "Intel SHA Extensions", 2013.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use crate::sha256::{Block, Digest, State};

/// Blocks side by side.
const LANES: usize = 2;

/// The round constants (FIPS 180-4, section 4.2.2), four to a row.
pub(super) const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(super) fn compress_each(state: &State, blocks: &[Block], out: &mut [Digest]) {
    let n = blocks.len().min(out.len());
    let (pairs, rest) = blocks[..n].as_chunks::<LANES>();
    let (out_pairs, out_rest) = out[..n].as_chunks_mut::<LANES>();
    for (blocks, out) in pairs.iter().zip(out_pairs) {
        compress(state, blocks, out);
    }
    for (block, out) in rest.iter().zip(out_rest) {
        compress(state, &[*block], std::array::from_mut(out));
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn compress<const N: usize>(state: &State, blocks: &[Block; N], out: &mut [Digest; N]) {
    let [a, b, c, d, e, f, g, h] = state.map(|word| word as i32);
    let (abef, cdgh) = (_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h));
    let (mut s0, mut s1) = ([abef; N], [cdgh; N]);
    let mut w = [[_mm_setzero_si128(); 4]; N];
    for (w, block) in w.iter_mut().zip(blocks) {
        for (row, bytes) in w.iter_mut().zip(block.as_chunks::<16>().0) {
            *row = load(bytes);
        }
    }
    for (t, k) in K.iter().enumerate() {
        let k = k.map(|word| word as i32);
        let k = _mm_set_epi32(k[3], k[2], k[1], k[0]);
        for lane in 0..N {
            if t >= 4 {
                w[lane][t % 4] = schedule(&w[lane], t % 4);
            }
            let sum = _mm_add_epi32(w[lane][t % 4], k);
            s1[lane] = _mm_sha256rnds2_epu32(s1[lane], s0[lane], sum);
            // The upper two words of the sum move down for the next two rounds.
            s0[lane] = _mm_sha256rnds2_epu32(s0[lane], s1[lane], _mm_shuffle_epi32::<0x0e>(sum));
        }
    }
    for ((s0, s1), out) in s0.into_iter().zip(s1).zip(out) {
        let (x, y) = (_mm_add_epi32(s0, abef), _mm_add_epi32(s1, cdgh));
        let words = [
            _mm_extract_epi32::<3>(x),
            _mm_extract_epi32::<2>(x),
            _mm_extract_epi32::<3>(y),
            _mm_extract_epi32::<2>(y),
            _mm_extract_epi32::<1>(x),
            _mm_extract_epi32::<0>(x),
            _mm_extract_epi32::<1>(y),
            _mm_extract_epi32::<0>(y),
        ];
        for (bytes, word) in out.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
    }
}

/// Words t to t + 3 of the message schedule, from the sixteen before them (FIPS 180-4, section 6.2.2,
/// step 1). Row `now` holds words t - 16 to t - 13, the rows after it, cyclically, the later ones.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn schedule(w: &[__m128i; 4], now: usize) -> __m128i {
    let [w16, w12, w8, w4] = std::array::from_fn(|i| w[(now + i) % 4]);
    // sigma0 of words t - 15 to t - 12, plus words t - 16 and t - 7 on; msg2 adds sigma1 of t - 2 on.
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w16, w12), _mm_alignr_epi8::<4>(w4, w8));
    _mm_sha256msg2_epu32(sum, w4)
}

/// Four big-endian words.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn load(bytes: &[u8; 16]) -> __m128i {
    let number = u128::from_le_bytes(*bytes);
    // Reverses the bytes of each word.
    let reverse = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(_mm_set_epi64x((number >> 64) as i64, number as i64), reverse)
}
