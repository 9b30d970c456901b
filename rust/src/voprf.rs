//! Oblivious pseudorandom functions of RFC 9497, suite ristretto255-SHA512, in batches.
//!
//! The holder has a key k. The asker learns `F(x) = Hash(x, k * H(x))` of inputs of its own; the
//! holder learns how many. `suite` has the hashes, `dleq` the proof that a whole batch was evaluated
//! under the public key that the asker knows. In the partially oblivious mode both sides also know
//! `info`, and k is tweaked by it: one public key serves for many functions.
//!
//! Base mode has no proof; it is here for the vectors and for whoever knows that it trusts the holder.

mod dleq;
mod suite;

use curve25519_dalek::{RistrettoPoint, Scalar};
use rayon::prelude::*;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::entropy::Entropy;
use crate::error::Error;
use crate::ristretto255::{self, Encoded, Scalars, Uniform};

pub use dleq::{PROOF, Proof};
pub use suite::Suite;

/// The most inputs of a batch: their numbers take two bytes in a proof (RFC 9497, section 2.2.1).
pub const MOST: usize = 1 << 16;
/// Inputs that one task hashes: some tens of microseconds.
const HASHED: usize = 128;
/// Bytes of an output.
pub const OUTPUT: usize = 64;

/// A secret scalar other than 0. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(Scalar);

impl SecretKey {
    /// Draws a key.
    pub fn draw(entropy: &mut Entropy) -> Self {
        Self(draw_scalar(entropy))
    }

    /// Derives a key from a seed and a name (RFC 9497, section 3.2.1, `DeriveKeyPair`).
    ///
    /// # Errors
    /// [`Error::Length`] if the name is longer than 65535 bytes.
    pub fn derive(suite: &Suite, seed: &[u8; 32], name: &[u8]) -> Result<Self, Error> {
        let length = suite::length("name", name)?;
        // The counter counts draws that gave 0, of which there is none before 2^252 of them.
        let derived = suite.key_scalar(&[seed, &length, name, &[0]]);
        if derived == Scalar::ZERO { Err(Error::Entropy) } else { Ok(Self(derived)) }
    }

    /// Reads a key.
    ///
    /// # Errors
    /// [`Error::Check`] if the bytes are not a scalar in its smallest form other than 0.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        Option::from(Scalar::from_canonical_bytes(*bytes))
            .filter(|scalar| *scalar != Scalar::ZERO)
            .map(Self)
            .ok_or(Error::Check { argument: "key" })
    }

    /// Writes the key, to be sealed.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    pub fn public(&self) -> Encoded {
        RistrettoPoint::mul_base(&self.0).compress().0
    }

    /// Evaluates blinded inputs and proves it.
    ///
    /// Shapes: `blinded` n points, at most [`MOST`]; the result n points and, unless the suite is base
    /// mode, a proof of all of them.
    /// Secret: the key and what `entropy` gives; they decide no branch and no index.
    ///
    /// # Errors
    /// [`Error::Point`] for a point that does not decode or is the identity, [`Error::TooLarge`] for
    /// too many, [`Error::Check`] if `info` undoes this very key, which nobody can find but its holder.
    pub fn evaluate(
        &self,
        suite: &Suite,
        blinded: &[Encoded],
        entropy: &mut Entropy,
    ) -> Result<(Vec<Encoded>, Option<Proof>), Error> {
        bound("points", blinded.len())?;
        let factor = self.factor(suite)?;
        let mut evaluated = vec![[0; 32]; blinded.len()];
        ristretto255::multiply(blinded, Scalars::Same(&factor.multiplier), &mut evaluated)?;
        let proof = suite.is_verifiable().then(|| {
            // What the scalar of the proof takes to what: the tweaked function inverts it.
            let (from, to) = if suite.info().is_some() {
                (evaluated.as_slice(), blinded)
            } else {
                (blinded, evaluated.as_slice())
            };
            // With the proof, which is public, this scalar gives the key.
            let r = Zeroizing::new(draw_scalar(entropy));
            dleq::prove(suite, &factor.proven, from, to, &r)
        });
        Ok((evaluated, proof.transpose()?))
    }

    /// Evaluates inputs of one's own: the outputs that an asker would learn.
    ///
    /// Shapes: n inputs of at most 65535 bytes to n outputs of 64 bytes.
    /// Secret: inputs, key and outputs; they decide no branch and no index.
    ///
    /// # Errors
    /// [`Error::Length`] for a longer input, [`Error::Check`] as above.
    pub fn evaluate_own<T: AsRef<[u8]> + Sync>(
        &self,
        suite: &Suite,
        inputs: &[T],
    ) -> Result<Outputs, Error> {
        let factor = self.factor(suite)?;
        let uniform = hash_to_uniform(suite, inputs);
        let mut products = Zeroizing::new(vec![[0; 32]; inputs.len()]);
        let multiplier = Scalars::Same(&factor.multiplier);
        ristretto255::derive_and_multiply(&uniform, multiplier, &mut products)?;
        Outputs::of(suite, inputs, &products)
    }

    fn factor(&self, suite: &Suite) -> Result<Factor, Error> {
        let Some(tweak) = suite.tweak() else {
            return Ok(Factor { multiplier: self.0, proven: self.0 });
        };
        let proven = self.0 + tweak;
        if proven == Scalar::ZERO {
            return Err(Error::Check { argument: "info" });
        }
        Ok(Factor { multiplier: proven.invert(), proven })
    }
}

/// What evaluating multiplies by, and the scalar of which the proof speaks.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Factor {
    multiplier: Scalar,
    proven: Scalar,
}

/// The public key under which a batch is proven: tweaked by `info`, if there is one.
///
/// # Errors
/// [`Error::Point`] if the key does not decode, is the identity, or is so once it is tweaked.
pub fn proven_key(suite: &Suite, public: &Encoded) -> Result<Encoded, Error> {
    let invalid = Error::Point { argument: "public", index: 0 };
    let key = ristretto255::portable::decode(public).ok_or(invalid.clone())?;
    let Some(tweak) = suite.tweak() else { return Ok(*public) };
    let tweaked = (RistrettoPoint::mul_base(&tweak) + key).compress().0;
    if tweaked == [0; 32] { Err(invalid) } else { Ok(tweaked) }
}

/// What an asker keeps between its question and the answer. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Blinds {
    scalars: Vec<Scalar>,
    #[zeroize(skip)] // they were said
    blinded: Vec<Encoded>,
}

impl Blinds {
    /// Blinds inputs, each by a scalar of its own.
    ///
    /// Shapes: n inputs of at most 65535 bytes, n at most [`MOST`].
    /// Secret: inputs and scalars; they decide no branch and no index. The points are uniform
    /// whatever the inputs are.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for too many inputs; [`Error::Point`] for one that hashes to the identity,
    /// which nobody can find.
    pub fn draw<T: AsRef<[u8]> + Sync>(
        suite: &Suite,
        inputs: &[T],
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        bound("inputs", inputs.len())?;
        Self::of(suite, inputs, inputs.iter().map(|_| draw_scalar(entropy)).collect())
    }

    fn of<T: AsRef<[u8]> + Sync>(
        suite: &Suite,
        inputs: &[T],
        scalars: Vec<Scalar>,
    ) -> Result<Self, Error> {
        let mut blinds = Self { scalars, blinded: vec![[0; 32]; inputs.len()] };
        let uniform = hash_to_uniform(suite, inputs);
        let scalars = Scalars::Each(&blinds.scalars);
        ristretto255::derive_and_multiply(&uniform, scalars, &mut blinds.blinded)?;
        match blinds.blinded.iter().position(|point| *point == [0; 32]) {
            Some(index) => Err(Error::Point { argument: "inputs", index }),
            None => Ok(blinds),
        }
    }

    /// The blinded inputs, to be said.
    pub fn blinded(&self) -> &[Encoded] {
        &self.blinded
    }

    /// Checks the holder's answer and learns the outputs.
    ///
    /// Shapes: `inputs` those that were blinded, in their order; `evaluated` as many points; `proof`
    /// 64 bytes, none in base mode; `public` the holder's key. n outputs.
    /// Secret: inputs, blinds and outputs; they decide no branch and no index.
    ///
    /// # Errors
    /// [`Error::Length`] if there are more or fewer points, or a proof where none is due; [`Error::Point`]
    /// for one that does not decode or is the identity; [`Error::Check`] if the proof does not hold.
    pub fn finalize<T: AsRef<[u8]> + Sync>(
        &self,
        suite: &Suite,
        inputs: &[T],
        evaluated: &[Encoded],
        proof: &[u8],
        public: &Encoded,
    ) -> Result<Outputs, Error> {
        let expected = self.scalars.len();
        for (argument, actual) in [("inputs", inputs.len()), ("points", evaluated.len())] {
            if actual != expected {
                return Err(Error::Length { argument, expected, actual });
            }
        }
        if suite.is_verifiable() {
            let key = proven_key(suite, public)?;
            let (from, to) = if suite.info().is_some() {
                (evaluated, self.blinded.as_slice())
            } else {
                (self.blinded.as_slice(), evaluated)
            };
            dleq::verify(suite, &key, from, to, &Proof::read(proof)?)?;
        } else if !proof.is_empty() {
            return Err(Error::Length { argument: "proof", expected: 0, actual: proof.len() });
        }
        let mut inverses = Zeroizing::new(self.scalars.clone());
        Scalar::invert_batch_alloc(&mut inverses);
        let mut unblinded = Zeroizing::new(vec![[0; 32]; expected]);
        ristretto255::multiply(evaluated, Scalars::Each(&inverses), &mut unblinded)?;
        Outputs::of(suite, inputs, &unblinded)
    }
}

/// Outputs, in the order of the inputs. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Outputs {
    rows: Vec<[u8; OUTPUT]>,
}

impl Outputs {
    /// The outputs.
    pub fn rows(&self) -> &[[u8; OUTPUT]] {
        &self.rows
    }

    /// `Finalize` of RFC 9497, section 3.3, from products k * H(input).
    fn of<T: AsRef<[u8]> + Sync>(
        suite: &Suite,
        inputs: &[T],
        products: &[Encoded],
    ) -> Result<Self, Error> {
        for input in inputs {
            suite::length("inputs", input.as_ref())?;
        }
        let finalize = |(input, product): (&T, &Encoded)| {
            let input = input.as_ref();
            let mut hash = Sha512::new();
            hash.update((input.len() as u16).to_be_bytes());
            hash.update(input);
            if let Some(info) = suite.info() {
                hash.update((info.len() as u16).to_be_bytes());
                hash.update(info);
            }
            hash.update([0, 32]);
            hash.update(product);
            hash.update(b"Finalize");
            hash.finalize().into()
        };
        Ok(Self { rows: inputs.par_iter().zip(products).map(finalize).collect() })
    }
}

fn hash_to_uniform<T: AsRef<[u8]> + Sync>(suite: &Suite, inputs: &[T]) -> Zeroizing<Vec<Uniform>> {
    let mut uniform = Zeroizing::new(vec![[0; 64]; inputs.len()]);
    uniform.par_chunks_mut(HASHED).zip(inputs.par_chunks(HASHED)).for_each(|(uniform, inputs)| {
        suite.uniform_each(inputs, uniform);
    });
    uniform
}

/// A uniform scalar other than 0: 64 bytes leave a bias of 2^-259.
fn draw_scalar(entropy: &mut Entropy) -> Scalar {
    let mut wide = Zeroizing::new([0; 64]);
    loop {
        entropy.fill(&mut *wide);
        let scalar = Scalar::from_bytes_mod_order_wide(&wide);
        if scalar != Scalar::ZERO {
            return scalar;
        }
    }
}

fn bound(argument: &'static str, actual: usize) -> Result<(), Error> {
    if actual > MOST {
        return Err(Error::TooLarge { argument, bound: MOST, actual });
    }
    Ok(())
}

#[cfg(test)]
mod interop;
#[cfg(test)]
mod tests;
