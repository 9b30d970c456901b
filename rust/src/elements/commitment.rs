//! A digest of a set under a key: the same for the same elements in any order, and nothing to whoever
//! lacks the key.
//!
//! ```text
//! digest = BLAKE3(key; the first 16 bytes of each element, in ascending order)
//! ```
//!
//! in the keyed mode of BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020, section 2.3), under a
//! key that is used for nothing else. Sixteen bytes tell elements apart wherever a party holds a set
//! ([`super::Grouped`]). To make two sets with one digest is to find two identifiers that hash to the
//! same 16 bytes, 2^64 evaluations also for who has the key, and these two are one to all protocols.
//!
//! Putting rows into order takes longer than hashing them. In each part ([`super::Parted`]) numbers of
//! eight bytes are counted into buckets by the bits that follow those of the part; each number is the
//! next bits of a row above its place.

use rayon::prelude::*;

use super::parting::{Parted, Row, first};

/// Parts that are sorted and hashed at once: 256 KiB, which the second cache holds.
const TOGETHER: usize = 16;
/// Bits of the largest number of buckets of a part: 64 KiB of counts, for sets of 2^24 rows and more.
const BUCKET_BITS: u32 = 14;
/// Bits of the place of a row in its part; those above are the row's own. Of 2^20 hashes that have 44
/// more bits, two are the same in one of 32 parts, and these are put into order at length.
const PLACE_BITS: u32 = 20;
/// Rows of one bucket that are sorted by insertion. Of hashes one in 2^200 buckets has more.
const CROWD: u32 = 64;

/// Digests a set.
///
/// Secret: key and elements. Time and memory access depend on n and on the elements, at home only.
#[must_use]
pub fn commitment(key: &[u8; 32], elements: &Parted) -> [u8; 32] {
    let Parted { rows, ends, bits } = elements;
    let mut hasher = blake3::Hasher::new_keyed(key);
    let (mut sorted, mut start) = (Vec::<Row>::new(), 0);
    for ends in ends.chunks(TOGETHER) {
        let last = ends.last().copied().unwrap_or(start);
        sorted.resize(last - start, [0; 16]);
        let parts: Vec<_> = pieces(rows, &mut sorted, start, ends).collect();
        parts.into_par_iter().for_each_init(Buckets::default, |buckets, (part, out)| {
            buckets.sort(part, *bits, out);
        });
        hasher.update_rayon(sorted.as_flattened());
        start = last;
    }
    *hasher.finalize().as_bytes()
}

/// Some parts that follow one another, each with where it is sorted to.
fn pieces<'a>(
    rows: &'a [Row],
    sorted: &'a mut [Row],
    mut start: usize,
    ends: &'a [usize],
) -> impl Iterator<Item = (&'a [Row], &'a mut [Row])> {
    let mut rest = sorted;
    ends.iter().map(move |end| {
        let part = &rows[start..*end];
        let (out, others) = std::mem::take(&mut rest).split_at_mut(part.len());
        (rest, start) = (others, *end);
        (part, out)
    })
}

/// What sorting a part takes, kept for the next.
#[derive(Default)]
struct Buckets {
    ends: Vec<u32>,
    numbers: Vec<u64>,
}

impl Buckets {
    /// Sorts a part, whose rows have their first `bits` in common.
    fn sort(&mut self, part: &[Row], bits: u32, out: &mut [Row]) {
        if !self.number(part, bits) {
            out.copy_from_slice(part);
            out.sort_unstable();
            return;
        }
        settle(&mut self.numbers);
        let place = |number: u64| (number & ((1 << PLACE_BITS) - 1)) as usize;
        for (out, number) in out.iter_mut().zip(&self.numbers) {
            *out = part[place(*number)];
        }
        let same = |pair: &[u64]| pair[0] >> PLACE_BITS == pair[1] >> PLACE_BITS;
        if self.numbers.windows(2).any(same) {
            out.sort_unstable();
        }
    }

    /// Makes a number of each row, each near its place; not of rows that are no hashes, or too many.
    fn number(&mut self, part: &[Row], bits: u32) -> bool {
        let own = part.len().checked_ilog2().unwrap_or(0).min(BUCKET_BITS);
        let bucket = |row: u64| (row >> 1 >> (63 - own)) as usize;
        self.ends.clear();
        self.ends.resize(1 << own, 0);
        part.iter().for_each(|row| self.ends[bucket(first(row) << bits)] += 1);
        let (mut before, mut most) = (0, 0);
        for end in &mut self.ends {
            most = most.max(*end);
            (before, *end) = (before + *end, before);
        }
        self.numbers.resize(part.len(), 0);
        for (place, row) in part.iter().enumerate() {
            let row = first(row) << bits;
            let end = &mut self.ends[bucket(row)];
            self.numbers[*end as usize] = row >> PLACE_BITS << PLACE_BITS | place as u64;
            *end += 1;
        }
        most <= CROWD && part.len() <= 1 << PLACE_BITS
    }
}

/// Sorts numbers of which each stands near its place.
fn settle(numbers: &mut [u64]) {
    // Neighbours are exchanged without asking, four times; after that the machine guesses right
    // nearly always that a number stands behind the one before.
    for start in [0, 1, 0, 1] {
        for pair in numbers.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>().0 {
            *pair = [pair[0].min(pair[1]), pair[0].max(pair[1])];
        }
    }
    for next in 1..numbers.len() {
        let number = numbers[next];
        let mut at = next;
        while at > 0 && numbers[at - 1] > number {
            numbers[at] = numbers[at - 1];
            at -= 1;
        }
        numbers[at] = number;
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::elements::Element;
    use crate::elements::parting::PART;

    fn commitment(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
        super::commitment(key, &Parted::of(elements))
    }

    /// As the head of the file has it, by sorting all.
    fn slow(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
        let mut sorted: Vec<Row> =
            elements.iter().map(|element| *element.first_chunk().unwrap()).collect();
        sorted.sort();
        *blake3::keyed_hash(key, sorted.as_flattened()).as_bytes()
    }

    fn set(n: usize) -> Vec<Element> {
        (0..n as u64).map(|i| Sha256::digest(i.to_le_bytes()).into()).collect()
    }

    #[test]
    fn a_digest_is_what_the_head_of_the_file_says() {
        for n in [0, 1, 2, 3, 65, PART - 1, PART, PART + 1, 2 * PART, 21 * PART + 7, 270 * PART] {
            let mut elements = set(n);
            let digest = commitment(&[7; 32], &elements);
            assert_eq!(digest, slow(&[7; 32], &elements), "{n}");
            elements.reverse();
            assert_eq!(digest, commitment(&[7; 32], &elements), "{n}, in another order");
        }
    }

    #[test]
    fn elements_that_are_no_hashes_are_digested_too() {
        for shared in [0, 2, 7, 12] {
            let elements: Vec<Element> = (0..30_000_u32)
                .map(|i| {
                    let mut element = [0; 32];
                    element[shared..shared + 4].copy_from_slice(&i.to_be_bytes());
                    element
                })
                .collect();
            assert_eq!(commitment(&[1; 32], &elements), slow(&[1; 32], &elements), "{shared}");
        }
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
            others[at][15] ^= 1;
            assert_ne!(digest, commitment(&[7; 32], &others));
        }
        assert_ne!(digest, commitment(&[7; 32], &elements[1..]));
    }
}
