//! Poly1305 of one message under a key of its own (RFC 8439, section 2.5), as ChaCha20-Poly1305 has it
//! over a head and a body (section 2.8).
//!
//! Numbers modulo p = 2^130 - 5 are three limbs of 44, 44 and 42 bits. What lies beyond 2^130 comes
//! back five times, and beyond 2^132, where products with limbs 1 and 2 lie, twenty times. A limb of
//! what was multiplied before is below 2^45, products below 2^96, and no sum of three reaches 2^98.
//! Libraries prepare powers of a key for long messages; a label has a handful of blocks.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a tag.
pub const TAG: usize = 16;

const LOW: u64 = (1 << 44) - 1;
const HIGH: u64 = (1 << 42) - 1;

/// The tag of head and body, each filled up with zeros to whole blocks, and their lengths.
///
/// Secret: all; only lengths decide a branch.
#[must_use]
pub fn tag(key: &[u8; 32], head: &[u8], body: &[u8]) -> [u8; TAG] {
    let (words, _) = key.as_chunks().0.split_at(4);
    let [r0, r1, s0, s1] =
        [0, 1, 2, 3].map(|i| words.get(i).map_or(0, |word| u64::from_le_bytes(*word)));
    let mut sum = Sum::new(r0, r1);
    for part in [head, body] {
        let (blocks, rest) = part.as_chunks();
        blocks.iter().for_each(|block| sum.add(block));
        if !rest.is_empty() {
            let mut block = [0; 16];
            block[..rest.len()].copy_from_slice(rest);
            sum.add(&block);
        }
    }
    let lengths = head.len() as u128 | (body.len() as u128) << 64;
    sum.add(&lengths.to_le_bytes());
    let pad = u128::from(s0) | u128::from(s1) << 64;
    sum.finish().wrapping_add(pad).to_le_bytes()
}

/// The sum so far, and what multiplies it. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Sum {
    h: [u64; 3],
    r: [u64; 3],
}

impl Sum {
    /// From the first half of a key, of which some bits count as zeros.
    fn new(r0: u64, r1: u64) -> Self {
        let r = limbs(r0 & 0x0fff_fffc_0fff_ffff, r1 & 0x0fff_fffc_0fff_fffc);
        Self { h: [0; 3], r }
    }

    /// Adds a whole block, and multiplies.
    fn add(&mut self, block: &[u8; 16]) {
        let block = u128::from_le_bytes(*block);
        let [b0, b1, b2] = limbs(block as u64, (block >> 64) as u64);
        let [h0, h1, h2] = self.h;
        // A bit stands behind the block: 2^128 is bit 40 of the last limb.
        let h = [h0 + b0, h1 + b1, h2 + b2 + (1 << 40)].map(u128::from);
        let [r0, r1, r2] = self.r.map(u128::from);
        let (s1, s2) = (20 * r1, 20 * r2);
        let d0 = h[0] * r0 + h[1] * s2 + h[2] * s1;
        let d1 = h[0] * r1 + h[1] * r0 + h[2] * s2 + (d0 >> 44);
        let d2 = h[0] * r2 + h[1] * r1 + h[2] * r0 + (d1 >> 44);
        let h0 = (d0 as u64 & LOW) + 5 * (d2 >> 42) as u64;
        self.h = [h0 & LOW, (d1 as u64 & LOW) + (h0 >> 44), d2 as u64 & HIGH];
    }

    /// The sum modulo p, its lower 128 bits.
    fn finish(self) -> u128 {
        let [mut h0, mut h1, mut h2] = self.h;
        for _ in 0..2 {
            h2 += h1 >> 44;
            h1 &= LOW;
            h0 += 5 * (h2 >> 42);
            h2 &= HIGH;
            h1 += h0 >> 44;
            h0 &= LOW;
        }
        // Less p, which is 2^130 more and 5 less, if that does not fall below zero.
        let g0 = h0 + 5;
        let g1 = h1 + (g0 >> 44);
        let g2 = h2 + (g1 >> 44);
        let keep = (g2 >> 42).wrapping_sub(1); // all bits where it is below p
        let choose = |h: u64, g: u64| u128::from(h & keep | g & !keep);
        choose(h0, g0 & LOW) | choose(h1, g1 & LOW) << 44 | choose(h2, g2) << 88
    }
}

fn limbs(low: u64, high: u64) -> [u64; 3] {
    [low & LOW, (low >> 44 | high << 20) & LOW, high >> 24]
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::{AeadInOut, KeyInit};
    use chacha20poly1305::{ChaCha20Poly1305, Nonce};

    use super::*;
    use crate::chacha20;
    use crate::entropy::Entropy;

    #[test]
    fn a_tag_is_that_of_the_library() {
        let mut entropy = Entropy::from_seed_for_tests([88; 32]);
        for length in (0..70).chain([255, 1000]) {
            let (mut key, mut head, mut body) = ([0; 32], vec![0; length % 33], vec![0; length]);
            entropy.fill(&mut key);
            entropy.fill(&mut head);
            entropy.fill(&mut body);
            let due = ChaCha20Poly1305::new(&key.into())
                .encrypt_inout_detached(&Nonce::default(), &head, body.as_mut_slice().into())
                .unwrap();
            let mut block = [[0; 64]];
            chacha20::blocks(&[key], 0, &mut block);
            let own = block[0].first_chunk().unwrap();
            assert_eq!(tag(own, &head, &body), <[u8; TAG]>::from(due), "{length} bytes, seed 88");
        }
    }

    #[test]
    fn numbers_around_p_are_reduced() {
        // RFC 8439, section A.3, vectors 7 to 11: r, s, blocks, tag.
        let ones = u128::MAX;
        let bytes = |low: u8, others: u8| {
            let mut bytes = [others; 16];
            bytes[0] = low;
            u128::from_le_bytes(bytes)
        };
        let vectors = [
            (2, 0, vec![ones], 3),
            (2, ones, vec![2], 3),
            (1, 0, vec![ones, bytes(0xf0, 0xff), 0x11], 5),
            (1, 0, vec![ones, bytes(0xfb, 0xfe), bytes(1, 1)], 0),
            (2, 0, vec![bytes(0xfd, 0xff)], bytes(0xfa, 0xff)),
        ];
        for (r, s, blocks, due) in vectors {
            let mut sum = Sum::new(r, 0);
            blocks.iter().for_each(|block| sum.add(&block.to_le_bytes()));
            assert_eq!(sum.finish().wrapping_add(s), due, "r = {r}, {} blocks", blocks.len());
        }
    }
}
