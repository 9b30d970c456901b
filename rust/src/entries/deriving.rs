//! Tag and sealing key of each of many records.

use zeroize::Zeroizing;

use super::GROUP;
use crate::sha512::{Block, Digest, INITIAL, compress_each};

const ENTRY: &[u8; 15] = b"greenlane/entry";
/// Where the number of the record begins, and behind it the output.
const NUMBER: usize = ENTRY.len() + 1;
const OUTPUT: usize = NUMBER + 4;
const END: usize = OUTPUT + 32;

/// Room for a group; wiped when it is dropped.
pub(super) struct Deriving {
    blocks: Zeroizing<Vec<Block>>,
    derived: Zeroizing<Vec<Digest>>,
}

impl Deriving {
    /// For entries of one direction. What is hashed is one block with its padding (FIPS 180-4, section
    /// 5.1.2), of which records and outputs are filled in.
    pub(super) fn new(direction: u8) -> Self {
        let mut block = [0; 128];
        block[..ENTRY.len()].copy_from_slice(ENTRY);
        block[ENTRY.len()] = direction;
        block[END] = 0x80;
        block[120..].copy_from_slice(&(8 * END as u64).to_be_bytes());
        Self {
            blocks: Zeroizing::new(vec![block; GROUP]),
            derived: Zeroizing::new(vec![[0; 64]; GROUP]),
        }
    }

    /// Of each output and record, at most [`GROUP`]: 64 bytes, which begin with the tag and end with the
    /// key.
    pub(super) fn each<'a>(
        &mut self,
        records: impl ExactSizeIterator<Item = (&'a [u8; 32], u32)>,
    ) -> &[Digest] {
        let count = records.len().min(GROUP);
        for (block, (output, number)) in self.blocks.iter_mut().zip(records) {
            block[NUMBER..OUTPUT].copy_from_slice(&number.to_le_bytes());
            block[OUTPUT..END].copy_from_slice(output);
        }
        compress_each(&INITIAL, &self.blocks[..count], &mut self.derived[..count]);
        &self.derived[..count]
    }
}
