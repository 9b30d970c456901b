//! Arithmetic in GF(p), p = 2^255 - 19, on four elements side by side.
//!
//! An element is ten limbs, one a register, of 26 and 25 bits in turn: limb i weighs 2^ceil(25.5 i).
//! This radix makes the most of a multiplier of 32 bits (Bernstein and Schwabe, "NEON crypto", CHES
//! 2012; curve25519-dalek has it, too, for four coordinates of one point). Limbs are not negative.
//!
//! Bounds are stated as a number of units, and say that even limbs are at most so many times
//! 2^26 + 2^17, odd ones so many times 2^25 + 2^17. *Reduced* is one unit. A product and a square
//! take factors as their functions say, and are reduced.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8, _mm256_cmpeq_epi64,
    _mm256_cmpgt_epi64, _mm256_extract_epi64, _mm256_mul_epu32, _mm256_mullo_epi32,
    _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_slli_epi64, _mm256_srli_epi64, _mm256_sub_epi64, _mm256_xor_si256,
};

/// Whether this machine has what the functions of this module need.
pub(crate) fn is_here() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Elements side by side.
pub(crate) const LANES: usize = 4;
const LIMBS: usize = 10;

/// Four elements.
#[derive(Clone, Copy)]
pub(crate) struct Fe([__m256i; LIMBS]);

/// All ones in the lanes for which something is true, zeros in the others.
#[derive(Clone, Copy)]
pub(crate) struct Mask(__m256i);

/// Bits of a limb.
const fn bits(i: usize) -> i32 {
    if i.is_multiple_of(2) { 26 } else { 25 }
}

const fn mask(i: usize) -> i64 {
    (1 << bits(i)) - 1
}

/// `times * p` in limbs, each `times` times the largest of a limb or 18 less, for differences.
const fn multiple_of_p(times: i64) -> [i64; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        limbs[i] = times * (mask(i) - if i == 0 { 18 } else { 0 });
        i += 1;
    }
    limbs
}

impl Fe {
    /// The small number in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn small(number: u32) -> Self {
        let mut limbs = [_mm256_setzero_si256(); LIMBS];
        limbs[0] = _mm256_set1_epi64x(number.into());
        Self(limbs)
    }

    /// A constant, four words with the lowest first, in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn constant(words: &[u64; 4]) -> Self {
        let mut limbs = [_mm256_setzero_si256(); LIMBS];
        for (limb, number) in limbs.iter_mut().zip(split(words)) {
            *limb = _mm256_set1_epi64x(number);
        }
        Self(limbs)
    }

    /// Reads 32 bytes a lane, little-endian, without the highest bit; the value may be above p.
    #[target_feature(enable = "avx2")]
    pub(crate) fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        let [a, b, c, d] = lanes.map(|bytes| {
            let mut words = [0; 4];
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            split(&words)
        });
        let mut limbs = [_mm256_setzero_si256(); LIMBS];
        for (i, limb) in limbs.iter_mut().enumerate() {
            *limb = _mm256_set_epi64x(d[i], c[i], b[i], a[i]);
        }
        Self(limbs)
    }

    /// Writes the smallest form of a reduced element, 32 bytes a lane, little-endian.
    #[target_feature(enable = "avx2")]
    pub(crate) fn to_bytes(self) -> [[u8; 32]; LANES] {
        self.frozen().lanes().map(|l| {
            let mut wide = [0; 5];
            for (wide, limbs) in wide.iter_mut().zip(l.as_chunks::<2>().0) {
                *wide = limbs[0] | limbs[1] << 26;
            }
            let words = [
                wide[0] | wide[1] << 51,
                wide[1] >> 13 | wide[2] << 38,
                wide[2] >> 26 | wide[3] << 25,
                wide[3] >> 39 | wide[4] << 12,
            ];
            let mut bytes = [0; 32];
            for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
                *bytes = word.to_le_bytes();
            }
            bytes
        })
    }

    /// The limbs, lane by lane.
    #[target_feature(enable = "avx2")]
    fn lanes(self) -> [[u64; LIMBS]; LANES] {
        let mut lanes = [[0; LIMBS]; LANES];
        for (i, limb) in self.0.into_iter().enumerate() {
            for (lane, word) in lanes.iter_mut().zip(words_of(limb)) {
                lane[i] = word;
            }
        }
        lanes
    }

    /// The sum; units add.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = _mm256_add_epi64(*limb, other);
        }
        Self(limbs)
    }

    /// The difference from an element of at most `UNITS - 1`; adds `UNITS` units to those of `self`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn minus_of<const UNITS: i64>(self, other: Self) -> Self {
        let multiple = const { multiple_of_p(UNITS) };
        let mut limbs = self.0;
        for i in 0..LIMBS {
            let raised = _mm256_add_epi64(limbs[i], _mm256_set1_epi64x(multiple[i]));
            limbs[i] = _mm256_sub_epi64(raised, other.0[i]);
        }
        Self(limbs)
    }

    /// The difference from a reduced element; adds 2 units to those of `self`.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        self.minus_of::<2>(other)
    }

    /// The difference from an element of at most 3 units; adds 4 units to those of `self`.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn minus_wide(self, other: Self) -> Self {
        self.minus_of::<4>(other)
    }

    /// The negative of a reduced element, of 2 units.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn negative(self) -> Self {
        Self::small(0).minus(self)
    }

    /// Twice; units double.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn twice(self) -> Self {
        self.plus(self)
    }

    /// The product of an element of at most 8 units and one of at most 3.
    ///
    /// 19 times a limb of 3 units is below 2^32. A sum of products is at most 1 + 19 * 6.5 products of
    /// even limbs, all of 24 units^2 below 2^64.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn times(&self, other: &Self) -> Self {
        let y = &other.0;
        let nineteen = _mm256_set1_epi64x(19);
        // What lies beyond limb 9 comes back times 19.
        let mut window = [_mm256_setzero_si256(); 2 * LIMBS - 1];
        for i in 0..LIMBS {
            if i > 0 {
                window[i - 1] = _mm256_mullo_epi32(y[i], nineteen);
            }
            window[LIMBS - 1 + i] = y[i];
        }
        // Ten sums and two limbs of x fill the 16 registers; the window stays in memory. A compiler that
        // knew how often the loop runs would order the sums otherwise and spend as much again on
        // moving them.
        let (pairs, _) = std::hint::black_box(self.0.as_chunks::<2>());
        let mut sums = [_mm256_setzero_si256(); LIMBS];
        for (pair, window) in pairs.iter().zip(window.windows(LIMBS + 1).rev().step_by(2)) {
            let window: &[__m256i; LIMBS + 1] = &window.as_chunks().0[0];
            // Two odd limbs weigh together half a bit more each than the place of their product.
            let (even, odd) = (pair[0], pair[1]);
            let twice = _mm256_add_epi64(odd, odd);
            macro_rules! places {
                ($($k:literal $odd:ident),*) => { $(
                    sums[$k] = _mm256_add_epi64(sums[$k], _mm256_mul_epu32(even, window[$k + 1]));
                    sums[$k] = _mm256_add_epi64(sums[$k], _mm256_mul_epu32($odd, window[$k]));
                )* };
            }
            places!(0 twice, 1 odd, 2 twice, 3 odd, 4 twice, 5 odd, 6 twice, 7 odd, 8 twice, 9 odd);
        }
        carried(sums)
    }

    /// The product of an element of at most 3 units and a number below 2^32, reduced.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn times_small(self, number: u32) -> Self {
        let number = _mm256_set1_epi64x(number.into());
        carried(self.0.map(|limb| _mm256_mul_epu32(limb, number)))
    }

    /// The square of an element of at most 3 units.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn square(self) -> Self {
        let x = self.0;
        let nineteen = _mm256_set1_epi64x(19);
        // d twice, q four times (two odd limbs, either order), n what lies beyond limb 9.
        let (mut d, mut q, mut n) = (x, x, x);
        for i in 0..LIMBS {
            d[i] = _mm256_add_epi64(x[i], x[i]);
            q[i] = _mm256_add_epi64(d[i], d[i]);
            n[i] = _mm256_mullo_epi32(x[i], nineteen);
        }
        macro_rules! sum {
            ($a0:ident $i0:literal $b0:ident $j0:literal
             $(, $a:ident $i:literal $b:ident $j:literal)*) => { {
                let sum = _mm256_mul_epu32($a0[$i0], $b0[$j0]);
                $( let sum = _mm256_add_epi64(sum, _mm256_mul_epu32($a[$i], $b[$j])); )*
                sum
            } };
        }
        carried([
            sum!(x 0 x 0, q 1 n 9, d 2 n 8, q 3 n 7, d 4 n 6, d 5 n 5),
            sum!(d 0 x 1, d 2 n 9, d 3 n 8, d 4 n 7, d 5 n 6),
            sum!(d 0 x 2, d 1 x 1, q 3 n 9, d 4 n 8, q 5 n 7, x 6 n 6),
            sum!(d 0 x 3, d 1 x 2, d 4 n 9, d 5 n 8, d 6 n 7),
            sum!(d 0 x 4, q 1 x 3, x 2 x 2, q 5 n 9, d 6 n 8, d 7 n 7),
            sum!(d 0 x 5, d 1 x 4, d 2 x 3, d 6 n 9, d 7 n 8),
            sum!(d 0 x 6, q 1 x 5, d 2 x 4, d 3 x 3, q 7 n 9, x 8 n 8),
            sum!(d 0 x 7, d 1 x 6, d 2 x 5, d 3 x 4, d 8 n 9),
            sum!(d 0 x 8, q 1 x 7, d 2 x 6, q 3 x 5, x 4 x 4, d 9 n 9),
            sum!(d 0 x 9, d 1 x 8, d 2 x 7, d 3 x 6, d 4 x 5),
        ])
    }

    /// Makes an element of at most 60 units reduced.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn reduced(self) -> Self {
        carried(self.0)
    }

    /// The smallest form of a reduced element.
    #[target_feature(enable = "avx2")]
    pub(crate) fn frozen(self) -> Self {
        // The value is below 2^255 + 2^248, so below 2 p: p goes off once exactly if the value and 19
        // reach 2^255.
        let mut limbs = self.0;
        let mut carry = _mm256_set1_epi64x(19);
        for (i, limb) in limbs.iter().enumerate() {
            carry = beyond(_mm256_add_epi64(*limb, carry), i);
        }
        carry = _mm256_mul_epu32(carry, _mm256_set1_epi64x(19));
        for (i, limb) in limbs.iter_mut().enumerate() {
            let sum = _mm256_add_epi64(*limb, carry);
            carry = beyond(sum, i);
            *limb = _mm256_and_si256(sum, _mm256_set1_epi64x(mask(i)));
        }
        Self(limbs)
    }

    /// Which lanes of a reduced element are 0.
    #[target_feature(enable = "avx2")]
    pub(crate) fn is_zero(self) -> Mask {
        let mut any = _mm256_setzero_si256();
        for limb in self.frozen().0 {
            any = _mm256_or_si256(any, limb);
        }
        Mask(_mm256_cmpeq_epi64(any, _mm256_setzero_si256()))
    }

    /// Which lanes of a reduced element are odd in their smallest form (RFC 9496, section 4, calls
    /// them negative).
    #[target_feature(enable = "avx2")]
    pub(crate) fn is_negative(self) -> Mask {
        let one = _mm256_set1_epi64x(1);
        Mask(_mm256_cmpeq_epi64(_mm256_and_si256(self.frozen().0[0], one), one))
    }

    /// The lanes of `other` where the mask is set, those of `self` elsewhere.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn or(self, other: Self, mask: Mask) -> Self {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = _mm256_blendv_epi8(*limb, other, mask.0);
        }
        Self(limbs)
    }

    /// The negative where the mask is set. Reduced to at most 2 units.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn negative_if(self, mask: Mask) -> Self {
        self.or(self.negative(), mask)
    }

    /// The one of x and -x that is not negative, reduced.
    #[target_feature(enable = "avx2")]
    pub(crate) fn absolute(self) -> Self {
        self.negative_if(self.is_negative()).reduced()
    }
}

/// Inverts each element, 0 to 0, with one inversion for the whole batch (Montgomery's trick: three
/// products an element). Takes reduced elements.
#[target_feature(enable = "avx2")]
pub(crate) fn invert_batch(batch: &mut [Fe]) {
    let (zero, one) = (Fe::small(0), Fe::small(1));
    let mut product = one;
    let mut before = Vec::with_capacity(batch.len());
    for fe in batch.iter() {
        // A zero would make the product zero; one stands in for it and the result is zero again.
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

/// The power (p - 5) / 8 = 2^252 - 3, of N times four elements in turn, so that one does not wait for
/// the other.
#[target_feature(enable = "avx2")]
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
#[target_feature(enable = "avx2")]
fn inverted(x: Fe) -> Fe {
    let [power] = squares(&power(&[x]), 3);
    power.times(&x.square().times(&x))
}

/// Which lanes are squares, 0 not among them: those whose power (p - 1) / 2 = 4 (2^252 - 3) + 2 is 1.
#[target_feature(enable = "avx2")]
pub(crate) fn are_squares(x: Fe) -> Mask {
    let [power] = squares(&power(&[x]), 2);
    power.times(&x.square()).minus(Fe::small(1)).reduced().is_zero()
}

#[target_feature(enable = "avx2")]
fn squares<const N: usize>(x: &[Fe; N], times: u32) -> [Fe; N] {
    let mut x = *x;
    for _ in 0..times {
        for x in &mut x {
            *x = x.square();
        }
    }
    x
}

#[target_feature(enable = "avx2")]
fn times_each<const N: usize>(x: &[Fe; N], y: &[Fe; N]) -> [Fe; N] {
    let mut product = *x;
    for (product, y) in product.iter_mut().zip(y) {
        *product = product.times(y);
    }
    product
}

/// Four elements of at most 3 units in half the registers, limb i beside limb i + 5: for tables.
#[derive(Clone, Copy)]
pub(crate) struct Packed([__m256i; LIMBS / 2]);

/// The same of one lane.
pub(crate) type Words = [u64; LIMBS / 2];

impl Fe {
    #[target_feature(enable = "avx2")]
    pub(crate) fn packed(self) -> Packed {
        let mut words = [_mm256_setzero_si256(); LIMBS / 2];
        for (i, word) in words.iter_mut().enumerate() {
            *word = _mm256_or_si256(self.0[i], _mm256_slli_epi64::<32>(self.0[i + LIMBS / 2]));
        }
        Packed(words)
    }
}

impl Packed {
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn zero() -> Self {
        Self([_mm256_setzero_si256(); LIMBS / 2])
    }

    /// The same element in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn spread(words: &Words) -> Self {
        let mut packed = Self::zero();
        for (register, word) in packed.0.iter_mut().zip(words) {
            *register = _mm256_set1_epi64x(*word as i64);
        }
        packed
    }

    /// The elements, lane by lane.
    #[target_feature(enable = "avx2")]
    pub(crate) fn lanes(self) -> [Words; LANES] {
        let mut lanes = [[0; LIMBS / 2]; LANES];
        for (i, word) in self.0.into_iter().enumerate() {
            for (lane, word) in lanes.iter_mut().zip(words_of(word)) {
                lane[i] = word;
            }
        }
        lanes
    }

    /// Adds the lanes of `other` where the mask is set; those of `self` must be 0 there.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn fill(&mut self, other: &Self, mask: Mask) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word = _mm256_or_si256(*word, _mm256_and_si256(other, mask.0));
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn unpacked(self) -> Fe {
        let low = _mm256_set1_epi64x(0xffff_ffff);
        let mut limbs = [low; LIMBS];
        for (i, word) in self.0.into_iter().enumerate() {
            limbs[i] = _mm256_and_si256(word, low);
            limbs[i + LIMBS / 2] = _mm256_srli_epi64::<32>(word);
        }
        Fe(limbs)
    }
}

/// A number of -8 to 8 a lane.
#[derive(Clone, Copy)]
pub(crate) struct Digit {
    magnitude: __m256i,
    negative: __m256i,
}

impl Digit {
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn of(lanes: [i8; LANES]) -> Self {
        let [a, b, c, d] = lanes;
        let digit = _mm256_set_epi64x(d.into(), c.into(), b.into(), a.into());
        let negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), digit);
        let magnitude = _mm256_sub_epi64(_mm256_xor_si256(digit, negative), negative);
        Self { magnitude, negative }
    }

    /// Which lanes are plus or minus `number`.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn is(&self, number: i64) -> Mask {
        Mask(_mm256_cmpeq_epi64(self.magnitude, _mm256_set1_epi64x(number)))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn is_negative(&self) -> Mask {
        Mask(self.negative)
    }
}

impl Mask {
    /// Every lane if the bit is 1, none if it is 0.
    ///
    /// The compiler is not to know that the lanes are alike: it could make a branch of a selection.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn every(bit: u8) -> Self {
        Self(_mm256_set1_epi64x(-i64::from(std::hint::black_box(bit))))
    }

    /// Lanes by their truth.
    #[target_feature(enable = "avx2")]
    pub(crate) fn of(lanes: [bool; LANES]) -> Self {
        let [a, b, c, d] = lanes.map(|lane| -i64::from(lane));
        Self(_mm256_set_epi64x(d, c, b, a))
    }

    /// Lanes in which either is set.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(_mm256_or_si256(self.0, other.0))
    }

    /// Which lanes are set.
    #[target_feature(enable = "avx2")]
    pub(crate) fn lanes(self) -> [bool; LANES] {
        words_of(self.0).map(|lane| lane != 0)
    }
}

#[target_feature(enable = "avx2")]
fn words_of(register: __m256i) -> [u64; LANES] {
    [
        _mm256_extract_epi64::<0>(register) as u64,
        _mm256_extract_epi64::<1>(register) as u64,
        _mm256_extract_epi64::<2>(register) as u64,
        _mm256_extract_epi64::<3>(register) as u64,
    ]
}

/// The limbs of a number of four words, of which the highest bit is left out.
const fn split(words: &[u64; 4]) -> [i64; LIMBS] {
    let wide = [
        words[0],
        words[0] >> 51 | words[1] << 13,
        words[1] >> 38 | words[2] << 26,
        words[2] >> 25 | words[3] << 39,
        words[3] >> 12,
    ];
    let mut limbs = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        limbs[i] = (wide[i / 2] >> (26 * (i % 2))) as i64 & mask(i);
        i += 1;
    }
    limbs
}

/// What of limb i goes to the next.
#[target_feature(enable = "avx2")]
#[inline]
fn beyond(limb: __m256i, i: usize) -> __m256i {
    if i.is_multiple_of(2) { _mm256_srli_epi64::<26>(limb) } else { _mm256_srli_epi64::<25>(limb) }
}

/// Carries until the element is reduced: twice around half of the limbs, in two chains that do not
/// wait for each other. What goes beyond limb 9 comes back times 19.
#[target_feature(enable = "avx2")]
#[inline]
fn carried(mut z: [__m256i; LIMBS]) -> Fe {
    macro_rules! carry {
        ($($i:literal)*) => { $(
            let more = beyond(z[$i], $i);
            z[$i] = _mm256_and_si256(z[$i], _mm256_set1_epi64x(mask($i)));
            z[$i + 1] = _mm256_add_epi64(z[$i + 1], more);
        )* };
    }
    carry!(0 4 1 5 2 6 3 7 4 8);
    // Below 2^39, too wide for the multiplier: 19 = 16 + 2 + 1.
    let more = beyond(z[9], 9);
    z[9] = _mm256_and_si256(z[9], _mm256_set1_epi64x(mask(9)));
    let three = _mm256_add_epi64(more, _mm256_add_epi64(more, more));
    z[0] = _mm256_add_epi64(z[0], _mm256_add_epi64(three, _mm256_slli_epi64::<4>(more)));
    carry!(0);
    Fe(z)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;
    use crate::field25519::Fe as Slow;

    type Limbs = [i64; LIMBS];

    /// Limbs of so many units, the most there may be.
    fn full(units: i64) -> Limbs {
        std::array::from_fn(|i| units * ((1 << bits(i)) + (1 << 17)))
    }

    /// One number a lane, and the same numbers by the other implementation.
    #[target_feature(enable = "avx2")]
    fn number(lanes: &[Limbs; LANES]) -> (Fe, [Slow; LANES]) {
        let mut limbs = [_mm256_setzero_si256(); LIMBS];
        for (i, limb) in limbs.iter_mut().enumerate() {
            *limb = _mm256_set_epi64x(lanes[3][i], lanes[2][i], lanes[1][i], lanes[0][i]);
        }
        let slow = lanes.map(|limbs| {
            limbs.iter().enumerate().rev().fold(Slow::ZERO, |sum, (i, limb)| {
                // What is above limb i weighs as many bits more as limb i has.
                let shifted = sum.mul_small(1 << bits(i));
                (shifted + Slow::from_u32(*limb as u32).carried()).carried()
            })
        });
        (Fe(limbs), slow)
    }

    /// Random numbers of up to so many units, the largest, and the edges of the field.
    fn numbers(units: i64, entropy: &mut Entropy) -> Vec<[Limbs; LANES]> {
        let mut p = multiple_of_p(1);
        let mut lanes = vec![full(units), [0; LIMBS], p];
        for step in [-1, 2] {
            p[0] += step;
            lanes.push(p);
        }
        lanes.push(std::array::from_fn(mask));
        while lanes.len() < 40 {
            let limit = full(units);
            lanes.push(std::array::from_fn(|i| i64::from(entropy.below(limit[i] as u32 + 1))));
        }
        lanes.as_chunks().0.to_vec()
    }

    fn check(fast: Fe, slow: [Slow; LANES], what: &str) {
        // SAFETY: who calls this has seen that avx2 is here.
        #[expect(unsafe_code, reason = "a door to x86")]
        let (bytes, negative, zero) =
            unsafe { (fast.to_bytes(), fast.is_negative().lanes(), fast.is_zero().lanes()) };
        assert_eq!(bytes, slow.map(Slow::to_bytes), "seed 60, {what}");
        for (i, limb) in full(1).into_iter().enumerate() {
            // SAFETY: as above.
            #[expect(unsafe_code, reason = "a door to x86")]
            let lanes = unsafe { fast.lanes() };
            assert!(
                lanes.iter().all(|lane| lane[i] <= limb as u64),
                "seed 60, {what} is not reduced"
            );
        }
        for lane in 0..LANES {
            assert_eq!(negative[lane], bytes[lane][0] & 1 == 1, "seed 60, {what}");
            assert_eq!(zero[lane], bytes[lane] == [0; 32], "seed 60, {what}");
        }
    }

    #[target_feature(enable = "avx2")]
    fn laws() {
        let mut entropy = Entropy::from_seed_for_tests([60; 32]);
        let (eight, three) = (numbers(8, &mut entropy), numbers(3, &mut entropy));
        let one = numbers(1, &mut entropy);
        for x in &three {
            let (x, slow_x) = number(x);
            check(x.reduced(), slow_x, "a reduced number");
            check(x.square(), slow_x.map(Slow::square), "a square");
            for number in [0, 19, 486_662, u32::MAX] {
                let product = slow_x.map(|x| x.mul_small(number));
                check(x.times_small(number), product, "a product with a small number");
            }
            for y in &eight {
                let (y, slow_y) = number(y);
                let product = std::array::from_fn(|i| slow_y[i] * slow_x[i]);
                check(y.times(&x), product, "a product");
                let difference = std::array::from_fn(|i| (slow_y[i] - slow_x[i]).carried());
                check(y.minus_wide(x).reduced(), difference, "a wide difference");
            }
        }
        for x in &one {
            let (x, slow_x) = number(x);
            check(x, slow_x, "a number");
            check(Fe::from_bytes(&x.to_bytes()), slow_x, "a number read and written");
            check(x.packed().unpacked(), slow_x, "a number packed and unpacked");
            let negative = slow_x.map(|x| (Slow::ZERO - x).carried());
            check(x.negative().reduced(), negative, "a negative");
            check(inverted(x), slow_x.map(Slow::invert), "an inverse");
            let squares = slow_x.map(|x| x.chi().to_bytes() == Slow::ONE.to_bytes());
            assert_eq!(are_squares(x).lanes(), squares, "seed 60");
            for y in &eight {
                let (y, slow_y) = number(y);
                let sum = std::array::from_fn(|i| (slow_y[i] + slow_x[i]).carried());
                check(y.plus(x).reduced(), sum, "a sum");
                let difference = std::array::from_fn(|i| (slow_y[i] - slow_x[i]).carried());
                check(y.minus(x).reduced(), difference, "a difference");
                let mask = Mask::of([true, false, false, true]);
                let mixed = [slow_y[0], slow_x[1], slow_x[2], slow_y[3]];
                check(x.or(y, mask).reduced(), mixed, "a selection");
            }
            let absolute = std::array::from_fn(|i| {
                if slow_x[i].to_bytes()[0] & 1 == 1 { negative[i] } else { slow_x[i] }
            });
            check(x.absolute(), absolute, "an absolute value");
        }
    }

    #[target_feature(enable = "avx2")]
    fn inverses() {
        let mut entropy = Entropy::from_seed_for_tests([61; 32]);
        for count in 0..6 {
            // Zeros in front, behind, and among others in one group.
            let all = numbers(1, &mut entropy).into_iter().take(count);
            let all: Vec<_> = all.clone().chain([[[0; LIMBS]; LANES]]).chain(all.rev()).collect();
            let (mut batch, slow): (Vec<_>, Vec<_>) = all.iter().map(|x| number(x)).unzip();
            invert_batch(&mut batch);
            for (inverse, slow) in batch.into_iter().zip(slow) {
                check(inverse, slow.map(Slow::invert), "an inverse in a batch");
            }
        }
    }

    #[test]
    fn numbers_of_as_many_units_as_allowed_obey_the_other_implementation() {
        if !super::is_here() {
            return eprintln!("there is no avx2 on this machine");
        }
        // SAFETY: avx2 was just detected.
        #[expect(unsafe_code, reason = "a door to x86")]
        unsafe {
            laws();
            inverses();
        }
    }
}
