//! Elements: identifiers hashed in a domain, made distinct, and looked up.
//!
//! `element = SHA-256(SHA-512(label || domain) || identifier)` (FIPS 180-4). The domain is hashed to
//! 64 bytes, one block of SHA-256, so that its state is computed once a batch.

use arrow_array::{Array, FixedSizeBinaryArray, Int64Array, LargeStringArray};
use rayon::prelude::*;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256, Sha512};

use crate::error::Error;
use crate::sha256;

/// A hashed identifier.
pub type Element = [u8; 32];

const DOMAIN: &[u8] = b"greenlane/element/1/";
/// Rows a task hashes: some 200 us of work.
const CHUNK: usize = 4096;

/// Hashes each identifier in a domain; a missing one stays missing.
///
/// Shapes: n identifiers to n rows of 32 bytes.
/// Secret: the identifiers; the time depends on their lengths, at home only.
///
/// # Errors
/// None that the arguments can cause; the builder's own are passed on as [`Error::Length`].
pub fn hash(identifiers: &LargeStringArray, domain: &str) -> Result<FixedSizeBinaryArray, Error> {
    let domain = InDomain::new(domain);
    let mut rows: Vec<Element> = vec![[0; 32]; identifiers.len()];
    rows.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, rows)| {
        for (group, rows) in rows.chunks_mut(GROUP).enumerate() {
            domain.hash_group(identifiers, chunk * CHUNK + group * GROUP, rows);
        }
    });
    let values = arrow_buffer::Buffer::from_vec(rows.into_flattened());
    FixedSizeBinaryArray::try_new(32, values, identifiers.nulls().cloned()).map_err(|_| {
        Error::Length { argument: "identifiers", expected: identifiers.len(), actual: 0 }
    })
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

    /// Hashes the rows from `start` on; missing ones give zeros. Short identifiers, nearly all, are
    /// padded here and cost one compression, which several rows share the machine for.
    fn hash_group(&self, identifiers: &LargeStringArray, start: usize, rows: &mut [Element]) {
        let mut blocks = [[0; 64]; GROUP];
        for (i, block) in blocks[..rows.len()].iter_mut().enumerate() {
            let identifier = identifiers.value(start + i).as_bytes();
            if identifier.len() <= ONE_BLOCK {
                block[..identifier.len()].copy_from_slice(identifier);
                block[identifier.len()] = 0x80;
                let bits = 8 * (64 + identifier.len() as u64);
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

/// Sorts all rows that are not missing, and counts equal ones.
///
/// Shapes: the arrays together hold n rows; the results are m ascending distinct elements, and how
/// often each stands among the rows.
/// Secret: the elements; order and time depend on them, at home only.
///
/// # Errors
/// [`Error::Length`] if a row is not 32 bytes, [`Error::TooLarge`] from 2^32 rows.
pub fn distinct(arrays: &[&FixedSizeBinaryArray]) -> Result<(Vec<Element>, Vec<u32>), Error> {
    let mut rows: Vec<Element> = Vec::with_capacity(arrays.iter().map(|a| a.len()).sum());
    for array in arrays {
        same_width(array)?;
        rows.extend(array.iter().flatten().filter_map(|row| row.first_chunk()).copied());
    }
    let bound = u32::MAX as usize;
    if rows.len() > bound {
        return Err(Error::TooLarge { argument: "arrays", bound, actual: rows.len() });
    }
    rows.par_sort_unstable();
    let mut counts: Vec<u32> = Vec::new();
    let mut last = None;
    rows.retain(|row| {
        if last == Some(*row) {
            if let Some(count) = counts.last_mut() {
                *count += 1;
            }
            return false;
        }
        last = Some(*row);
        counts.push(1);
        true
    });
    rows.shrink_to_fit();
    Ok((rows, counts))
}

/// Finds each row among ascending elements: its index there, or missing.
///
/// Shapes: n rows and m elements to n indices.
/// Secret: both; which elements are read depends on the rows, at home only.
///
/// # Errors
/// [`Error::Length`] if a row is not 32 bytes.
pub fn lookup(rows: &FixedSizeBinaryArray, ascending: &[Element]) -> Result<Int64Array, Error> {
    same_width(rows)?;
    let indices: Vec<Option<i64>> = (0..rows.len())
        .into_par_iter()
        .with_min_len(CHUNK)
        .map(|i| {
            let row = rows.is_valid(i).then(|| rows.value(i).first_chunk::<32>()).flatten()?;
            ascending.binary_search(row).ok().map(|index| index as i64)
        })
        .collect();
    Ok(Int64Array::from(indices))
}

/// Checks that elements ascend strictly, hence are distinct.
///
/// # Errors
/// [`Error::Order`] at the first row that does not.
pub fn check_ascending(elements: &[Element]) -> Result<(), Error> {
    match elements.windows(2).position(|pair| pair[0] >= pair[1]) {
        Some(index) => Err(Error::Order { argument: "elements", index: index + 1 }),
        None => Ok(()),
    }
}

fn same_width(array: &FixedSizeBinaryArray) -> Result<(), Error> {
    if array.value_length() == 32 {
        return Ok(());
    }
    let actual = array.value_length() as usize;
    Err(Error::Length { argument: "elements", expected: 32, actual })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_the_hash_of_the_hashed_domain_and_the_identifier() {
        let column = LargeStringArray::from(vec![Some("a"), None, Some("")]);
        let elements = hash(&column, "d").unwrap();
        let block = Sha512::digest(b"greenlane/element/1/d");
        let expected = Sha256::new_with_prefix(block).chain_update(b"a").finalize();
        assert_eq!(elements.value(0), &expected[..]);
        assert!(elements.is_null(1));
        assert!(elements.is_valid(2));
        assert_ne!(hash(&column, "e").unwrap().value(0), elements.value(0));
    }

    #[test]
    fn short_and_long_identifiers_hash_as_the_standard_says() {
        let block = Sha512::digest(b"greenlane/element/1/d");
        let texts: Vec<_> = (0..150).map(|length| "x".repeat(length)).collect();
        let hashed = hash(&LargeStringArray::from_iter_values(&texts), "d").unwrap();
        for (length, text) in texts.iter().enumerate() {
            let expected = Sha256::new_with_prefix(block).chain_update(text).finalize();
            assert_eq!(hashed.value(length), &expected[..], "{length} bytes");
        }
    }

    #[test]
    fn equal_rows_are_counted_and_found() {
        let names = |rows: Vec<Option<&str>>| hash(&LargeStringArray::from(rows), "d").unwrap();
        let (one, two) =
            (names(vec![Some("a"), None, Some("b")]), names(vec![Some("a"), Some("c")]));
        let (elements, counts) = distinct(&[&one, &two]).unwrap();
        assert_eq!(check_ascending(&elements), Ok(()));
        let found = lookup(&one, &elements).unwrap();
        assert_eq!(counts[found.value(0) as usize], 2);
        assert!(found.is_null(1));
        assert_eq!(counts[found.value(2) as usize], 1);
        assert!(lookup(&names(vec![Some("z")]), &elements).unwrap().is_null(0));
        assert_eq!(counts.iter().sum::<u32>(), 4);
        assert!(distinct(&[]).unwrap().0.is_empty());
    }
}
