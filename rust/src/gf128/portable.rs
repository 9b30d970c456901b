//! The definition, in constant time: carry-less products by masked integer products.

use super::{ABREAST, Block, fold, reduce};

pub(super) fn accumulate(acc: &mut [Block], factors: &[Block], by: Block) {
    for (sum, factor) in acc.iter_mut().zip(factors) {
        *sum ^= multiply(*factor, by);
    }
}

pub(super) fn accumulate_short(acc: &mut [Block], factors: &[u64], by: Block) {
    let (b1, b0) = halves(by);
    for (sum, factor) in acc.iter_mut().zip(factors) {
        let middle = product(*factor, b1);
        *sum ^= product(*factor, b0) ^ (middle << 64) ^ fold(middle >> 64);
    }
}

pub(super) fn weigh(sums: &mut [Block; ABREAST], rows: &[[Block; ABREAST]], weights: &[Block]) {
    for (row, weight) in rows.iter().zip(weights) {
        accumulate(sums, row, *weight);
    }
}

/// From halves, as in school; what is left above x^128 is folded down.
fn multiply(a: Block, b: Block) -> Block {
    let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
    let middle = product(a0, b1) ^ product(a1, b0);
    reduce(product(a0, b0), middle, product(a1, b1))
}

fn halves(a: Block) -> (u64, u64) {
    ((a >> 64) as u64, a as u64)
}

/// The carry-less product. The lower half of the product of the operands read backwards is the upper
/// half of the product, backwards and off by one.
fn product(a: u64, b: u64) -> Block {
    let high = low_product(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    Block::from(high) << 64 | Block::from(low_product(a, b))
}

/// The lower 64 coefficients of the carry-less product, by integer products of every fourth bit: in
/// these at most 16 ones meet in a place below bit 64, and a sum of 16 reaches the next place only
/// from the last one, where it is cut off. The lowest bit of each sum is the coefficient. Pornin,
/// BearSSL, `src/hash/ghash_ctmul64.c`. Integer products take the same time on all operands on the
/// machines that this is for.
fn low_product(a: u64, b: u64) -> u64 {
    let every_fourth = [0, 1, 2, 3].map(|i| 0x1111_1111_1111_1111 << i);
    let (a, b) = (every_fourth.map(|mask| a & mask), every_fourth.map(|mask| b & mask));
    let mut out = 0;
    for (k, mask) in every_fourth.iter().enumerate() {
        let mut sum = 0;
        for (i, a) in a.iter().enumerate() {
            sum ^= a.wrapping_mul(b[(k + 4 - i) % 4]);
        }
        out |= sum & mask;
    }
    out
}
