//! Elements in ascending order of their first halves: what telling them apart and committing to them
//! begin with.
//!
//! They are parted by their first bits, and each part is put into order for itself ([`sorting`]), where
//! the first caches hold it.
//!
//! [`sorting`]: super::sorting

use rayon::prelude::*;

use super::sorting::{Sorter, first};
use super::{Element, split};
use crate::memory::prefetch;

/// The first half of an element, by which protocols tell elements apart.
pub(super) type Row = [u8; 16];

/// Rows of a part on average: 16 KiB, which stay in the first cache.
pub(super) const PART: usize = 1024;
/// Bits of the largest number of parts: a line of each, to which is written in turn, is 64 KiB. With
/// twice as many, parting 2^20 rows takes half as long again.
const MOST_BITS: u32 = 10;
/// How many elements ahead the machine is asked for one: half a page of them. It reads ahead by itself,
/// but less well while so many lines are written to, and in no page that nobody has asked for.
const AHEAD: usize = 64;

/// First halves of elements, in ascending order.
pub struct Ordered {
    /// One after the other.
    pub(super) rows: Vec<Row>,
    /// Whether one stands there twice.
    pub(super) repeats: bool,
}

impl Ordered {
    /// Puts elements into order. On all cores, but parting them.
    ///
    /// Secret: the elements; time and memory access depend on them, at home only.
    #[must_use]
    pub fn of(elements: &[Element]) -> Self {
        let bits = (elements.len() / PART).checked_ilog2().unwrap_or(0).min(MOST_BITS);
        let (mut rows, ends) = part(elements, bits);
        let repeats = split(&mut rows, &ends)
            .into_par_iter()
            .map_init(Sorter::default, |sorter, part| sorter.sort(part, bits))
            .reduce(|| false, |one, other| one | other);
        Self { rows, repeats }
    }
}

/// The first halves of elements, parted by their first bits, and where each part ends.
fn part(elements: &[Element], bits: u32) -> (Vec<Row>, Vec<usize>) {
    let row = |element: &Element| element.first_chunk().copied().unwrap_or_default();
    let part = |row: &Row| (first(row) >> 1 >> (63 - bits)) as usize; // by all 64 is no shift
    let mut ends = vec![0; 1 << bits];
    elements.iter().for_each(|element| ends[part(&row(element))] += 1);
    let mut before = 0;
    for end in &mut ends {
        (before, *end) = (before + *end, before);
    }
    let mut rows = vec![[0; 16]; elements.len()];
    for (at, element) in elements.iter().enumerate() {
        prefetch(elements, at + AHEAD);
        let row = row(element);
        let end = &mut ends[part(&row)];
        rows[*end] = row;
        *end += 1;
    }
    (rows, ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    fn drawn(n: usize) -> Vec<Element> {
        let mut rows = vec![[0; 32]; n];
        Entropy::from_seed_for_tests([5; 32]).fill(rows.as_flattened_mut());
        rows
    }

    #[test]
    fn a_row_that_stands_there_twice_is_found_and_no_other() {
        for n in [0, 1, 2, PART, 2 * PART + 1, 40 * PART] {
            let mut rows = drawn(n);
            assert!(!Ordered::of(&rows).repeats, "{n}, seed 5");
            if n > 1 {
                rows[0] = rows[n - 1];
                rows[0][16..].fill(0);
                assert!(Ordered::of(&rows).repeats, "{n}, seed 5");
                rows[0][15] ^= 1;
                assert!(!Ordered::of(&rows).repeats, "{n}, seed 5");
            }
        }
    }

    #[test]
    fn parts_are_in_order_and_hold_all() {
        let elements = drawn(9 * PART);
        let (rows, ends) = part(&elements, 3);
        assert_eq!(ends.len(), 8);
        for (at, row) in rows.iter().enumerate() {
            let part = ends.iter().filter(|end| **end <= at).count() as u64;
            assert_eq!(part, first(row) >> 61, "seed 5");
        }
        let mut due: Vec<Row> = elements.iter().map(|row| *row.first_chunk().unwrap()).collect();
        due.sort();
        assert!(Ordered::of(&elements).rows == due, "seed 5");
    }
}
