//! The code, element by element: the definition of the fast twin.

use crate::aes::Block;

use super::quadratic_residue::{SIDE, products};
use super::{Pair, READ, ROOM, window};

/// What can be summed.
pub(super) trait Element: Copy + Default {
    fn plus(self, other: Self) -> Self;
}

impl Element for Block {
    fn plus(self, other: Self) -> Self {
        self ^ other
    }
}

impl Element for Pair {
    fn plus(self, other: Self) -> Self {
        let (Self([a, b]), Self([c, d])) = (self, other);
        Self([a ^ c, b ^ d])
    }
}

/// The first round: writes the running sum of the elements to their places in buckets.
pub(super) fn push<T: Element>(
    sum: &mut T,
    elements: impl Iterator<Item = T>,
    to: &[u32],
    buckets: &mut [T],
) {
    for (element, to) in elements.zip(to) {
        *sum = sum.plus(element);
        buckets[*to as usize] = *sum;
    }
}

/// The second round, from buckets to buckets.
pub(super) fn reroute<T: Element>(from: &[u16], first: &[T], to: &[u32], second: &mut [T]) {
    let mut sum = T::default();
    for (bucket, (from, to)) in from.chunks_exact(ROOM).zip(to.chunks_exact(ROOM)).enumerate() {
        let window = window(first, bucket);
        push(&mut sum, from.iter().map(|from| window[usize::from(*from)]), to, second);
    }
}

/// The blocks: `put(i, element)` for each output i.
pub(super) fn compress<T: Element>(from: &[u16], second: &[T], mut put: impl FnMut(usize, T)) {
    let mut start = 0;
    for (bucket, from) in from.chunks_exact(ROOM).enumerate() {
        let window = window(second, bucket);
        for from in from.as_chunks::<READ>().0 {
            let element = |i: usize| window[usize::from(from[i])];
            let x = |j: usize| element(SIDE + j);
            let mut add = |i: usize, y: T| put(start + i, element(i).plus(y));
            products!(x, T::plus, add);
            start += SIDE;
        }
    }
}
