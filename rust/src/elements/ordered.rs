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
/// Parts that one core alone puts into order at once: 512 KiB, half of a second cache. Several cores
/// would wait for one another after each piece, for longer than a piece takes them.
const TOGETHER: usize = 32;
/// How many elements ahead the machine is asked for one: half a page of them. It reads ahead by itself,
/// but less well while so many lines are written to, and in no page that nobody has asked for.
const AHEAD: usize = 64;

/// Gives the first halves of elements in ascending order, each once, piece by piece; and returns
/// whether one stands there twice.
///
/// On all cores, but parting them. One core alone takes a piece while its second cache holds it.
/// Memory: 16 bytes for each element, until this returns.
/// Secret: the elements; time and memory access depend on them, at home only.
pub(super) fn in_order(elements: &[Element], mut take: impl FnMut(&[Row])) -> bool {
    let bits = (elements.len() / PART).checked_ilog2().unwrap_or(0).min(MOST_BITS);
    let (mut rows, ends) = part(elements, bits);
    let (mut rest, mut start, mut repeats) = (&mut rows[..], 0, false);
    let together = if rayon::current_num_threads() == 1 { TOGETHER } else { ends.len() };
    for ends in ends.chunks(together) {
        let ends: Vec<_> = ends.iter().map(|end| end - start).collect();
        let length = ends.last().copied().unwrap_or(0);
        let (piece, others) = std::mem::take(&mut rest).split_at_mut(length);
        let again = split(piece, &ends)
            .into_par_iter()
            .map_init(Sorter::default, |sorter, part| sorter.sort(part, bits))
            .reduce(|| false, |one, other| one | other);
        take(if again { once(piece) } else { piece });
        (rest, start, repeats) = (others, start + length, repeats | again);
    }
    repeats
}

/// Rows that are in order, each once.
fn once(rows: &mut [Row]) -> &[Row] {
    let mut kept = 0;
    for at in 0..rows.len() {
        if at == 0 || rows[at] != rows[kept - 1] {
            rows[kept] = rows[at];
            kept += 1;
        }
    }
    &rows[..kept]
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
    fn rows_come_in_order_and_once_and_what_stands_there_twice_is_told() {
        for n in [0, 1, 2, PART, 2 * PART + 1, 40 * PART] {
            let mut elements = drawn(n);
            let in_order = |elements: &[Element]| {
                let mut rows = Vec::new();
                (super::in_order(elements, |piece| rows.extend_from_slice(piece)), rows)
            };
            let due = |elements: &[Element]| {
                let mut rows: Vec<Row> =
                    elements.iter().map(|row| *row.first_chunk().unwrap()).collect();
                rows.sort();
                rows.dedup();
                (rows.len() < elements.len(), rows)
            };
            assert!(in_order(&elements) == due(&elements), "{n}, seed 5");
            if n > 1 {
                elements[0] = elements[n - 1];
                elements[0][16..].fill(0);
                assert!(in_order(&elements).0, "{n}, seed 5");
                assert!(in_order(&elements) == due(&elements), "{n}, seed 5");
                elements[0][15] ^= 1;
                assert!(in_order(&elements) == due(&elements), "{n}, seed 5");
            }
        }
    }

    #[test]
    fn parts_are_in_order() {
        let (rows, ends) = part(&drawn(9 * PART), 3);
        assert_eq!((rows.len(), ends.len()), (9 * PART, 8));
        for (at, row) in rows.iter().enumerate() {
            let part = ends.iter().filter(|end| **end <= at).count() as u64;
            assert_eq!(part, first(row) >> 61, "seed 5");
        }
    }
}
