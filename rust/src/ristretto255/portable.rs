//! The definition of the batches: one point after the other, by curve25519-dalek.

use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::IsIdentity;

use super::{Encoded, Uniform};

/// Decodes what an honest party sends: any point but the identity.
pub(crate) fn decode(bytes: &Encoded) -> Option<RistrettoPoint> {
    CompressedRistretto(*bytes).decompress().filter(|point| !point.is_identity())
}

pub(super) fn derive_and_multiply(uniform: &[Uniform], halves: &[Scalar], out: &mut [Encoded]) {
    let products = uniform
        .iter()
        .zip(halves)
        .map(|(uniform, half)| half * RistrettoPoint::from_uniform_bytes(uniform));
    write(&products.collect::<Vec<_>>(), out);
}

/// Or the number of the first point that does not decode or is the identity.
pub(super) fn multiply(
    points: &[Encoded],
    halves: &[Scalar],
    out: &mut [Encoded],
) -> Result<(), usize> {
    let mut products = Vec::with_capacity(points.len());
    for (i, (point, half)) in points.iter().zip(halves).enumerate() {
        products.push(half * decode(point).ok_or(i)?);
    }
    write(&products, out);
    Ok(())
}

fn write(halved: &[RistrettoPoint], out: &mut [Encoded]) {
    for (out, point) in out.iter_mut().zip(RistrettoPoint::double_and_compress_batch(halved)) {
        *out = point.0;
    }
}
