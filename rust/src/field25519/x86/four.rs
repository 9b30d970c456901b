//! Arithmetic in GF(p), p = 2^255 - 19, on four elements side by side, with AVX2 and FMA.
//!
//! An element is five limbs, one a register, limb i of weight 2^(51 i). A limb is an integer that may
//! be negative, kept as a double: a fused multiplication and addition rounds a product of 102 bits to
//! its upper half, and a second one gives exactly what the first has left out. So there are 25 products
//! of two limbs where the 32-bit multiplier of AVX2 needs 100 (Bernstein, "Curve25519", PKC 2006, has
//! doubles for what x87 does; Emmart, Zheng and Weems, "Faster modular exponentiation using double
//! precision floating point arithmetic on the GPU", ARITH 2018, take the halves of a product this
//! way). All values are integers below 2^53 or multiples of 2^51 below 2^104, so nothing is rounded
//! but the upper half, and nothing is subnormal: the time is the same for all values.
//!
//! Bounds are stated as a number of units: a limb is at most so many times 2^50 + 2^15, either sign.
//! *Reduced* is one unit. A sum and a difference have the units of both, at most 7 together.

use std::arch::asm;
use std::arch::x86_64::{
    __m256d, __m256i, _mm256_add_epi64, _mm256_add_pd, _mm256_and_pd, _mm256_and_si256,
    _mm256_blendv_pd, _mm256_castpd_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64,
    _mm256_cmpgt_epi64, _mm256_extract_epi64, _mm256_fmadd_pd, _mm256_mul_epu32, _mm256_or_pd,
    _mm256_or_si256, _mm256_set_epi64x, _mm256_set_pd, _mm256_set1_epi64x, _mm256_set1_pd,
    _mm256_setzero_pd, _mm256_setzero_si256, _mm256_slli_epi64, _mm256_srli_epi64,
    _mm256_sub_epi64, _mm256_sub_pd, _mm256_xor_pd, _mm256_xor_si256,
};
use std::hint::black_box;

use super::{LIMBS, MASK, bytes, centred, limbs, words};

/// Whether this machine has what the functions of this module need, and rounds to the nearest, as
/// every program does that has not asked for anything else.
pub(crate) fn is_here() -> bool {
    let (one, step) = (black_box(1.0), black_box(f64::EPSILON));
    let to_nearest = one + 0.75 * step == one + step && one + 0.25 * step == one;
    has!("avx2", "fma") && to_nearest
}

/// Elements side by side.
pub(crate) const LANES: usize = 4;

/// Four elements.
#[derive(Clone, Copy)]
pub(crate) struct Fe([__m256d; LIMBS]);

/// Products that are not carried yet, or sums and differences of up to five of them: integers, each
/// limb at most 2^58 a product.
#[derive(Clone, Copy)]
pub(crate) struct Wide([__m256i; LIMBS]);

/// A number whose products are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Factor(Fe);

/// All ones in the lanes for which something is true, zeros in the others.
#[derive(Clone, Copy)]
pub(crate) struct Mask(__m256i);

/// The same of one lane.
pub(crate) type Words = [f64; LIMBS];

/// In [2^103, 2^104) a double counts in steps of 2^51. What is added to this one may be 2^102, either
/// sign, without leaving there, and its bits, as an integer, grow by the number of steps.
const STEPS_OF_2_51: f64 = 1.5 * (1_u128 << 103) as f64;
/// In [2^52, 2^53) a double counts in ones: the same for 2^51, either sign.
const ONES: f64 = 1.5 * (1_u64 << 52) as f64;
/// 2^52 itself: its bits with a number below 2^52 among them are the sum of both.
const FIRST_OF_ONES: f64 = (1_u64 << 52) as f64;

/// What makes the limb of a `Wide` positive, with half a limb, so that what is left after a carry lies
/// around 0.
const RAISED: u64 = (1 << 61) + (1 << 50);

/// How many lower halves of products the columns of a product or a square sum up; upper halves go to the
/// column behind.
const PRODUCT: [u64; 2 * LIMBS] = [1, 2, 3, 4, 5, 4, 3, 2, 1, 0];
const SQUARE: [u64; 2 * LIMBS] = [1, 1, 2, 2, 3, 2, 2, 1, 1, 0];
const SMALL: [u64; 2 * LIMBS] = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0];

/// What the bits of all these halves have too much, folded into limbs.
const fn excess(lowers: &[u64; 2 * LIMBS]) -> [u64; LIMBS] {
    let mut limbs = [0_u64; LIMBS];
    let mut k = 0;
    while k < 2 * LIMBS {
        let uppers = if k == 0 { 0 } else { lowers[k - 1] };
        let column = uppers
            .wrapping_mul(STEPS_OF_2_51.to_bits())
            .wrapping_add(lowers[k].wrapping_mul(ONES.to_bits()));
        let times = if k < LIMBS { 1 } else { 19 };
        limbs[k % LIMBS] = limbs[k % LIMBS].wrapping_add(column.wrapping_mul(times));
        k += 1;
    }
    limbs
}

/// The upper half of a product of limbs in steps of 2^51 and its lower half, as bits.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn halves(x: __m256d, y: __m256d) -> (__m256i, __m256i) {
    let upper = _mm256_fmadd_pd(x, y, _mm256_set1_pd(STEPS_OF_2_51));
    let rest = _mm256_sub_pd(_mm256_set1_pd(STEPS_OF_2_51 + ONES), upper);
    (_mm256_castpd_si256(upper), _mm256_castpd_si256(_mm256_fmadd_pd(x, y, rest)))
}

/// The sum, in the order of the program: a compiler that may change the order does all products first,
/// keeps them in memory, and takes half as long again.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn sum(x: __m256i, y: __m256i) -> __m256i {
    let mut sum = _mm256_add_epi64(x, y);
    // SAFETY: no instruction, which changes nothing.
    #[expect(unsafe_code, reason = "a register that the compiler may not look into")]
    unsafe {
        asm!("/* {} */", inout(ymm_reg) sum, options(nomem, nostack, preserves_flags));
    }
    sum
}

/// Sums up products of limbs in columns; what lies beyond limb 4 comes back times 19 = 16 + 2 + 1.
macro_rules! columns {
    ($($k:literal: $($x:ident $i:literal by $y:ident $j:literal),+);+) => { {
        let mut columns = [_mm256_setzero_si256(); 2 * LIMBS];
        $( $(
            let (upper, lower) = halves($x[$i], $y[$j]);
            columns[$k] = sum(columns[$k], lower);
            columns[$k + 1] = sum(columns[$k + 1], upper);
        )+ )+
        let mut limbs = [_mm256_setzero_si256(); LIMBS];
        for (i, limb) in limbs.iter_mut().enumerate() {
            let more = columns[i + LIMBS];
            let three = _mm256_add_epi64(more, _mm256_add_epi64(more, more));
            *limb = _mm256_add_epi64(columns[i], three);
            *limb = _mm256_add_epi64(*limb, _mm256_slli_epi64::<4>(more));
        }
        limbs
    } };
}

impl Wide {
    /// The sum.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn plus(mut self, other: Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm256_add_epi64(*limb, other);
        }
        self
    }

    /// The difference.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn minus(mut self, other: Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm256_sub_epi64(*limb, other);
        }
        self
    }

    /// Carries: the element, reduced.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn carried(self) -> Fe {
        carried(self.0, const { [RAISED; LIMBS] })
    }
}

impl Factor {
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn of(number: Fe) -> Self {
        Self(number)
    }

    /// The product of reduced elements, not carried.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn times_wide(&self, other: &Fe) -> Wide {
        self.0.times_wide(other)
    }
}

/// Raises limbs, and carries: an element, reduced.
///
/// A limb is below 2^61, either sign. Raised it is from 0 to below 2^62, what goes to the next limb is
/// below 2^11 with 2^10 too much, and what is left is below 2^51 with 2^50 too much.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn carried(limbs: [__m256i; LIMBS], raise: [u64; LIMBS]) -> Fe {
    let (mut own, mut more) = (limbs, limbs);
    for i in 0..LIMBS {
        let raised = _mm256_add_epi64(limbs[i], _mm256_set1_epi64x(raise[i] as i64));
        more[i] = _mm256_srli_epi64::<51>(raised);
        own[i] = _mm256_and_si256(raised, _mm256_set1_epi64x(MASK as i64));
    }
    let [more_0, more_1, more_2, more_3, more_4] = more;
    let around = _mm256_mul_epu32(more_4, _mm256_set1_epi64x(19));
    let mut limbs = [_mm256_setzero_pd(); LIMBS];
    for (i, more) in [around, more_0, more_1, more_2, more_3].into_iter().enumerate() {
        let times = if i == 0 { 19 } else { 1 };
        let too_much = (1 << 50) + times * (RAISED >> 51);
        let sum = _mm256_add_epi64(own[i], more);
        let bits = _mm256_or_si256(sum, _mm256_set1_epi64x(FIRST_OF_ONES.to_bits() as i64));
        let base = _mm256_set1_pd(FIRST_OF_ONES + too_much as f64);
        limbs[i] = _mm256_sub_pd(_mm256_castsi256_pd(bits), base);
    }
    Fe(limbs)
}

/// What makes limbs with an excess raised ones without.
const fn raise(excess: [u64; LIMBS], by: u64) -> [u64; LIMBS] {
    let mut raise = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        raise[i] = by.wrapping_sub(excess[i]);
        i += 1;
    }
    raise
}

/// Limbs without their excess.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn wide(mut limbs: [__m256i; LIMBS], excess: [u64; LIMBS]) -> Wide {
    for (limb, excess) in limbs.iter_mut().zip(excess) {
        *limb = _mm256_sub_epi64(*limb, _mm256_set1_epi64x(excess as i64));
    }
    Wide(limbs)
}

impl Fe {
    /// The small number in every lane, below 2^32.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn small(number: u32) -> Self {
        let mut limbs = [_mm256_setzero_pd(); LIMBS];
        limbs[0] = _mm256_set1_pd(number.into());
        Self(limbs)
    }

    /// A constant, four words with the lowest first, in every lane; reduced.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn constant(words: &[u64; 4]) -> Self {
        Self::spread(&centred(limbs(words)).map(|limb| limb as f64))
    }

    /// Reads 32 bytes a lane, little-endian, without the highest bit; the value may be above p.
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        let [a, b, c, d] = lanes.map(|bytes| limbs(&words(&bytes)).map(|limb| limb as f64));
        let mut limbs = [_mm256_setzero_pd(); LIMBS];
        for (i, limb) in limbs.iter_mut().enumerate() {
            *limb = _mm256_set_pd(d[i], c[i], b[i], a[i]);
        }
        Self(limbs).reduced()
    }

    /// Writes the smallest form of a reduced element, 32 bytes a lane, little-endian.
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn to_bytes(self) -> [[u8; 32]; LANES] {
        let limbs = self.frozen().map(|limb| words_of(limb));
        std::array::from_fn(|lane| bytes(&limbs.map(|limb| limb[lane])))
    }

    /// The limbs, lane by lane.
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn lanes(self) -> [Words; LANES] {
        let limbs = self.0.map(|limb| words_of(_mm256_castpd_si256(limb)).map(f64::from_bits));
        std::array::from_fn(|lane| limbs.map(|limb| limb[lane]))
    }

    /// The same element in every lane.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn spread(words: &Words) -> Self {
        let mut limbs = [_mm256_setzero_pd(); LIMBS];
        for (limb, word) in limbs.iter_mut().zip(words) {
            *limb = _mm256_set1_pd(*word);
        }
        Self(limbs)
    }

    /// Adds the lanes of `other` where the mask is set; those of `self` must be 0 there.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn fill(&mut self, other: &Self, mask: Mask) {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm256_or_pd(*limb, _mm256_and_pd(other, _mm256_castsi256_pd(mask.0)));
        }
    }

    /// The sum; units add.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn plus(mut self, other: Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm256_add_pd(*limb, other);
        }
        self
    }

    /// The difference; units add.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn minus(mut self, other: Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm256_sub_pd(*limb, other);
        }
        self
    }

    /// The negative, of as many units.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn negative(self) -> Self {
        self.negative_if(Mask(_mm256_set1_epi64x(-1)))
    }

    /// The negative where the mask is set, of as many units.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn negative_if(mut self, mask: Mask) -> Self {
        let sign = _mm256_and_pd(_mm256_set1_pd(-0.0), _mm256_castsi256_pd(mask.0));
        for limb in &mut self.0 {
            *limb = _mm256_xor_pd(*limb, sign);
        }
        self
    }

    /// The limbs of a product, with an excess.
    ///
    /// A product of two limbs of at most 3 units together is below 2^102. Its upper half is at most
    /// 3 2^49 steps, its lower half 2^50, and a limb at most 1 + 19 times five of both.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn products(&self, other: &Self) -> [__m256i; LIMBS] {
        let (x, y) = (&self.0, &other.0);
        columns!(
            0: x 0 by y 0;
            1: x 0 by y 1, x 1 by y 0;
            2: x 0 by y 2, x 1 by y 1, x 2 by y 0;
            3: x 0 by y 3, x 1 by y 2, x 2 by y 1, x 3 by y 0;
            4: x 0 by y 4, x 1 by y 3, x 2 by y 2, x 3 by y 1, x 4 by y 0;
            5: x 1 by y 4, x 2 by y 3, x 3 by y 2, x 4 by y 1;
            6: x 2 by y 4, x 3 by y 3, x 4 by y 2;
            7: x 3 by y 4, x 4 by y 3;
            8: x 4 by y 4
        )
    }

    /// The same of the square of a reduced element.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn squares(&self) -> [__m256i; LIMBS] {
        let (x, d) = (&self.0, &self.twice().0);
        columns!(
            0: x 0 by x 0;
            1: d 0 by x 1;
            2: d 0 by x 2, x 1 by x 1;
            3: d 0 by x 3, d 1 by x 2;
            4: d 0 by x 4, d 1 by x 3, x 2 by x 2;
            5: d 1 by x 4, d 2 by x 3;
            6: d 2 by x 4, x 3 by x 3;
            7: d 3 by x 4;
            8: x 4 by x 4
        )
    }

    /// The product of elements whose units have a product of at most 3.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn times(&self, other: &Self) -> Self {
        carried(self.products(other), const { raise(excess(&PRODUCT), RAISED) })
    }

    /// The same, not carried.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn times_wide(&self, other: &Self) -> Wide {
        wide(self.products(other), const { excess(&PRODUCT) })
    }

    /// The same. There is nothing to raise: limbs may be negative.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn times_raised(&self, other: &Self) -> Wide {
        self.times_wide(other)
    }

    /// The square of a reduced element.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn square(self) -> Self {
        carried(self.squares(), const { raise(excess(&SQUARE), RAISED) })
    }

    /// The same, not carried.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn square_wide(self) -> Wide {
        wide(self.squares(), const { excess(&SQUARE) })
    }

    /// The same. There is nothing to raise: limbs may be negative.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn square_raised(self) -> Wide {
        self.square_wide()
    }

    /// The product of an element of at most 3 units and a number below 2^32, not carried.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn times_small_wide(self, number: u32) -> Wide {
        let (x, y) = (&self.0, [_mm256_set1_pd(number.into())]);
        let products = columns!(
            0: x 0 by y 0;
            1: x 1 by y 0;
            2: x 2 by y 0;
            3: x 3 by y 0;
            4: x 4 by y 0
        );
        wide(products, const { excess(&SMALL) })
    }

    /// The same, and another product.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn times_small_plus(self, number: u32, product: Wide) -> Wide {
        self.times_small_wide(number).plus(product)
    }

    /// The product of an element of at most 3 units and a number below 2^32.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn times_small(self, number: u32) -> Self {
        self.times_small_wide(number).carried()
    }

    /// Makes an element of at most 7 units reduced.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn reduced(self) -> Self {
        let steps = _mm256_set1_pd(STEPS_OF_2_51);
        let (mut own, mut more) = (self.0, self.0);
        for (own, more) in own.iter_mut().zip(&mut more) {
            *more = _mm256_sub_pd(_mm256_add_pd(*own, steps), steps);
            *own = _mm256_sub_pd(*own, *more);
        }
        let one = 1.0 / (1_u64 << 51) as f64;
        let mut limbs = own;
        for (i, limb) in limbs.iter_mut().enumerate() {
            // The last limb's comes back times 19.
            let (more, weight) =
                if i == 0 { (more[LIMBS - 1], 19.0 * one) } else { (more[i - 1], one) };
            *limb = _mm256_fmadd_pd(more, _mm256_set1_pd(weight), own[i]);
        }
        Self(limbs)
    }

    /// The smallest form of a reduced element, as integers.
    #[target_feature(enable = "avx2,fma")]
    fn frozen(self) -> [__m256i; LIMBS] {
        let mut limbs = [_mm256_setzero_si256(); LIMBS];
        let mut carry = _mm256_setzero_si256();
        for (i, limb) in limbs.iter_mut().enumerate() {
            // 2 p is above what a limb lacks, and p is below 2^51 in each.
            let p = if i == 0 { MASK - 18 } else { MASK };
            let bits = _mm256_castpd_si256(_mm256_add_pd(self.0[i], _mm256_set1_pd(ONES)));
            let excess = (2 * p).wrapping_sub(ONES.to_bits());
            let sum = _mm256_add_epi64(bits, _mm256_set1_epi64x(excess as i64));
            *limb = _mm256_add_epi64(sum, carry);
            carry = beyond(limb);
        }
        carry = _mm256_mul_epu32(carry, _mm256_set1_epi64x(19));
        for limb in &mut limbs {
            *limb = _mm256_add_epi64(*limb, carry);
            carry = beyond(limb);
        }
        // Less than 2^255 + 38 * 19 is left, so below 2 p: p goes off once exactly if the value and 19 reach
        // 2^255, which a last carry has already or the sum has.
        let mut over = _mm256_set1_epi64x(19);
        for limb in &limbs {
            over = _mm256_srli_epi64::<51>(_mm256_add_epi64(*limb, over));
        }
        carry = _mm256_mul_epu32(_mm256_add_epi64(carry, over), _mm256_set1_epi64x(19));
        for limb in &mut limbs {
            *limb = _mm256_add_epi64(*limb, carry);
            carry = beyond(limb);
        }
        limbs
    }

    /// Which lanes of a reduced element are 0.
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn is_zero(self) -> Mask {
        let mut any = _mm256_setzero_si256();
        for limb in self.frozen() {
            any = _mm256_or_si256(any, limb);
        }
        Mask(_mm256_cmpeq_epi64(any, _mm256_setzero_si256()))
    }

    /// Which lanes of a reduced element are odd in their smallest form (RFC 9496, section 4, calls
    /// them negative).
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn is_negative(self) -> Mask {
        let one = _mm256_set1_epi64x(1);
        Mask(_mm256_cmpeq_epi64(_mm256_and_si256(self.frozen()[0], one), one))
    }

    /// The lanes of `other` where the mask is set, those of `self` elsewhere.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn or(mut self, other: Self, mask: Mask) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm256_blendv_pd(*limb, other, _mm256_castsi256_pd(mask.0));
        }
        self
    }
}

/// Takes off a limb what goes to the next.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn beyond(limb: &mut __m256i) -> __m256i {
    let more = _mm256_srli_epi64::<51>(*limb);
    *limb = _mm256_and_si256(*limb, _mm256_set1_epi64x(MASK as i64));
    more
}

/// A number of -8 to 8 a lane.
#[derive(Clone, Copy)]
pub(crate) struct Digit {
    magnitude: __m256i,
    negative: __m256i,
}

impl Digit {
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn of(lanes: [i8; LANES]) -> Self {
        let [a, b, c, d] = lanes;
        let digit = _mm256_set_epi64x(d.into(), c.into(), b.into(), a.into());
        let negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), digit);
        let magnitude = _mm256_sub_epi64(_mm256_xor_si256(digit, negative), negative);
        Self { magnitude, negative }
    }

    /// Which lanes are plus or minus `number`.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn is(&self, number: i64) -> Mask {
        Mask(_mm256_cmpeq_epi64(self.magnitude, _mm256_set1_epi64x(number)))
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn is_negative(&self) -> Mask {
        Mask(self.negative)
    }
}

impl Mask {
    /// Every lane if the bit is 1, none if it is 0.
    ///
    /// The compiler is not to know that the lanes are alike: it could make a branch of a selection.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn every(bit: u8) -> Self {
        Self(_mm256_set1_epi64x(-i64::from(black_box(bit))))
    }

    /// Lanes by their truth.
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn of(lanes: [bool; LANES]) -> Self {
        let [a, b, c, d] = lanes.map(|lane| -i64::from(lane));
        Self(_mm256_set_epi64x(d, c, b, a))
    }

    /// Lanes in which either is set.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(_mm256_or_si256(self.0, other.0))
    }

    /// Which lanes are set.
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn lanes(self) -> [bool; LANES] {
        words_of(self.0).map(|lane| lane != 0)
    }
}

#[target_feature(enable = "avx2,fma")]
fn words_of(register: __m256i) -> [u64; LANES] {
    [
        _mm256_extract_epi64::<0>(register) as u64,
        _mm256_extract_epi64::<1>(register) as u64,
        _mm256_extract_epi64::<2>(register) as u64,
        _mm256_extract_epi64::<3>(register) as u64,
    ]
}

algebra!("avx2,fma");

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest limb of a reduced element and the smallest.
    const UNIT: i64 = (1 << 50) + (1 << 15);
    const LEAST: i64 = -UNIT;
    /// The most units of a factor, beside a reduced one, and of an element that may be reduced.
    const MOST: [i64; 2] = [3, 7];

    #[target_feature(enable = "avx2,fma")]
    fn fe(lanes: &[[i64; LIMBS]; LANES]) -> Fe {
        let [a, b, c, d] = lanes.map(|limbs| limbs.map(|limb| limb as f64));
        Fe(std::array::from_fn(|i| _mm256_set_pd(d[i], c[i], b[i], a[i])))
    }

    #[target_feature(enable = "avx2,fma")]
    fn limbs(fe: Fe) -> [[i64; LIMBS]; LANES] {
        fe.lanes().map(|limbs| limbs.map(|limb| limb as i64))
    }

    laws!("avx2,fma");
}
