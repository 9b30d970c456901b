//! Arithmetic in GF(p), p = 2^255 - 19, on eight elements side by side, with AVX-512 IFMA.
//!
//! An element is five limbs, one a register, limb i of weight 2^(51 i), none negative. The multiplier
//! takes factors of 52 bits and gives either half of their product, 52 bits each, added to a register
//! (Intel, "Architecture instruction set extensions programming reference", VPMADD52LUQ; Gueron and
//! Krasnov, "Accelerating big integer arithmetic using Intel IFMA extensions", ARITH 2016). All
//! instructions take the same time for all values.
//!
//! *Reduced* is a limb below 2^51 + 2^17. All elements are: since a sum of two may have 53 bits, sums are
//! carried at once, where `four` has units to count.

use std::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epi64_mask,
    _mm512_cmpneq_epi64_mask, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_blend_epi64, _mm512_or_si512, _mm512_set_epi64, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
    _mm512_sub_epi64, _mm512_xor_si512,
};
use std::hint::black_box;

use super::{LIMBS, MASK, bytes, limbs, words};

/// Whether this machine has what the functions of this module need.
pub(super) fn is_here() -> bool {
    has!("avx512f", "avx512ifma")
}

/// Elements side by side.
pub(crate) const LANES: usize = 8;

/// Eight elements.
#[derive(Clone, Copy)]
pub(crate) struct Fe([__m512i; LIMBS]);

/// Products that are not carried yet, or sums and differences of up to five of them: integers, each
/// limb at most 2^59 a product.
#[derive(Clone, Copy)]
pub(crate) struct Wide([__m512i; LIMBS]);

/// The lanes for which something is true, one bit each.
#[derive(Clone, Copy)]
pub(crate) struct Mask(__mmask8);

/// The limbs of one lane.
pub(crate) type Words = [u64; LIMBS];

/// `times * p`, limb by limb.
const fn multiple_of_p(times: u64) -> [u64; LIMBS] {
    [times * (MASK - 18), times * MASK, times * MASK, times * MASK, times * MASK]
}

impl Wide {
    /// The sum.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(sums(self.0, other.0))
    }

    /// The difference.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(differences(self.0, other.0))
    }

    /// Carries: the element, reduced.
    ///
    /// A limb is below 5 2^59, either sign. With 2^11 p it is from 0 to below 2^62 + 5 2^59, what goes to
    /// the next limb is below 2^12, and 19 times that below 2^17.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn carried(self) -> Fe {
        carried(sums(self.0, everywhere(const { &multiple_of_p(1 << 11) })))
    }
}

impl Fe {
    /// The small number in every lane, below 2^32.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn small(number: u32) -> Self {
        let mut limbs = [_mm512_setzero_si512(); LIMBS];
        limbs[0] = _mm512_set1_epi64(number.into());
        Self(limbs)
    }

    /// A constant, four words with the lowest first, in every lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn constant(words: &[u64; 4]) -> Self {
        Self::spread(&limbs(words))
    }

    /// Reads 32 bytes a lane, little-endian, without the highest bit; the value may be above p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        let lanes = lanes.map(|bytes| limbs(&words(&bytes)));
        Self(std::array::from_fn(|i| of_words(lanes.map(|limbs| limbs[i]))))
    }

    /// Writes the smallest form, 32 bytes a lane, little-endian.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn to_bytes(self) -> [[u8; 32]; LANES] {
        Self(self.frozen()).lanes().map(|limbs| bytes(&limbs))
    }

    /// The limbs, lane by lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn lanes(self) -> [Words; LANES] {
        let limbs = self.0.map(|limb| words_of(limb));
        std::array::from_fn(|lane| limbs.map(|limb| limb[lane]))
    }

    /// The same element in every lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn spread(words: &Words) -> Self {
        Self(everywhere(words))
    }

    /// Takes the lanes of `other` where the mask is set; those of `self` must be 0 there.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn fill(&mut self, other: &Self, mask: Mask) {
        *self = self.or(*other, mask);
    }

    /// The sum.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        carried(sums(self.0, other.0))
    }

    /// The difference.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        // No limb of 2 p is below one that is reduced.
        let raised = sums(self.0, everywhere(const { &multiple_of_p(2) }));
        carried(differences(raised, other.0))
    }

    /// The negative.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn negative(self) -> Self {
        Self::small(0).minus(self)
    }

    /// The negative where the mask is set.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn negative_if(self, mask: Mask) -> Self {
        self.or(self.negative(), mask)
    }

    /// The limbs of a product.
    ///
    /// An upper half is below 2^50 + 2^17 and counts twice in the column behind, a lower half is below
    /// 2^52; a limb is at most 1 + 19 times four lower halves and 19 times five upper ones.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn products(&self, other: &Self) -> [__m512i; LIMBS] {
        let (x, y) = (&self.0, &other.0);
        let mut columns = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], x[i], y[j]);
            }
        }
        for column in &mut columns {
            *column = _mm512_add_epi64(*column, *column);
        }
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], x[i], y[j]);
            }
        }
        folded(columns)
    }

    /// The limbs of a square: what stands twice is multiplied once.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn squares(&self) -> [__m512i; LIMBS] {
        let x = &self.0;
        let mut uppers = [_mm512_setzero_si512(); 2 * LIMBS];
        let mut columns = uppers;
        for i in 0..LIMBS {
            for j in i + 1..LIMBS {
                uppers[i + j + 1] = _mm512_madd52hi_epu64(uppers[i + j + 1], x[i], x[j]);
                columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], x[i], x[j]);
            }
        }
        // The upper half of a square on the diagonal counts twice, what lies beside it twice again.
        for (column, upper) in columns.iter_mut().zip(&mut uppers) {
            *column = _mm512_add_epi64(*column, *column);
            *upper = _mm512_add_epi64(*upper, *upper);
        }
        for i in 0..LIMBS {
            uppers[2 * i + 1] = _mm512_madd52hi_epu64(uppers[2 * i + 1], x[i], x[i]);
            columns[2 * i] = _mm512_madd52lo_epu64(columns[2 * i], x[i], x[i]);
        }
        for (column, upper) in columns.iter_mut().zip(uppers) {
            *column = _mm512_add_epi64(*column, _mm512_add_epi64(upper, upper));
        }
        folded(columns)
    }

    /// The product.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times(&self, other: &Self) -> Self {
        carried(self.products(other))
    }

    /// The same, not carried.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_wide(&self, other: &Self) -> Wide {
        Wide(self.products(other))
    }

    /// The square.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn square(self) -> Self {
        carried(self.squares())
    }

    /// The same, not carried.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn square_wide(self) -> Wide {
        Wide(self.squares())
    }

    /// The product with a number below 2^32, not carried.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_small_wide(self, number: u32) -> Wide {
        let number = _mm512_set1_epi64(number.into());
        let mut columns = [_mm512_setzero_si512(); 2 * LIMBS];
        for (i, limb) in self.0.into_iter().enumerate() {
            let upper = _mm512_madd52hi_epu64(columns[i + 1], limb, number);
            columns[i + 1] = _mm512_add_epi64(upper, upper);
            columns[i] = _mm512_madd52lo_epu64(columns[i], limb, number);
        }
        Wide(folded(columns))
    }

    /// The element itself, which is reduced.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn reduced(self) -> Self {
        self
    }

    /// The smallest form.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn frozen(self) -> [__m512i; LIMBS] {
        let mut limbs = self.0;
        // At first less than 2^255 + 2^221, then either less than 2^255, or with a last carry of 1 and
        // little else.
        let mut carry = _mm512_setzero_si512();
        for limb in &mut limbs {
            *limb = _mm512_add_epi64(*limb, carry);
            carry = beyond(limb);
        }
        carry = _mm512_madd52lo_epu64(_mm512_setzero_si512(), carry, _mm512_set1_epi64(19));
        for limb in &mut limbs {
            *limb = _mm512_add_epi64(*limb, carry);
            carry = beyond(limb);
        }
        // p goes off once exactly if there is a last carry, or if 19 more would make one.
        let mut over = _mm512_set1_epi64(19);
        for limb in &limbs {
            over = _mm512_srli_epi64::<51>(_mm512_add_epi64(*limb, over));
        }
        let times = _mm512_add_epi64(carry, over);
        carry = _mm512_madd52lo_epu64(_mm512_setzero_si512(), times, _mm512_set1_epi64(19));
        for limb in &mut limbs {
            *limb = _mm512_add_epi64(*limb, carry);
            carry = beyond(limb);
        }
        limbs
    }

    /// Which lanes are 0.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn is_zero(self) -> Mask {
        let mut any = _mm512_setzero_si512();
        for limb in self.frozen() {
            any = _mm512_or_si512(any, limb);
        }
        Mask(_mm512_cmpeq_epi64_mask(any, _mm512_setzero_si512()))
    }

    /// Which lanes are odd in their smallest form (RFC 9496, section 4, calls them negative).
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn is_negative(self) -> Mask {
        let odd = _mm512_and_si512(self.frozen()[0], _mm512_set1_epi64(1));
        Mask(_mm512_cmpneq_epi64_mask(odd, _mm512_setzero_si512()))
    }

    /// The lanes of `other` where the mask is set, those of `self` elsewhere.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn or(mut self, other: Self, mask: Mask) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm512_mask_blend_epi64(mask.0, *limb, other);
        }
        self
    }
}

/// What lies beyond limb 4 comes back times 19 = 16 + 2 + 1.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn folded(columns: [__m512i; 2 * LIMBS]) -> [__m512i; LIMBS] {
    let mut limbs = [_mm512_setzero_si512(); LIMBS];
    for (i, limb) in limbs.iter_mut().enumerate() {
        let more = columns[i + LIMBS];
        let three = _mm512_add_epi64(more, _mm512_add_epi64(more, more));
        *limb = _mm512_add_epi64(columns[i], three);
        *limb = _mm512_add_epi64(*limb, _mm512_slli_epi64::<4>(more));
    }
    limbs
}

/// Carries once, from all limbs at the same time: what is below 2^63 is reduced.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn carried(limbs: [__m512i; LIMBS]) -> Fe {
    let mut own = limbs;
    let [more_0, more_1, more_2, more_3, more_4] = own.each_mut().map(|limb| beyond(limb));
    own[0] = _mm512_madd52lo_epu64(own[0], more_4, _mm512_set1_epi64(19));
    for (own, more) in own[1..].iter_mut().zip([more_0, more_1, more_2, more_3]) {
        *own = _mm512_add_epi64(*own, more);
    }
    Fe(own)
}

/// Takes off a limb what goes to the next.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn beyond(limb: &mut __m512i) -> __m512i {
    let more = _mm512_srli_epi64::<51>(*limb);
    *limb = _mm512_and_si512(*limb, _mm512_set1_epi64(MASK as i64));
    more
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn sums(mut limbs: [__m512i; LIMBS], others: [__m512i; LIMBS]) -> [__m512i; LIMBS] {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb = _mm512_add_epi64(*limb, other);
    }
    limbs
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn differences(mut limbs: [__m512i; LIMBS], others: [__m512i; LIMBS]) -> [__m512i; LIMBS] {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb = _mm512_sub_epi64(*limb, other);
    }
    limbs
}

/// The same limbs in every lane.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn everywhere(words: &Words) -> [__m512i; LIMBS] {
    let mut limbs = [_mm512_setzero_si512(); LIMBS];
    for (limb, word) in limbs.iter_mut().zip(words) {
        *limb = _mm512_set1_epi64(*word as i64);
    }
    limbs
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn of_words(words: [u64; LANES]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = words.map(|word| word as i64);
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn words_of(register: __m512i) -> [u64; LANES] {
    let mut words = [0; LANES];
    // SAFETY: the reference makes 64 bytes writable; no alignment is asked for.
    #[expect(unsafe_code, reason = "stores take pointers")]
    unsafe {
        _mm512_storeu_si512(words.as_mut_ptr().cast(), register);
    }
    words
}

/// A number of -8 to 8 a lane.
#[derive(Clone, Copy)]
pub(crate) struct Digit {
    magnitude: __m512i,
    negative: Mask,
}

impl Digit {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn of(lanes: [i8; LANES]) -> Self {
        let words = lanes.map(|digit| i64::from(digit) as u64);
        // All ones where negative.
        let signs = of_words(words.map(|word| (word >> 63).wrapping_neg()));
        let negative = Mask(_mm512_cmpneq_epi64_mask(signs, _mm512_setzero_si512()));
        // -x is the complement of x and 1 more.
        let flipped = _mm512_sub_epi64(_mm512_xor_si512(of_words(words), signs), signs);
        Self { magnitude: flipped, negative }
    }

    /// Which lanes are plus or minus `number`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn is(&self, number: i64) -> Mask {
        Mask(_mm512_cmpeq_epi64_mask(self.magnitude, _mm512_set1_epi64(number)))
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn is_negative(&self) -> Mask {
        self.negative
    }
}

impl Mask {
    /// Every lane if the bit is 1, none if it is 0.
    ///
    /// The compiler is not to know that the lanes are alike: it could make a branch of a selection.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn every(bit: u8) -> Self {
        Self(black_box(bit).wrapping_neg())
    }

    /// Lanes by their truth.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn of(lanes: [bool; LANES]) -> Self {
        Self((0..).zip(lanes).fold(0, |bits, (lane, set)| bits | u8::from(set) << lane))
    }

    /// Lanes in which either is set.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Which lanes are set.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn lanes(self) -> [bool; LANES] {
        std::array::from_fn(|lane| self.0 >> lane & 1 == 1)
    }
}

algebra!("avx512f,avx512ifma");

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest limb of a reduced element and the smallest. More than one unit there never is.
    const UNIT: i64 = (1 << 51) + (1 << 17);
    const LEAST: i64 = 0;
    const MOST: [i64; 2] = [1, 1];

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn fe(lanes: &[[i64; LIMBS]; LANES]) -> Fe {
        Fe(std::array::from_fn(|i| of_words(lanes.map(|limbs| limbs[i] as u64))))
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn limbs(fe: Fe) -> [[i64; LIMBS]; LANES] {
        fe.lanes().map(|limbs| limbs.map(|limb| limb as i64))
    }

    laws!("avx512f,avx512ifma");
}
