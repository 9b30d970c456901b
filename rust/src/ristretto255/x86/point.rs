//! ristretto255 (RFC 9496), four or eight points side by side: `points!` has it all, for a module that
//! has the field.
//!
//! Points are those of the curve -x^2 + y^2 = 1 + d x^2 y^2 in extended coordinates, with the
//! formulas of Hisil, Wong, Carter and Dawson (ASIACRYPT 2008), which have no exceptions here: -1 is
//! a square and d is not. No branch and no index depends on a coordinate or a scalar.

// RFC 9496, section 4.1, lowest word first.
pub(super) const D: [u64; 4] =
    [0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73];
pub(super) const SQRT_M1: [u64; 4] =
    [0xc4ee_1b27_4a0e_a0b0, 0x2f43_1806_ad2f_e478, 0x2b4d_0099_3dfb_d7a7, 0x2b83_2480_4fc1_df0b];
pub(super) const SQRT_AD_MINUS_ONE: [u64; 4] =
    [0x7e97_f6a0_497b_2e1b, 0xaf9d_8e0c_1b78_54bd, 0x0f3c_fcc9_31f5_d1fd, 0x3769_31bf_2b83_48ac];
pub(super) const INVSQRT_A_MINUS_D: [u64; 4] =
    [0x99c8_fdaa_805d_40ea, 0x9d2f_1617_5a41_72be, 0x16c2_7b91_fe01_d840, 0x786c_8905_cfaf_fca2];
pub(super) const ONE_MINUS_D_SQ: [u64; 4] =
    [0xe27c_09c1_945f_c176, 0x2c81_a138_cd5e_350f, 0x9994_abdd_be70_dfe4, 0x0290_72a8_b2b3_e0d7];
pub(super) const D_MINUS_ONE_SQ: [u64; 4] =
    [0x31ad_5aaa_44ed_4d20, 0xd29e_4a2c_b01e_1999, 0x4cdc_d32f_529b_4eeb, 0x5968_b37a_f66c_2241];

/// A scalar below 2^253 as digits of -8 to 8, the lowest first: it is their sum times 16^i.
pub(crate) type Digits = [i8; DIGITS];
pub(super) const DIGITS: usize = 64;

/// Writes a scalar below 2^253 as digits.
pub(crate) fn digits(scalar: &[u8; 32]) -> Digits {
    let mut digits = [0; DIGITS];
    let mut carry = 0;
    for (i, digit) in digits.iter_mut().enumerate() {
        let nibble = (scalar[i / 2] >> (4 * (i % 2)) & 15) as i8 + carry;
        carry = (nibble + 8) >> 4;
        *digit = nibble - (carry << 4);
    }
    digits
}

/// Doublings with many registers: each at one go.
macro_rules! at_one_go {
    ($features:literal) => {
        /// Times 2^`times`, which is not 0. Reads no t, and makes it once.
        #[target_feature(enable = $features)]
        fn doubled_times(&self, times: u32) -> Self {
            let Self { mut x, mut y, mut z, mut t } = *self;
            let mut other = t;
            for _ in 0..times {
                let (xx, yy) = (x.square_wide(), y.square_raised());
                let (sum, difference) = (yy.plus(xx), yy.minus(xx));
                let (xy, zz) = (x.times_wide(&y), z.square_raised());
                let rest = zz.plus(zz).minus(difference).carried();
                let difference = difference.carried();
                (t, other) = (xy.plus(xy).carried(), sum.carried());
                (x, y, z) = (rest.times(&t), other.times(&difference), rest.times(&difference));
            }
            Self { x, y, z, t: t.times(&other) }
        }
    };
}

/// Doublings with few registers: in two steps, with a square in place of a product. Nothing is raised.
macro_rules! in_two_steps {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        #[inline]
        fn doubled(&self) -> Completed {
            let (xx, yy) = (self.x.square_wide(), self.y.square_wide());
            let (sum, difference) = (yy.plus(xx), yy.minus(xx));
            let zz = self.z.square_wide();
            Completed {
                x: self.x.plus(self.y).reduced().square_wide().minus(sum).carried(),
                y: sum.carried(),
                z: difference.carried(),
                t: zz.plus(zz).minus(difference).carried(),
            }
        }

        /// Times 2^`times`, which is not 0.
        #[target_feature(enable = $features)]
        fn doubled_times(&self, times: u32) -> Self {
            let mut point = *self;
            for _ in 1..times {
                point = point.doubled().without_t();
            }
            point.doubled().point()
        }
    };
}

/// All of it on so many lanes, with the features that the field there needs.
macro_rules! points {
    ($lanes:ident, $features:literal, $doublings:ident) => {
        use crate::field25519::x86::$lanes::{Digit, Fe, LANES, Mask, Words, invert_batch, power};
        use crate::ristretto255::x86::point::{
            D, D_MINUS_ONE_SQ, DIGITS, Digits, INVSQRT_A_MINUS_D, ONE_MINUS_D_SQ,
            SQRT_AD_MINUS_ONE, SQRT_M1,
        };

        /// Four points. All coordinates are reduced.
        #[derive(Clone, Copy)]
        pub(crate) struct Point {
            x: Fe,
            y: Fe,
            z: Fe,
            t: Fe,
        }

        /// What additions and doublings give: a point is (t x : y z : t z), and the product of its first two
        /// coordinates x y. Reduced.
        struct Completed {
            x: Fe,
            y: Fe,
            z: Fe,
            t: Fe,
        }

        /// What additions take: y + x, y - x, 2 z, 2 d t, reduced.
        #[derive(Clone, Copy)]
        struct Addend {
            plus: Fe,
            minus: Fe,
            z2: Fe,
            t2d: Fe,
        }

        impl Completed {
            #[target_feature(enable = $features)]
            #[inline]
            fn point(&self) -> Point {
                Point { t: self.x.times(&self.y), ..self.without_t() }
            }

            /// The point, for doublings, which do not read t.
            #[target_feature(enable = $features)]
            #[inline]
            fn without_t(&self) -> Point {
                Point {
                    x: self.t.times(&self.x),
                    y: self.y.times(&self.z),
                    z: self.t.times(&self.z),
                    t: self.x,
                }
            }
        }

        impl Point {
            #[target_feature(enable = $features)]
            fn identity() -> Self {
                let (zero, one) = (Fe::small(0), Fe::small(1));
                Self { x: zero, y: one, z: one, t: zero }
            }

            $doublings!($features);

            #[target_feature(enable = $features)]
            #[inline]
            fn plus_addend(&self, other: &Addend) -> Completed {
                let plus = self.y.plus(self.x).times_raised(&other.plus);
                let minus = self.y.minus(self.x).times_wide(&other.minus);
                let zz2 = self.z.times_raised(&other.z2);
                let tt = self.t.times_wide(&other.t2d);
                Completed {
                    x: plus.minus(minus).carried(),
                    y: plus.plus(minus).carried(),
                    z: zz2.plus(tt).carried(),
                    t: zz2.minus(tt).carried(),
                }
            }

            #[target_feature(enable = $features)]
            fn addend(&self) -> Addend {
                Addend {
                    plus: self.y.plus(self.x).reduced(),
                    minus: self.y.minus(self.x).reduced(),
                    z2: self.z.twice().reduced(),
                    t2d: self.t.times(&Fe::constant(&D).twice()),
                }
            }

            #[target_feature(enable = $features)]
            pub(crate) fn plus(&self, other: &Self) -> Self {
                self.plus_addend(&other.addend()).point()
            }

            #[target_feature(enable = $features)]
            pub(crate) fn minus(&self, other: &Self) -> Self {
                let Addend { plus, minus, z2, t2d } = other.addend();
                let negative = Addend { plus: minus, minus: plus, z2, t2d: t2d.negative() };
                self.plus_addend(&negative).point()
            }

            /// The points of `other` where the mask is set, those of `self` elsewhere.
            #[target_feature(enable = $features)]
            fn or(&self, other: &Self, mask: Mask) -> Self {
                Self {
                    x: self.x.or(other.x, mask),
                    y: self.y.or(other.y, mask),
                    z: self.z.or(other.z, mask),
                    t: self.t.or(other.t, mask),
                }
            }

            /// The points themselves and their multiples to the eighth.
            #[target_feature(enable = $features)]
            fn multiples(&self) -> [Self; 8] {
                let addend = self.addend();
                let mut multiples = [*self; 8];
                for i in 1..8 {
                    multiples[i] = multiples[i - 1].plus_addend(&addend).point();
                }
                multiples
            }

            /// A scalar a lane times its point, four bits of the scalars at a time.
            #[target_feature(enable = $features)]
            pub(crate) fn times(&self, digits: &[Digits; LANES]) -> Self {
                let mut entries = [Addend::identity(); 8];
                for (entry, multiple) in entries.iter_mut().zip(self.multiples()) {
                    *entry = multiple.addend();
                }
                let mut sum = Self::identity();
                for i in (0..DIGITS).rev() {
                    let mut lanes = [0; LANES];
                    for (lane, digits) in lanes.iter_mut().zip(digits) {
                        *lane = digits[i];
                    }
                    let digit = Digit::of(lanes);
                    let mut found = Addend::zeros();
                    found.fill(&Addend::identity(), digit.is(0));
                    for (number, entry) in (1..).zip(&entries) {
                        found.fill(entry, digit.is(number));
                    }
                    let completed = sum.plus_addend(&found.signed(&digit));
                    if i == 0 {
                        return completed.point();
                    }
                    sum = completed.without_t().doubled_times(4);
                }
                sum
            }
        }

        impl Addend {
            /// Of the neutral point.
            #[target_feature(enable = $features)]
            #[inline]
            fn identity() -> Self {
                let one = Fe::small(1);
                Self { plus: one, minus: one, z2: Fe::small(2), t2d: Fe::small(0) }
            }

            /// To be filled.
            #[target_feature(enable = $features)]
            #[inline]
            fn zeros() -> Self {
                let zero = Fe::small(0);
                Self { plus: zero, minus: zero, z2: zero, t2d: zero }
            }

            /// Takes the lanes of `other` where the mask is set; those of `self` must be 0 there.
            #[target_feature(enable = $features)]
            #[inline]
            fn fill(&mut self, other: &Self, mask: Mask) {
                self.plus.fill(&other.plus, mask);
                self.minus.fill(&other.minus, mask);
                self.z2.fill(&other.z2, mask);
                self.t2d.fill(&other.t2d, mask);
            }

            /// For plus or minus the point.
            #[target_feature(enable = $features)]
            #[inline]
            fn signed(self, digit: &Digit) -> Self {
                let (Self { plus, minus, z2, t2d }, negative) = (self, digit.is_negative());
                Self {
                    plus: plus.or(minus, negative),
                    minus: minus.or(plus, negative),
                    z2,
                    t2d: t2d.negative_if(negative),
                }
            }
        }

        /// Multiples of one point, for products of it with many scalars: 256^i times 1 to 8 in row i, as
        /// y + x, y - x and 2 d x y.
        pub(crate) struct Table {
            rows: Vec<[[Words; 3]; 8]>,
        }

        impl Table {
            const ROWS: usize = 32;
            const ROWS_A_LANE: usize = Self::ROWS / LANES;

            /// Expects the same point in every lane.
            #[target_feature(enable = $features)]
            pub(crate) fn of(point: &Point) -> Self {
                // Each lane makes as many rows, and starts from where the one before it ends.
                let mut points = *point;
                for lane in 1..LANES {
                    let further = points.doubled_times(8 * Self::ROWS_A_LANE as u32);
                    points = points.or(&further, Mask::of(std::array::from_fn(|l| l >= lane)));
                }
                let mut multiples = Vec::with_capacity(Self::ROWS_A_LANE * 8);
                for _ in 0..Self::ROWS_A_LANE {
                    multiples.extend(points.multiples());
                    points = points.doubled_times(8);
                }
                let mut inverses: Vec<_> = multiples.iter().map(|multiple| multiple.z).collect();
                invert_batch(&mut inverses);
                let mut rows = vec![[[Words::default(); 3]; 8]; Self::ROWS];
                for (i, (multiple, z)) in multiples.iter().zip(&inverses).enumerate() {
                    let (x, y) = (multiple.x.times(z), multiple.y.times(z));
                    let t2d = x.times(&y).times(&Fe::constant(&D).twice());
                    let coordinates = [y.plus(x).reduced(), y.minus(x).reduced(), t2d];
                    for (k, coordinate) in coordinates.into_iter().enumerate() {
                        for (lane, words) in coordinate.lanes().into_iter().enumerate() {
                            rows[Self::ROWS_A_LANE * lane + i / 8][i % 8][k] = words;
                        }
                    }
                }
                Self { rows }
            }

            /// A scalar a lane times the point.
            #[target_feature(enable = $features)]
            pub(crate) fn times(&self, digits: &[Digits; LANES]) -> Point {
                let mut sum = Point::identity();
                for odd in [1, 0] {
                    for (i, entries) in self.rows.iter().enumerate() {
                        let mut lanes = [0; LANES];
                        for (lane, digits) in lanes.iter_mut().zip(digits) {
                            *lane = digits[2 * i + odd];
                        }
                        let digit = Digit::of(lanes);
                        let mut found = Addend { z2: Fe::small(2), ..Addend::zeros() };
                        let here = digit.is(0);
                        found.plus.fill(&Fe::small(1), here);
                        found.minus.fill(&Fe::small(1), here);
                        for (number, [plus, minus, t2d]) in (1..).zip(entries) {
                            let here = digit.is(number);
                            found.plus.fill(&Fe::spread(plus), here);
                            found.minus.fill(&Fe::spread(minus), here);
                            found.t2d.fill(&Fe::spread(t2d), here);
                        }
                        sum = sum.plus_addend(&found.signed(&digit)).point();
                    }
                    if odd == 1 {
                        sum = sum.doubled_times(4);
                    }
                }
                sum
            }
        }

        /// Decodes points (RFC 9496, section 4.3.1), and says which lanes are the encoding of one. Bytes and
        /// what they stand for are public here.
        #[target_feature(enable = $features)]
        pub(crate) fn decode<const N: usize>(
            bytes: &[[[u8; 32]; LANES]; N],
        ) -> [([bool; LANES], Point); N] {
            let (one, d) = (Fe::small(1), Fe::constant(&D));
            let mut s = [one; N];
            let mut u = [(one, one); N];
            let mut v = [one; N];
            let mut radicands = [one; N];
            for n in 0..N {
                s[n] = Fe::from_bytes(&bytes[n]);
                let ss = s[n].square();
                u[n] = (one.minus(ss).reduced(), one.plus(ss).reduced());
                let squares = u[n].1.square();
                v[n] = d.times(&u[n].0.square()).plus(squares).negative().reduced();
                radicands[n] = v[n].times(&squares);
            }
            let roots = square_roots(&[one; N], &radicands);
            let mut out = [([false; LANES], Point::identity()); N];
            for n in 0..N {
                let (was_square, root) = roots[n];
                let (u1, u2) = u[n];
                let den_x = root.times(&u2);
                let den_y = root.times(&den_x).times(&v[n]);
                let x = den_x.times(&s[n].twice()).absolute();
                let y = den_y.times(&u1);
                let t = x.times(&y);
                let smallest = s[n].to_bytes();
                let (square, negative) =
                    (was_square.lanes(), t.is_negative().or(y.is_zero()).lanes());
                out[n].0 = std::array::from_fn(|lane| {
                    let written = &bytes[n][lane];
                    smallest[lane] == *written
                        && written[0] & 1 == 0
                        && square[lane]
                        && !negative[lane]
                });
                out[n].1 = Point { x, y, z: one, t };
            }
            out
        }

        /// Encodes points (RFC 9496, section 4.3.2).
        #[target_feature(enable = $features)]
        pub(crate) fn encode<const N: usize>(points: &[Point; N]) -> [[[u8; 32]; LANES]; N] {
            let one = Fe::small(1);
            let mut u = [(one, one); N];
            let mut radicands = [one; N];
            for (n, Point { x, y, z, .. }) in points.iter().enumerate() {
                u[n] = (z.minus(*y).reduced().times(&z.plus(*y)), x.times(y));
                radicands[n] = u[n].0.times(&u[n].1.square());
            }
            let roots = square_roots(&[one; N], &radicands);
            let mut out = [[[0; 32]; LANES]; N];
            for (n, Point { x, y, z, t }) in points.iter().enumerate() {
                let (_, root) = roots[n];
                let (den1, den2) = (root.times(&u[n].0), root.times(&u[n].1));
                let z_inverse = den1.times(&den2).times(t);
                let rotate = t.times(&z_inverse).is_negative();
                let i = Fe::constant(&SQRT_M1);
                let (x, y) = (x.or(y.times(&i), rotate), y.or(x.times(&i), rotate));
                let enchanted = den1.times(&Fe::constant(&INVSQRT_A_MINUS_D));
                let den = den2.or(enchanted, rotate);
                let y = y.negative_if(x.times(&z_inverse).is_negative());
                out[n] = z.minus(y).times(&den).absolute().to_bytes();
            }
            out
        }

        /// Encodes twice each point, with one inversion for all of them and no root: the doubled point is the
        /// image of an isogeny whose encoding is a fraction in the coordinates that the doubling goes through
        /// (Hamburg, "Decaf", CRYPTO 2015; for ristretto255 also curve25519-dalek's batches).
        #[target_feature(enable = $features)]
        pub(crate) fn encode_doubles(points: &[Point]) -> Vec<[[u8; 32]; LANES]> {
            let d = Fe::constant(&D);
            let mut states = Vec::with_capacity(points.len());
            let mut inverses = Vec::with_capacity(points.len());
            for Point { x, y, z, t } in points {
                // Twice the point is (e h : f g : f h : e g).
                let (zz, dtt) = (z.square_raised(), t.square().times_wide(&d));
                let (e, f) = (x.times(&y.twice()), zz.plus(dtt).carried());
                let g = y.square_wide().plus(x.square_wide()).carried();
                let h = zz.minus(dtt).carried();
                let (eg, fh) = (e.times(&g), h.times(&f));
                states.push((e, f, g, h, eg, fh));
                inverses.push(eg.times(&fh));
            }
            invert_batch(&mut inverses);
            let i = Fe::constant(&SQRT_M1);
            let unrotated = Fe::constant(&INVSQRT_A_MINUS_D);
            let mut out = Vec::with_capacity(points.len());
            for ((e, f, g, h, eg, fh), inverse) in states.into_iter().zip(inverses) {
                let (z_inverse, t_inverse) = (eg.times(&inverse), fh.times(&inverse));
                let rotate = eg.times(&z_inverse).is_negative();
                let (e, g, h) =
                    (e.or(g, rotate), g.or(e.negative(), rotate), h.or(f.times(&i), rotate));
                let negative = h.times(&e).times(&z_inverse).is_negative();
                let g = g.negative_if(negative);
                let magic = unrotated.or(i, rotate).times(&g.times(&t_inverse));
                out.push(h.minus(g).times(&magic).absolute().to_bytes());
            }
            out
        }

        /// Derives points from 64 uniform bytes each (RFC 9496, section 4.3.4).
        #[target_feature(enable = $features)]
        pub(crate) fn derive(uniform: &[[u8; 64]; LANES]) -> Point {
            let mut halves = [[[0; 32]; LANES]; 2];
            for (lane, bytes) in uniform.iter().enumerate() {
                for (half, bytes) in halves.iter_mut().zip(bytes.as_chunks::<32>().0) {
                    half[lane] = *bytes;
                }
            }
            let [first, second] = map(&[Fe::from_bytes(&halves[0]), Fe::from_bytes(&halves[1])]);
            first.plus(&second)
        }

        /// MAP of the same section.
        #[target_feature(enable = $features)]
        fn map<const N: usize>(t: &[Fe; N]) -> [Point; N] {
            let (one, d) = (Fe::small(1), Fe::constant(&D));
            let (mut r, mut u, mut v) = ([one; N], [one; N], [one; N]);
            for n in 0..N {
                r[n] = t[n].square().times(&Fe::constant(&SQRT_M1));
                u[n] = r[n].plus(one).times(&Fe::constant(&ONE_MINUS_D_SQ));
                let minus = r[n].times(&d).plus(one).negative();
                v[n] = minus.times(&r[n].plus(d).reduced());
            }
            let roots = square_roots(&u, &v);
            let mut out = [Point::identity(); N];
            for n in 0..N {
                let (was_square, root) = roots[n];
                let other = root.times(&t[n]).absolute().negative();
                let s = other.or(root, was_square);
                let c = r[n].or(one.negative(), was_square);
                let product = r[n].minus(one).times(&c).times(&Fe::constant(&D_MINUS_ONE_SQ));
                let w0 = s.twice().times(&v[n]);
                let w1 = product.minus(v[n]).times(&Fe::constant(&SQRT_AD_MINUS_ONE));
                let ss = s.square();
                let (w2, w3) = (one.minus(ss), one.plus(ss));
                out[n] = Point {
                    x: w0.times(&w3),
                    y: w2.times(&w1),
                    z: w1.times(&w3),
                    t: w0.times(&w2),
                };
            }
            out
        }

        /// SQRT_RATIO_M1 (RFC 9496, section 4.2): which u / v are squares, and a root of u / v there, of i u / v
        /// elsewhere; the one that is not negative.
        #[target_feature(enable = $features)]
        fn square_roots<const N: usize>(u: &[Fe; N], v: &[Fe; N]) -> [(Mask, Fe); N] {
            let mut start = *u;
            let mut base = *u;
            for n in 0..N {
                let v3 = v[n].square().times(&v[n]);
                start[n] = u[n].times(&v3);
                base[n] = start[n].times(&v3.times(&v[n]));
            }
            let powers = power(&base);
            let i = Fe::constant(&SQRT_M1);
            let mut out = [(Mask::of([false; LANES]), i); N];
            for n in 0..N {
                let root = start[n].times(&powers[n]);
                let check = v[n].times(&root.square());
                let correct = check.minus(u[n]).reduced().is_zero();
                let flipped = check.plus(u[n]).reduced().is_zero();
                let flipped_i = check.plus(u[n].times(&i)).reduced().is_zero();
                let root = root.or(root.times(&i), flipped.or(flipped_i)).absolute();
                out[n] = (correct.or(flipped), root);
            }
            out
        }
    };
}

pub(super) use {at_one_go, in_two_steps, points};
