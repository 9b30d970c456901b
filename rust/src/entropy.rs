//! Secret randomness: from the operating system, or fixed by a seed in tests.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zeroize::Zeroize;

use crate::error::Error;

/// A stream of secret random bytes: ChaCha20 under a seed of 32 bytes.
///
/// Secret: all of it. One `Entropy` serves one session.
pub struct Entropy {
    stream: ChaCha20Rng,
}

impl Entropy {
    /// Seeds a stream from the operating system.
    ///
    /// # Errors
    /// [`Error::Entropy`] if the operating system gives none.
    pub fn from_os() -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| Error::Entropy)?;
        let entropy = Self { stream: ChaCha20Rng::from_seed(seed) };
        seed.zeroize();
        Ok(entropy)
    }

    /// Seeds a stream from fixed bytes, so that a test can repeat a session.
    pub fn from_seed_for_tests(seed: [u8; 32]) -> Self {
        Self { stream: ChaCha20Rng::from_seed(seed) }
    }

    /// A stream that everybody who knows the seed can repeat: for what is public and must only be
    /// uniform, such as a session's code.
    pub fn from_public_seed(seed: [u8; 32]) -> Self {
        Self { stream: ChaCha20Rng::from_seed(seed) }
    }

    /// Fills `out` with the next bytes of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.stream.fill_bytes(out);
    }

    /// Draws a uniform index below `bound`, which is at least 1.
    ///
    /// Takes the high half of a 64 x 32 bit product and draws again where the low half would favour
    /// some indices (Lemire, ACM TOMACS 29 (2019), algorithm 5).
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(bound);
        loop {
            let product = u128::from(self.stream.next_u64()) * u128::from(bound);
            // What must be drawn again is below `bound`, so that the division is seldom made.
            let low = product as u64;
            if low >= wide || low >= wide.wrapping_neg() % wide {
                return (product >> 64) as u32;
            }
        }
    }
}
