//! The elements that the rows of a source name, gathered batch by batch and grouped at the end.
//!
//! A row names an element in up to as many ways as there are columns for it, each element once.
//! What is kept of each row is its *place*: which of the distinct elements it names. With it a second
//! pass over the same rows needs no identifier.

use arrow_array::{Array, LargeStringArray};
use rayon::prelude::*;

use super::{Commitment, Element, InDomain, are_distinct, commitment, prefix};
use crate::error::Error;

/// The place of a row that names nothing.
pub const NOWHERE: u32 = u32::MAX;
/// Rows of a bucket on average: 2 KiB of keys, which are looked at in the first cache.
const BUCKET: usize = 256;
/// Bits of the largest number of buckets: their ends stay in the second cache.
const MOST_BITS: u32 = 14;

/// What rows name, so far.
pub struct Grouping {
    domain: InDomain,
    /// What is named, as it came in.
    elements: Vec<Element>,
    /// For each way the position in `elements` of what each row names, or [`NOWHERE`].
    places: Vec<Vec<u32>>,
    named: usize,
    /// For each way the hashes of a batch.
    hashed: Vec<Vec<Element>>,
}

impl Grouping {
    /// Nothing yet, for rows with so many ways to name an element of a domain.
    #[must_use]
    pub fn new(domain: &str, ways: usize) -> Self {
        Self {
            domain: InDomain::new(domain),
            elements: Vec::new(),
            places: vec![Vec::new(); ways],
            named: 0,
            hashed: vec![Vec::new(); ways],
        }
    }

    /// Hashes the identifiers of a batch of rows. Where two ways of a row give one identifier, the
    /// first counts.
    ///
    /// Shapes: a column for each way, n rows each; missing where the way names nothing.
    /// Secret: the identifiers; time and memory access depend on them, at home only.
    ///
    /// # Errors
    /// [`Error::Length`] if columns are not as many as ways, or not of one length;
    /// [`Error::TooLarge`] if 2^32 - 1 rows or elements are exceeded.
    pub fn add(&mut self, columns: &[&LargeStringArray]) -> Result<(), Error> {
        let (expected, actual) = (self.places.len(), columns.len());
        if expected != actual {
            return Err(Error::Length { argument: "columns", expected, actual });
        }
        let rows = columns.first().map_or(0, |column| column.len());
        if let Some(other) = columns.iter().find(|column| column.len() != rows) {
            let actual = other.len();
            return Err(Error::Length { argument: "columns", expected: rows, actual });
        }
        let before = self.places.first().map_or(0, Vec::len);
        let most = (before + rows).max(self.elements.len() + rows * columns.len());
        if most > NOWHERE as usize {
            let bound = NOWHERE as usize;
            return Err(Error::TooLarge { argument: "columns", bound, actual: most });
        }
        for (way, column) in columns.iter().enumerate() {
            let (earlier, hashed) = self.hashed.split_at_mut(way);
            let hashed = &mut hashed[0];
            hashed.resize(rows, [0; 32]);
            self.domain.hash(column, hashed);
            self.places[way].extend((0..rows).map(|row| {
                let again = || {
                    earlier
                        .iter()
                        .zip(columns)
                        .any(|(other, column)| column.is_valid(row) && other[row] == hashed[row])
                };
                if column.is_null(row) || again() {
                    return NOWHERE;
                }
                self.elements.push(hashed[row]);
                self.elements.len() as u32 - 1
            }));
        }
        let names = |row: &usize| self.places.iter().any(|places| places[*row] != NOWHERE);
        self.named += (before..before + rows).filter(names).count();
        Ok(())
    }

    /// How many rows name at least one element.
    #[must_use]
    pub fn named(&self) -> usize {
        self.named
    }

    /// Groups what is equal, and commits to the set under a key, if one is given.
    #[must_use]
    pub fn finish(mut self, key: Option<&[u8; 32]>) -> Grouped {
        self.hashed = Vec::new();
        let (commitment, repeats) = key.map_or_else(
            || (None, !are_distinct(&self.elements)),
            |key| {
                let (digest, repeats) = commitment(key, &self.elements);
                (Some(digest), repeats)
            },
        );
        // In order they tell sooner than numbers do that nothing stands there twice, but not where.
        let again = if repeats { repeated(&self.elements) } else { Vec::new() };
        let distinct = self.elements.len() - again.len();
        let mut counts = vec![1; distinct];
        if !again.is_empty() {
            let places = drop_repeated(&mut self.elements, &again);
            for (_, first) in again {
                counts[places[first as usize] as usize] += 1;
            }
            for place in self.places.iter_mut().flatten().filter(|place| **place != NOWHERE) {
                *place = places[*place as usize];
            }
        }
        Grouped { elements: self.elements, counts, places: self.places, commitment }
    }
}

/// What rows name, grouped: m distinct elements in the order in which they came, batch by batch and
/// in each way by way.
pub struct Grouped {
    /// The elements, which differ in their first 16 bytes.
    pub elements: Vec<Element>,
    /// How many rows name each element; m entries.
    pub counts: Vec<u32>,
    /// For each way the place of each row among the elements, or [`NOWHERE`].
    pub places: Vec<Vec<u32>>,
    /// To the set, where a key was given.
    pub commitment: Option<Commitment>,
}

/// The number of each row that stood before, ascending, and where it stood first.
fn repeated(rows: &[Element]) -> Vec<(u32, u32)> {
    let bits = (rows.len() / BUCKET).checked_ilog2().unwrap_or(0).min(MOST_BITS);
    let (mut keys, ends) = by_bucket(rows, bits);
    let buckets = split(&mut keys, &ends);
    let row = |key: u64| prefix(&rows[key as u32 as usize]);
    let mut again: Vec<_> = buckets
        .into_par_iter()
        .with_min_len(16)
        .map_init(Seen::default, |seen, bucket| {
            let mut again = Vec::new();
            if seen.may_repeat(bucket, bits) {
                // A row alone is not looked at: it stands anywhere in memory.
                bucket.sort_unstable();
                for run in
                    bucket.chunk_by_mut(|a, b| a >> 32 == b >> 32).filter(|run| run.len() > 1)
                {
                    run.sort_unstable_by(|a, b| row(*a).cmp(&row(*b)).then(a.cmp(b)));
                    for same in run.chunk_by(|a, b| row(*a) == row(*b)) {
                        again.extend(same[1..].iter().map(|key| (*key as u32, same[0] as u32)));
                    }
                }
            }
            again
        })
        .flatten()
        .collect();
    again.par_sort_unstable();
    again
}

/// A key for each row, its first 4 bytes above its number, sorted into buckets by their first bits;
/// and where each bucket ends.
///
/// Rows are hashes: these bits put nearly the same number into each bucket, and the first 4 bytes
/// tell nearly all apart. Other rows only take longer.
fn by_bucket(rows: &[Element], bits: u32) -> (Vec<u64>, Vec<usize>) {
    let key = |(number, row): (usize, &Element)| {
        let first = row.first_chunk().copied().map_or(0, u32::from_be_bytes);
        u64::from(first) << 32 | number as u64
    };
    // Twice shifted, since a shift by 64 is none.
    let bucket = |key: u64| (key >> 1 >> (63 - bits)) as usize;
    let mut ends = vec![0_usize; (1 << bits) + 1];
    for row in rows.iter().enumerate() {
        ends[bucket(key(row)) + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let mut keys = vec![0; rows.len()];
    for row in rows.iter().enumerate() {
        let key = key(row);
        let end = &mut ends[bucket(key)];
        keys[*end] = key;
        *end += 1;
    }
    ends.truncate(1 << bits);
    (keys, ends)
}

/// Cuts keys into buckets.
pub(crate) fn split<'a, T>(keys: &'a mut [T], ends: &[usize]) -> Vec<&'a mut [T]> {
    let mut buckets = Vec::with_capacity(ends.len());
    let (mut rest, mut start) = (keys, 0);
    for end in ends {
        let (first, next) = rest.split_at_mut(end - start);
        buckets.push(first);
        (rest, start) = (next, *end);
    }
    buckets
}

/// A bit for each value of some bits of a key: 32 KiB, which stay in the first cache.
struct Seen(Vec<u64>);

impl Default for Seen {
    fn default() -> Self {
        Self(vec![0; (1 << Self::BITS) / 64])
    }
}

impl Seen {
    const BITS: u32 = 18;

    /// Whether two keys of a bucket share the bits that follow those of the bucket. Of 256 keys with
    /// nothing in common two do in one of eight buckets.
    fn may_repeat(&mut self, keys: &[u64], bucket: u32) -> bool {
        let at = |key: u64| (key << bucket >> (64 - Self::BITS)) as usize;
        let mut twice = 0;
        for key in keys {
            let (word, bit) = (&mut self.0[at(*key) / 64], 1 << (at(*key) % 64));
            twice |= *word & bit;
            *word |= bit;
        }
        for key in keys {
            self.0[at(*key) / 64] = 0;
        }
        twice != 0
    }
}

/// Closes the gaps that rows leave which stood before, and returns where each row is then.
///
/// Shapes: n rows; `again` as [`repeated`] has it; n places.
fn drop_repeated(rows: &mut Vec<Element>, again: &[(u32, u32)]) -> Vec<u32> {
    let mut places = vec![0; rows.len()];
    let (mut rest, mut kept) = (again, 0);
    for number in 0..rows.len() {
        if let Some(((repeated, first), next)) = rest.split_first()
            && *repeated as usize == number
        {
            places[number] = places[*first as usize];
            rest = next;
            continue;
        }
        rows[kept] = rows[number];
        places[number] = kept as u32;
        kept += 1;
    }
    rows.truncate(kept);
    rows.shrink_to_fit();
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::elements::hash;
    use crate::entropy::Entropy;

    fn texts(rows: &[Option<&str>]) -> LargeStringArray {
        LargeStringArray::from(rows.to_vec())
    }

    fn element(text: &str) -> Element {
        let mut row = [[0; 32]];
        hash(&texts(&[Some(text)]), "d", &mut row);
        row[0]
    }

    #[test]
    fn rows_have_the_places_of_what_they_name() {
        let mut grouping = Grouping::new("d", 2);
        let batches = [
            [[Some("a"), None, Some("b")], [Some("a"), Some("c"), Some("a")]],
            [[None, Some("c"), Some("a")], [None, None, Some("b")]],
        ];
        for [first, second] in &batches {
            grouping.add(&[&texts(first), &texts(second)]).unwrap();
        }
        assert_eq!(grouping.named(), 5);
        let grouped = grouping.finish(None);
        assert_eq!(grouped.elements, ["a", "b", "c"].map(element));
        assert_eq!(grouped.counts, [3, 2, 2]);
        assert_eq!(grouped.places[0], [0, NOWHERE, 1, NOWHERE, 2, 0]);
        assert_eq!(grouped.places[1], [NOWHERE, 2, 0, NOWHERE, NOWHERE, 1]);
    }

    #[test]
    fn many_rows_are_grouped_as_a_map_groups_them() {
        for (rows, names) in [(0, 1), (1, 1), (255, 9), (600, 600), (5000, 1), (70_000, 4999)] {
            let named: Vec<_> = (0..rows).map(|row| (row * row + row / 7) % names).collect();
            let texts: Vec<_> = named.iter().map(|name| format!("{name}")).collect();
            let mut grouping = Grouping::new("d", 1);
            for batch in texts.chunks(997) {
                grouping.add(&[&LargeStringArray::from_iter_values(batch)]).unwrap();
            }
            let grouped = grouping.finish((rows % 2 == 0).then_some(&[7; 32]));
            let due = (rows % 2 == 0).then(|| commitment(&[7; 32], &grouped.elements).0);
            assert_eq!(grouped.commitment, due, "{rows} rows of {names}");
            let (mut places, mut counts) = (BTreeMap::new(), Vec::<u32>::new());
            for (name, place) in named.iter().zip(&grouped.places[0]) {
                let due = *places.entry(name).or_insert(counts.len());
                counts.resize(counts.len().max(due + 1), 0);
                counts[due] += 1;
                assert_eq!(*place as usize, due, "{rows} rows of {names}");
            }
            assert_eq!(grouped.counts, counts, "{rows} rows of {names}");
            for (name, place) in places {
                assert_eq!(grouped.elements[place], element(&format!("{name}")));
            }
        }
    }

    #[test]
    fn rows_that_share_their_first_bytes_are_told_apart_by_half_of_them() {
        let mut entropy = Entropy::from_seed_for_tests([3; 32]);
        let mut rows = vec![[0; 32]; 3000];
        entropy.fill(rows.as_flattened_mut());
        for (number, row) in rows.iter_mut().enumerate() {
            row[..number % 9].fill(7);
        }
        rows.extend_from_within(..100);
        rows.extend_from_within(50..60);
        rows[3000][16..].fill(1);
        let due =
            (3000..3100).map(|at| (at, at - 3000)).chain((3100..3110).map(|at| (at, at - 3050)));
        assert_eq!(repeated(&rows), due.collect::<Vec<_>>(), "seed 3");
        let places = drop_repeated(&mut rows, &[(1, 0), (3, 0), (4, 2)]);
        assert_eq!((places.len(), rows.len()), (3110, 3107));
        assert_eq!(places[..7], [0, 0, 1, 0, 1, 2, 3]);
        assert!(rows.capacity() < 3110, "what was dropped is given back");
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let (one, two) = (texts(&[Some("a")]), texts(&[None, Some("b")]));
        let mut grouping = Grouping::new("d", 2);
        let refused = |result: Result<(), Error>| matches!(result, Err(Error::Length { .. }));
        assert!(refused(grouping.add(&[&one])));
        assert!(refused(grouping.add(&[&one, &two])));
        assert!(grouping.finish(Some(&[7; 32])).elements.is_empty());
    }
}
