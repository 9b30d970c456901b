//! The fold on registers of two Blocks.

use std::arch::x86_64::_mm256_xor_si256;

use super::{DEPTH, LEAVES, PIECE};
use crate::aes::Block;
use crate::aes::lanes::two::{LANES, Lanes, load, spread, store};

/// As `portable_fold`, for as many Blocks as fill registers; gives back how many those are.
#[target_feature(enable = "avx2")]
pub(super) fn fold(
    streams: &[[Block; PIECE]; LEAVES],
    sums: &mut [Block; PIECE],
    planes: &mut [Block],
) -> usize {
    let length = planes.len() / DEPTH;
    for m in (0..length - length % LANES).step_by(LANES) {
        let mut folded = [spread(0); LEAVES];
        for (folded, stream) in folded.iter_mut().zip(streams) {
            *folded = load(&stream.as_chunks().0[m / LANES]);
        }
        let odd = [
            halve::<8>(&mut folded),
            halve::<4>(&mut folded),
            halve::<2>(&mut folded),
            halve::<1>(&mut folded),
        ];
        for (plane, odd) in planes.chunks_exact_mut(length).zip(odd) {
            store(&mut plane.as_chunks_mut().0[m / LANES], odd);
        }
        store(&mut sums.as_chunks_mut().0[m / LANES], folded[0]);
    }
    length - length % LANES
}

/// One round: sums 2 N neighbours to N, and the odd ones of them.
#[target_feature(enable = "avx2")]
#[inline]
fn halve<const N: usize>(folded: &mut [Lanes; LEAVES]) -> Lanes {
    let mut odd = spread(0);
    for x in 0..N {
        odd = _mm256_xor_si256(odd, folded[2 * x + 1]);
        folded[x] = _mm256_xor_si256(folded[2 * x], folded[2 * x + 1]);
    }
    odd
}
