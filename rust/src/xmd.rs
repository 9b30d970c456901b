//! `expand_message_xmd` of RFC 9380, section 5.3.1, with SHA-512, for at most one digest of output.

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use sha2::{Digest, Sha512};

use crate::error::Error;

/// Bytes of a digest, which is the most that is given.
pub const DIGEST: usize = 64;

/// Uniform bytes from messages under one domain separation tag.
pub struct Expander {
    padded: Sha512,
    /// What follows the message: the length asked for, a zero, and the tag with its length.
    suffix: Vec<u8>,
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    lanes: Option<x86::Lanes>,
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
        Ok(Self {
            padded: Sha512::new_with_prefix([0; 128]),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            lanes: has!("avx512bw", "avx512f").then(|| {
                // SAFETY: what it needs was just detected.
                #[expect(unsafe_code, reason = "a door to x86")]
                unsafe {
                    x86::Lanes::new(&suffix)
                }
            }),
            suffix,
        })
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

    /// Expands messages, each behind the same prefix; eight at a time where the machine can and all are
    /// equally long.
    ///
    /// Shapes: `messages` and `out` n entries each; extra entries of the longer one are ignored.
    /// Secret: the messages; only their lengths decide a branch.
    pub fn expand_each<T: AsRef<[u8]>>(
        &self,
        prefix: &[u8],
        messages: &[T],
        out: &mut [[u8; DIGEST]],
    ) {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if let (Some(lanes), Some(first)) = (&self.lanes, messages.first()) {
            let length = first.as_ref().len();
            if messages.iter().all(|message| message.as_ref().len() == length) {
                // SAFETY: there are lanes only where what they need was detected.
                #[expect(unsafe_code, reason = "a door to x86")]
                return unsafe { lanes.expand((prefix, length, &self.suffix), messages, out) };
            }
        }
        for (message, out) in messages.iter().zip(out) {
            *out = self.expand(&[prefix, message.as_ref()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_side_by_side_are_expanded_like_one_by_one() {
        // Bytes cycle by 251, the largest prime below 256, so that swapped words show.
        let bytes: Vec<u8> = (0..2000).map(|i| (i % 251) as u8).collect();
        for tag in [0, 1, 44, 45, 55, 120, 255] {
            let expander = Expander::new(&bytes[..tag], DIGEST).unwrap();
            for (prefix, length) in [(0, 0), (0, 32), (32, 32), (5, 61), (32, 200), (130, 7)] {
                for count in [0, 1, 7, 8, 9, 17] {
                    let messages: Vec<_> = (0..count).map(|i| &bytes[i..][..length]).collect();
                    let mut out = vec![[0; DIGEST]; count + 1];
                    expander.expand_each(&bytes[..prefix], &messages, &mut out);
                    assert_eq!(out.pop(), Some([0; DIGEST]), "what has no message stays");
                    let one_by_one =
                        messages.iter().map(|one| expander.expand(&[&bytes[..prefix], one]));
                    assert_eq!(
                        out,
                        one_by_one.collect::<Vec<_>>(),
                        "{tag} {prefix} {length} {count}"
                    );
                }
            }
        }
        // Of different lengths, and around the edges of a block.
        let expander = Expander::new(b"tag", DIGEST).unwrap();
        let messages: Vec<_> = (0..140).map(|length| &bytes[..length]).collect();
        let mut out = vec![[0; DIGEST]; messages.len()];
        expander.expand_each(b"", &messages, &mut out);
        for (message, out) in messages.iter().zip(&out) {
            assert_eq!(*out, expander.expand(&[message]));
            let mut same = [[0; DIGEST]; 8];
            expander.expand_each(b"", &[message; 8], &mut same);
            assert_eq!(same, [*out; 8]);
        }
    }
}
