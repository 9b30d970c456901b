//! `expand_message_xmd` of RFC 9380, section 5.3.1, with SHA-512, for at most one digest of output.

use sha2::{Digest, Sha512};

use crate::error::Error;

/// Bytes of a digest, which is the most that is given.
pub const DIGEST: usize = 64;

/// Uniform bytes from messages under one domain separation tag.
pub struct Expander {
    padded: Sha512,
    /// What follows the message: the length asked for, a zero, and the tag with its length.
    suffix: Vec<u8>,
}

impl Expander {
    /// Prepares a tag, for `length` bytes a message.
    ///
    /// # Errors
    /// [`Error::Length`] if the tag is longer than 255 bytes, or `length` above one digest.
    pub fn new(tag: &[u8], length: usize) -> Result<Self, Error> {
        if tag.len() > 255 {
            return Err(Error::Length { argument: "dst", expected: 255, actual: tag.len() });
        }
        if length > DIGEST {
            return Err(Error::Length { argument: "length", expected: DIGEST, actual: length });
        }
        let mut suffix = vec![0, length as u8, 0]; // I2OSP(length, 2), then I2OSP(0, 1)
        suffix.extend_from_slice(tag);
        suffix.push(tag.len() as u8);
        // Z_pad, one block of zeros, is the same for every message: hash it once.
        Ok(Self { padded: Sha512::new_with_prefix([0; 128]), suffix })
    }

    /// Expands one message, given in parts. Of the digest, the first bytes that were asked for count.
    pub fn expand(&self, message: &[&[u8]]) -> [u8; DIGEST] {
        let mut b0 = self.padded.clone();
        message.iter().for_each(|part| b0.update(part));
        b0.update(&self.suffix);
        let b1 = Sha512::new()
            .chain_update(b0.finalize())
            .chain_update([1])
            .chain_update(&self.suffix[3..]);
        b1.finalize().into()
    }
}
