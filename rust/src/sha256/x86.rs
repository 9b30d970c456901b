//! Several blocks at once on x86: sixteen in the lanes of AVX-512, or two side by side on the SHA
//! extensions.

mod sixteen;
mod two;

use super::{Block, Digest, State};

/// Compresses as many blocks as the fast twins of this machine take, from the first on, and returns how
/// many these are.
pub(super) fn compress_some(state: &State, blocks: &[Block], out: &mut [Digest]) -> usize {
    let n = blocks.len().min(out.len());
    let (blocks, out) = (&blocks[..n], &mut out[..n]);
    let mut done = 0;
    if has!("avx512bw", "avx512f") {
        let (blocks, _) = blocks.as_chunks();
        let (out, _) = out.as_chunks_mut();
        done = blocks.as_flattened().len();
        // SAFETY: `sixteen` needs avx512bw and avx512f, which were just detected.
        #[expect(unsafe_code, reason = "the only door to `sixteen`")]
        unsafe {
            sixteen::compress_each(state, blocks, out);
        }
    }
    if has!("sha", "sse4.1", "ssse3") {
        // SAFETY: `two` needs sha, sse4.1 and ssse3, which were just detected.
        #[expect(unsafe_code, reason = "the only door to `two`")]
        unsafe {
            two::compress_each(state, &blocks[done..], &mut out[done..]);
        }
        done = n;
    }
    done
}
