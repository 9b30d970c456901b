//! One proof for a batch that the same scalar takes the generator to the public key and each point to
//! its partner (RFC 9497, section 2.2): Chaum and Pedersen, CRYPTO 1992, on a random sum of the
//! points.
//!
//! All points and the factors of the sums are public, so sums are computed in variable time; the
//! secret scalar meets one point alone, the sum, in constant time.

use curve25519_dalek::traits::VartimeMultiscalarMul;
use curve25519_dalek::{RistrettoPoint, Scalar};
use rayon::prelude::*;
use sha2::{Digest, Sha512};

use super::Suite;
use crate::error::Error;
use crate::ristretto255::Encoded;
use crate::ristretto255::portable::decode;

/// Bytes of a proof.
pub const PROOF: usize = 64;
/// Points summed at a time, so that cores share the sums: at some hundreds the bucket method
/// (Pippenger) has reached most of its gain.
const PART: usize = 512;

/// A challenge and its response.
pub struct Proof {
    c: Scalar,
    s: Scalar,
}

impl Proof {
    /// Writes a proof: two scalars.
    pub fn to_bytes(&self) -> [u8; PROOF] {
        let mut bytes = [0; PROOF];
        bytes[..32].copy_from_slice(self.c.as_bytes());
        bytes[32..].copy_from_slice(self.s.as_bytes());
        bytes
    }

    /// Reads what a peer sent.
    ///
    /// # Errors
    /// [`Error::Length`] unless there are 64 bytes, [`Error::Check`] unless they are two scalars in
    /// their smallest form.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let length = Error::Length { argument: "proof", expected: PROOF, actual: bytes.len() };
        let bytes: &[u8; PROOF] = bytes.try_into().map_err(|_| length)?;
        let scalar = |half: usize| {
            Option::from(Scalar::from_canonical_bytes(bytes.as_chunks().0[half]))
                .ok_or(Error::Check { argument: "proof" })
        };
        Ok(Self { c: scalar(0)?, s: scalar(1)? })
    }
}

/// `GenerateProof`: that `k` takes the generator to its public key and each of `from` to its partner in
/// `to`; `r` is fresh.
pub(super) fn prove(
    suite: &Suite,
    k: &Scalar,
    from: &[Encoded],
    to: &[Encoded],
    r: &Scalar,
) -> Result<Proof, Error> {
    let key = RistrettoPoint::mul_base(k).compress().0;
    let weights = weights(suite, &key, from, to);
    let m = sum(&weights, from)?;
    let transcript = [m, k * m, RistrettoPoint::mul_base(r), r * m];
    let c = challenge(suite, &key, &transcript);
    Ok(Proof { c, s: r - c * k })
}

/// `VerifyProof`, with the public key `key`.
pub(super) fn verify(
    suite: &Suite,
    key: &Encoded,
    from: &[Encoded],
    to: &[Encoded],
    proof: &Proof,
) -> Result<(), Error> {
    let public = decode(key).ok_or(Error::Point { argument: "public", index: 0 })?;
    let weights = weights(suite, key, from, to);
    let (m, z) = (sum(&weights, from)?, sum(&weights, to)?);
    let Proof { c, s } = proof;
    let t2 = RistrettoPoint::vartime_double_scalar_mul_basepoint(c, &public, s);
    let t3 = RistrettoPoint::vartime_multiscalar_mul([s, c], [m, z]);
    if challenge(suite, key, &[m, z, t2, t3]) == *c {
        return Ok(());
    }
    Err(Error::Check { argument: "proof" })
}

/// The factor of each pair in the sums (`ComputeComposites`).
fn weights(suite: &Suite, key: &Encoded, from: &[Encoded], to: &[Encoded]) -> Vec<Scalar> {
    let tag = [b"Seed-", suite.context()].concat();
    let mut seed = Sha512::new_with_prefix([0, 32]);
    seed.update(key);
    seed.update((tag.len() as u16).to_be_bytes());
    seed.update(&tag);
    let seed = seed.finalize();
    let weight = |(i, (from, to)): (usize, (&Encoded, &Encoded))| {
        let number = (i as u16).to_be_bytes();
        suite.to_scalar(&[&[0, 64], &seed, &number, &[0, 32], from, &[0, 32], to, b"Composite"])
    };
    from.par_iter().zip(to).enumerate().map(weight).collect()
}

/// The sum of points with their weights; all of them public.
fn sum(weights: &[Scalar], points: &[Encoded]) -> Result<RistrettoPoint, Error> {
    let parts = weights.par_chunks(PART).zip(points.par_chunks(PART)).enumerate();
    let sums = parts.map(|(part, (weights, points))| {
        RistrettoPoint::optional_multiscalar_mul(weights, points.iter().map(decode)).ok_or_else(
            || {
                let index = points.iter().position(|point| decode(point).is_none());
                Error::Point { argument: "points", index: part * PART + index.unwrap_or(0) }
            },
        )
    });
    sums.try_reduce(RistrettoPoint::default, |a, b| Ok(a + b))
}

/// The challenge of a transcript: M, Z, t2 and t3 of section 2.2.1.
fn challenge(suite: &Suite, key: &Encoded, transcript: &[RistrettoPoint; 4]) -> Scalar {
    let [m, z, t2, t3] = transcript.map(|point| point.compress().0);
    let l = [0, 32];
    suite.to_scalar(&[&l, key, &l, &m, &l, &z, &l, &t2, &l, &t3, b"Challenge"])
}
