//! Hits: which rows of a batch name an element that was matched.

use crate::elements::NOWHERE;
use crate::error::Error;

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

/// Finds the hits of a batch.
///
/// Shapes: for each way the places of n rows, [`NOWHERE`] for a row that names nothing; for each
/// place its match, below 0 for none; to three numbers for each hit.
/// Secret: all of them; time and memory access depend on them, at home only.
///
/// # Errors
/// [`Error::Length`] if ways differ in length, [`Error::TooLarge`] if 2^32 - 1 rows are exceeded,
/// [`Error::Index`] if a place is not in `match_at`.
pub fn find(places: &[&[u32]], match_at: &[i32]) -> Result<Hits, Error> {
    let (rows, ways) = (places.first().map_or(0, |way| way.len()), places.len());
    if let Some(other) = places.iter().find(|way| way.len() != rows) {
        return Err(Error::Length { argument: "places", expected: rows, actual: other.len() });
    }
    if rows > u32::MAX as usize {
        let bound = u32::MAX as usize;
        return Err(Error::TooLarge { argument: "places", bound, actual: rows });
    }
    // The match of each place, way by way; then the hits among them.
    let mut matched = vec![-1; rows * ways];
    for (way, places) in places.iter().enumerate() {
        let matched = matched.iter_mut().skip(way).step_by(ways);
        for (matched, place) in matched.zip(*places).filter(|(_, place)| **place != NOWHERE) {
            *matched = *match_at.get(*place as usize).ok_or(Error::Index {
                argument: "places",
                bound: match_at.len(),
                actual: *place as usize,
            })?;
        }
    }
    // Each is written as if it were a hit, and the next one over it if it is none: a wrong guess of
    // the processor costs more than three numbers.
    let most = matched.len();
    let mut hits = Hits { rows: vec![0; most], ways: vec![0; most], matches: vec![0; most] };
    let mut count = 0;
    for (row, matched) in matched.chunks_exact(ways.max(1)).enumerate() {
        for (way, matched) in matched.iter().enumerate() {
            hits.rows[count] = row as u32;
            hits.ways[count] = way as u32;
            hits.matches[count] = i64::from(*matched);
            count += usize::from(*matched >= 0);
        }
    }
    hits.rows.truncate(count);
    hits.ways.truncate(count);
    hits.matches.truncate(count);
    Ok(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_ordered_by_row_then_way() {
        let (first, second) = ([2, NOWHERE, 0, 1], [NOWHERE, 1, 2, NOWHERE]);
        let hits = find(&[&first, &second], &[0, -1, 1]).unwrap();
        let expected = Hits { rows: vec![0, 2, 2], ways: vec![0, 0, 1], matches: vec![1, 0, 1] };
        assert_eq!(hits, expected);
        assert_eq!(find(&[], &[0]).unwrap(), Hits::default());
        assert_eq!(find(&[&[], &[]], &[]).unwrap(), Hits::default());
        assert_eq!(find(&[&[NOWHERE]], &[]).unwrap(), Hits::default());
    }

    #[test]
    fn places_are_of_one_length_and_in_the_table() {
        let length = Error::Length { argument: "places", expected: 1, actual: 0 };
        assert_eq!(find(&[&[0], &[]], &[0]), Err(length));
        let index = Error::Index { argument: "places", bound: 2, actual: 2 };
        assert_eq!(find(&[&[0, 2]], &[0, 1]), Err(index));
    }
}
