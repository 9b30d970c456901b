//! Elements: identifiers hashed in a domain, grouped, and told apart.
//!
//! `element = SHA-256(SHA-512(label || domain) || identifier)` (FIPS 180-4). The domain is hashed to
//! 64 bytes, one block of SHA-256, so that its state is computed once a batch.

mod commitment;
mod grouping;
mod map;
mod ordered;
mod sorting;

pub use commitment::{Commitment, commitment};
pub(crate) use grouping::split;
pub use grouping::{Grouped, Grouping, NOWHERE};
pub use map::ElementMap;

use arrow_array::{Array, LargeStringArray};
use rayon::prelude::*;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256, Sha512};

use crate::sha256;

/// A hashed identifier.
pub type Element = [u8; 32];

const DOMAIN: &[u8] = b"greenlane/element/1/";
/// Rows a task hashes: some 200 us of work.
const CHUNK: usize = 4096;

/// Hashes each identifier in a domain; a missing one gives zeros.
///
/// Shapes: n identifiers to n rows; what has no place in `rows` is left out.
/// Secret: the identifiers; the time depends on their lengths, at home only.
pub fn hash(identifiers: &LargeStringArray, domain: &str, rows: &mut [Element]) {
    let filled = rows.len().min(identifiers.len());
    InDomain::new(domain).hash(identifiers, &mut rows[..filled]);
}

/// SHA-256 after the block of a domain.
struct InDomain {
    hasher: Sha256,
    state: sha256::State,
}

/// Rows whose blocks are laid out side by side: 2 KiB, which stays in the first cache.
const GROUP: usize = 32;
/// The longest identifier that fills one block together with SHA-256's padding: 64 bytes less the
/// bit 1 and the length (FIPS 180-4, section 5.1.1).
const ONE_BLOCK: usize = 64 - 1 - 8;

impl InDomain {
    fn new(domain: &str) -> Self {
        let block: sha256::Block =
            Sha512::new_with_prefix(DOMAIN).chain_update(domain).finalize().into();
        let mut state = sha256::INITIAL;
        compress256(&mut state, &[block]);
        Self { hasher: Sha256::new_with_prefix(block), state }
    }

    /// Hashes each row; missing ones give zeros. On all cores.
    fn hash(&self, identifiers: &LargeStringArray, rows: &mut [Element]) {
        rows.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, rows)| {
            for (group, rows) in rows.chunks_mut(GROUP).enumerate() {
                self.hash_group(identifiers, chunk * CHUNK + group * GROUP, rows);
            }
        });
    }

    /// Hashes the rows from `start` on; missing ones give zeros. Short identifiers, nearly all, are
    /// padded here and cost one compression, which several rows share the machine for.
    fn hash_group(&self, identifiers: &LargeStringArray, start: usize, rows: &mut [Element]) {
        let mut blocks = [[0; 64]; GROUP];
        let (ends, texts) = (identifiers.value_offsets(), identifiers.value_data());
        for (i, block) in blocks[..rows.len()].iter_mut().enumerate() {
            let (from, to) = (ends[start + i] as usize, ends[start + i + 1] as usize);
            let length = to - from;
            let bits = 8 * (64 + length as u64);
            if let (true, Some(words)) = (length < 32, texts[from..].first_chunk::<32>()) {
                block[..32].copy_from_slice(&padded(words, length));
                block[56..].copy_from_slice(&bits.to_be_bytes());
            } else if length <= ONE_BLOCK {
                block[..length].copy_from_slice(&texts[from..to]);
                block[length] = 0x80;
                block[56..].copy_from_slice(&bits.to_be_bytes());
            }
        }
        sha256::compress_each(&self.state, &blocks, rows);
        for (i, row) in rows.iter_mut().enumerate() {
            let identifier = identifiers.value(start + i);
            if identifiers.is_null(start + i) {
                *row = [0; 32];
            } else if identifier.len() > ONE_BLOCK {
                *row = self.hasher.clone().chain_update(identifier).finalize().into();
            }
        }
    }
}

/// The first `length` bytes, below 32, behind which the bit 1 and zeros stand. Copies of a length
/// that only the machine knows would take longer than the hash.
fn padded(bytes: &[u8; 32], length: usize) -> [u8; 32] {
    let (halves, _) = bytes.as_chunks::<16>();
    let [low, high] = [halves[0], halves[1]].map(u128::from_le_bytes);
    let one = 1_u128 << (8 * (length % 16));
    let cut = |half: u128| half & (one - 1) | one << 7;
    let [low, high] = if length < 16 { [cut(low), 0] } else { [low, cut(high)] };
    let mut padded = [0; 32];
    padded[..16].copy_from_slice(&low.to_le_bytes());
    padded[16..].copy_from_slice(&high.to_le_bytes());
    padded
}

/// Whether rows differ in their first 16 bytes, by which protocols tell elements apart.
///
/// Shapes: n rows. Memory: 16 bytes for each, until this returns.
/// Secret: the rows; time and memory access depend on them, at home only.
#[must_use]
pub fn are_distinct(rows: &[Element]) -> bool {
    if rows.windows(2).all(|pair| prefix(&pair[0]) < prefix(&pair[1])) {
        return true;
    }
    !ordered::in_order(rows, |_| ())
}

/// Where each wanted element stands among others; [`NOWHERE`] if it does not.
///
/// Shapes: n distinct elements and m wanted ones to m places.
/// Secret: the elements; the time depends on them, at home only.
#[must_use]
pub fn places_among(elements: &[Element], wanted: &[Element]) -> Vec<u32> {
    let places: ElementMap<u32> = elements.iter().copied().zip(0..).collect();
    wanted.iter().map(|element| places.get(element).copied().unwrap_or(NOWHERE)).collect()
}

/// The first 16 bytes of a row, which order it among all that do not share them.
fn prefix(row: &Element) -> u128 {
    row.first_chunk().copied().map_or(0, u128::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_the_hash_of_the_hashed_domain_and_the_identifier() {
        let column = LargeStringArray::from(vec![Some("a"), None, Some("")]);
        let hashed = |domain| {
            let mut rows = [[1; 32]; 4];
            hash(&column, domain, &mut rows);
            rows
        };
        let elements = hashed("d");
        let block = Sha512::digest(b"greenlane/element/1/d");
        let expected = Sha256::new_with_prefix(block).chain_update(b"a").finalize();
        assert_eq!(elements[0], expected[..]);
        assert_eq!([elements[1], elements[3]], [[0; 32], [1; 32]]);
        assert_ne!(hashed("e")[0], elements[0]);
    }

    #[test]
    fn short_and_long_identifiers_hash_as_the_standard_says() {
        let block = Sha512::digest(b"greenlane/element/1/d");
        let texts: Vec<_> = (0..150).map(|length| "x".repeat(length)).collect();
        let mut hashed = [[0; 32]; 150];
        hash(&LargeStringArray::from_iter_values(&texts), "d", &mut hashed);
        for (length, text) in texts.iter().enumerate() {
            let expected = Sha256::new_with_prefix(block).chain_update(text).finalize();
            assert_eq!(hashed[length], expected[..], "{length} bytes");
        }
    }

    #[test]
    fn rows_are_distinct_if_their_first_half_is() {
        let rows: Vec<Element> = (0..100_u8).map(|i| [i; 32]).collect();
        let (mut back, mut twice) = (rows.clone(), rows.clone());
        back.reverse();
        twice.push(rows[7]);
        let mut half = back.clone();
        half.push([0; 32]);
        half[100][..16].fill(50);
        assert!(are_distinct(&[]) && are_distinct(&rows[..1]));
        assert!(are_distinct(&rows) && are_distinct(&back));
        assert!(!are_distinct(&twice) && !are_distinct(&half));
        assert!(!are_distinct(&[rows[3], rows[3]]));
    }

    #[test]
    fn an_element_is_found_where_it_stands_and_a_stranger_nowhere() {
        let rows: Vec<Element> = (0..10_u8).map(|i| [i; 32]).collect();
        let mut near = rows[4];
        near[31] ^= 1;
        let wanted = [rows[9], near, rows[0], [77; 32], rows[9]];
        assert_eq!(places_among(&rows, &wanted), [9, NOWHERE, 0, NOWHERE, 9]);
        assert_eq!(places_among(&[], &wanted[..1]), [NOWHERE]);
        assert!(places_among(&rows, &[]).is_empty());
    }
}
