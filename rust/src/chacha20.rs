//! Blocks of ChaCha20 under many keys, each of which serves one message (RFC 8439, section 2.3).
//!
//! A library makes many blocks of one key at once; labels need a block or two of each of a million
//! keys. `portable` is the definition; what `x86` does for sixteen keys at once must agree with it.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

/// Keys that are computed with at once where the machine can: fewer take as long.
pub const LANES: usize = 16;

/// A key.
pub type Key = [u8; 32];
/// A block of the key stream.
pub type Block = [u8; 64];

/// The words in front of the key (RFC 8439, section 2.3).
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// Block `counter` of each key, with a nonce of zeros.
///
/// Shapes: `keys` and `out` n entries each; extra entries of the longer one are ignored.
/// Secret: keys and blocks; they decide no branch and no index.
pub fn blocks(keys: &[Key], counter: u32, out: &mut [Block]) {
    let n = keys.len().min(out.len());
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    let done = if has!("avx512f") {
        let ((keys, _), (out, _)) = (keys[..n].as_chunks(), out[..n].as_chunks_mut());
        // SAFETY: `x86::blocks` needs avx512f, which was just detected.
        #[expect(unsafe_code, reason = "the only door to x86")]
        unsafe {
            x86::blocks(keys, counter, out);
        }
        keys.as_flattened().len()
    } else {
        0
    };
    #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
    let done = 0;
    for (key, block) in keys[done..n].iter().zip(&mut out[done..n]) {
        *block = portable::block(key, counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_that_of_the_standard() {
        // RFC 8439, section A.1, vectors 1 and 2: a key of zeros, blocks 0 and 1.
        let starts = [
            (0, [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]),
            (1, [0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a]),
        ];
        for (counter, start) in starts {
            let mut out = [[0; 64]; 17];
            blocks(&[[0; 32]; 17], counter, &mut out);
            assert!(out.iter().all(|block| block[..8] == start), "block {counter}");
        }
    }

    #[test]
    fn the_fast_path_agrees_with_the_portable_one_around_every_lane() {
        for n in (0..18).chain([32, 49]) {
            // Bytes cycle by 251, the largest prime below 256, so that swapped words show.
            let keys: Vec<Key> =
                (0..n).map(|k| std::array::from_fn(|i| ((32 * k + i) % 251) as u8)).collect();
            for counter in [0, 1, u32::MAX] {
                let mut fast = vec![[0; 64]; n];
                blocks(&keys, counter, &mut fast);
                let slow: Vec<Block> =
                    keys.iter().map(|key| portable::block(key, counter)).collect();
                assert_eq!(fast, slow, "{n} keys, block {counter}");
            }
        }
    }
}
