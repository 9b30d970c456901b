//! Four or eight transfers at a time on x86-64: the same points as `portable`, in less than half of the
//! time.
//!
//! curve25519-dalek puts the coordinates of one point side by side; here it is as many points, so that
//! square roots, which encoding, decoding and hashing need, run side by side, too.

use curve25519_dalek::Scalar;

use super::TASK;
use crate::field25519::x86::{Lanes, Path};
use crate::ristretto255::{Encoded, Uniform};

/// What is done with points of so many lanes.
macro_rules! transfers {
    (mod $lanes:ident on $features:literal) => {
        mod $lanes {
            use curve25519_dalek::Scalar;
            use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;
            use zeroize::Zeroizing;

            use crate::base_ot::TASK;
            use crate::field25519::x86::$lanes::LANES;
            use crate::ristretto255::x86::point::{Digits, digits};
            use crate::ristretto255::x86::$lanes::{
                Table, decode, derive as derive_points, encode,
            };
            use crate::ristretto255::{Encoded, Uniform};

            /// Groups of lanes of a task.
            const GROUPS: usize = TASK / LANES;
            const _: () = assert!(TASK == GROUPS * LANES, "a task is whole groups");

            #[target_feature(enable = $features)]
            pub(in crate::base_ot) fn derive(uniform: &[Uniform; TASK]) -> [Encoded; TASK] {
                let mut out = [[0; 32]; TASK];
                let groups =
                    uniform.as_chunks::<LANES>().0.iter().zip(out.as_chunks_mut::<LANES>().0);
                for (uniform, out) in groups {
                    [*out] = encode(&[derive_points(uniform)]);
                }
                out
            }

            #[target_feature(enable = $features)]
            pub(in crate::base_ot) fn multiply_sums(
                scalar: &Scalar,
                points: &[[Encoded; 2]; TASK],
                uniform: &[[Uniform; 2]; TASK],
            ) -> Result<[[Encoded; 2]; TASK], usize> {
                let digits = Zeroizing::new([digits(scalar.as_bytes()); LANES]);
                let mut out = [[[0; 32]; 2]; TASK];
                for (group, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let points = by_number(&points.as_chunks().0[group]);
                    let [(valid_0, r_0), (valid_1, r_1)] = decode(&points);
                    for lane in 0..LANES {
                        for (c, valid) in [valid_0, valid_1].into_iter().enumerate() {
                            if !valid[lane] || points[c][lane] == [0; 32] {
                                return Err(2 * (group * LANES + lane) + c);
                            }
                        }
                    }
                    let uniform = by_number(&uniform.as_chunks().0[group]);
                    let (h_0, h_1) = (derive_points(&uniform[0]), derive_points(&uniform[1]));
                    let shared = [r_0.plus(&h_1).times(&digits), r_1.plus(&h_0).times(&digits)];
                    let [shared_0, shared_1] = encode(&shared);
                    *out = std::array::from_fn(|lane| [shared_0[lane], shared_1[lane]]);
                }
                Ok(out)
            }

            /// Both of each lane, one after the other.
            fn by_number<const N: usize>(pairs: &[[[u8; N]; 2]; LANES]) -> [[[u8; N]; LANES]; 2] {
                std::array::from_fn(|c| std::array::from_fn(|lane| pairs[lane][c]))
            }

            /// The point of an offer and the generator, ready for products.
            pub(in crate::base_ot) struct Base {
                offer: Table,
                generator: Table,
            }

            impl Base {
                #[target_feature(enable = $features)]
                pub(in crate::base_ot) fn of(offer: &Encoded) -> Option<Self> {
                    let generator = RISTRETTO_BASEPOINT_COMPRESSED.0;
                    let [(valid, offered), (_, generator)] =
                        decode(&[[*offer; LANES], [generator; LANES]]);
                    if valid != [true; LANES] || *offer == [0; 32] {
                        return None;
                    }
                    Some(Self { offer: Table::of(&offered), generator: Table::of(&generator) })
                }

                #[target_feature(enable = $features)]
                pub(in crate::base_ot) fn multiply(
                    &self,
                    scalars: &[Scalar; TASK],
                    uniform: &[Uniform; TASK],
                ) -> [[Encoded; 2]; TASK] {
                    let mut out = [[[0; 32]; 2]; TASK];
                    for (group, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                        let scalars: &[Scalar; LANES] = &scalars.as_chunks().0[group];
                        let digits: Zeroizing<[Digits; LANES]> =
                            scalars.each_ref().map(|scalar| digits(scalar.as_bytes())).into();
                        let hashed = derive_points(&uniform.as_chunks().0[group]);
                        let own = self.generator.times(&digits).minus(&hashed);
                        let [own, shared] = encode(&[own, self.offer.times(&digits)]);
                        *out = std::array::from_fn(|lane| [own[lane], shared[lane]]);
                    }
                    out
                }
            }
        }
    };
}

transfers!(mod eight on "avx512dq,avx512f,avx512ifma");
transfers!(mod four on "avx2,fma");

pub(super) fn derive(path: Path, uniform: &[Uniform; TASK]) -> [Encoded; TASK] {
    // SAFETY: a path is of this machine.
    #[expect(unsafe_code, reason = "a door to x86")]
    unsafe {
        match path.lanes() {
            Lanes::Eight => eight::derive(uniform),
            Lanes::Four => four::derive(uniform),
        }
    }
}

pub(super) fn multiply_sums(
    path: Path,
    scalar: &Scalar,
    points: &[[Encoded; 2]; TASK],
    uniform: &[[Uniform; 2]; TASK],
) -> Result<[[Encoded; 2]; TASK], usize> {
    // SAFETY: a path is of this machine.
    #[expect(unsafe_code, reason = "a door to x86")]
    unsafe {
        match path.lanes() {
            Lanes::Eight => eight::multiply_sums(scalar, points, uniform),
            Lanes::Four => four::multiply_sums(scalar, points, uniform),
        }
    }
}

/// The point of an offer and the generator, ready for products, on a machine with so many lanes.
pub(super) struct Base(Tables);

enum Tables {
    Eight(eight::Base),
    Four(four::Base),
}

impl Base {
    pub(super) fn of(path: Path, offer: &Encoded) -> Option<Self> {
        // SAFETY: a path is of this machine.
        #[expect(unsafe_code, reason = "a door to x86")]
        let tables = unsafe {
            match path.lanes() {
                Lanes::Eight => eight::Base::of(offer).map(Tables::Eight),
                Lanes::Four => four::Base::of(offer).map(Tables::Four),
            }
        };
        tables.map(Self)
    }

    pub(super) fn multiply(
        &self,
        scalars: &[Scalar; TASK],
        uniform: &[Uniform; TASK],
    ) -> [[Encoded; 2]; TASK] {
        // SAFETY: `of` made the tables on a path of this machine.
        #[expect(unsafe_code, reason = "a door to x86")]
        unsafe {
            match &self.0 {
                Tables::Eight(base) => base.multiply(scalars, uniform),
                Tables::Four(base) => base.multiply(scalars, uniform),
            }
        }
    }
}
