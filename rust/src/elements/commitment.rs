//! A digest of a set under a key: the same for the same elements in any order, and nothing to whoever
//! lacks the key.
//!
//! A set of n elements has 2^d groups by their first bits, about [`GROUP`] in each. With `first` as the
//! 64 bytes SHA-512(label || key), one block of SHA-256,
//!
//! ```text
//! group_g = SHA-256(first || count_g || its elements in ascending order)
//! digest  = SHA-256(first || n || group_0 || group_1 || ...)
//! ```
//!
//! with counts of 8 bytes, little-endian. Two sets with one digest are a collision of SHA-256 (FIPS
//! 180-4). As n says how long what follows is, no digest goes on from another.

use rayon::prelude::*;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::Element;

const LABEL: &[u8] = b"greenlane/commitment/1/";
/// Elements of a group: 8 KiB, which are sorted and hashed within the first cache.
const GROUP: usize = 256;
/// The most bits that tell groups apart; the smallest that any set with positions of 32 bits needs.
const MOST_BITS: u32 = 24;

/// Digests a set.
///
/// Secret: key and elements. Time depends on n and on how elements fall into groups, at home only.
pub fn commitment(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
    let first = Zeroizing::new(<[u8; 64]>::from(
        Sha512::new_with_prefix(LABEL).chain_update(key).finalize(),
    ));
    let first = Sha256::new_with_prefix(*first);
    let bits = elements.len().div_ceil(GROUP).next_power_of_two().ilog2().min(MOST_BITS);
    let mut groups = grouped(elements, bits);
    let digests: Vec<[u8; 32]> = groups
        .slices()
        .into_par_iter()
        .with_min_len(16)
        .map(|group| {
            // Nearly all are told apart by their first bytes, which a processor compares at once.
            group.sort_unstable_by(|a, b| head(a).cmp(&head(b)).then_with(|| a.cmp(b)));
            let count = (group.len() as u64).to_le_bytes();
            first.clone().chain_update(count).chain_update(group.as_flattened()).finalize().into()
        })
        .collect();
    let n = (elements.len() as u64).to_le_bytes();
    first.chain_update(n).chain_update(digests.as_flattened()).finalize().into()
}

fn head(element: &Element) -> u64 {
    u64::from_be_bytes(element.as_chunks().0[0])
}

/// Elements by their first bits.
struct Groups {
    rows: Vec<Element>,
    ends: Vec<usize>,
}

impl Groups {
    /// The elements of each.
    fn slices(&mut self) -> Vec<&mut [Element]> {
        let (mut rest, mut start) = (self.rows.as_mut_slice(), 0);
        let mut slices = Vec::with_capacity(self.ends.len());
        for end in &self.ends {
            let (group, others) = rest.split_at_mut(end - start);
            slices.push(group);
            (rest, start) = (others, *end);
        }
        slices
    }
}

/// Copies the elements into 2^`bits` groups.
fn grouped(elements: &[Element], bits: u32) -> Groups {
    // A shift by all 64 bits would be none.
    let group = |element: &Element| (head(element) >> 1 >> (63 - bits)) as usize;
    let mut ends = vec![0; 1 << bits];
    elements.iter().for_each(|element| ends[group(element)] += 1);
    let mut before = 0;
    for end in &mut ends {
        (before, *end) = (before + *end, before);
    }
    let mut rows = vec![[0; 32]; elements.len()];
    for element in elements {
        let end = &mut ends[group(element)];
        rows[*end] = *element;
        *end += 1;
    }
    Groups { rows, ends }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the head of the file has it, by sorting all.
    fn slow(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
        let first = Sha512::new_with_prefix(LABEL).chain_update(key).finalize();
        let mut sorted = elements.to_vec();
        sorted.sort();
        let mut groups = 1;
        while groups * GROUP < elements.len() {
            groups *= 2;
        }
        let mut outer =
            Sha256::new_with_prefix(first).chain_update((elements.len() as u64).to_le_bytes());
        for group in 0..groups {
            let here = |element: &&Element| {
                (u128::from(head(element)) * groups as u128) >> 64 == group as u128
            };
            let count = sorted.iter().filter(here).count() as u64;
            let mut hash = Sha256::new_with_prefix(first).chain_update(count.to_le_bytes());
            sorted.iter().filter(here).for_each(|element| hash.update(element));
            outer.update(hash.finalize());
        }
        outer.finalize().into()
    }

    fn set(n: usize) -> Vec<Element> {
        (0..n as u64).map(|i| Sha256::digest(i.to_le_bytes()).into()).collect()
    }

    #[test]
    fn a_digest_is_what_the_head_of_the_file_says() {
        for n in [0, 1, 2, 255, 256, 257, 511, 512, 513, 1024, 1025, 3000] {
            let mut elements = set(n);
            let digest = commitment(&[7; 32], &elements);
            assert_eq!(digest, slow(&[7; 32], &elements), "{n}");
            elements.reverse();
            assert_eq!(digest, commitment(&[7; 32], &elements), "{n}, in another order");
        }
    }

    #[test]
    fn elements_that_are_no_hashes_are_digested_too() {
        let elements: Vec<Element> = (0..3000_u32)
            .map(|i| {
                let mut element = [0; 32];
                element[28..].copy_from_slice(&i.to_be_bytes());
                element
            })
            .collect();
        assert_eq!(commitment(&[1; 32], &elements), slow(&[1; 32], &elements));
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
            others[at][31] ^= 1;
            assert_ne!(digest, commitment(&[7; 32], &others));
        }
        assert_ne!(digest, commitment(&[7; 32], &elements[1..]));
    }
}
