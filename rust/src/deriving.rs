//! Keys of each of many records: `SHA-512(prefix || number || secret)`.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::one_time::GROUP;
use crate::sha512::{Block, Digest, INITIAL, compress_each};

/// Bytes of a number, and of a secret.
const NUMBER: usize = 4;
const SECRET: usize = 32;
/// The longest prefix, so that all fills one block with its padding: 128 bytes less the bit 1 and the
/// length (FIPS 180-4, section 5.1.2).
pub(crate) const LONGEST: usize = 128 - 1 - 16 - SECRET - NUMBER;

/// Room for a group of records; wiped when it is dropped.
pub(crate) struct Deriving {
    blocks: Zeroizing<Vec<Block>>,
    derived: Zeroizing<Vec<Digest>>,
    /// Where numbers begin.
    prefix: usize,
}

impl Deriving {
    /// For records that have so many bytes in common, at most [`LONGEST`].
    ///
    /// # Panics
    /// If there are more.
    pub(crate) fn new(prefix: &[&[u8]]) -> Self {
        let prefix = prefix.concat();
        assert!(prefix.len() <= LONGEST, "a prefix of {} bytes", prefix.len());
        let (mut block, end) = ([0; 128], prefix.len() + NUMBER + SECRET);
        block[..prefix.len()].copy_from_slice(&prefix);
        block[end] = 0x80;
        block[120..].copy_from_slice(&(8 * end as u64).to_be_bytes());
        Self {
            blocks: Zeroizing::new(vec![block; GROUP]),
            derived: Zeroizing::new(vec![[0; 64]; GROUP]),
            prefix: prefix.len(),
        }
    }

    /// Of each secret and number, at most [`GROUP`]: 64 bytes.
    ///
    /// # Panics
    /// If there are more.
    pub(crate) fn each<'a>(
        &mut self,
        records: impl ExactSizeIterator<Item = (&'a [u8; SECRET], u32)>,
    ) -> &[Digest] {
        let count = records.len();
        assert!(count <= GROUP, "{count} records of a group");
        for (block, (secret, number)) in self.blocks.iter_mut().zip(records) {
            let (place, rest) = block[self.prefix..].split_at_mut(NUMBER);
            place.copy_from_slice(&number.to_le_bytes());
            rest[..SECRET].copy_from_slice(secret);
        }
        compress_each(&INITIAL, &self.blocks[..count], &mut self.derived[..count]);
        &self.derived[..count]
    }
}

/// Numbers the records of each secret 0, 1, ... in the order in which they stand, and counts them.
///
/// Shapes: `positions[r]` says which of `bound` secrets record r belongs to; the result has a number
/// for each record and a count for each secret.
///
/// # Errors
/// [`Error::Index`] for a position from `bound` on.
pub(crate) fn number(positions: &[u32], bound: usize) -> Result<(Vec<u32>, Vec<u32>), Error> {
    let mut counts = vec![0_u32; bound];
    let mut next = |position: &u32| {
        let actual = *position as usize;
        let count =
            counts.get_mut(actual).ok_or(Error::Index { argument: "positions", bound, actual })?;
        *count += 1;
        Ok(*count - 1)
    };
    let numbers = positions.iter().map(&mut next).collect::<Result<_, Error>>()?;
    Ok((numbers, counts))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha512};

    use super::*;

    #[test]
    fn what_is_derived_is_the_hash_of_all_parts() {
        for prefix in [0, 1, 16, 55, LONGEST] {
            let prefix: Vec<u8> = (0..prefix as u8).collect();
            let secrets: Vec<[u8; 32]> = (0..GROUP as u8).map(|i| [i; 32]).collect();
            let mut deriving =
                Deriving::new(&[&prefix[..prefix.len() / 2], &prefix[prefix.len() / 2..]]);
            for count in [0, 1, 9, GROUP] {
                let numbers = (0..).map(|i: u32| 0x0102_0304 * i);
                let records = || secrets[..count].iter().zip(numbers.clone()).collect::<Vec<_>>();
                let due: Vec<Digest> = records()
                    .iter()
                    .map(|(secret, number)| {
                        let hash =
                            Sha512::new_with_prefix(&prefix).chain_update(number.to_le_bytes());
                        hash.chain_update(secret).finalize().into()
                    })
                    .collect();
                assert_eq!(deriving.each(records().into_iter()), due, "{} bytes", prefix.len());
            }
        }
    }
}
