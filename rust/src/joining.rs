//! Hits: which rows of a batch name an element that was matched.

use crate::elements::NOWHERE;
use crate::error::Error;

/// Places that were matched.
///
/// A bit for each place and a count for each word of them: of 2^20 places 256 KiB, which the second
/// cache holds. The match of a place is the number of those before it.
///
/// Secret: all of it.
pub struct Matched {
    words: Vec<Word>,
    places: usize,
}

/// Whether each of 64 places was matched, and how many were before them.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    bits: u64,
    before: u32,
}

/// The hits of a batch, ordered by row, then way.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// The row of each.
    pub rows: Vec<u32>,
    /// The way in which the row names the element.
    pub ways: Vec<u32>,
    /// The match.
    pub matches: Vec<i64>,
}

impl Matched {
    /// Takes the place of each match, of so many places.
    ///
    /// # Errors
    /// [`Error::Index`] for a place that there is not, [`Error::Order`] if they do not ascend.
    pub fn new(positions: &[u32], places: usize) -> Result<Self, Error> {
        let mut words = vec![Word::default(); places.div_ceil(64)];
        let mut last = None;
        for (index, position) in positions.iter().enumerate() {
            let at = *position as usize;
            if at >= places {
                return Err(Error::Index { argument: "positions", bound: places, actual: at });
            }
            if last.is_some_and(|last| last >= at) {
                return Err(Error::Order { argument: "positions", index });
            }
            last = Some(at);
            words[at / 64].bits |= 1 << (at % 64);
        }
        let mut before = 0;
        for word in &mut words {
            word.before = before;
            before += word.bits.count_ones();
        }
        Ok(Self { words, places })
    }

    /// Finds the hits of a batch.
    ///
    /// Shapes: for each way the places of n rows, [`NOWHERE`] for a row that names nothing; to three
    /// numbers for each hit.
    /// Secret: all of them; time and memory access depend on them, at home only.
    ///
    /// # Errors
    /// [`Error::Length`] if ways differ in length, [`Error::TooLarge`] if 2^32 - 1 rows are exceeded,
    /// [`Error::Index`] for a place that there is not.
    pub fn find(&self, places: &[&[u32]]) -> Result<Hits, Error> {
        let (rows, ways) = (places.first().map_or(0, |way| way.len()), places.len());
        if let Some(other) = places.iter().find(|way| way.len() != rows) {
            return Err(Error::Length { argument: "places", expected: rows, actual: other.len() });
        }
        if rows > u32::MAX as usize {
            let bound = u32::MAX as usize;
            return Err(Error::TooLarge { argument: "places", bound, actual: rows });
        }
        for place in places.iter().copied().flatten().filter(|place| **place != NOWHERE) {
            let (bound, actual) = (self.places, *place as usize);
            if actual >= bound {
                return Err(Error::Index { argument: "places", bound, actual });
            }
        }
        // Each place is written as if it were a hit, and the next one over it if it is none: a wrong
        // guess of the processor costs more.
        let room = rows * ways + 1;
        let mut hits = Hits { rows: vec![0; room], ways: vec![0; room], matches: Vec::new() };
        let (mut found, mut count) = (vec![0; room], 0);
        for row in 0..rows {
            for (way, places) in places.iter().enumerate() {
                let place = places[row];
                let word = self.words.get(place as usize / 64).map_or(0, |word| word.bits);
                hits.rows[count] = row as u32;
                hits.ways[count] = way as u32;
                found[count] = place;
                count += (word >> (place % 64) & 1) as usize;
            }
        }
        hits.rows.truncate(count);
        hits.ways.truncate(count);
        hits.matches = found[..count].iter().map(|place| self.match_of(*place)).collect();
        Ok(hits)
    }

    /// The match of a place that was matched.
    fn match_of(&self, place: u32) -> i64 {
        let Word { bits, before } = self.words[place as usize / 64];
        i64::from(before + (bits & ((1 << (place % 64)) - 1)).count_ones())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_ordered_by_row_then_way() {
        let (first, second) = ([2, NOWHERE, 0, 1], [NOWHERE, 1, 2, NOWHERE]);
        let hits = Matched::new(&[0, 2], 3).unwrap().find(&[&first, &second]).unwrap();
        let expected = Hits { rows: vec![0, 2, 2], ways: vec![0, 0, 1], matches: vec![1, 0, 1] };
        assert_eq!(hits, expected);
        for (places, count) in [(&[][..], 3), (&[&[][..], &[]], 0), (&[&[NOWHERE]], 0)] {
            let matched = Matched::new(&[], count).unwrap();
            assert_eq!(matched.find(places).unwrap(), Hits::default());
        }
    }

    #[test]
    fn the_match_of_a_place_is_counted_across_words() {
        let all: Vec<_> = (0..200).filter(|place| place % 3 != 1 && *place != 64).collect();
        let matched = Matched::new(&all, 200).unwrap();
        let places: Vec<_> = (0..200).rev().collect();
        let hits = matched.find(&[&places]).unwrap();
        assert_eq!(hits.matches, (0..all.len() as i64).rev().collect::<Vec<_>>());
        assert!(hits.rows.iter().rev().zip(&all).all(|(row, place)| 199 - *row == *place));
    }

    #[test]
    fn places_are_of_one_length_and_there() {
        let matched = Matched::new(&[0], 2).unwrap();
        let length = Error::Length { argument: "places", expected: 1, actual: 0 };
        assert_eq!(matched.find(&[&[0], &[]]), Err(length));
        let index = Error::Index { argument: "places", bound: 2, actual: 2 };
        assert_eq!(matched.find(&[&[0, 2]]), Err(index));
        for (positions, due) in [
            (&[2][..], Error::Index { argument: "positions", bound: 2, actual: 2 }),
            (&[1, 0], Error::Order { argument: "positions", index: 1 }),
            (&[1, 1], Error::Order { argument: "positions", index: 1 }),
        ] {
            assert_eq!(Matched::new(positions, 2).err(), Some(due));
        }
    }
}
