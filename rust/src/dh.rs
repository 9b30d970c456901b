//! The arithmetic of the Diffie-Hellman match: blind, evaluate, unblind, and the outputs.
//!
//! An oblivious pseudorandom function in the form 2HashDH (Jarecki, Kiayias, Krawczyk, ASIACRYPT
//! 2014) over x-only Curve25519: `output(e) = SHA-256(label || sid || u([b] H(sid || e)))`. The sender
//! holds b. The receiver holds a, sends `[a] H(e)`, gets `[a b] H(e)`, multiplies by 1/a.

use curve25519_dalek::Scalar;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::curve25519::{self, Point};
use crate::entropy::Entropy;
use crate::error::Error;

/// The domain separation tag of hashing to the curve (RFC 9380, section 3.1).
const DST: &[u8] = b"GREENLANE-V01-CS01-with-curve25519_XMD:SHA-512_ELL2_NU_";
const OUTPUT: &[u8] = b"greenlane/dh/output";

/// A session's identifier, made of the nonces of both sides.
pub type SessionId = [u8; 32];

/// A secret scalar and its inverse; each a multiple of 8 below 2^255. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Key {
    scalar: [u8; 32],
    inverse: [u8; 32],
}

impl Key {
    /// Draws a key.
    ///
    /// The scalar is clamped (RFC 7748, section 5). Its inverse modulo the group order l is written
    /// as the multiple of 8 that is congruent to it modulo l, so that multiplying by it clears the
    /// cofactor from whatever the peer sent. Of 2^127 draws one has its inverse above 2^255, where
    /// the ladder does not reach, and is drawn again.
    pub fn draw(entropy: &mut Entropy) -> Self {
        loop {
            let mut scalar = [0; 32];
            entropy.fill(&mut scalar);
            scalar = curve25519::clamp(scalar);
            let mut reduced = Scalar::from_bytes_mod_order(scalar);
            let mut eighth = (Scalar::from(8_u8) * reduced).invert();
            let mut inverse = eighth.to_bytes();
            reduced.zeroize();
            eighth.zeroize();
            if inverse[31] < 0x10 {
                for i in (0..32).rev() {
                    inverse[i] = (inverse[i] << 3) | if i > 0 { inverse[i - 1] >> 5 } else { 0 };
                }
                return Self { scalar, inverse };
            }
        }
    }
}

/// Blinds elements: `out[i] = u([key] H(sid || elements[i]))`.
///
/// Shapes: `elements` and the result n rows of 32 bytes.
/// Secret: `elements` and `key`; neither decides a branch or an index.
///
/// # Errors
/// None that the arguments can cause; the result carries those of the kernel below.
pub fn blind(elements: &[[u8; 32]], sid: &SessionId, key: &Key) -> Result<Vec<Point>, Error> {
    let mut out = vec![[0; 32]; elements.len()];
    curve25519::hash_and_multiply(sid, elements, DST, &key.scalar, &mut out)?;
    Ok(out)
}

/// Evaluates blinded points: `out[i] = u([key] points[i])`.
///
/// Shapes: `points` and the result n rows of 32 bytes.
/// Secret: `key`; it decides no branch and no index.
///
/// # Errors
/// [`Error::Point`] for a point that no honest receiver sends.
pub fn evaluate(points: &[Point], key: &Key) -> Result<Vec<Point>, Error> {
    let mut out = vec![[0; 32]; points.len()];
    curve25519::multiply(points, &key.scalar, &mut out)?;
    Ok(out)
}

/// Outputs of the pseudorandom function, 32 bytes each, in the order of the elements. Wiped on drop.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct Outputs {
    rows: Vec<[u8; 32]>,
}

impl Outputs {
    /// Outputs that another pseudorandom function gave.
    #[must_use]
    pub fn of(rows: Vec<[u8; 32]>) -> Self {
        Self { rows }
    }

    /// Appends the outputs of elements, by the party that holds the key.
    ///
    /// # Errors
    /// As [`blind`].
    pub fn extend_own(
        &mut self,
        elements: &[[u8; 32]],
        sid: &SessionId,
        key: &Key,
    ) -> Result<(), Error> {
        self.extend(blind(elements, sid, key)?, sid);
        Ok(())
    }

    /// Appends the outputs of points that the other party evaluated: unblinds and hashes them.
    ///
    /// # Errors
    /// [`Error::Point`] for a point that no honest sender sends.
    pub fn extend_evaluated(
        &mut self,
        points: &[Point],
        sid: &SessionId,
        key: &Key,
    ) -> Result<(), Error> {
        let mut out = vec![[0; 32]; points.len()];
        curve25519::multiply(points, &key.inverse, &mut out)?;
        self.extend(out, sid);
        Ok(())
    }

    /// Returns the outputs at these positions, in this order.
    ///
    /// # Errors
    /// [`Error::Index`] if a position is not below the number of outputs.
    pub fn select(&self, positions: &[u32]) -> Result<Self, Error> {
        let row = |position: &u32| {
            self.rows.get(*position as usize).copied().ok_or(Error::Index {
                argument: "positions",
                bound: self.rows.len(),
                actual: *position as usize,
            })
        };
        Ok(Self { rows: positions.iter().map(row).collect::<Result<_, _>>()? })
    }

    /// Whether no output stands there twice.
    pub fn are_distinct(&self) -> bool {
        let mut sorted = self.rows.clone();
        sorted.par_sort_unstable();
        let distinct = sorted.windows(2).all(|pair| pair[0] != pair[1]);
        sorted.zeroize();
        distinct
    }

    /// The outputs.
    pub fn rows(&self) -> &[[u8; 32]] {
        &self.rows
    }

    fn extend(&mut self, mut points: Vec<Point>, sid: &SessionId) {
        let keyed = Sha256::new_with_prefix(OUTPUT).chain_update(sid);
        points.par_iter_mut().for_each(|row| {
            *row = keyed.clone().chain_update(*row).finalize().into();
        });
        // Where the rows must move, their old place is wiped; a growing `Vec` would not do that.
        if self.rows.capacity() < self.rows.len() + points.len() {
            let capacity = (2 * self.rows.len()).max(self.rows.len() + points.len());
            let mut moved = Vec::with_capacity(capacity);
            moved.extend_from_slice(&self.rows);
            std::mem::replace(&mut self.rows, moved).zeroize();
        }
        self.rows.extend_from_slice(&points);
        points.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unblinding_an_evaluation_gives_the_senders_own_output() {
        let mut entropy = Entropy::from_seed_for_tests([1; 32]);
        let (sid, elements): (_, Vec<[u8; 32]>) = ([5; 32], (0..100).map(|i| [i; 32]).collect());
        let (a, b) = (Key::draw(&mut entropy), Key::draw(&mut entropy));
        let evaluated = evaluate(&blind(&elements, &sid, &a).unwrap(), &b).unwrap();
        let (mut receivers, mut senders) = (Outputs::default(), Outputs::default());
        receivers.extend_evaluated(&evaluated, &sid, &a).unwrap();
        senders.extend_own(&elements, &sid, &b).unwrap();
        assert_eq!(receivers.rows, senders.rows);
        assert!(senders.select(&[100]).is_err());
        assert!(senders.are_distinct());
        assert!(!senders.select(&[3, 4, 3]).unwrap().are_distinct());
        let mut other = Outputs::default();
        other.extend_own(&elements, &[6; 32], &b).unwrap();
        assert!(other.rows.iter().zip(&senders.rows).all(|(x, y)| x != y));
    }

    #[test]
    fn a_component_of_low_order_added_by_the_sender_is_cleared() {
        let mut entropy = Entropy::from_seed_for_tests([2; 32]);
        let key = Key::draw(&mut entropy);
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        let point = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        let (clean, dirty) = (point.to_montgomery().0, (point + torsion).to_montgomery().0);
        assert_ne!(clean, dirty);
        let unblinded = |u| {
            let mut outputs = Outputs::default();
            outputs.extend_evaluated(&[u], &[0; 32], &key).unwrap();
            outputs.rows.clone()
        };
        assert_eq!(unblinded(clean), unblinded(dirty));
    }
}
