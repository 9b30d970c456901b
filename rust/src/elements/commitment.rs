//! A digest of a set under a key: the same for the same elements in any order, and nothing to whoever
//! lacks the key.
//!
//! ```text
//! digest = BLAKE3(key; the first 16 bytes of each element, in ascending order)
//! ```
//!
//! in the keyed mode of BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020, section 2.3), under a
//! key that is used for nothing else. Sixteen bytes tell elements apart wherever a party holds a set
//! ([`super::Grouped`]). To make two sets with one digest is to find two identifiers that hash to the
//! same 16 bytes, 2^64 evaluations also for who has the key, and these two are one to all protocols.

use super::Element;
use super::ordered::in_order;

/// What says which set is meant.
pub type Commitment = [u8; 32];

/// Digests the set of elements, and says whether one of them stands there twice.
///
/// Secret: key and elements. Time and memory access depend on the elements, at home only.
#[must_use]
pub fn commitment(key: &[u8; 32], elements: &[Element]) -> (Commitment, bool) {
    let mut hasher = blake3::Hasher::new_keyed(key);
    let repeats = in_order(elements, |rows| {
        hasher.update_rayon(rows.as_flattened());
    });
    (*hasher.finalize().as_bytes(), repeats)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::elements::ordered::{PART, Row};

    fn commitment(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
        let (digest, repeats) = super::commitment(key, elements);
        assert!(!repeats);
        digest
    }

    /// As the head of the file has it, by sorting all.
    fn slow(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
        let mut sorted: Vec<Row> =
            elements.iter().map(|element| *element.first_chunk().unwrap()).collect();
        sorted.sort();
        *blake3::keyed_hash(key, sorted.as_flattened()).as_bytes()
    }

    fn set(n: usize) -> Vec<Element> {
        (0..n as u64).map(|i| Sha256::digest(i.to_le_bytes()).into()).collect()
    }

    #[test]
    fn a_digest_is_what_the_head_of_the_file_says() {
        for n in [0, 1, 2, 3, 65, PART - 1, PART, PART + 1, 2 * PART, 21 * PART + 7, 270 * PART] {
            let mut elements = set(n);
            let digest = commitment(&[7; 32], &elements);
            assert_eq!(digest, slow(&[7; 32], &elements), "{n}");
            elements.reverse();
            assert_eq!(digest, commitment(&[7; 32], &elements), "{n}, in another order");
        }
    }

    #[test]
    fn elements_that_are_no_hashes_are_digested_too() {
        for shared in [0, 2, 7, 12] {
            let elements: Vec<Element> = (0..30_000_u32)
                .map(|i| {
                    let mut element = [0; 32];
                    element[shared..shared + 4].copy_from_slice(&i.to_be_bytes());
                    element
                })
                .collect();
            assert_eq!(commitment(&[1; 32], &elements), slow(&[1; 32], &elements), "{shared}");
        }
    }

    #[test]
    fn what_stands_there_twice_counts_once() {
        let mut elements = set(3 * PART);
        let digest = commitment(&[7; 32], &elements);
        elements.extend_from_within(5..900);
        assert_eq!(super::commitment(&[7; 32], &elements), (digest, true));
    }

    #[test]
    fn one_bit_of_key_or_element_makes_another_digest() {
        let elements = set(600);
        let digest = commitment(&[7; 32], &elements);
        let mut key = [7; 32];
        key[31] ^= 1;
        assert_ne!(digest, commitment(&key, &elements));
        for at in [0, 300, 599] {
            let mut others = elements.clone();
            others[at][15] ^= 1;
            assert_ne!(digest, commitment(&[7; 32], &others));
        }
        assert_ne!(digest, commitment(&[7; 32], &elements[1..]));
    }
}
