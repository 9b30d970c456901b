//! Arithmetic in GF(2^255 - 19), portable and in constant time; `x86` has it for four elements side by
//! side.
//!
//! An element is five limbs of 51 bits in `u64` (radix 2^51), products in `u128`, as introduced for
//! Curve25519 by Bernstein, PKC 2006, and used in this radix by many implementations since. Bounds
//! are stated per function: *reduced* means every limb is below 2^52, *loose* below 2^56. A product
//! takes loose factors: a limb times 19 stays below 2^61, and a sum of five products below 2^120.

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) mod x86;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

const MASK: u64 = (1 << 51) - 1;

/// An element of GF(2^255 - 19), not necessarily in its smallest form.
#[derive(Clone, Copy, Debug, Zeroize)]
pub struct Fe([u64; 5]);

impl Fe {
    /// The number 0.
    pub const ZERO: Self = Self([0; 5]);
    /// The number 1.
    pub const ONE: Self = Self([1, 0, 0, 0, 0]);

    /// Makes the element of a small number.
    pub const fn from_u32(number: u32) -> Self {
        Self([number as u64, 0, 0, 0, 0])
    }

    /// Reads 32 bytes, little-endian; bit 255 is ignored and the value may be above p (RFC 7748,
    /// section 5).
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let word = |at: usize| {
            u64::from_le_bytes([
                bytes[at],
                bytes[at + 1],
                bytes[at + 2],
                bytes[at + 3],
                bytes[at + 4],
                bytes[at + 5],
                bytes[at + 6],
                bytes[at + 7],
            ])
        };
        // Limb i starts at bit 51 i: bytes 0, 6, 12, 19, 24 with shifts 0, 3, 6, 1, 12.
        Self([
            word(0) & MASK,
            (word(6) >> 3) & MASK,
            (word(12) >> 6) & MASK,
            (word(19) >> 1) & MASK,
            (word(24) >> 12) & MASK,
        ])
    }

    /// Reduces 48 bytes, big-endian, modulo p (RFC 9380, section 5.2, with L = 48).
    pub fn from_wide_be(bytes: &[u8; 48]) -> Self {
        let mut low = [0; 32];
        let mut high = [0; 32];
        for (i, byte) in bytes.iter().rev().enumerate() {
            if i < 32 { low[i] = *byte } else { high[i - 32] = *byte }
        }
        // value = low + 2^256 high, and 2^256 = 38 mod p; bit 255 of low weighs 2^255 = 19.
        let top = Self::from_u32(19 * u32::from(low[31] >> 7));
        Self::from_bytes(&low) + top + Self::from_bytes(&high) * Self::from_u32(38)
    }

    /// Writes the smallest form, 32 bytes little-endian.
    pub fn to_bytes(self) -> [u8; 32] {
        let Self(mut l) = self.carried().carried();
        // Now value < 2^255 + 2^6 (carried twice); q = 1 exactly if value >= p.
        let mut q = (l[0] + 19) >> 51;
        for limb in &l[1..] {
            q = (limb + q) >> 51;
        }
        l[0] += 19 * q;
        let mut carry = 0;
        for limb in &mut l {
            *limb += carry;
            carry = *limb >> 51;
            *limb &= MASK;
        }
        let words = [
            l[0] | (l[1] << 51),
            (l[1] >> 13) | (l[2] << 38),
            (l[2] >> 26) | (l[3] << 25),
            (l[3] >> 39) | (l[4] << 12),
        ];
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Squares a loose element; the result is reduced.
    #[inline]
    pub fn square(self) -> Self {
        let [a0, a1, a2, a3, a4] = self.0;
        let (d0, d1, d2, d3) = (2 * a0, 2 * a1, 2 * a2, 2 * a3);
        let (n3, n4) = (19 * a3, 19 * a4);
        Self::carry_wide([
            wide(a0, a0) + wide(d1, n4) + wide(d2, n3),
            wide(d0, a1) + wide(d2, n4) + wide(a3, n3),
            wide(d0, a2) + wide(a1, a1) + wide(d3, n4),
            wide(d0, a3) + wide(d1, a2) + wide(a4, n4),
            wide(d0, a4) + wide(d1, a3) + wide(a2, a2),
        ])
    }

    /// Multiplies a loose element by a number below 2^32; the result is reduced.
    #[inline]
    pub fn mul_small(self, number: u32) -> Self {
        Self::carry_wide(self.0.map(|limb| wide(limb, number.into())))
    }

    /// Returns the inverse, and 0 for 0: the power p - 2.
    pub fn invert(self) -> Self {
        // p - 2 = 2^255 - 21 = (2^250 - 1) 2^5 + 11.
        let (power, eleven) = self.power_250();
        power.square_times(5) * eleven
    }

    /// Returns 1 for a non-zero square, 0 for 0, -1 otherwise: the power (p - 1) / 2.
    pub fn chi(self) -> Self {
        // (p - 1) / 2 = 2^254 - 10 = (2^250 - 1) 2^4 + 6.
        let (power, _) = self.power_250();
        let three = self.square() * self;
        power.square_times(4) * three.square()
    }

    /// Whether the element is 0.
    pub fn is_zero(self) -> Choice {
        self.to_bytes().ct_eq(&[0; 32])
    }

    /// Returns (x^(2^250 - 1), x^11), the common part of the two powers above.
    fn power_250(self) -> (Self, Self) {
        let x2 = self.square();
        let x9 = x2.square_times(2) * self;
        let x11 = x9 * x2;
        let e5 = x11.square() * x9; // 2^5 - 1 = 31 = 2 * 11 + 9
        let e10 = e5.square_times(5) * e5;
        let e20 = e10.square_times(10) * e10;
        let e40 = e20.square_times(20) * e20;
        let e50 = e40.square_times(10) * e10;
        let e100 = e50.square_times(50) * e50;
        let e200 = e100.square_times(100) * e100;
        (e200.square_times(50) * e50, x11)
    }

    fn square_times(mut self, times: u32) -> Self {
        for _ in 0..times {
            self = self.square();
        }
        self
    }

    /// One pass of carries: a loose element becomes reduced.
    #[inline]
    pub fn carried(self) -> Self {
        let l = self.0;
        Self([
            (l[0] & MASK) + 19 * (l[4] >> 51),
            (l[1] & MASK) + (l[0] >> 51),
            (l[2] & MASK) + (l[1] >> 51),
            (l[3] & MASK) + (l[2] >> 51),
            (l[4] & MASK) + (l[3] >> 51),
        ])
    }

    /// Carries the sums of a product, each below 2^120. The result is reduced.
    #[inline]
    fn carry_wide(mut s: [u128; 5]) -> Self {
        let mut out = [0; 5];
        for i in 0..4 {
            s[i + 1] += s[i] >> 51;
            out[i] = (s[i] as u64) & MASK;
        }
        out[4] = (s[4] as u64) & MASK;
        // The last carry is below 2^70 and 19 times it below 2^75, hence in u128; limb 1 grows by
        // less than 2^24.
        let low = u128::from(out[0]) + 19 * (s[4] >> 51);
        out[0] = (low as u64) & MASK;
        out[1] += (low >> 51) as u64;
        Self(out)
    }
}

impl std::ops::Add for Fe {
    type Output = Self;

    /// Adds two reduced elements; the result is loose.
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl std::ops::Sub for Fe {
    type Output = Self;

    /// Subtracts a reduced element from a loose one whose limbs are below 2^55.5; the result is
    /// loose.
    #[inline]
    fn sub(self, other: Self) -> Self {
        // 4 p, limb by limb: above 2^52, so that no limb becomes negative.
        const P4: [u64; 5] = [4 * (MASK - 18), 4 * MASK, 4 * MASK, 4 * MASK, 4 * MASK];
        Self(std::array::from_fn(|i| self.0[i] + P4[i] - other.0[i]))
    }
}

impl std::ops::Mul for Fe {
    type Output = Self;

    /// Multiplies two loose elements; the result is reduced.
    #[inline]
    fn mul(self, other: Self) -> Self {
        let [a0, a1, a2, a3, a4] = self.0;
        let [b0, b1, b2, b3, b4] = other.0;
        // 2^255 = 19 mod p: products beyond limb 4 come back times 19.
        let (n1, n2, n3, n4) = (19 * b1, 19 * b2, 19 * b3, 19 * b4);
        Self::carry_wide([
            wide(a0, b0) + wide(a1, n4) + wide(a2, n3) + wide(a3, n2) + wide(a4, n1),
            wide(a0, b1) + wide(a1, b0) + wide(a2, n4) + wide(a3, n3) + wide(a4, n2),
            wide(a0, b2) + wide(a1, b1) + wide(a2, b0) + wide(a3, n4) + wide(a4, n3),
            wide(a0, b3) + wide(a1, b2) + wide(a2, b1) + wide(a3, b0) + wide(a4, n4),
            wide(a0, b4) + wide(a1, b3) + wide(a2, b2) + wide(a3, b1) + wide(a4, b0),
        ])
    }
}

/// The words of 32 bytes.
pub(crate) fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// The product of two limbs. Both factors stay `u64`, so that it is one instruction.
#[inline]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

impl ConditionallySelectable for Fe {
    #[inline]
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(std::array::from_fn(|i| u64::conditional_select(&a.0[i], &b.0[i], choice)))
    }
}

/// Inverts each element, 0 to 0, with one inversion for the whole batch (Montgomery's trick:
/// three products an element).
pub fn invert_batch(batch: &mut [Fe]) {
    let mut product = Fe::ONE;
    let mut before = Vec::with_capacity(batch.len());
    for fe in batch.iter_mut() {
        // A zero would make the product zero; one stands in for it and the result is zero again.
        let factor = Fe::conditional_select(fe, &Fe::ONE, fe.is_zero());
        before.push((product, factor));
        product = product * factor;
    }
    let mut inverse = product.invert();
    for (fe, (before, factor)) in batch.iter_mut().zip(before).rev() {
        *fe = Fe::conditional_select(&(inverse * before), &Fe::ZERO, fe.is_zero());
        inverse = inverse * factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(number: u8) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[0] = number;
        bytes
    }

    const P: [u8; 32] = {
        let mut p = [0xff; 32];
        p[0] = 0xed;
        p[31] = 0x7f;
        p
    };

    #[test]
    fn p_and_its_neighbours_have_their_smallest_form() {
        for (add, expected) in [(0u8, 0u8), (1, 1), (18, 18)] {
            let mut bytes = P;
            bytes[0] += add;
            assert_eq!(Fe::from_bytes(&bytes).to_bytes(), bytes_of(expected));
        }
        let mut below = P;
        below[0] -= 1;
        assert_eq!(Fe::from_bytes(&below).to_bytes(), below);
        assert_eq!((Fe::ZERO - Fe::ONE).to_bytes(), below);
    }

    #[test]
    fn chi_tells_squares_from_others() {
        // 2 is not a square modulo p, since p = 5 mod 8.
        assert_eq!(Fe::from_u32(4).chi().to_bytes(), bytes_of(1));
        assert_eq!(Fe::from_u32(2).chi().to_bytes(), (Fe::ZERO - Fe::ONE).to_bytes());
        assert_eq!(Fe::ZERO.chi().to_bytes(), bytes_of(0));
    }

    #[test]
    fn a_batch_with_zeros_inverts_like_one_by_one() {
        let mut batch: Vec<_> = [0, 1, 2, 0, 5, 7].map(Fe::from_u32).to_vec();
        let one_by_one: Vec<_> = batch.iter().map(|fe| fe.invert().to_bytes()).collect();
        invert_batch(&mut batch);
        let in_batch: Vec<_> = batch.iter().map(|fe| fe.to_bytes()).collect();
        assert_eq!(in_batch, one_by_one);
        invert_batch(&mut []);
    }

    proptest! {
        #[test]
        fn the_field_laws_hold(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            let (a, b, c) = (Fe::from_bytes(&a), Fe::from_bytes(&b), Fe::from_bytes(&c));
            prop_assert_eq!(((a + b) * c).to_bytes(), (a * c + b * c).to_bytes());
            prop_assert_eq!(((a - b) * c).to_bytes(), (a * c - b * c).to_bytes());
            prop_assert_eq!((a * b).to_bytes(), (b * a).to_bytes());
            prop_assert_eq!(a.square().to_bytes(), (a * a).to_bytes());
            prop_assert_eq!(a.mul_small(121_665).to_bytes(), (a * Fe::from_u32(121_665)).to_bytes());
            prop_assert_eq!((a * a.invert() * a).to_bytes(), a.to_bytes());
            prop_assert_eq!(a.square().chi().to_bytes(), (a.chi().square()).to_bytes());
        }
    }
}
