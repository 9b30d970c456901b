//! The definition: AES by the aes crate, which is bit-sliced in constant time (Adomnicai and Peyrin,
//! "Fixslicing AES-like ciphers", TCHES 2021), or uses the instructions of the machine where it knows
//! them.

use ::aes::Aes128;
use ::aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

use super::{Block, Job};

/// Blocks that the aes crate gets at once: four batches of its bit-sliced form.
const BATCH: usize = 16;

pub(super) fn expand(key: Block) -> Aes128 {
    Aes128::new(&key.to_le_bytes().into())
}

pub(super) fn run(cipher: &Aes128, job: Job<'_>) {
    match job {
        Job::Encrypt(blocks) => encrypt_each(cipher, blocks),
        Job::Hash(blocks) => hash_each(cipher, blocks, |x| x),
        Job::HashInto(from, to) => hash_into(cipher, from, to, |x| x),
        Job::Circular(blocks) => hash_each(cipher, blocks, sigma),
        Job::CircularInto(from, to) => hash_into(cipher, from, to, sigma),
        Job::Stream(first, out) => {
            for (i, block) in out.iter_mut().enumerate() {
                *block = first.wrapping_add(i as Block);
            }
            encrypt_each(cipher, out);
        }
    }
}

fn encrypt_each(cipher: &Aes128, blocks: &mut [Block]) {
    for blocks in blocks.chunks_mut(BATCH) {
        let mut bytes = [::aes::Block::default(); BATCH];
        for (bytes, block) in bytes.iter_mut().zip(&*blocks) {
            *bytes = block.to_le_bytes().into();
        }
        cipher.encrypt_blocks(&mut bytes[..blocks.len()]);
        for (block, bytes) in blocks.iter_mut().zip(bytes) {
            *block = Block::from_le_bytes(bytes.into());
        }
    }
}

/// AES(s) ^ s with s = `before`(x) in place of each block x.
fn hash_each(cipher: &Aes128, blocks: &mut [Block], before: fn(Block) -> Block) {
    for blocks in blocks.chunks_mut(BATCH) {
        let mut from = [0; BATCH];
        from[..blocks.len()].copy_from_slice(blocks);
        hash_into(cipher, &from[..blocks.len()], blocks, before);
    }
}

fn hash_into(cipher: &Aes128, from: &[Block], to: &mut [Block], before: fn(Block) -> Block) {
    for (from, to) in from.chunks(BATCH).zip(to.chunks_mut(BATCH)) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = before(*from);
        }
        encrypt_each(cipher, to);
        for (to, from) in to.iter_mut().zip(from) {
            *to ^= before(*from);
        }
    }
}

/// The linear orthomorphism of circular hashing: (hi, lo) to (hi ^ lo, hi).
fn sigma(block: Block) -> Block {
    let (hi, lo) = (block >> 64, block & Block::from(u64::MAX));
    (hi ^ lo) << 64 | hi
}
