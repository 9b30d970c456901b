//! Arithmetic in GF(p), p = 2^255 - 19, on elements side by side: `four` with AVX2, `eight` with
//! AVX-512 IFMA and DQ.
//!
//! Both have the same functions with the same bounds, so that what is built on them is written once, as
//! a macro of the features that it may use (`algebra!` here, and what `ristretto255` and `curve25519`
//! have). Limb i of an element weighs 2^(51 i), as in the portable twin.

/// What is made of products, in the module that has `Fe`, `Mask` and `LANES`.
macro_rules! algebra {
    ($features:literal) => {
        impl Fe {
            /// Twice; units double.
            #[target_feature(enable = $features)]
            #[inline]
            pub(crate) fn twice(self) -> Self {
                self.plus(self)
            }

            /// The one of x and -x that is not negative, of a reduced element; reduced.
            #[target_feature(enable = $features)]
            pub(crate) fn absolute(self) -> Self {
                self.negative_if(self.is_negative())
            }
        }

        /// Inverts each element, 0 to 0, with one inversion for the whole batch (Montgomery's trick:
        /// three products an element). Takes reduced elements.
        #[target_feature(enable = $features)]
        pub(crate) fn invert_batch(batch: &mut [Fe]) {
            let (zero, one) = (Fe::small(0), Fe::small(1));
            let mut product = one;
            let mut before = Vec::with_capacity(batch.len());
            for fe in batch.iter() {
                // A zero would make the product zero; one stands in for it and the result is zero
                // again.
                let factor = fe.or(one, fe.is_zero());
                before.push((product, factor));
                product = product.times(&factor);
            }
            let mut inverse = inverted(product);
            for (fe, (before, factor)) in batch.iter_mut().zip(before).rev() {
                *fe = inverse.times(&before).or(zero, fe.is_zero());
                inverse = inverse.times(&factor);
            }
        }

        /// The power (p - 5) / 8 = 2^252 - 3, of N groups of lanes in turn, so that one does not wait
        /// for the other.
        #[target_feature(enable = $features)]
        pub(crate) fn power<const N: usize>(x: &[Fe; N]) -> [Fe; N] {
            // e(n) is the power 2^n - 1.
            let e2 = times_each(&squares(x, 1), x);
            let e4 = times_each(&squares(&e2, 2), &e2);
            let e5 = times_each(&squares(&e4, 1), x);
            let e10 = times_each(&squares(&e5, 5), &e5);
            let e20 = times_each(&squares(&e10, 10), &e10);
            let e40 = times_each(&squares(&e20, 20), &e20);
            let e50 = times_each(&squares(&e40, 10), &e10);
            let e100 = times_each(&squares(&e50, 50), &e50);
            let e200 = times_each(&squares(&e100, 100), &e100);
            let e250 = times_each(&squares(&e200, 50), &e50);
            times_each(&squares(&e250, 2), x)
        }

        /// The inverse, and 0 for 0: p - 2 = 8 (2^252 - 3) + 3.
        #[target_feature(enable = $features)]
        fn inverted(x: Fe) -> Fe {
            let [power] = squares(&power(&[x]), 3);
            power.times(&x.square().times(&x))
        }

        /// Which lanes are squares, 0 not among them: those whose power (p - 1) / 2 = 4 (2^252 - 3) + 2
        /// is 1.
        #[target_feature(enable = $features)]
        pub(crate) fn are_squares<const N: usize>(x: &[Fe; N]) -> [Mask; N] {
            let powers = times_each(&squares(&power(x), 2), &squares(x, 1));
            let mut masks = [Mask::every(0); N];
            for (mask, power) in masks.iter_mut().zip(powers) {
                *mask = power.minus(Fe::small(1)).reduced().is_zero();
            }
            masks
        }

        #[target_feature(enable = $features)]
        fn squares<const N: usize>(x: &[Fe; N], times: u32) -> [Fe; N] {
            let mut x = *x;
            for _ in 0..times {
                for x in &mut x {
                    *x = x.square();
                }
            }
            x
        }

        #[target_feature(enable = $features)]
        fn times_each<const N: usize>(x: &[Fe; N], y: &[Fe; N]) -> [Fe; N] {
            let mut product = *x;
            for (product, y) in product.iter_mut().zip(y) {
                *product = product.times(y);
            }
            product
        }
    };
}

#[cfg(test)]
#[macro_use]
mod tests;

pub(crate) mod eight;
pub(crate) mod four;

use super::words;

/// How many elements are side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lanes {
    Eight,
    Four,
}

/// So many lanes, of a machine that has what their functions need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Path(Lanes);

impl Path {
    /// All of this machine, the fastest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let eight = eight::is_here().then_some(Self(Lanes::Eight));
        eight.into_iter().chain(four::is_here().then_some(Self(Lanes::Four)))
    }

    /// The fastest of this machine.
    pub(crate) fn fastest() -> Option<Self> {
        Self::all().next()
    }

    pub(crate) fn lanes(self) -> Lanes {
        self.0
    }
}

const LIMBS: usize = 5;
const MASK: u64 = (1 << 51) - 1;

/// The limbs of a number of four words, of which the highest bit is left out.
const fn limbs(words: &[u64; 4]) -> [u64; LIMBS] {
    [
        words[0] & MASK,
        (words[0] >> 51 | words[1] << 13) & MASK,
        (words[1] >> 38 | words[2] << 26) & MASK,
        (words[2] >> 25 | words[3] << 39) & MASK,
        words[3] >> 12 & MASK,
    ]
}

/// The same number modulo p, with limbs of -2^50 to 2^50.
const fn centred(limbs: [u64; LIMBS]) -> [i64; LIMBS] {
    let mut centred = [0; LIMBS];
    let (mut i, mut carry) = (0, 0);
    while i < LIMBS {
        let limb = limbs[i] as i64 + carry;
        carry = (limb + (1 << 50)) >> 51;
        centred[i] = limb - (carry << 51);
        i += 1;
    }
    centred[0] += 19 * carry;
    centred
}

/// The bytes of limbs below 2^51.
fn bytes(limbs: &[u64; LIMBS]) -> [u8; 32] {
    let words = [
        limbs[0] | limbs[1] << 51,
        limbs[1] >> 13 | limbs[2] << 38,
        limbs[2] >> 26 | limbs[3] << 25,
        limbs[3] >> 39 | limbs[4] << 12,
    ];
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    bytes
}
