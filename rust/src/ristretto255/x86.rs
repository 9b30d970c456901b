//! Batches on x86-64, four or eight points side by side: the same points as the portable twin's.

use curve25519_dalek::Scalar;

use super::{Encoded, Uniform};
use crate::field25519::x86::{Lanes, Path};

pub(crate) mod point;

/// The batches of so many lanes.
macro_rules! batches {
    (mod $lanes:ident on $features:literal, doublings $doublings:ident) => {
        pub(crate) mod $lanes {
            use curve25519_dalek::Scalar;
            use zeroize::Zeroizing;

            use crate::ristretto255::x86::point::{digits, points, $doublings};
            use crate::ristretto255::{Encoded, Uniform};

            points!($lanes, $features, $doublings);

            /// Groups of lanes whose roots are taken in turn, so that one does not wait for the other.
            const GROUPS: usize = 2;
            const STEP: usize = GROUPS * LANES;

            #[target_feature(enable = $features)]
            pub(crate) fn derive_and_multiply(
                uniform: &[Uniform],
                halves: &[Scalar],
                out: &mut [Encoded],
            ) {
                let mut products = Vec::with_capacity(uniform.len().div_ceil(LANES));
                for (uniform, halves) in uniform.chunks(LANES).zip(halves.chunks(LANES)) {
                    let derived = derive(&lanes(uniform, [0; 64]));
                    products.push(derived.times(&digits_of(halves)));
                }
                write(&products, out);
            }

            /// Or the number of the first point that does not decode or is the identity.
            #[target_feature(enable = $features)]
            pub(crate) fn multiply(
                points: &[Encoded],
                halves: &[Scalar],
                out: &mut [Encoded],
            ) -> Result<(), usize> {
                let mut products = Vec::with_capacity(points.len().div_ceil(LANES));
                for (step, (points, halves)) in
                    points.chunks(STEP).zip(halves.chunks(STEP)).enumerate()
                {
                    let mut groups = [[[0; 32]; LANES]; GROUPS];
                    groups.as_flattened_mut()[..points.len()].copy_from_slice(points);
                    let decoded = decode(&groups);
                    for (i, point) in points.iter().enumerate() {
                        if !decoded[i / LANES].0[i % LANES] || *point == [0; 32] {
                            return Err(step * STEP + i);
                        }
                    }
                    for (halves, (_, point)) in halves.chunks(LANES).zip(decoded) {
                        products.push(point.times(&digits_of(halves)));
                    }
                }
                write(&products, out);
                Ok(())
            }

            #[target_feature(enable = $features)]
            fn write(halved: &[Point], out: &mut [Encoded]) {
                for (out, encoded) in out.chunks_mut(LANES).zip(encode_doubles(halved)) {
                    out.copy_from_slice(&encoded[..out.len()]);
                }
            }

            /// With zeros behind the last.
            fn digits_of(scalars: &[Scalar]) -> Zeroizing<[Digits; LANES]> {
                let scalars = Zeroizing::new(lanes(scalars, Scalar::ZERO));
                scalars.each_ref().map(|scalar| digits(scalar.as_bytes())).into()
            }

            fn lanes<T: Copy>(some: &[T], filler: T) -> [T; LANES] {
                std::array::from_fn(|lane| some.get(lane).copied().unwrap_or(filler))
            }
        }
    };
}

batches!(mod eight on "avx512dq,avx512f,avx512ifma", doublings at_one_go);
batches!(mod four on "avx2,fma", doublings in_two_steps);

pub(super) fn derive_and_multiply(
    path: Path,
    uniform: &[Uniform],
    halves: &[Scalar],
    out: &mut [Encoded],
) {
    // SAFETY: a path is of this machine.
    #[expect(unsafe_code, reason = "a door to x86")]
    unsafe {
        match path.lanes() {
            Lanes::Eight => eight::derive_and_multiply(uniform, halves, out),
            Lanes::Four => four::derive_and_multiply(uniform, halves, out),
        }
    }
}

/// Or the number of the first point that does not decode or is the identity.
pub(super) fn multiply(
    path: Path,
    points: &[Encoded],
    halves: &[Scalar],
    out: &mut [Encoded],
) -> Result<(), usize> {
    // SAFETY: a path is of this machine.
    #[expect(unsafe_code, reason = "a door to x86")]
    unsafe {
        match path.lanes() {
            Lanes::Eight => eight::multiply(points, halves, out),
            Lanes::Four => four::multiply(points, halves, out),
        }
    }
}
