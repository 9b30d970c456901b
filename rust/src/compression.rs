//! The compression function of SHA-2, for a block in each lane of AVX-512.
//!
//! A register holds the same word of all blocks, so that rounds are written as the standard has them
//! (FIPS 180-4, sections 4.1 and 6). Rotations and functions of three words are one instruction each.
//! All instructions take the same time for all values. SHA-256 and SHA-512 have words of 32 and of 64
//! bits, their own rotations, and nothing else that differs.

/// Of the bits of three words: whether an odd number is set, the second or third by the first, and
/// whether most are set. Bit i of a table is for the bits i has.
pub(crate) const PARITY: i32 = 0b1001_0110;
pub(crate) const CHOICE: i32 = 0b1100_1010;
pub(crate) const MAJORITY: i32 = 0b1110_1000;

/// Words of a block.
pub(crate) const WORDS: usize = 16;

/// Makes `compress` and `everywhere` for one width of words, of its instructions and of the numbers of
/// FIPS 180-4, sections 4.1.2 and 4.1.3: rotations of both sums; rotations of both sigmas, and a shift.
macro_rules! compression {
    (
        $word:ty as $signed:ty, $set:ident, $add:ident, $rotate:ident, $shift:ident, $table:ident,
        sums $a0:literal $a1:literal $a2:literal, $e0:literal $e1:literal $e2:literal,
        sigmas $b0:literal $b1:literal $b2:literal, $c0:literal $c1:literal $c2:literal
    ) => {
        /// Compresses a block in each lane, under the round constants.
        #[target_feature(enable = "avx512f")]
        pub(crate) fn compress(
            state: &mut [__m512i; 8],
            mut w: [__m512i; WORDS],
            constants: &[[$word; WORDS]],
        ) {
            let mut s = *state;
            for (row, k) in constants.iter().enumerate() {
                if row > 0 {
                    schedule!(w, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                }
                rounds(&mut s, &w, k);
            }
            for (word, more) in state.iter_mut().zip(s) {
                *word = $add(*word, more);
            }
        }

        /// Sixteen rounds.
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn rounds(s: &mut [__m512i; 8], w: &[__m512i; WORDS], k: &[$word; WORDS]) {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *s;
            for (w, k) in w.as_chunks::<8>().0.iter().zip(k.as_chunks::<8>().0) {
                round!(a, b, c, d, e, f, g, h, w[0], k[0]);
                round!(h, a, b, c, d, e, f, g, w[1], k[1]);
                round!(g, h, a, b, c, d, e, f, w[2], k[2]);
                round!(f, g, h, a, b, c, d, e, w[3], k[3]);
                round!(e, f, g, h, a, b, c, d, w[4], k[4]);
                round!(d, e, f, g, h, a, b, c, w[5], k[5]);
                round!(c, d, e, f, g, h, a, b, w[6], k[6]);
                round!(b, c, d, e, f, g, h, a, w[7], k[7]);
            }
            *s = [a, b, c, d, e, f, g, h];
        }

        /// What a round makes of its words d and h.
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn round(
            [a, b, c, d, e, f, g, h]: [__m512i; 8],
            w: __m512i,
            k: $word,
        ) -> (__m512i, __m512i) {
            let choice = $table::<CHOICE>(e, f, g);
            let majority = $table::<MAJORITY>(a, b, c);
            let sum1 = parity($rotate::<$e0>(e), $rotate::<$e1>(e), $rotate::<$e2>(e));
            let sum0 = parity($rotate::<$a0>(a), $rotate::<$a1>(a), $rotate::<$a2>(a));
            let sum = $add(h, $add(w, everywhere(k)));
            let sum = $add($add(sum, choice), sum1);
            ($add(d, sum), $add($add(sum, majority), sum0))
        }

        /// Word t of the schedule, from words t - 16, t - 15, t - 7 and t - 2.
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn scheduled(t16: __m512i, t15: __m512i, t7: __m512i, t2: __m512i) -> __m512i {
            let sigma0 = parity($rotate::<$b0>(t15), $rotate::<$b1>(t15), $shift::<$b2>(t15));
            let sigma1 = parity($rotate::<$c0>(t2), $rotate::<$c1>(t2), $shift::<$c2>(t2));
            $add($add(t16, t7), $add(sigma0, sigma1))
        }

        #[target_feature(enable = "avx512f")]
        #[inline]
        fn parity(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
            $table::<PARITY>(x, y, z)
        }

        /// The same word in every lane.
        #[target_feature(enable = "avx512f")]
        #[inline]
        pub(crate) fn everywhere(word: $word) -> __m512i {
            $set(word as $signed)
        }
    };
}

/// A round. Words stay where they are; the next round names them anew.
macro_rules! round {
    ($a:ident, $b:ident, $c:ident, $d:ident, $e:ident, $f:ident, $g:ident, $h:ident,
     $w:expr, $k:expr) => {
        ($d, $h) = round([$a, $b, $c, $d, $e, $f, $g, $h], $w, $k);
    };
}

/// The next sixteen words of the schedule, each in the place of the one sixteen before it. Indices are
/// known, so that words stay in registers.
macro_rules! schedule {
    ($w:ident, $($t:literal)+) => {
        $($w[$t] = scheduled(
            $w[$t], $w[($t + 1) % WORDS], $w[($t + 9) % WORDS], $w[($t + 14) % WORDS],
        );)+
    };
}
