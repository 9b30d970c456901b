//! ristretto255 (RFC 9496) in batches: points derived or decoded, multiplied, encoded.
//!
//! A product is computed as twice the product with half the scalar, since the encodings of doubled
//! points share one inversion, where each other encoding takes a root of its own.
//!
//! `portable` is the definition; `x86` computes four or eight points at a time and must agree with it on every
//! input. Neither wipes the coordinates that pass through registers, the stack and freed memory.

pub(crate) mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) mod x86;

use curve25519_dalek::Scalar;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::error::Error;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
use crate::field25519::x86::Path;

/// The encoding of a point (RFC 9496, section 4.3.2).
pub type Encoded = [u8; 32];
/// Bytes of which a point is derived (RFC 9496, section 4.3.4).
pub type Uniform = [u8; 64];

/// How many points share one inversion, whose 265 products are 17 for each eight of them beside some
/// 2,200 for the multiplication; a task of a millisecond, or ten where there are no lanes, is small
/// enough to share out.
const CHUNK: usize = 128;

/// What points are multiplied by.
#[derive(Clone, Copy)]
pub enum Scalars<'a> {
    /// All by the same.
    Same(&'a Scalar),
    /// Each by its own.
    Each(&'a [Scalar]),
}

impl Scalars<'_> {
    /// Half of each scalar of a chunk of points.
    fn halves(&self, start: usize, count: usize) -> Zeroizing<Vec<Scalar>> {
        match self {
            Self::Same(scalar) => vec![scalar.div_by_2(); count],
            Self::Each(scalars) => {
                scalars[start..start + count].iter().map(Scalar::div_by_2).collect()
            }
        }
        .into()
    }

    fn check(&self, count: usize) -> Result<(), Error> {
        match self {
            Self::Each(scalars) => check("scalars", count, scalars.len()),
            Self::Same(_) => Ok(()),
        }
    }
}

/// Derives points and multiplies them: `out[i]` encodes `scalar_i * derive(uniform[i])`.
///
/// Shapes: `uniform` and `out` n rows each, and as many scalars if each point has its own.
/// Secret: `uniform` and the scalars; none decides a branch or an index.
///
/// # Errors
/// [`Error::Length`] if lengths differ.
pub fn derive_and_multiply(
    uniform: &[Uniform],
    scalars: Scalars<'_>,
    out: &mut [Encoded],
) -> Result<(), Error> {
    check("out", uniform.len(), out.len())?;
    scalars.check(uniform.len())?;
    out.par_chunks_mut(CHUNK).zip(uniform.par_chunks(CHUNK)).enumerate().for_each(
        |(chunk, (out, uniform))| {
            let halves = scalars.halves(chunk * CHUNK, out.len());
            derive_and_multiply_chunk(uniform, &halves, out);
        },
    );
    Ok(())
}

/// Multiplies points that a peer sent: `out[i]` encodes `scalar_i * points[i]`.
///
/// Shapes: `points` and `out` n rows each, and as many scalars if each point has its own.
/// Secret: the scalars; they decide no branch and no index.
///
/// # Errors
/// [`Error::Length`] if lengths differ; [`Error::Point`] if a point does not decode or is the
/// identity, which no honest party sends (RFC 9497, section 2.1, `DeserializeElement`).
pub fn multiply(
    points: &[Encoded],
    scalars: Scalars<'_>,
    out: &mut [Encoded],
) -> Result<(), Error> {
    check("out", points.len(), out.len())?;
    scalars.check(points.len())?;
    let chunks = out.par_chunks_mut(CHUNK).zip(points.par_chunks(CHUNK)).enumerate();
    let bad = chunks.filter_map(|(chunk, (out, points))| {
        let halves = scalars.halves(chunk * CHUNK, out.len());
        multiply_chunk(points, &halves, out).err().map(|bad| chunk * CHUNK + bad)
    });
    match bad.min() {
        Some(index) => Err(Error::Point { argument: "points", index }),
        None => Ok(()),
    }
}

fn derive_and_multiply_chunk(uniform: &[Uniform], halves: &[Scalar], out: &mut [Encoded]) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if let Some(path) = Path::fastest() {
        return x86::derive_and_multiply(path, uniform, halves, out);
    }
    portable::derive_and_multiply(uniform, halves, out);
}

fn multiply_chunk(points: &[Encoded], halves: &[Scalar], out: &mut [Encoded]) -> Result<(), usize> {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if let Some(path) = Path::fastest() {
        return x86::multiply(path, points, halves, out);
    }
    portable::multiply(points, halves, out)
}

fn check(argument: &'static str, expected: usize, actual: usize) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Length { argument, expected, actual })
}

#[cfg(test)]
mod tests;
