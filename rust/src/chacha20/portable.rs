//! The definition: RFC 8439, section 2.3.

use super::{Block, CONSTANTS, Key};

pub(super) fn block(key: &Key, counter: u32) -> Block {
    let mut initial = [0; 16];
    initial[..4].copy_from_slice(&CONSTANTS);
    for (word, bytes) in initial[4..].iter_mut().zip(key.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    initial[12] = counter;
    let mut s = initial;
    for _ in 0..10 {
        for i in 0..4 {
            quarter_round(&mut s, [i, 4 + i, 8 + i, 12 + i]);
        }
        for i in 0..4 {
            quarter_round(&mut s, [i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4]);
        }
    }
    let mut block = [0; 64];
    for ((bytes, word), initial) in block.as_chunks_mut().0.iter_mut().zip(s).zip(initial) {
        *bytes = word.wrapping_add(initial).to_le_bytes();
    }
    block
}

fn quarter_round(s: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for (x, y, z, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        s[x] = s[x].wrapping_add(s[y]);
        s[z] = (s[z] ^ s[x]).rotate_left(by);
    }
}
