//! One compression of SHA-512 for each of many blocks, all from one state (FIPS 180-4, section 6.4.2).
//!
//! Hashing many short messages is one independent compression each. `portable` is the definition; what
//! `x86` does for eight blocks at once must agree with it on every input.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) mod x86;

/// A state of eight words.
pub type State = [u64; 8];
/// A block of a message, padding included.
pub type Block = [u8; 128];
/// A digest: the state after the last block, big-endian.
pub type Digest = [u8; 64];

/// The initial state of SHA-512 (FIPS 180-4, section 5.3.5).
pub const INITIAL: State = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// Compresses each block from the same state: `out[i] = compress(state, blocks[i])`.
///
/// Shapes: `blocks` and `out` n entries each; extra entries of the longer one are ignored.
/// Secret: `blocks`; they decide no branch and no index.
pub fn compress_each(state: &State, blocks: &[Block], out: &mut [Digest]) {
    let n = blocks.len().min(out.len());
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    let done = if has!("avx512bw", "avx512f") {
        let ((blocks, _), (out, _)) = (blocks[..n].as_chunks(), out[..n].as_chunks_mut());
        // SAFETY: `x86::compress_each` needs avx512bw and avx512f, which were just detected.
        #[expect(unsafe_code, reason = "the only door to x86")]
        unsafe {
            x86::compress_each(state, blocks, out);
        }
        blocks.as_flattened().len()
    } else {
        0
    };
    #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
    let done = 0;
    portable::compress_each(state, &blocks[done..n], &mut out[done..n]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest as _;

    #[test]
    fn the_fast_path_agrees_with_the_portable_one_around_every_lane() {
        // Bytes cycle by 251, the largest prime below 256, so that swapped blocks show.
        for n in (0..10).chain([16, 25]) {
            let blocks: Vec<Block> =
                (0..n).map(|b| std::array::from_fn(|i| ((128 * b + i) % 251) as u8)).collect();
            for state in [INITIAL, [0; 8], [u64::MAX; 8]] {
                let (mut fast, mut slow) = (vec![[0; 64]; n], vec![[0; 64]; n]);
                compress_each(&state, &blocks, &mut fast);
                portable::compress_each(&state, &blocks, &mut slow);
                assert_eq!(fast, slow, "{n} blocks");
            }
        }
    }

    #[test]
    fn a_padded_block_gives_the_standards_digest() {
        let mut block = [0; 128];
        block[..4].copy_from_slice(b"abc\x80");
        block[127] = 24;
        let mut out = [[0; 64]; 9];
        compress_each(&INITIAL, &[block; 9], &mut out);
        assert_eq!(out, [<Digest>::from(sha2::Sha512::digest(b"abc")); 9]);
    }
}
