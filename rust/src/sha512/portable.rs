//! The definition: one block after the other, by the sha2 crate.

use sha2::block_api::compress512;

use super::{Block, Digest, State};

pub(super) fn compress_each(state: &State, blocks: &[Block], out: &mut [Digest]) {
    for (block, digest) in blocks.iter().zip(out) {
        let mut state = *state;
        compress512(&mut state, std::slice::from_ref(block));
        for (bytes, word) in digest.chunks_exact_mut(8).zip(state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
    }
}
