//! The suite ristretto255-SHA512 (RFC 9497, section 4.1) in one of its modes.

use curve25519_dalek::Scalar;

use crate::error::Error;
use crate::ristretto255::Uniform;
use crate::xmd::{DIGEST, Expander};

const IDENTIFIER: &[u8] = b"ristretto255-SHA512";

/// The hashes of a mode, and its `info`.
pub struct Suite {
    context: Vec<u8>,
    group: Expander,
    scalar: Expander,
    key: Expander,
    mode: Mode,
}

/// Section 3.
enum Mode {
    Oprf,
    Voprf,
    Poprf { info: Vec<u8>, tweak: Scalar },
}

impl Suite {
    /// Base mode: nothing is proven.
    ///
    /// # Errors
    /// None that can occur; the result carries that of the hashes.
    pub fn oprf() -> Result<Self, Error> {
        Self::new(0)
    }

    /// Verifiable mode.
    ///
    /// # Errors
    /// As [`Suite::oprf`].
    pub fn voprf() -> Result<Self, Error> {
        Ok(Self { mode: Mode::Voprf, ..Self::new(1)? })
    }

    /// Partially oblivious mode, verifiable as well.
    ///
    /// # Errors
    /// [`Error::Length`] if `info`, which both sides know, is longer than 65535 bytes.
    pub fn poprf(info: &[u8]) -> Result<Self, Error> {
        let suite = Self::new(2)?;
        let tweak = suite.to_scalar(&[b"Info", &length("info", info)?, info]);
        Ok(Self { mode: Mode::Poprf { info: info.to_vec(), tweak }, ..suite })
    }

    fn new(mode: u8) -> Result<Self, Error> {
        let context = [b"OPRFV1-", &[mode][..], b"-", IDENTIFIER].concat();
        let expander = |name: &[u8]| Expander::new(&[name, &context].concat(), DIGEST);
        Ok(Self {
            group: expander(b"HashToGroup-")?,
            scalar: expander(b"HashToScalar-")?,
            key: expander(b"DeriveKeyPair")?,
            mode: Mode::Oprf,
            context,
        })
    }

    /// Whether evaluations come with a proof.
    pub fn is_verifiable(&self) -> bool {
        !matches!(self.mode, Mode::Oprf)
    }

    /// What both sides know of the function, in partially oblivious mode.
    pub fn info(&self) -> Option<&[u8]> {
        match &self.mode {
            Mode::Poprf { info, .. } => Some(info),
            _ => None,
        }
    }

    /// What `info` adds to the key (section 3.3.3).
    pub(super) fn tweak(&self) -> Option<Scalar> {
        match self.mode {
            Mode::Poprf { tweak, .. } => Some(tweak),
            _ => None,
        }
    }

    /// `contextString` of section 3.1.
    pub(super) fn context(&self) -> &[u8] {
        &self.context
    }

    /// Of what `HashToGroup` derives its points.
    pub(super) fn uniform_each<T: AsRef<[u8]>>(&self, inputs: &[T], out: &mut [Uniform]) {
        self.group.expand_each(&[], inputs, out);
    }

    /// `HashToScalar`.
    pub(super) fn to_scalar(&self, message: &[&[u8]]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.scalar.expand(message))
    }

    /// `HashToScalar` under the tag of keys.
    pub(super) fn key_scalar(&self, message: &[&[u8]]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.key.expand(message))
    }
}

/// I2OSP(length, 2).
pub(super) fn length(argument: &'static str, bytes: &[u8]) -> Result<[u8; 2], Error> {
    let bound = Error::Length { argument, expected: u16::MAX.into(), actual: bytes.len() };
    u16::try_from(bytes.len()).map(u16::to_be_bytes).map_err(|_| bound)
}
