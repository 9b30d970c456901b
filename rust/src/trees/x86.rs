//! Levels of trees on AVX2, two lanes to a register.

use std::arch::x86_64::{_mm256_and_si256, _mm256_shuffle_epi32, _mm256_xor_si256};

use crate::aes::Block;
use crate::aes::lanes::two::{self, Lanes, load, spread, store};

use super::{LANES, Row, sigma};

/// Registers of a row.
const WIDTH: usize = LANES / two::LANES;

/// See `portable::split`.
#[target_feature(enable = "avx2")]
pub(super) fn split(parents: &mut [Row], lefts: &mut [Row]) -> Row {
    let high = spread(Block::from(u64::MAX) << 64);
    let mut sums = [spread(0); WIDTH];
    for (parents, lefts) in parents.iter_mut().zip(lefts) {
        let pairs = parents.as_chunks_mut().0.iter_mut().zip(lefts.as_chunks_mut().0);
        for ((parents, lefts), sum) in pairs.zip(&mut sums) {
            let left = load(lefts);
            *sum = _mm256_xor_si256(*sum, left);
            let swapped = _mm256_shuffle_epi32::<0b01_00_11_10>(left);
            let left = _mm256_xor_si256(swapped, _mm256_and_si256(left, high));
            store(lefts, left);
            store(parents, _mm256_xor_si256(load(parents), left));
        }
    }
    to_row(sums)
}

/// Adds the sigma of 1.
#[target_feature(enable = "avx2")]
pub(super) fn flip(rows: &mut [Row]) {
    let one = spread(sigma(1));
    for pair in rows.as_flattened_mut().as_chunks_mut().0 {
        store(pair, _mm256_xor_si256(load(pair), one));
    }
}

/// The sum of rows.
#[target_feature(enable = "avx2")]
pub(super) fn sum(rows: &[Row]) -> Row {
    let mut sums = [spread(0); WIDTH];
    for row in rows {
        for (row, sum) in row.as_chunks().0.iter().zip(&mut sums) {
            *sum = _mm256_xor_si256(*sum, load(row));
        }
    }
    to_row(sums)
}

#[target_feature(enable = "avx2")]
#[inline]
fn to_row(lanes: [Lanes; WIDTH]) -> Row {
    let mut row = [0; LANES];
    for (blocks, lanes) in row.as_chunks_mut().0.iter_mut().zip(lanes) {
        store(blocks, lanes);
    }
    row
}
