//! The elements that the rows of a source name, gathered batch by batch and grouped at the end.
//!
//! A row names an element in up to as many ways as there are columns for it, each element once.
//! What is kept of each row is its *place*: which of the ascending distinct elements it names. With
//! it a second pass over the same rows needs no identifier.

use arrow_array::{Array, LargeStringArray};
use rayon::prelude::*;

use super::{CHUNK, Element, InDomain};
use crate::error::Error;

/// The place of a row that names nothing.
pub const NOWHERE: u32 = u32::MAX;
/// Rows of a bucket on average: 2 KiB of keys, which are sorted in the first cache.
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

    /// Groups what is equal.
    #[must_use]
    pub fn finish(mut self) -> Grouped {
        self.hashed = Vec::new();
        let order = ascending(&self.elements);
        let (mut firsts, mut counts) =
            (Vec::with_capacity(order.len()), Vec::<u32>::with_capacity(order.len()));
        let mut positions = vec![0; self.elements.len()];
        let mut last = None;
        for key in order {
            let at = key as u32;
            // Keys of unequal elements mostly differ by themselves.
            let equal = last.is_some_and(|(key_before, before): (u64, u32)| {
                key_before >> 32 == key >> 32
                    && self.elements[before as usize] == self.elements[at as usize]
            });
            match counts.last_mut() {
                Some(count) if equal => *count += 1,
                _ => {
                    firsts.push(at);
                    counts.push(1);
                }
            }
            positions[at as usize] = firsts.len() as u32 - 1;
            last = Some((key, at));
        }
        for place in self.places.iter_mut().flatten().filter(|place| **place != NOWHERE) {
            *place = positions[*place as usize];
        }
        Grouped { elements: self.elements, firsts, counts, places: self.places }
    }
}

/// What rows name, grouped: m distinct elements, ascending.
pub struct Grouped {
    elements: Vec<Element>,
    /// For each distinct element where it stands first in `elements`.
    firsts: Vec<u32>,
    /// How many rows name each distinct element; m entries.
    pub counts: Vec<u32>,
    /// For each way the place of each row among the distinct elements, or [`NOWHERE`].
    pub places: Vec<Vec<u32>>,
}

impl Grouped {
    /// How many distinct elements there are.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.firsts.len()
    }

    /// Writes the distinct elements, ascending; what has no place in `out` is left out.
    pub fn write(&self, out: &mut [Element]) {
        out.par_chunks_mut(CHUNK).zip(self.firsts.par_chunks(CHUNK)).for_each(|(out, firsts)| {
            for (out, first) in out.iter_mut().zip(firsts) {
                *out = self.elements[*first as usize];
            }
        });
    }
}

/// A key for each row, in ascending order of the rows: the first 4 bytes of the row above its
/// number. Equal rows come in the order of their numbers.
///
/// Rows are hashes: their first bits put nearly the same number into each bucket, and their first
/// 4 bytes tell nearly all apart. Other rows only take longer.
fn ascending(rows: &[Element]) -> Vec<u64> {
    let key = |(number, row): (usize, &Element)| {
        let first = row.first_chunk().copied().map_or(0, u32::from_be_bytes);
        u64::from(first) << 32 | number as u64
    };
    let bits = (rows.len() / BUCKET).checked_ilog2().unwrap_or(0).min(MOST_BITS);
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
    let mut buckets = Vec::with_capacity(1 << bits);
    let (mut rest, mut start) = (&mut keys[..], 0);
    for end in &ends[..1 << bits] {
        let (first, next) = rest.split_at_mut(end - start);
        buckets.push(first);
        (rest, start) = (next, *end);
    }
    let row = |key: u64| &rows[key as u32 as usize];
    buckets.into_par_iter().with_min_len(16).for_each(|keys| {
        keys.sort_unstable();
        for run in keys.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
            // A row alone is not looked at: it stands anywhere in memory.
            if run.len() > 1 && run.iter().any(|key| row(*key) != row(run[0])) {
                run.sort_unstable_by(|a, b| row(*a).cmp(row(*b)).then(a.cmp(b)));
            }
        }
    });
    keys
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
        hash(&texts(&[Some(text)]), "d").unwrap().value(0).try_into().unwrap()
    }

    fn distinct(grouped: &Grouped) -> Vec<Element> {
        let mut elements = vec![[0; 32]; grouped.distinct()];
        grouped.write(&mut elements);
        elements
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
        let grouped = grouping.finish();
        let elements = distinct(&grouped);
        assert!(elements.is_sorted_by(|a, b| a < b));
        let named = |way: usize| -> Vec<_> {
            let places = grouped.places[way].iter();
            places.map(|at| (*at != NOWHERE).then(|| elements[*at as usize])).collect()
        };
        let (a, b, c) = (Some(element("a")), Some(element("b")), Some(element("c")));
        assert_eq!(named(0), [a, None, b, None, c, a]);
        assert_eq!(named(1), [None, c, a, None, None, b]);
        let counts: BTreeMap<_, _> = elements.into_iter().map(Some).zip(grouped.counts).collect();
        assert_eq!(counts, BTreeMap::from([(a, 3), (b, 2), (c, 2)]));
    }

    #[test]
    fn many_rows_are_grouped_as_a_map_groups_them() {
        for rows in [0, 1, 255, 256, 600, 5000, 70_000] {
            let named: Vec<_> = (0..rows).map(|row| format!("{}", row * row % 4999)).collect();
            let mut grouping = Grouping::new("d", 1);
            for batch in named.chunks(997) {
                grouping.add(&[&LargeStringArray::from_iter_values(batch)]).unwrap();
            }
            let grouped = grouping.finish();
            let mut map = BTreeMap::new();
            for name in &named {
                *map.entry(element(name)).or_insert(0_u32) += 1;
            }
            let elements = distinct(&grouped);
            assert!(elements.iter().eq(map.keys()), "{rows} rows");
            assert!(grouped.counts.iter().eq(map.values()), "{rows} rows");
            for (name, place) in named.iter().zip(&grouped.places[0]) {
                assert_eq!(elements[*place as usize], element(name), "{rows} rows");
            }
        }
    }

    #[test]
    fn rows_that_share_their_first_bytes_are_ordered_by_the_others() {
        let mut entropy = Entropy::from_seed_for_tests([3; 32]);
        let mut rows = vec![[0; 32]; 3000];
        entropy.fill(rows.as_flattened_mut());
        for (number, row) in rows.iter_mut().enumerate() {
            row[..number % 9].fill(7);
            row[30] = 0;
        }
        rows.extend_from_within(..100);
        let order: Vec<_> = ascending(&rows).iter().map(|key| *key as u32 as usize).collect();
        let mut expected: Vec<_> = (0..rows.len()).collect();
        expected.sort_by_key(|number| rows[*number]);
        assert_eq!(order, expected, "seed 3");
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        let (one, two) = (texts(&[Some("a")]), texts(&[None, Some("b")]));
        let mut grouping = Grouping::new("d", 2);
        let refused = |result: Result<(), Error>| matches!(result, Err(Error::Length { .. }));
        assert!(refused(grouping.add(&[&one])));
        assert!(refused(grouping.add(&[&one, &two])));
        assert_eq!(grouping.finish().distinct(), 0);
    }
}
