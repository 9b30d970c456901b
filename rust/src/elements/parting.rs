//! Elements parted by their first bits: what telling them apart and committing to them begin with.
//!
//! Both wait for memory most of the time, and look at a part where the first caches hold it.

use rayon::prelude::*;

use super::Element;

/// The first half of an element, by which protocols tell elements apart.
pub(super) type Row = [u8; 16];

/// Rows of a part on average: 16 KiB, which stay in the first cache.
pub(super) const PART: usize = 1024;
/// Bits of the largest number of parts: a line of each, to which is written in turn, is 64 KiB. With
/// twice as many, parting 2^20 rows takes half as long again.
const MOST_BITS: u32 = 10;

/// Rows, parted.
pub struct Parted {
    /// One part after the other.
    pub(super) rows: Vec<Row>,
    /// Where each part ends.
    pub(super) ends: Vec<usize>,
    /// First bits that the rows of a part have in common.
    pub(super) bits: u32,
}

impl Parted {
    /// Parts elements.
    ///
    /// Secret: the elements; time and memory access depend on them, at home only.
    #[must_use]
    pub fn of(elements: &[Element]) -> Self {
        let bits = (elements.len() / PART).checked_ilog2().unwrap_or(0).min(MOST_BITS);
        let row = |element: &Element| element.first_chunk().copied().unwrap_or_default();
        let part = |row: &Row| (first(row) >> 1 >> (63 - bits)) as usize; // by all 64 is no shift
        let mut ends = vec![0; 1 << bits];
        elements.iter().for_each(|element| ends[part(&row(element))] += 1);
        let mut before = 0;
        for end in &mut ends {
            (before, *end) = (before + *end, before);
        }
        let mut rows = vec![[0; 16]; elements.len()];
        for element in elements {
            let row = row(element);
            let end = &mut ends[part(&row)];
            rows[*end] = row;
            *end += 1;
        }
        Self { rows, ends, bits }
    }

    /// Whether a row stands there twice.
    pub(super) fn repeats(&self) -> bool {
        self.ends
            .par_iter()
            .enumerate()
            .map_init(Seen::default, |seen, (part, end)| {
                let start = part.checked_sub(1).map_or(0, |before| self.ends[before]);
                seen.repeats(&self.rows[start..*end], self.bits)
            })
            .any(|repeats| repeats)
    }
}

/// The first bits of a row as a number, which orders it among all that do not share them.
pub(super) fn first(row: &Row) -> u64 {
    row.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// Two bits for each value of some bits of a row: 2 x 32 KiB, which stay next to the first cache.
struct Seen {
    once: Vec<u64>,
    twice: Vec<u64>,
    alike: Vec<Row>,
}

impl Default for Seen {
    fn default() -> Self {
        let none = || vec![0; (1 << Self::BITS) / 64];
        Self { once: none(), twice: none(), alike: Vec::new() }
    }
}

impl Seen {
    const BITS: u32 = 18;

    /// Whether a row stands in a part twice. Of 1,024 with nothing in common four share these bits
    /// with another, and these are looked at.
    fn repeats(&mut self, part: &[Row], bits: u32) -> bool {
        let place = |row: &Row| {
            let at = (first(row) << bits >> (64 - Self::BITS)) as usize;
            (at / 64, 1 << (at % 64))
        };
        let mut any = 0;
        for (word, bit) in part.iter().map(place) {
            let again = self.once[word] & bit;
            self.twice[word] |= again;
            any |= again;
            self.once[word] |= bit;
        }
        self.alike.clear();
        if any != 0 {
            let shared = |row: &&Row| {
                let (word, bit) = place(row);
                self.twice[word] & bit != 0
            };
            self.alike.extend(part.iter().filter(shared));
        }
        for (word, _) in part.iter().map(place) {
            (self.once[word], self.twice[word]) = (0, 0);
        }
        self.alike.sort_unstable();
        self.alike.windows(2).any(|pair| pair[0] == pair[1])
    }
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
            assert!(!Parted::of(&rows).repeats(), "{n}, seed 5");
            if n > 1 {
                rows[0] = rows[n - 1];
                rows[0][16..].fill(0);
                assert!(Parted::of(&rows).repeats(), "{n}, seed 5");
                rows[0][15] ^= 1;
                assert!(!Parted::of(&rows).repeats(), "{n}, seed 5");
            }
        }
    }

    #[test]
    fn parts_are_in_order_and_hold_all() {
        let rows = drawn(9 * PART);
        let parted = Parted::of(&rows);
        assert_eq!((parted.bits, parted.ends.len()), (3, 8));
        for (at, row) in parted.rows.iter().enumerate() {
            assert_eq!(
                parted.ends.iter().filter(|end| **end <= at).count() as u64,
                first(row) >> 61
            );
        }
        let mut due: Vec<_> = rows.iter().map(|row| row[..16].to_vec()).collect();
        let mut held: Vec<_> = parted.rows.iter().map(|row| row.to_vec()).collect();
        due.sort();
        held.sort();
        assert!(due == held, "seed 5");
    }
}
