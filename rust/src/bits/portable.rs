//! The definition: squares turned by swaps of blocks (Warren, Hacker's Delight, 2nd edition, section
//! 7-3).

use super::{Block, Square};

pub(super) fn rows(planes: &[Block], out: &mut [Square]) {
    let squares = out.len();
    for (k, square) in out.iter_mut().enumerate() {
        for (b, row) in square.iter_mut().enumerate() {
            *row = planes[b * squares + k];
        }
        turn(square);
    }
}

fn turn(square: &mut Square) {
    let mut size = 64;
    // The columns whose number has the bit `size` clear.
    let mut columns = Block::MAX >> size;
    while size > 0 {
        for pair in square.chunks_exact_mut(2 * size) {
            let (upper, lower) = pair.split_at_mut(size);
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let differing = ((*upper >> size) ^ *lower) & columns;
                *upper ^= differing << size;
                *lower ^= differing;
            }
        }
        size /= 2;
        columns ^= columns << size;
    }
}
