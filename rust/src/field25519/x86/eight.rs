//! Arithmetic in GF(p), p = 2^255 - 19, on eight elements side by side, with AVX-512 IFMA and
//! DQ.
//!
//! An element is five limbs, one a register, limb i of weight 2^(51 i), none negative. The multiplier
//! takes factors of 52 bits and gives either half of their product, 52 bits each, added to a register
//! (Intel, "Architecture instruction set extensions programming reference", VPMADD52LUQ; Gueron and
//! Krasnov, "Accelerating big integer arithmetic using Intel IFMA extensions", ARITH 2016). All
//! instructions take the same time for all values.
//!
//! *Reduced* is a limb below 2^51 + 2^17. All elements are: since a sum of two may have 53 bits, sums are
//! carried at once, where `four` has units to count.
//!
//! What bounds the time is the number of multiplications, of other instructions half as much. So nothing
//! is carried that need not be, and what lies beyond limb 4 is multiplied by 19 (VPMULLQ of AVX-512 DQ)
//! instead of being shifted and added up.

use std::arch::x86_64::{
    __m512i, __mmask8, _mm_cvtsi64_si128, _mm512_abs_epi64, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cmpeq_epi64_mask, _mm512_cmpneq_epi64_mask, _mm512_cvtepi8_epi64, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_mask_blend_epi64, _mm512_movepi64_mask, _mm512_mullo_epi64,
    _mm512_or_si512, _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64,
    _mm512_storeu_si512, _mm512_sub_epi64,
};
use std::hint::black_box;

use super::{LIMBS, MASK, bytes, limbs, words};

/// Whether this machine has what the functions of this module need.
pub(super) fn is_here() -> bool {
    has!("avx512dq", "avx512f", "avx512ifma")
}

/// Elements side by side.
pub(crate) const LANES: usize = 8;

/// Eight elements.
#[derive(Clone, Copy)]
pub(crate) struct Fe([__m512i; LIMBS]);

/// Products that are not carried yet, or sums and differences of up to five of them: integers, none
/// negative. A limb of a product is below 2^59 - 2^13, and 2^59 higher if it is raised.
#[derive(Clone, Copy)]
pub(crate) struct Wide([__m512i; LIMBS]);

/// The lanes for which something is true, one bit each.
#[derive(Clone, Copy)]
pub(crate) struct Mask(__mmask8);

/// The limbs of one lane.
pub(crate) type Words = [u64; LIMBS];

/// A number whose products are wanted: limb 5 k + j is limb j of the number times 2^(51 k), reduced. With them
/// limb k of the other factor is multiplied, and only the upper half of its product with the last lies beyond
/// limb 4.
#[derive(Clone, Copy)]
pub(crate) struct Factor([__m512i; LIMBS * LIMBS]);

/// `times * p`, limb by limb.
const fn multiple_of_p(times: u64) -> [u64; LIMBS] {
    [times * (MASK - 18), times * MASK, times * MASK, times * MASK, times * MASK]
}

/// What a product is raised by so that another may be taken off. The first limb, the lowest of them, is
/// 2^59 - 19 2^8, and a limb of a product is less.
const RAISE: [u64; LIMBS] = multiple_of_p(1 << 8);

/// What columns begin with of which the limbs are doubled to so many times this.
const fn beginning(raised: bool, times: [u64; LIMBS]) -> [u64; 2 * LIMBS] {
    let mut columns = [0; 2 * LIMBS];
    let mut i = 0;
    while raised && i < LIMBS {
        columns[i] = RAISE[i] / times[i];
        i += 1;
    }
    columns
}

/// Adds up columns of products of x and y: `(i^j)` is the upper half of that of limbs i and j, `(i*j)` the lower
/// half, `+` doubles what is there, a number multiplies it, `_` is nothing.
///
/// Column by column from left to right, but all columns in turn: an instruction that has to wait for the one
/// before it keeps the place of another that has not.
macro_rules! in_turns {
    ($columns:ident, $x:expr, $y:expr, $([$k:literal:])*) => {};
    ($columns:ident, $x:expr, $y:expr, $([$k:literal: $head:tt $($tail:tt)*])*) => {
        $( in_turns!(@ $columns[$k], $x, $y, $head); )*
        in_turns!($columns, $x, $y, $([$k: $($tail)*])*);
    };
    (@ $column:expr, $x:expr, $y:expr, ($i:literal ^ $j:literal)) => {
        $column = _mm512_madd52hi_epu64($column, $x[$i], $y[$j]);
    };
    (@ $column:expr, $x:expr, $y:expr, ($i:literal * $j:literal)) => {
        $column = _mm512_madd52lo_epu64($column, $x[$i], $y[$j]);
    };
    (@ $column:expr, $x:expr, $y:expr, +) => {
        $column = _mm512_add_epi64($column, $column);
    };
    (@ $column:expr, $x:expr, $y:expr, $times:literal) => {
        $column = _mm512_mullo_epi64($column, everywhere($times));
    };
    (@ $column:expr, $x:expr, $y:expr, _) => {};
}

impl Wide {
    /// The sum.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(sums(self.0, other.0))
    }

    /// The difference. As many raised products stand in the one as products, raised or not, in the other,
    /// and one more for each of these that is raised.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(differences(self.0, other.0))
    }

    /// Carries: the element, reduced.
    ///
    /// A limb is below 5 2^60, what goes to the next limb is below 2^12, and 19 times that below 2^17.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn carried(self) -> Fe {
        carried(self.0)
    }
}

impl Factor {
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn of(number: Fe) -> Self {
        let mut limbs = [_mm512_setzero_si512(); LIMBS * LIMBS];
        let mut shifted = number;
        for limbs in limbs.as_chunks_mut::<LIMBS>().0 {
            *limbs = shifted.0;
            let [a, b, c, d, last] = shifted.0;
            // 19 times a limb is below 2^56.
            shifted = carried([_mm512_mullo_epi64(last, everywhere(19)), a, b, c, d]);
        }
        Self(limbs)
    }

    /// The product, not carried.
    ///
    /// A limb is at most five lower halves and twice five upper ones, which are below 2^55 together, the
    /// first one 38 times five upper halves more: less than one of `products`.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_wide(&self, other: &Fe) -> Wide {
        let mut columns = [_mm512_setzero_si512(); LIMBS + 1];
        in_turns!(
            columns, other.0, self.0,
            [5: (0^4)  (1^9)  (2^14) (3^19) (4^24) 38     _      _      _      _      _     ]
            [0: (0*0)  (1*5)  (2*10) (3*15) (4*20) _      _      _      _      _      _     ]
            [1: (0^0)  (1^5)  (2^10) (3^15) (4^20) +      (0*1)  (1*6)  (2*11) (3*16) (4*21)]
            [2: (0^1)  (1^6)  (2^11) (3^16) (4^21) +      (0*2)  (1*7)  (2*12) (3*17) (4*22)]
            [3: (0^2)  (1^7)  (2^12) (3^17) (4^22) +      (0*3)  (1*8)  (2*13) (3*18) (4*23)]
            [4: (0^3)  (1^8)  (2^13) (3^18) (4^23) +      (0*4)  (1*9)  (2*14) (3*19) (4*24)]
        );
        let [first, b, c, d, e, beyond] = columns;
        Wide([_mm512_add_epi64(first, beyond), b, c, d, e])
    }
}

impl Fe {
    /// The small number in every lane, below 2^32.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn small(number: u32) -> Self {
        let mut limbs = [_mm512_setzero_si512(); LIMBS];
        limbs[0] = _mm512_set1_epi64(number.into());
        Self(limbs)
    }

    /// A constant, four words with the lowest first, in every lane.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn constant(words: &[u64; 4]) -> Self {
        Self::spread(&limbs(words))
    }

    /// Reads 32 bytes a lane, little-endian, without the highest bit; the value may be above p.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        let lanes = lanes.map(|bytes| limbs(&words(&bytes)));
        Self(std::array::from_fn(|i| of_words(lanes.map(|limbs| limbs[i]))))
    }

    /// Writes the smallest form, 32 bytes a lane, little-endian.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn to_bytes(self) -> [[u8; 32]; LANES] {
        Self(self.frozen()).lanes().map(|limbs| bytes(&limbs))
    }

    /// The limbs, lane by lane.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn lanes(self) -> [Words; LANES] {
        let limbs = self.0.map(|limb| words_of(limb));
        std::array::from_fn(|lane| limbs.map(|limb| limb[lane]))
    }

    /// The same element in every lane.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn spread(words: &Words) -> Self {
        Self(spread_limbs(words))
    }

    /// Takes the lanes of `other` where the mask is set; those of `self` must be 0 there.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn fill(&mut self, other: &Self, mask: Mask) {
        *self = self.or(*other, mask);
    }

    /// The sum.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        carried(sums(self.0, other.0))
    }

    /// The difference.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        // No limb of 2 p is below one that is reduced.
        let raised = sums(self.0, spread_limbs(const { &multiple_of_p(2) }));
        carried(differences(raised, other.0))
    }

    /// The negative.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn negative(self) -> Self {
        Self::small(0).minus(self)
    }

    /// The negative where the mask is set.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn negative_if(self, mask: Mask) -> Self {
        self.or(self.negative(), mask)
    }

    /// The limbs of a product.
    ///
    /// An upper half is below 2^50 + 2^18 and counts twice in the column behind, a lower half is below
    /// 2^52. The first limb is the largest: one lower half, and 19 times four lower halves and twice five
    /// upper ones, which makes 124.5 2^52 + 2^27 at most.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    fn products<const RAISED: bool>(&self, other: &Self) -> [__m512i; LIMBS] {
        let mut columns = const { beginning(RAISED, [1, 2, 2, 2, 2]) }.map(|word| everywhere(word));
        in_turns!(
            columns, self.0, other.0,
            [5: (0^4) (1^3) (2^2) (3^1) (4^0) +     (1*4) (2*3) (3*2) (4*1) 19]
            [4: (0^3) (1^2) (2^1) (3^0) +     (0*4) (1*3) (2*2) (3*1) (4*0) _ ]
            [6: (1^4) (2^3) (3^2) (4^1) +     (2*4) (3*3) (4*2) 19    _     _ ]
            [3: (0^2) (1^1) (2^0) +     (0*3) (1*2) (2*1) (3*0) _     _     _ ]
            [7: (2^4) (3^3) (4^2) +     (3*4) (4*3) 19    _     _     _     _ ]
            [2: (0^1) (1^0) +     (0*2) (1*1) (2*0) _     _     _     _     _ ]
            [8: (3^4) (4^3) +     (4*4) 19    _     _     _     _     _     _ ]
            [1: (0^0) +     (0*1) (1*0) _     _     _     _     _     _     _ ]
            [9: (4^4) 38    _     _     _     _     _     _     _     _     _ ]
            [0: (0*0) _     _     _     _     _     _     _     _     _     _ ]
        );
        folded(columns)
    }

    /// The limbs of a square: what stands twice is multiplied once. The bounds are those of a product.
    ///
    /// The upper half of a square on the diagonal counts twice, what lies beside it twice again.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    fn squares<const RAISED: bool>(&self) -> [__m512i; LIMBS] {
        let mut columns = const { beginning(RAISED, [1, 2, 4, 4, 4]) }.map(|word| everywhere(word));
        in_turns!(
            columns, self.0, self.0,
            [5: (0^4) (1^3) +     (1*4) (2*3) (2^2) +     19]
            [4: (0^3) (1^2) +     (0*4) (1*3) +     (2*2) _ ]
            [6: (1^4) (2^3) +     (2*4) +     (3*3) 19    _ ]
            [3: (0^2) +     (0*3) (1*2) (1^1) +     _     _ ]
            [7: (2^4) +     (3*4) (3^3) +     19    _     _ ]
            [2: (0^1) +     (0*2) +     (1*1) _     _     _ ]
            [8: (3^4) +     +     (4*4) 19    _     _     _ ]
            [1: (0*1) (0^0) +     _     _     _     _     _ ]
            [9: (4^4) 38    _     _     _     _     _     _ ]
            [0: (0*0) _     _     _     _     _     _     _ ]
        );
        folded(columns)
    }

    /// The product.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times(&self, other: &Self) -> Self {
        carried(self.products::<false>(other))
    }

    /// The same, not carried.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_wide(&self, other: &Self) -> Wide {
        Wide(self.products::<false>(other))
    }

    /// The same, raised.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_raised(&self, other: &Self) -> Wide {
        Wide(self.products::<true>(other))
    }

    /// The square.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn square(self) -> Self {
        carried(self.squares::<false>())
    }

    /// The same, not carried.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn square_wide(self) -> Wide {
        Wide(self.squares::<false>())
    }

    /// The same, raised.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn square_raised(self) -> Wide {
        Wide(self.squares::<true>())
    }

    /// The product with a number below 2^32, and another product; not carried.
    ///
    /// An upper half is below 2^32 and added twice, or 38 times, a lower half is below 2^52: with the other
    /// product, raised or not, a limb stays below twice 2^59, for which it counts.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_small_plus(self, number: u32, product: Wide) -> Wide {
        let number = _mm512_set1_epi64(number.into());
        let mut limbs = product.0;
        for (i, limb) in self.0.into_iter().enumerate() {
            limbs[i] = _mm512_madd52lo_epu64(limbs[i], limb, number);
            if i + 1 < LIMBS {
                limbs[i + 1] = _mm512_madd52hi_epu64(limbs[i + 1], limb, number);
                limbs[i + 1] = _mm512_madd52hi_epu64(limbs[i + 1], limb, number);
            } else {
                let beyond = _mm512_madd52hi_epu64(_mm512_setzero_si512(), limb, number);
                limbs[0] = _mm512_madd52lo_epu64(limbs[0], beyond, everywhere(2 * 19));
            }
        }
        Wide(limbs)
    }

    /// The product with a number below 2^32.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn times_small(self, number: u32) -> Self {
        self.times_small_plus(number, Wide([_mm512_setzero_si512(); LIMBS])).carried()
    }

    /// The element itself, which is reduced.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn reduced(self) -> Self {
        self
    }

    /// The smallest form.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
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
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn is_zero(self) -> Mask {
        let mut any = _mm512_setzero_si512();
        for limb in self.frozen() {
            any = _mm512_or_si512(any, limb);
        }
        Mask(_mm512_cmpeq_epi64_mask(any, _mm512_setzero_si512()))
    }

    /// Which lanes are odd in their smallest form (RFC 9496, section 4, calls them negative).
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn is_negative(self) -> Mask {
        let odd = _mm512_and_si512(self.frozen()[0], _mm512_set1_epi64(1));
        Mask(_mm512_cmpneq_epi64_mask(odd, _mm512_setzero_si512()))
    }

    /// The lanes of `other` where the mask is set, those of `self` elsewhere.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn or(mut self, other: Self, mask: Mask) -> Self {
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            *limb = _mm512_mask_blend_epi64(mask.0, *limb, other);
        }
        self
    }
}

/// What lies beyond limb 4, and is multiplied by 19 already, comes back.
#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn folded(columns: [__m512i; 2 * LIMBS]) -> [__m512i; LIMBS] {
    let [a, b, c, d, e, beyond @ ..] = columns;
    sums([a, b, c, d, e], beyond)
}

/// Carries once, from all limbs at the same time: what is below 2^63 is reduced.
#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
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
#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn beyond(limb: &mut __m512i) -> __m512i {
    let more = _mm512_srli_epi64::<51>(*limb);
    *limb = _mm512_and_si512(*limb, _mm512_set1_epi64(MASK as i64));
    more
}

#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn sums(mut limbs: [__m512i; LIMBS], others: [__m512i; LIMBS]) -> [__m512i; LIMBS] {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb = _mm512_add_epi64(*limb, other);
    }
    limbs
}

#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn differences(mut limbs: [__m512i; LIMBS], others: [__m512i; LIMBS]) -> [__m512i; LIMBS] {
    for (limb, other) in limbs.iter_mut().zip(others) {
        *limb = _mm512_sub_epi64(*limb, other);
    }
    limbs
}

/// The same word in every lane.
#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn everywhere(word: u64) -> __m512i {
    _mm512_set1_epi64(word as i64)
}

/// The same limbs in every lane.
#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn spread_limbs(words: &Words) -> [__m512i; LIMBS] {
    let mut limbs = [_mm512_setzero_si512(); LIMBS];
    for (limb, word) in limbs.iter_mut().zip(words) {
        *limb = _mm512_set1_epi64(*word as i64);
    }
    limbs
}

#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
#[inline]
fn of_words(words: [u64; LANES]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = words.map(|word| word as i64);
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

#[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
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
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn of(lanes: [i8; LANES]) -> Self {
        let bytes = i64::from_le_bytes(lanes.map(i8::cast_unsigned));
        let digits = _mm512_cvtepi8_epi64(_mm_cvtsi64_si128(bytes));
        Self { magnitude: _mm512_abs_epi64(digits), negative: Mask(_mm512_movepi64_mask(digits)) }
    }

    /// Which lanes are plus or minus `number`.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn is(&self, number: i64) -> Mask {
        Mask(_mm512_cmpeq_epi64_mask(self.magnitude, _mm512_set1_epi64(number)))
    }

    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn is_negative(&self) -> Mask {
        self.negative
    }
}

impl Mask {
    /// Every lane if the bit is 1, none if it is 0.
    ///
    /// The compiler is not to know that the lanes are alike: it could make a branch of a selection.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn every(bit: u8) -> Self {
        Self(black_box(bit).wrapping_neg())
    }

    /// Lanes by their truth.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn of(lanes: [bool; LANES]) -> Self {
        Self((0..).zip(lanes).fold(0, |bits, (lane, set)| bits | u8::from(set) << lane))
    }

    /// Lanes in which either is set.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    #[inline]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Which lanes are set.
    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    pub(crate) fn lanes(self) -> [bool; LANES] {
        std::array::from_fn(|lane| self.0 >> lane & 1 == 1)
    }
}

algebra!("avx512dq,avx512f,avx512ifma");

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest limb of a reduced element and the smallest. More than one unit there never is.
    const UNIT: i64 = (1 << 51) + (1 << 17);
    const LEAST: i64 = 0;
    const MOST: [i64; 2] = [1, 1];

    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    fn fe(lanes: &[[i64; LIMBS]; LANES]) -> Fe {
        Fe(std::array::from_fn(|i| of_words(lanes.map(|limbs| limbs[i] as u64))))
    }

    #[target_feature(enable = "avx512dq,avx512f,avx512ifma")]
    fn limbs(fe: Fe) -> [[i64; LIMBS]; LANES] {
        fe.lanes().map(|limbs| limbs.map(|limb| limb as i64))
    }

    laws!("avx512dq,avx512f,avx512ifma");
}
