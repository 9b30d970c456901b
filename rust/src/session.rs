//! Public AES keys, one for each use in a session.

use sha2::{Digest, Sha256};

use crate::aes::{Aes, Block};

/// What each key of the match over VOLE is hashed with, before its label.
const DOMAIN: &[u8] = b"greenlane/vole/1/";

/// The key of one use: the first 16 bytes of `SHA-256(DOMAIN || label || sid)`.
///
/// Two labels never give one input, as `sid` has one length. Uses with many points under one key are
/// numbered ([`numbered_key`]). Nothing is secret: both parties and everybody else may know the keys.
#[must_use]
pub fn session_key(sid: &[u8; 32], label: &str) -> Aes {
    let digest = Sha256::new_with_prefix(DOMAIN).chain_update(label).chain_update(sid).finalize();
    let (first, _) = digest.split_at(size_of::<Block>());
    Aes::new(first.iter().rev().fold(0, |key, byte| key << 8 | Block::from(*byte)))
}

/// The key of one use in one chunk or bin: that of the label `use/number`.
///
/// Who guesses at Delta tests a guess against all points of a key at once, so that with D points a
/// search costs 2^128 / D calls of the cipher. A chunk and a bin have some 2^14 points each; a session
/// may have 2^30.
#[must_use]
pub fn numbered_key(sid: &[u8; 32], name: &str, number: usize) -> Aes {
    session_key(sid, &format!("{name}/{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_first_half_of_the_digest_of_domain_label_and_session() {
        let sid: [u8; 32] = std::array::from_fn(|i| i as u8);
        let digest: [u8; 32] = Sha256::digest([b"greenlane/vole/1/row", &sid[..]].concat()).into();
        let key = Block::from_le_bytes(*digest.first_chunk().unwrap());
        let (mut one, mut other) = ([1, 2, 3], [1, 2, 3]);
        session_key(&sid, "row").encrypt_each(&mut one);
        Aes::new(key).encrypt_each(&mut other);
        assert_eq!(one, other);
    }

    #[test]
    fn another_label_or_session_gives_another_key() {
        let zero = |sid: [u8; 32], label: &str| {
            let mut block = [0];
            session_key(&sid, label).encrypt_each(&mut block);
            block[0]
        };
        assert_ne!(zero([0; 32], "row"), zero([0; 32], "value"));
        assert_ne!(zero([0; 32], "row"), zero([1; 32], "row"));
        let mut block = [0];
        numbered_key(&[0; 32], "tag", 10).encrypt_each(&mut block);
        assert_eq!(block[0], zero([0; 32], "tag/10"));
    }
}
