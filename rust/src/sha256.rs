//! One compression of SHA-256 for each of many blocks, all from one state (FIPS 180-4, section 6.2.2).
//!
//! Hashing a column of short texts is one independent compression a row. `portable` is the
//! definition; what `x86` does for sixteen rows or two at once must agree with it on every input.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

/// A state of eight words.
pub type State = [u32; 8];
/// A block of a message, padding included.
pub type Block = [u8; 64];
/// A digest: the state after the last block, big-endian.
pub type Digest = [u8; 32];

/// The initial state of SHA-256 (FIPS 180-4, section 5.3.3).
pub const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Compresses each block from the same state: `out[i] = compress(state, blocks[i])`.
///
/// Shapes: `blocks` and `out` n entries each; extra entries of the longer one are ignored.
/// Secret: `blocks`; they decide no branch and no index.
pub fn compress_each(state: &State, blocks: &[Block], out: &mut [Digest]) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    let done = x86::compress_some(state, blocks, out);
    #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
    let done = 0;
    let n = blocks.len().min(out.len());
    portable::compress_each(state, &blocks[done..n], &mut out[done..n]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest as _;

    #[test]
    fn the_fast_path_agrees_with_the_portable_one_around_every_lane() {
        // Bytes cycle by 251, the largest prime below 256, so that swapped blocks show.
        for n in (0..20).chain([32, 49]) {
            let blocks: Vec<Block> =
                (0..n).map(|b| std::array::from_fn(|i| ((64 * b + i) % 251) as u8)).collect();
            for state in [INITIAL, [0; 8], [u32::MAX; 8]] {
                let (mut fast, mut slow) = (vec![[0; 32]; n], vec![[0; 32]; n]);
                compress_each(&state, &blocks, &mut fast);
                portable::compress_each(&state, &blocks, &mut slow);
                assert_eq!(fast, slow, "{n} blocks");
            }
        }
    }

    #[test]
    fn a_padded_block_gives_the_standards_digest() {
        let mut block = [0; 64];
        block[..4].copy_from_slice(b"abc\x80");
        block[63] = 24;
        let mut out = [[0; 32]; 3];
        compress_each(&INITIAL, &[block; 3], &mut out);
        assert_eq!(out, [<Digest>::from(sha2::Sha256::digest(b"abc")); 3]);
    }
}
