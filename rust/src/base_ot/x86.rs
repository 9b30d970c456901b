//! Four transfers at a time on AVX2: the same points as `portable`, in less than half of the time.
//!
//! curve25519-dalek puts the coordinates of one point side by side; here it is four points, so that
//! square roots, which encoding, decoding and hashing need, run four at a time, too.

use curve25519_dalek::Scalar;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;
use zeroize::Zeroizing;

use super::TASK;
use crate::field25519::x86::four::LANES;
use crate::ristretto255::x86::point::{self, Digits, Table};
use crate::ristretto255::{Encoded, Uniform};

pub(super) use crate::field25519::x86::four::is_here;

/// A task is two times four transfers.
const HALVES: usize = TASK / LANES;
const _: () = assert!(TASK == HALVES * LANES && HALVES == 2, "points are encoded two by two");

#[target_feature(enable = "avx2,fma")]
pub(super) fn derive(uniform: &[Uniform; TASK]) -> [Encoded; TASK] {
    let (halves, _) = uniform.as_chunks::<LANES>();
    let [first, second] = point::encode(&[point::derive(&halves[0]), point::derive(&halves[1])]);
    std::array::from_fn(|i| if i < LANES { first[i] } else { second[i - LANES] })
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply_sums(
    scalar: &Scalar,
    points: &[[Encoded; 2]; TASK],
    uniform: &[[Uniform; 2]; TASK],
) -> Result<[[Encoded; 2]; TASK], usize> {
    let digits = Zeroizing::new([point::digits(scalar.as_bytes()); LANES]);
    let mut out = [[[0; 32]; 2]; TASK];
    for (half, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let points = by_number(&points.as_chunks().0[half]);
        let [(valid_0, r_0), (valid_1, r_1)] = point::decode(&points);
        for lane in 0..LANES {
            for (c, valid) in [valid_0, valid_1].into_iter().enumerate() {
                if !valid[lane] || points[c][lane] == [0; 32] {
                    return Err(2 * (half * LANES + lane) + c);
                }
            }
        }
        let uniform = by_number(&uniform.as_chunks().0[half]);
        let (h_0, h_1) = (point::derive(&uniform[0]), point::derive(&uniform[1]));
        let shared = [r_0.plus(&h_1).times(&digits), r_1.plus(&h_0).times(&digits)];
        let [shared_0, shared_1] = point::encode(&shared);
        *out = std::array::from_fn(|lane| [shared_0[lane], shared_1[lane]]);
    }
    Ok(out)
}

/// Both of each lane, one after the other.
fn by_number<const N: usize>(pairs: &[[[u8; N]; 2]; LANES]) -> [[[u8; N]; LANES]; 2] {
    std::array::from_fn(|c| std::array::from_fn(|lane| pairs[lane][c]))
}

/// The point of an offer and the generator, ready for products.
pub(super) struct Base {
    offer: Table,
    generator: Table,
}

impl Base {
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn of(offer: &Encoded) -> Option<Self> {
        let generator = RISTRETTO_BASEPOINT_COMPRESSED.0;
        let [(valid, offered), (_, generator)] =
            point::decode(&[[*offer; LANES], [generator; LANES]]);
        if valid != [true; LANES] || *offer == [0; 32] {
            return None;
        }
        Some(Self { offer: Table::of(&offered), generator: Table::of(&generator) })
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn multiply(
        &self,
        scalars: &[Scalar; TASK],
        uniform: &[Uniform; TASK],
    ) -> [[Encoded; 2]; TASK] {
        let mut out = [[[0; 32]; 2]; TASK];
        for (half, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let scalars: &[Scalar; LANES] = &scalars.as_chunks().0[half];
            let digits: Zeroizing<[Digits; LANES]> =
                scalars.each_ref().map(|scalar| point::digits(scalar.as_bytes())).into();
            let hashed = point::derive(&uniform.as_chunks().0[half]);
            let own = self.generator.times(&digits).minus(&hashed);
            let [own, shared] = point::encode(&[own, self.offer.times(&digits)]);
            *out = std::array::from_fn(|lane| [own[lane], shared[lane]]);
        }
        out
    }
}
