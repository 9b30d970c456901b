//! From what keys read to their outputs.

use zeroize::Zeroizing;

use crate::aes::{Aes, Block};
use crate::session::numbered_key;

/// What the keys of one bin pass through, in order.
///
/// Without a salt the output is `mmo_tag(z)` of what was read. With one it is `mmo_bind(q)` with
/// `q = ccr_tag(z ^ salt) ^ h`, h being the key's own hash. A sender may know all z of its own Delta, and
/// then looks for two keys with one output, so that one tag stands for both. Here it can only begin
/// when it knows the salt, which the receiver draws after everything z is made of is fixed, and has
/// nothing better than the birthday attack on 128 bits.
pub(super) struct LastHash {
    tag: Aes,
    bound: Option<Bound>,
}

struct Bound {
    bind: Aes,
    salt: Block,
    hashes: Zeroizing<Vec<Block>>,
    /// How many of the keys have passed.
    done: usize,
}

impl LastHash {
    /// For the keys of a bin, of which `hashes` are theirs before anything is read.
    pub(super) fn new(sid: &[u8; 32], bin: usize, salt: Option<Block>, hashes: &[Block]) -> Self {
        let bound = salt.map(|salt| Bound {
            bind: numbered_key(sid, "bind", bin),
            salt,
            hashes: hashes.to_vec().into(),
            done: 0,
        });
        Self { tag: numbered_key(sid, "tag", bin), bound }
    }

    /// Replaces what the next keys have read by their outputs.
    ///
    /// # Panics
    /// If there are not so many keys left.
    pub(super) fn hash_each(&mut self, read: &mut [Block]) {
        let Some(bound) = &mut self.bound else { return self.tag.hash_each(read) };
        let hashes = &bound.hashes[bound.done..][..read.len()];
        bound.done += read.len();
        read.iter_mut().for_each(|z| *z ^= bound.salt);
        self.tag.circular_each(read);
        read.iter_mut().zip(hashes).for_each(|(q, hash)| *q ^= hash);
        bound.bind.hash_each(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_those_of_the_formulas_whatever_the_pieces() {
        let (sid, salt) = ([3; 32], 0xabcd << 100);
        let (read, hashes) = ([7, 8, 9, 10, Block::MAX], [1, 2, 3, 4, 5]);
        let one = |name: &str, f: fn(&Aes, &mut [Block]), x: Block| {
            let mut block = [x];
            f(&numbered_key(&sid, name, 6), &mut block);
            block[0]
        };
        let mut plain = read;
        LastHash::new(&sid, 6, None, &hashes).hash_each(&mut plain);
        let mut bound = read;
        let mut last = LastHash::new(&sid, 6, Some(salt), &hashes);
        let (first, rest) = bound.split_at_mut(2);
        last.hash_each(first);
        last.hash_each(rest);
        for i in 0..read.len() {
            assert_eq!(plain[i], one("tag", Aes::hash_each, read[i]));
            let q = one("tag", Aes::circular_each, read[i] ^ salt) ^ hashes[i];
            assert_eq!(bound[i], one("bind", Aes::hash_each, q));
        }
    }
}
