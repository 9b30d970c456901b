//! GF(2^128) on the carry-less products of x86, in registers of one, two or four elements.
//!
//! With b' = b x^64, reduced once for all factors, f b = f_0 b + f_1 b' for the halves f_0, f_1 of f.
//! This is four products of halves and has degree below 191, so that one more product folds what
//! lies above x^128: five products to an element, as many as with three (Karatsuba) and two to
//! reduce, and fewer sums. The instructions take the same time on all data.

use super::{ABREAST, Block, TAIL, fold, reduce};

/// A set of instructions, by the number of elements to its registers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path {
    Four,
    Two,
    One,
}

impl Path {
    /// All, the fastest first.
    pub(super) const ALL: [Self; 3] = [Self::Four, Self::Two, Self::One];

    /// Whether this machine has it.
    #[inline]
    fn is_here(self) -> bool {
        let one = has!("pclmulqdq", "avx2");
        match self {
            Self::Four => one && has!("vpclmulqdq", "avx512f"),
            Self::Two => one && has!("vpclmulqdq"),
            Self::One => one,
        }
    }

    /// Accumulates, if this machine has the path; says whether it did.
    pub(super) fn accumulate(self, acc: &mut [Block], factors: &[Block], by: Block) -> bool {
        let here = self.is_here();
        if here {
            // SAFETY: the features of the path are here.
            #[expect(unsafe_code, reason = "a door to x86")]
            unsafe {
                match self {
                    Self::Four => by_four::accumulate(acc, factors, by),
                    Self::Two => by_two::accumulate(acc, factors, by),
                    Self::One => by_one::accumulate(acc, factors, by),
                }
            }
        }
        here
    }

    /// Accumulates, if this machine has the path; says whether it did.
    pub(super) fn accumulate_short(self, acc: &mut [Block], factors: &[u64], by: Block) -> bool {
        let here = self.is_here();
        if here {
            // SAFETY: the features of the path are here.
            #[expect(unsafe_code, reason = "a door to x86")]
            unsafe {
                match self {
                    Self::Four => by_four::accumulate_short(acc, factors, by),
                    Self::Two => by_two::accumulate_short(acc, factors, by),
                    Self::One => by_one::accumulate_short(acc, factors, by),
                }
            }
        }
        here
    }

    /// Weighs, if this machine has the path; says whether it did.
    pub(super) fn weigh(
        self,
        sums: &mut [Block; ABREAST],
        rows: &[[Block; ABREAST]],
        weights: &[Block],
    ) -> bool {
        let here = self.is_here();
        if here {
            // SAFETY: the features of the path are here.
            #[expect(unsafe_code, reason = "a door to x86")]
            unsafe {
                match self {
                    Self::Four => by_four::weigh(sums, rows, weights),
                    Self::Two => by_two::weigh(sums, rows, weights),
                    Self::One => by_one::weigh(sums, rows, weights),
                }
            }
        }
        here
    }
}

/// One twin: the same walk over the batch for each width of registers.
macro_rules! twin {
    (
        mod $name:ident of $lanes:ident, on $features:literal:
        $product:ident, $xor:ident, $low:ident, $swap:ident
    ) => {
        mod $name {
            use std::arch::x86_64::{$low, $product, $swap, $xor};

            use zeroize::Zeroize;

            use super::{ABREAST, Block, TAIL, fold, reduce};
            use crate::aes::lanes::$lanes::{
                LANES, Lanes, load, load_part, spread, store, store_part,
            };

            #[target_feature(enable = $features)]
            pub(super) fn accumulate(acc: &mut [Block], factors: &[Block], by: Block) {
                let shifted = spread((by << 64) ^ fold(by >> 64));
                let by = spread(by);
                let (sums, last_sums) = acc.as_chunks_mut::<LANES>();
                let (factors, last_factors) = factors.as_chunks::<LANES>();
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    store(sum, add_product(load(sum), load(factor), by, shifted));
                }
                if !last_sums.is_empty() {
                    let factor = load_part(last_factors);
                    let sum = add_product(load_part(last_sums), factor, by, shifted);
                    store_part(last_sums, sum);
                }
            }

            #[target_feature(enable = $features)]
            pub(super) fn accumulate_short(acc: &mut [Block], factors: &[u64], by: Block) {
                let by = spread(by);
                let (sums, last_sums) = acc.as_chunks_mut::<LANES>();
                let (factors, last_factors) = factors.as_chunks::<LANES>();
                for (sum, factor) in sums.iter_mut().zip(factors) {
                    let factor = load(&factor.map(Block::from));
                    store(sum, add_short_product(load(sum), factor, by));
                }
                if !last_sums.is_empty() {
                    let mut factor = [0; LANES];
                    for (wide, factor) in factor.iter_mut().zip(last_factors) {
                        *wide = Block::from(*factor);
                    }
                    let sum = add_short_product(load_part(last_sums), load(&factor), by);
                    store_part(last_sums, sum);
                }
            }

            /// Products are summed as they come, 256 bits each, and reduced at the end: three products
            /// of halves to an element (Karatsuba), as sums cost less than products here.
            #[target_feature(enable = $features)]
            pub(super) fn weigh(
                sums: &mut [Block; ABREAST],
                rows: &[[Block; ABREAST]],
                weights: &[Block],
            ) {
                for (i, sums) in sums.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let [mut low, mut middle, mut high] = [spread(0); 3];
                    for (row, weight) in rows.iter().zip(weights) {
                        let (f, b) = (load(&row.as_chunks().0[i]), spread(*weight));
                        low = $xor(low, $product::<0x00>(f, b));
                        high = $xor(high, $product::<0x11>(f, b));
                        let (f, b) = (halves(f), halves(b));
                        middle = $xor(middle, $product::<0x00>(f, b));
                    }
                    middle = $xor(middle, $xor(low, high));
                    let mut parts = [[0; LANES]; 3];
                    for (part, lanes) in parts.iter_mut().zip([low, middle, high]) {
                        store(part, lanes);
                    }
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        *sum ^= reduce(parts[0][lane], parts[1][lane], parts[2][lane]);
                    }
                    parts.zeroize();
                }
            }

            /// The sum of both halves, in both.
            #[target_feature(enable = $features)]
            #[inline]
            fn halves(f: Lanes) -> Lanes {
                $xor(f, $swap::<0b01_00_11_10>(f))
            }

            /// sum + f b. The number in a product names the halves: bit 0 that of f, bit 4 that of b.
            #[target_feature(enable = $features)]
            #[inline]
            fn add_product(sum: Lanes, f: Lanes, b: Lanes, shifted: Lanes) -> Lanes {
                let low = $xor($product::<0x00>(f, b), $product::<0x01>(f, shifted));
                let middle = $xor($product::<0x10>(f, b), $product::<0x11>(f, shifted));
                add_parts(sum, low, middle)
            }

            /// sum + f b, f of degree below 64.
            #[target_feature(enable = $features)]
            #[inline]
            fn add_short_product(sum: Lanes, f: Lanes, b: Lanes) -> Lanes {
                add_parts(sum, $product::<0x00>(f, b), $product::<0x10>(f, b))
            }

            /// sum + low + middle x^64.
            #[target_feature(enable = $features)]
            #[inline]
            fn add_parts(sum: Lanes, low: Lanes, middle: Lanes) -> Lanes {
                let above = $product::<0x01>(middle, spread(Block::from(TAIL)));
                $xor($xor(sum, above), $xor(low, $low(spread(0), middle)))
            }
        }
    };
}

twin!(
    mod by_one of one, on "avx2,pclmulqdq":
    _mm_clmulepi64_si128, _mm_xor_si128, _mm_unpacklo_epi64, _mm_shuffle_epi32
);
twin!(
    mod by_two of two, on "avx2,vpclmulqdq":
    _mm256_clmulepi64_epi128, _mm256_xor_si256, _mm256_unpacklo_epi64, _mm256_shuffle_epi32
);
twin!(
    mod by_four of four, on "avx512f,vpclmulqdq":
    _mm512_clmulepi64_epi128, _mm512_xor_si512, _mm512_unpacklo_epi64, _mm512_shuffle_epi32
);
