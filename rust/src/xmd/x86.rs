//! `expand_message_xmd` for eight messages side by side, with AVX-512.

use std::arch::x86_64::{__m512i, _mm512_setzero_si512};

use zeroize::Zeroizing;

use super::DIGEST;
use crate::compression::WORDS;
use crate::sha512::INITIAL;
use crate::sha512::x86::{K, LANES, compress, everywhere, words, write};

/// Bytes of a block.
const BLOCK: usize = 8 * WORDS;

/// What two hashes have in common, whatever the message.
pub(super) struct Lanes {
    /// The state of the first behind its block of zeros.
    begun: [u64; 8],
    /// What the second hashes behind the digest of the first, padded.
    rest: Vec<u8>,
}

impl Lanes {
    /// From what follows every message.
    #[target_feature(enable = "avx512bw,avx512f")]
    pub(super) fn new(suffix: &[u8]) -> Self {
        let mut state = INITIAL.map(|word| everywhere(word));
        compress(&mut state, [_mm512_setzero_si512(); WORDS], &K);
        // Of the suffix, the length that was asked for and the zero are not hashed again.
        let mut rest = vec![1];
        rest.extend_from_slice(&suffix[3..]);
        pad(&mut rest, DIGEST);
        let mut begun = [[0; DIGEST]; LANES];
        write(state, &mut begun);
        let begun = std::array::from_fn(|i| word_at(&begun[0], 8 * i));
        Self { begun, rest }
    }

    /// Expands messages, all of which have `length` bytes, between a prefix and a suffix.
    #[target_feature(enable = "avx512bw,avx512f")]
    pub(super) fn expand<T: AsRef<[u8]>>(
        &self,
        (prefix, length, suffix): (&[u8], usize, &[u8]),
        messages: &[T],
        out: &mut [[u8; DIGEST]],
    ) {
        let mut padded = [prefix, &vec![0; length], suffix].concat();
        pad(&mut padded, BLOCK);
        let mut lanes = Zeroizing::new([(); LANES].map(|()| padded.clone()));
        for (messages, out) in messages.chunks(LANES).zip(out.chunks_mut(LANES)) {
            for (lane, message) in lanes.iter_mut().zip(messages) {
                lane[prefix.len()..][..length].copy_from_slice(message.as_ref());
            }
            let mut state = self.begun.map(|word| everywhere(word));
            for block in 0..padded.len() / BLOCK {
                let blocks = lanes.each_ref().map(|lane| &lane.as_chunks().0[block]);
                compress(&mut state, words(blocks), &K);
            }
            let mut digests = [[0; DIGEST]; LANES];
            write(self.second(state), &mut digests);
            let count = messages.len().min(out.len());
            out[..count].copy_from_slice(&digests[..count]);
        }
    }

    /// The second hash, of a digest and what follows it.
    #[target_feature(enable = "avx512bw,avx512f")]
    fn second(&self, digest: [__m512i; 8]) -> [__m512i; 8] {
        let mut state = INITIAL.map(|word| everywhere(word));
        let mut words = [_mm512_setzero_si512(); WORDS];
        words[..8].copy_from_slice(&digest);
        let mut filled = 8;
        for at in (0..self.rest.len()).step_by(8) {
            words[filled] = everywhere(word_at(&self.rest, at));
            filled += 1;
            if filled == WORDS {
                compress(&mut state, words, &K);
                filled = 0;
            }
        }
        state
    }
}

/// Pads the end of a message before which so many bytes were hashed (section 5.1.2).
fn pad(end: &mut Vec<u8>, before: usize) {
    let length = before + end.len();
    end.push(0x80);
    end.resize((length + 1 + 16).next_multiple_of(BLOCK) - 8 - before, 0);
    end.extend_from_slice(&(8 * length as u64).to_be_bytes());
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_be_bytes(*word))
}
