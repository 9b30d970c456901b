//! The rows of a part, put into order.
//!
//! Rows are hashes. The bits that follow those which a part has in common tell nearly where in it a row
//! belongs: counted into as many buckets as there are rows, few stand more than some places off. What
//! is moved is a number for each row, its first bits above its place; the rows follow once.
//!
//! Numbers are floating-point ones, all positive and normal, which their bits order as whole numbers
//! would be. Of these, machines find the smaller and the larger several at a time and without asking
//! (x86-64 from its beginning, MINPD and MAXPD), of whole ones of this length few do.

use super::ordered::Row;
use crate::memory::prefetch;

/// Bits of the place of a row in its part. Above it stand 41 bits of a row, of which a part has 10 in
/// common at most: of 2^20 hashes, two that are the same in all of them are in one of 4,096 parts.
const PLACE_BITS: u32 = 20;
/// What makes numbers positive and normal: an exponent of 512 to 1023 of 2047 (IEEE 754-2019, 3.4),
/// below which are 61 bits.
const NORMAL: u64 = 1 << 61;
/// Bits of a row that a number has no room for.
const CUT: u32 = 3;
/// How often all neighbours are exchanged before anybody looks, first those at even places. A number
/// comes one place further each time: five leave one of six parts of 1,024 hashes out of order, four
/// two of three.
const PASSES: usize = 5;
/// How often that is followed by two more: 13 in all. Of hashes, one bucket in 2^32 has more.
const ROUNDS: usize = 4;

/// The first bits of a row as a number, which orders it among all that do not share them.
pub(super) fn first(row: &Row) -> u64 {
    row.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// What sorting a part takes, kept for the next.
#[derive(Default)]
pub(super) struct Sorter {
    rows: Vec<Row>,
    ends: Vec<u32>,
    numbers: Vec<f64>,
}

impl Sorter {
    /// Sorts a part, whose rows have their first `bits` in common, and says whether one stands there
    /// twice. Rows that are no hashes, or too many, only take longer.
    pub(super) fn sort(&mut self, part: &mut [Row], bits: u32) -> bool {
        if part.len() < 2 {
            return false;
        }
        if part.len() <= 1 << PLACE_BITS {
            self.number(part, bits);
            if settle(&mut self.numbers) && self.follow(part) {
                return false;
            }
        }
        part.sort_by_key(|row| u128::from_be_bytes(*row)); // soon done where few are out of order
        part.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Makes a number of each row, each near its place.
    fn number(&mut self, part: &[Row], bits: u32) {
        self.rows.clear();
        self.rows.extend_from_slice(part);
        let own = (part.len() + part.len() / 2).ilog2(); // 2/3 to 4/3 rows for each bucket
        let (shift, mask) = (64 - bits - own, (1 << own) - 1);
        let bucket = |row: u64| (row >> shift) as usize & mask;
        self.ends.clear();
        self.ends.resize(1 << own, 0);
        let ends = &mut self.ends[..=mask];
        self.rows.iter().for_each(|row| ends[bucket(first(row))] += 1);
        let mut before = 0;
        for end in &mut *ends {
            (before, *end) = (before + *end, before);
        }
        self.numbers.resize(part.len(), 0.0);
        let numbers = &mut self.numbers[..];
        for (place, row) in self.rows.iter().enumerate() {
            prefetch(part, part.len() + place); // the part that follows
            let row = first(row);
            let end = &mut ends[bucket(row)];
            let above = row >> CUT >> PLACE_BITS << PLACE_BITS;
            numbers[*end as usize] = f64::from_bits(NORMAL | above | place as u64);
            *end += 1;
        }
    }

    /// Puts the rows where their numbers stand; says whether these tell all of them apart.
    fn follow(&self, part: &mut [Row]) -> bool {
        let (mut before, mut apart) = (0, true);
        for (row, number) in part.iter_mut().zip(&self.numbers) {
            let number = number.to_bits();
            *row = self.rows[(number & ((1 << PLACE_BITS) - 1)) as usize];
            apart &= number ^ before >= 1 << PLACE_BITS;
            before = number;
        }
        apart
    }
}

/// Sorts numbers of which each stands near its place; says whether they are in order then.
fn settle(numbers: &mut [f64]) -> bool {
    for pass in 0..PASSES {
        exchange(numbers, pass % 2);
    }
    for _ in 0..ROUNDS {
        if is_ascending(numbers) {
            return true;
        }
        exchange(numbers, 1);
        exchange(numbers, 0);
    }
    is_ascending(numbers)
}

/// Puts each two neighbours into order, from `start` on.
fn exchange(numbers: &mut [f64], start: usize) {
    // Not `f64::min`, which also asks whether either is no number.
    let ordered = |a: f64, b: f64| [if a < b { a } else { b }, if a > b { a } else { b }];
    let (fours, rest) = numbers.get_mut(start..).unwrap_or_default().as_chunks_mut::<4>();
    for four in fours {
        let [[a, b], [c, d]] = [ordered(four[0], four[1]), ordered(four[2], four[3])];
        *four = [a, b, c, d];
    }
    for pair in rest.as_chunks_mut::<2>().0 {
        *pair = ordered(pair[0], pair[1]);
    }
}

/// Whether each number is at least the one before. Looked at in pieces of 64, so that within one the
/// machine need not ask.
fn is_ascending(numbers: &[f64]) -> bool {
    let next = numbers.get(1..).unwrap_or_default();
    numbers.chunks(64).zip(next.chunks(64)).all(|(these, next)| {
        these.iter().zip(next).fold(true, |ascending, (this, next)| ascending & (this <= next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    /// Rows that begin with three bits 0, 1, 0.
    fn drawn(n: usize) -> Vec<Row> {
        let mut rows = vec![[0; 16]; n];
        Entropy::from_seed_for_tests([6; 32]).fill(rows.as_flattened_mut());
        rows.iter_mut().for_each(|row| row[0] = row[0] & 0x1f | 0x40);
        rows
    }

    /// Sorts with a sorter that has sorted before, and compares.
    fn check(sorter: &mut Sorter, rows: &[Row], text: &str) {
        let (mut sorted, mut due) = (rows.to_vec(), rows.to_vec());
        due.sort();
        let repeats = due.windows(2).any(|pair| pair[0] == pair[1]);
        assert_eq!(sorter.sort(&mut sorted, 3), repeats, "{} rows, {text}", rows.len());
        assert!(sorted == due, "{} rows, {text}", rows.len());
    }

    #[test]
    fn a_part_is_sorted_and_what_stands_there_twice_is_told() {
        let mut sorter = Sorter::default();
        for n in (0..70).chain([1024, 3, 1365, 1366, 5000]) {
            let mut rows = drawn(n);
            check(&mut sorter, &rows, "seed 6");
            rows.sort();
            check(&mut sorter, &rows, "seed 6, sorted");
            rows.reverse();
            check(&mut sorter, &rows, "seed 6, backwards");
            if let [first, .., last] = &mut rows[..] {
                *first = *last;
                check(&mut sorter, &rows, "seed 6, one twice");
            }
        }
    }

    #[test]
    fn rows_that_numbers_do_not_tell_apart_are_sorted_too() {
        let mut sorter = Sorter::default();
        for shared in 1..16 {
            let mut rows = drawn(2000);
            let pattern = rows[0];
            for row in rows.iter_mut().skip(shared) {
                row[..shared].copy_from_slice(&pattern[..shared]);
            }
            check(&mut sorter, &rows, &format!("{shared} bytes shared, seed 6"));
            let few = &rows[..40];
            check(&mut sorter, few, &format!("{shared} bytes shared, seed 6"));
        }
    }

    #[test]
    fn hashes_settle() {
        let mut sorter = Sorter::default();
        for rows in drawn(100_000).chunks(1000) {
            sorter.number(rows, 3);
            assert!(settle(&mut sorter.numbers) && sorter.follow(&mut rows.to_vec()), "seed 6");
        }
        let mut backwards: Vec<_> = (0..100).rev().map(f64::from).collect();
        assert!(!settle(&mut backwards), "each place costs a pass");
        backwards[..13].reverse();
        backwards[..13].sort_by(|a, b| b.total_cmp(a));
        assert!(settle(&mut backwards[..13]));
        assert!(settle(&mut []) && settle(&mut [1.0]));
    }
}
