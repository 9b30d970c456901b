//! What a prepared table holds, as its holder remembers it: each element with a digest of its records, so
//! that the next table says only what has changed.
//!
//! Kept in sealed blocks, one for each table that was published, each with that table's number.

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::elements::{Element, ElementMap};
use crate::entropy::Entropy;
use crate::error::Error;
use crate::evaluations::store_key;
use crate::sealed;
use crate::voprf::SecretKey;

/// Of an element's records, in any order: the sum of their hashes. Two lists of records that nobody made
/// to be so have the same with 2^-128.
pub type Digest = [u8; 16];

/// Stands for the digest of an element that is there no more.
const GONE: Digest = [0xff; 16];
const ROW: usize = 48;
const NUMBER: usize = 8;

/// Digests by their elements.
pub struct Contents {
    store: Zeroizing<[u8; 32]>,
    held: ElementMap<Held>,
    /// How often was compared.
    comparisons: u32,
}

/// Of one element.
struct Held {
    digest: Digest,
    /// The last comparison in which the element was there.
    seen: u32,
}

/// What the next table must say.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// Positions of elements that are new, or whose records are others.
    pub changed: Vec<u32>,
    /// Elements that are there no more.
    pub gone: Vec<Element>,
}

impl Contents {
    /// Of a table that holds nothing yet.
    pub fn new(key: &SecretKey) -> Self {
        Self { store: store_key(key), held: ElementMap::default(), comparisons: 0 }
    }

    /// The number of the table of which a block tells.
    ///
    /// # Errors
    /// [`Error::Check`] if it was not sealed by this key for this context.
    pub fn number(&self, block: &[u8], context: &[u8]) -> Result<u64, Error> {
        let opened = sealed::open(&self.store, context, block)?;
        Ok(parts(&opened)?.0)
    }

    /// Takes a block in again, behind those before it.
    ///
    /// # Errors
    /// [`Error::Check`] if it was not sealed by this key for this context.
    pub fn read(&mut self, block: &[u8], context: &[u8]) -> Result<(), Error> {
        let opened = sealed::open(&self.store, context, block)?;
        let (_, rows) = parts(&opened)?;
        self.held.reserve(rows.len());
        for row in rows {
            let (element, digest) = row.split_at(32);
            let (element, digest) = (element.as_chunks().0[0], digest.as_chunks().0[0]);
            self.set(element, digest);
        }
        Ok(())
    }

    /// Compares with what is to be held now.
    ///
    /// Shapes: n distinct elements, n digests.
    ///
    /// # Errors
    /// [`Error::Length`] if there is not one digest an element.
    pub fn compare(&mut self, elements: &[Element], digests: &[Digest]) -> Result<Change, Error> {
        if digests.len() != elements.len() {
            let expected = elements.len();
            return Err(Error::Length { argument: "digests", expected, actual: digests.len() });
        }
        self.comparisons += 1;
        let (mut changed, mut here) = (Vec::new(), 0);
        for (i, (element, digest)) in elements.iter().zip(digests).enumerate() {
            match self.held.get_mut(element) {
                Some(held) => {
                    held.seen = self.comparisons;
                    here += 1;
                    if held.digest != *digest {
                        changed.push(i as u32);
                    }
                }
                None => changed.push(i as u32),
            }
        }
        let mut gone = Vec::new();
        if here < self.held.len() {
            let is_gone = |held: &Held| held.seen < self.comparisons;
            gone.extend(self.held.iter().filter(|(_, held)| is_gone(held)).map(|(e, _)| *e));
            gone.sort_unstable();
        }
        Ok(Change { changed, gone })
    }

    /// Seals what has changed when the table with this number is made. To go on to that table, read it.
    ///
    /// # Errors
    /// [`Error::Index`] for a position that no element has.
    pub fn tell(
        &self,
        number: u64,
        elements: &[Element],
        digests: &[Digest],
        change: &Change,
        context: &[u8],
        entropy: &mut Entropy,
    ) -> Result<Vec<u8>, Error> {
        let length = NUMBER + ROW * (change.changed.len() + change.gone.len());
        let mut rows = Vec::with_capacity(length);
        rows.extend_from_slice(&number.to_le_bytes());
        for position in &change.changed {
            let actual = *position as usize;
            let (Some(element), Some(digest)) = (elements.get(actual), digests.get(actual)) else {
                let bound = elements.len();
                return Err(Error::Index { argument: "positions", bound, actual });
            };
            rows.extend_from_slice(element);
            rows.extend_from_slice(digest);
        }
        for element in &change.gone {
            rows.extend_from_slice(element);
            rows.extend_from_slice(&GONE);
        }
        Ok(sealed::seal(&self.store, context, &rows, entropy))
    }

    fn set(&mut self, element: Element, digest: Digest) {
        if digest == GONE {
            self.held.remove(&element);
        } else {
            self.held.insert(element, Held { digest, seen: 0 });
        }
    }
}

/// The number and the rows of an opened block.
fn parts(opened: &[u8]) -> Result<(u64, &[[u8; ROW]]), Error> {
    let damaged = Error::Check { argument: "sealed" };
    let (number, rows) = opened.split_first_chunk::<NUMBER>().ok_or(damaged.clone())?;
    let (rows, rest) = rows.as_chunks::<ROW>();
    if rest.is_empty() { Ok((u64::from_le_bytes(*number), rows)) } else { Err(damaged) }
}

/// A digest of the records of each element.
///
/// Shapes: records belong to `positions` below `count` and have labels of `width` bytes.
///
/// # Errors
/// [`Error::Index`] for a position from `count` on, [`Error::Length`] if there is not one label a record.
pub fn digests(
    count: usize,
    positions: &[u32],
    labels: &[u8],
    width: usize,
) -> Result<Vec<Digest>, Error> {
    let expected = positions.len() * width;
    if labels.len() != expected {
        return Err(Error::Length { argument: "labels", expected, actual: labels.len() });
    }
    let hash = |r: usize| {
        let digest = Sha256::digest(&labels[r * width..(r + 1) * width]);
        u128::from_le_bytes(digest.as_chunks().0[0])
    };
    let hashed: Vec<u128> = (0..positions.len()).into_par_iter().map(hash).collect();
    let mut sums = vec![0_u128; count];
    for (position, hash) in positions.iter().zip(hashed) {
        let actual = *position as usize;
        let index = Error::Index { argument: "positions", bound: count, actual };
        let sum = sums.get_mut(actual).ok_or(index)?;
        *sum = sum.wrapping_add(hash);
    }
    Ok(sums.into_iter().map(u128::to_le_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_told_and_remembered() {
        let mut entropy = Entropy::from_seed_for_tests([140; 32]);
        let key = SecretKey::draw(&mut entropy);
        let elements: Vec<Element> = (0..10).map(|i| [i; 32]).collect();
        let first = digests(8, &[0, 1, 2, 3, 4, 5, 6, 7, 7], b"abcdefghi", 1).unwrap();
        let mut contents = Contents::new(&key);
        let change = contents.compare(&elements[..8], &first).unwrap();
        assert_eq!((change.changed.len(), change.gone.len()), (8, 0));
        let mut blocks =
            vec![contents.tell(1, &elements[..8], &first, &change, b"1", &mut entropy).unwrap()];
        contents.read(&blocks[0], b"1").unwrap();
        // Another order of records is no change; another label, another number of records are.
        let mut second = digests(9, &[7, 7, 0, 1, 1, 2, 3, 4, 8], b"ihxbbcdej", 1).unwrap();
        let now: Vec<_> = elements[..5].iter().chain(&elements[7..9]).copied().collect();
        second = [&second[..5], &second[7..]].concat();
        let change = contents.compare(&now, &second).unwrap();
        assert_eq!(change.changed, [0, 1, 6], "x for a, two for one, a new one");
        assert_eq!(change.gone, [elements[5], elements[6]]);
        blocks.push(contents.tell(2, &now, &second, &change, b"2", &mut entropy).unwrap());
        contents.read(&blocks[1], b"2").unwrap();
        let nothing = Change { changed: vec![], gone: vec![] };
        assert_eq!(contents.compare(&now, &second).unwrap(), nothing);

        let mut again = Contents::new(&key);
        assert_eq!(again.number(&blocks[0], b"1"), Ok(1));
        assert_eq!(again.number(&blocks[1], b"2"), Ok(2));
        again.read(&blocks[0], b"1").unwrap();
        assert_eq!(again.compare(&elements[..8], &first).unwrap(), nothing);
        again.read(&blocks[1], b"2").unwrap();
        assert_eq!(again.compare(&now, &second).unwrap(), nothing);
        let refused = Error::Check { argument: "sealed" };
        assert_eq!(again.read(&blocks[0], b"2"), Err(refused.clone()));
        assert_eq!(again.number(&blocks[0], b"2"), Err(refused.clone()));
        let other = SecretKey::draw(&mut entropy);
        assert_eq!(Contents::new(&other).read(&blocks[0], b"1"), Err(refused));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(digests(2, &[2], b"a", 1).is_err());
        assert!(digests(2, &[1], b"ab", 1).is_err());
        let key = SecretKey::draw(&mut Entropy::from_seed_for_tests([141; 32]));
        let mut contents = Contents::new(&key);
        assert!(contents.compare(&[[0; 32]], &[]).is_err());
        let change = Change { changed: vec![1], gone: vec![] };
        let mut entropy = Entropy::from_seed_for_tests([142; 32]);
        let refused = contents.tell(1, &[[0; 32]], &[[0; 16]], &change, b"", &mut entropy);
        assert!(refused.is_err());
    }
}
