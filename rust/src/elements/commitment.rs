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
//! What is hashed takes half as long as putting it into order, which is done where caches hold it:
//! rows are parted by their first bits, and each part is counted into buckets by the bits that follow.

use rayon::prelude::*;

use super::{Element, prefix};

type Row = [u8; 16];

/// Rows of a part on average, 64 KiB: they, and where they are sorted to, stay in the second cache.
const PART: usize = 4096;
/// Bits of the largest number of parts: as many pages as a processor has places for in its second
/// table of them are written to in turn.
const MOST_BITS: u32 = 11;
/// Parts that are sorted and hashed at once: 1 MiB, enough for each of some cores.
const TOGETHER: usize = 16;
/// Bits of the largest number of buckets of a part: 16 KiB of counts, half of the first cache.
const BUCKET_BITS: u32 = 12;
/// Rows of one bucket that are sorted by insertion. Of hashes one in 2^200 buckets has more.
const CROWD: u32 = 64;

/// Digests a set.
///
/// Secret: key and elements. Time and memory access depend on n and on the elements, at home only.
pub fn commitment(key: &[u8; 32], elements: &[Element]) -> [u8; 32] {
    let bits = (elements.len() / PART).checked_ilog2().unwrap_or(0).min(MOST_BITS);
    let (rows, ends) = parted(elements, bits);
    let mut hasher = blake3::Hasher::new_keyed(key);
    let (mut sorted, mut start) = (Vec::<Row>::new(), 0);
    for ends in ends.chunks(TOGETHER) {
        let last = ends.last().copied().unwrap_or(start);
        sorted.resize(last - start, [0; 16]);
        let parts: Vec<_> = pieces(&rows, &mut sorted, start, ends).collect();
        parts.into_par_iter().for_each_init(Buckets::default, |buckets, (part, out)| {
            buckets.sort(part, bits, out);
        });
        hasher.update_rayon(sorted.as_flattened());
        start = last;
    }
    *hasher.finalize().as_bytes()
}

/// Rows as numbers, parted by their first `bits`; and where each of 2^`bits` parts ends.
fn parted(elements: &[Element], bits: u32) -> (Vec<u128>, Vec<usize>) {
    let part = |row: u128| (row >> 1 >> (127 - bits)) as usize; // a shift by all 128 would be none
    let mut ends = vec![0; 1 << bits];
    elements.iter().for_each(|element| ends[part(prefix(element))] += 1);
    let mut before = 0;
    for end in &mut ends {
        (before, *end) = (before + *end, before);
    }
    let mut rows = vec![0; elements.len()];
    for element in elements {
        let row = prefix(element);
        let end = &mut ends[part(row)];
        rows[*end] = row;
        *end += 1;
    }
    (rows, ends)
}

/// Some parts that follow one another, each with where it is sorted to.
fn pieces<'a>(
    rows: &'a [u128],
    sorted: &'a mut [Row],
    mut start: usize,
    ends: &'a [usize],
) -> impl Iterator<Item = (&'a [u128], &'a mut [Row])> {
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
    rows: Vec<u128>,
}

impl Buckets {
    /// Sorts a part, whose rows have their first `bits` in common.
    fn sort(&mut self, part: &[u128], bits: u32, out: &mut [Row]) {
        let own = part.len().checked_ilog2().unwrap_or(0).min(BUCKET_BITS);
        let bucket = |row: u128| (row << bits >> 1 >> (127 - own)) as usize;
        self.ends.clear();
        self.ends.resize(1 << own, 0);
        part.iter().for_each(|row| self.ends[bucket(*row)] += 1);
        let (mut before, mut most) = (0, 0);
        for end in &mut self.ends {
            most = most.max(*end);
            (before, *end) = (before + *end, before);
        }
        self.rows.resize(part.len(), 0);
        for row in part {
            let end = &mut self.ends[bucket(*row)];
            self.rows[*end as usize] = *row;
            *end += 1;
        }
        if most > CROWD {
            self.rows.sort_unstable();
        } else {
            by_insertion(&mut self.rows);
        }
        for (out, row) in out.iter_mut().zip(&self.rows) {
            *out = row.to_be_bytes();
        }
    }
}

/// Sorts rows of which each stands near its place.
fn by_insertion(rows: &mut [u128]) {
    for next in 1..rows.len() {
        let row = rows[next];
        let mut at = next;
        while at > 0 && rows[at - 1] > row {
            rows[at] = rows[at - 1];
            at -= 1;
        }
        rows[at] = row;
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

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
        for n in [0, 1, 2, 3, 65, 1025, PART - 1, PART, 2 * PART, 5 * PART + 7, 70 * PART] {
            let mut elements = set(n);
            let digest = commitment(&[7; 32], &elements);
            assert_eq!(digest, slow(&[7; 32], &elements), "{n}");
            elements.reverse();
            assert_eq!(digest, commitment(&[7; 32], &elements), "{n}, in another order");
        }
    }

    #[test]
    fn elements_that_are_no_hashes_are_digested_too() {
        for shared in [0, 2, 12] {
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
