//! A set, hashed for one session and grouped by bins; bin by bin its hashes become outputs.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::aes::{Aes, Block};
use crate::error::Error;
use crate::memory;
use crate::okvs::{self, Encoders, Form};
use crate::session::{numbered_key, session_key};

/// The most bins; sets end at 2^32 rows, and bins have some 2^14.
const MOST_BINS: usize = 1 << 20;
/// The least rows of a segment: 1 MiB of hashes, which the third cache holds while they are sorted.
const SEGMENT: usize = 1 << 16;
/// The least rows of a bin in a segment, on average, so that what is read in a row is not too short:
/// 2 KiB.
const RUN: usize = 128;
/// How many rows of a bin ahead the place of one is fetched: two lines.
const AHEAD: usize = 8;
/// Rows hashed at a time: 2 KiB, which stays in the first cache.
const TILE: usize = 128;

/// Rows of a set, sorted by bin within segments. Wiped on drop.
///
/// A bin is a run of rows in each segment. That one segment after the other holds all bins saves a
/// pass over all rows; whoever needs a bin reads its runs into its own cache anyway.
///
/// Secret: all of it; where rows are written depends on them, at home only.
pub struct Rows {
    hashes: Vec<Block>,
    index: Vec<u32>,
    segments: Vec<Segment>,
    used: Vec<bool>,
    sealed: bool,
    form: Form,
    sid: [u8; 32],
    encoders: Encoders,
}

/// Where the bins of some consecutive rows are: bin b from `starts[b]` to `starts[b + 1]`.
struct Segment {
    starts: Vec<u32>,
}

impl Rows {
    /// Hashes elements and extra rows for a session, and groups them by bin.
    ///
    /// A row's hash is `mmo_row` of the first 16 bytes of the element. Two elements of a set with the
    /// same first 16 bytes would be taken for one; elements are hashes, so that this does not happen.
    ///
    /// Shapes: n and m rows to n + m rows, `numbered` if it is to be known which is which; `third` and
    /// `width` as for [`Form::new`].
    ///
    /// # Errors
    /// Those of [`Form::new`]; [`Error::TooLarge`] for no bins or too many, and from 2^32 rows.
    pub fn group(
        elements: &[[u8; 32]],
        extra: &[[u8; 32]],
        sid: &[u8; 32],
        bins: usize,
        third: usize,
        width: usize,
        numbered: bool,
    ) -> Result<Self, Error> {
        let form = Form::new(sid, third, width)?;
        if bins == 0 || bins > MOST_BINS {
            return Err(Error::TooLarge { argument: "bins", bound: MOST_BINS, actual: bins });
        }
        let (count, bound) = (elements.len() + extra.len(), u32::MAX as usize);
        if count > bound {
            return Err(Error::TooLarge { argument: "rows", bound, actual: count });
        }
        let row = session_key(sid, "row");
        let (mut hashes, mut index) = (vec![0; count], vec![0; if numbered { count } else { 0 }]);
        let size = SEGMENT.max(RUN * bins);
        let (first, second) = hashes.split_at_mut(elements.len());
        let (first_index, second_index) =
            index.split_at_mut(if numbered { elements.len() } else { 0 });
        let part = |base: usize, rows: &[[u8; 32]], hashes: &mut [Block], index: &mut [u32]| {
            let numbers: Vec<&mut [u32]> = if numbered {
                index.chunks_mut(size).collect()
            } else {
                hashes.chunks(size).map(|_| &mut [][..]).collect()
            };
            let slots = hashes.par_chunks_mut(size).zip(numbers);
            let chunks = rows.par_chunks(size).zip(slots).enumerate();
            let sorted = chunks.map_init(Zeroizing::default, |space, (i, (rows, slots))| {
                sort(&row, rows, bins as u32, (base + i * size) as u32, slots, space)
            });
            sorted.collect::<Vec<_>>()
        };
        let mut segments = part(0, elements, first, first_index);
        segments.extend(part(elements.len(), extra, second, second_index));
        Ok(Self {
            hashes,
            index,
            segments,
            used: vec![false; bins],
            sealed: false,
            form,
            sid: *sid,
            encoders: Encoders::default(),
        })
    }

    /// How many bins there are.
    #[must_use]
    pub fn bins(&self) -> usize {
        self.used.len()
    }

    /// How many rows a bin has.
    ///
    /// # Panics
    /// If there is no such bin.
    #[must_use]
    pub fn count(&self, bin: usize) -> usize {
        self.segments.iter().map(|segment| segment.range(bin..bin + 1).len()).sum()
    }

    /// The outputs, and for bins that have not been evaluated the hashes, in the order of
    /// [`Rows::index`].
    #[must_use]
    pub fn hashes(&self) -> &[Block] {
        &self.hashes
    }

    /// The number of each row among elements and, after them, extra rows; none if rows are not
    /// numbered.
    #[must_use]
    pub fn index(&self) -> &[u32] {
        &self.index
    }

    /// Takes the outputs away.
    ///
    /// # Errors
    /// [`Error::Early`] if a bin was not evaluated: a hash of an element is no output, and would tell
    /// it to whoever tries elements.
    pub fn take(&mut self) -> Result<Vec<Block>, Error> {
        self.are_outputs()?;
        self.segments.clear();
        Ok(std::mem::take(&mut self.hashes))
    }

    /// What labels are sealed with: 32 bytes of each row's output, in the order of elements and, after
    /// them, extra rows.
    ///
    /// Each half is a hash of the output, and a third hash takes the output's place: tags that are told
    /// besides say nothing of what seals. Each bin has hashes of its own.
    ///
    /// # Errors
    /// [`Error::Used`] if they were taken before, [`Error::Length`] if rows are not numbered,
    /// [`Error::Early`] as of [`Rows::take`].
    pub fn seals(&mut self) -> Result<Vec<[u8; 32]>, Error> {
        self.are_numbered()?;
        self.are_outputs()?;
        if std::mem::replace(&mut self.sealed, true) {
            return Err(Error::Used { argument: "seals" });
        }
        let bins = self.bins();
        let keys = |name| (0..bins).map(|bin| numbered_key(&self.sid, name, bin)).collect();
        let [halves @ .., told]: [Vec<Aes>; 3] = ["seal", "seal2", "told"].map(keys);
        let mut seals = vec![[0; 32]; self.hashes.len()];
        let mut tiles = [[0; TILE]; 2];
        let mut start = 0;
        for segment in &self.segments {
            for bin in 0..bins {
                let range = segment.range(bin..bin + 1);
                let range = start + range.start..start + range.end;
                let (outputs, index) = (&mut self.hashes[range.clone()], &self.index[range]);
                for (outputs, index) in outputs.chunks_mut(TILE).zip(index.chunks(TILE)) {
                    for (half, tile) in halves.iter().zip(&mut tiles) {
                        half[bin].hash_into(outputs, &mut tile[..outputs.len()]);
                    }
                    told[bin].hash_each(outputs);
                    for (i, row) in index.iter().enumerate() {
                        let (low, high) = seals[*row as usize].split_at_mut(16);
                        low.copy_from_slice(&tiles[0][i].to_le_bytes());
                        high.copy_from_slice(&tiles[1][i].to_le_bytes());
                    }
                }
            }
            start += segment.rows();
        }
        tiles.zeroize();
        Ok(seals)
    }

    /// Takes the outputs and the number of each row away.
    ///
    /// # Errors
    /// [`Error::Length`] if rows are not numbered, [`Error::Early`] as of [`Rows::take`].
    pub fn take_numbered(&mut self) -> Result<(Vec<Block>, Vec<u32>), Error> {
        self.are_numbered()?;
        Ok((self.take()?, std::mem::take(&mut self.index)))
    }

    fn are_outputs(&self) -> Result<(), Error> {
        let early = self.used.iter().position(|used| !used);
        early.map_or(Ok(()), |bin| Err(Error::Early { bin }))
    }

    fn are_numbered(&self) -> Result<(), Error> {
        let (expected, actual) = (self.hashes.len(), self.index.len());
        if actual < expected {
            return Err(Error::Length { argument: "numbers of rows", expected, actual });
        }
        Ok(())
    }

    /// How the session's bins are read.
    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    /// Marks bins as evaluated and gives the runs of each, with what is needed to evaluate them.
    ///
    /// # Errors
    /// [`Error::Index`] if there are no such bins, [`Error::Used`] if one of them was evaluated.
    pub(crate) fn evaluate(&mut self, bins: Range<usize>) -> Result<Work<'_>, Error> {
        let bound = self.used.len();
        let Some(used) = self.used.get_mut(bins.clone()) else {
            return Err(Error::Index { argument: "bins", bound, actual: bins.end });
        };
        if used.contains(&true) {
            return Err(Error::Used { argument: "bins" });
        }
        used.fill(true);
        let mut runs: Vec<Vec<&mut [Block]>> = bins.clone().map(|_| Vec::new()).collect();
        let mut rest = &mut self.hashes[..];
        for segment in &self.segments {
            let (hashes, next) = rest.split_at_mut(segment.rows());
            rest = next;
            let mut hashes = &mut hashes[segment.range(bins.clone())];
            for (bin, runs) in bins.clone().zip(&mut runs) {
                let (run, next) = hashes.split_at_mut(segment.range(bin..bin + 1).len());
                hashes = next;
                runs.push(run);
            }
        }
        let bins = bins.zip(runs).map(|(number, runs)| Bin { number, runs }).collect();
        Ok(Work { bins, form: &self.form, sid: &self.sid, encoders: &self.encoders })
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.hashes.zeroize();
        self.index.zeroize();
    }
}

impl ZeroizeOnDrop for Rows {}

/// Bins to evaluate.
pub(crate) struct Work<'a> {
    pub(crate) bins: Vec<Bin<'a>>,
    pub(crate) form: &'a Form,
    pub(crate) sid: &'a [u8; 32],
    pub(crate) encoders: &'a Encoders,
}

/// The rows of one bin.
pub(crate) struct Bin<'a> {
    pub(crate) number: usize,
    runs: Vec<&'a mut [Block]>,
}

impl Bin<'_> {
    /// How many rows there are.
    pub(crate) fn count(&self) -> usize {
        self.runs.iter().map(|run| run.len()).sum()
    }

    /// The rows, one after another. To be wiped by the caller.
    pub(crate) fn read(&self) -> Vec<Block> {
        let mut rows = Vec::with_capacity(self.count());
        self.runs.iter().for_each(|run| rows.extend_from_slice(run));
        rows
    }

    /// Writes rows back to where they were read.
    pub(crate) fn write(self, mut rows: &[Block]) {
        for run in self.runs {
            let (first, rest) = rows.split_at(run.len());
            run.copy_from_slice(first);
            rows = rest;
        }
    }
}

impl Segment {
    fn rows(&self) -> usize {
        self.starts.last().map_or(0, |end| *end as usize)
    }

    /// The rows of some bins.
    fn range(&self, bins: Range<usize>) -> Range<usize> {
        self.starts[bins.start] as usize..self.starts[bins.end] as usize
    }
}

/// Hashes rows, writes the hashes sorted by bin and the numbers, which begin at `base`, beside them.
fn sort(
    hash: &Aes,
    rows: &[[u8; 32]],
    bins: u32,
    base: u32,
    (hashes, index): (&mut [Block], &mut [u32]),
    hashed: &mut Vec<Block>,
) -> Segment {
    hashed.resize(rows.len().max(hashed.len()), 0);
    let hashed = &mut hashed[..rows.len()];
    let mut starts = vec![0; bins as usize + 1];
    let mut tile = Zeroizing::new([0; TILE]);
    for (rows, hashed) in rows.chunks(TILE).zip(hashed.chunks_mut(TILE)) {
        for (row, first) in rows.iter().zip(tile.iter_mut()) {
            memory::prefetch(std::slice::from_ref(row), TILE); // the row a tile ahead
            *first = row.first_chunk().copied().map_or(0, Block::from_le_bytes);
        }
        hash.hash_into(&tile[..rows.len()], hashed);
        for hash in hashed {
            starts[okvs::bin(*hash, bins) as usize + 1] += 1;
        }
    }
    for bin in 0..bins as usize {
        starts[bin + 1] += starts[bin];
    }
    // Hashes and numbers in turn would keep twice as many places open at a time, which takes longer.
    let mut next = starts.clone();
    for hash in &*hashed {
        let slot = &mut next[okvs::bin(*hash, bins) as usize];
        hashes[*slot as usize] = *hash;
        memory::prefetch(hashes, *slot as usize + AHEAD);
        *slot += 1;
    }
    if index.is_empty() {
        return Segment { starts };
    }
    next.copy_from_slice(&starts);
    for (number, hash) in (base..).zip(&*hashed) {
        let slot = &mut next[okvs::bin(*hash, bins) as usize];
        index[*slot as usize] = number;
        memory::prefetch(index, *slot as usize + 4 * AHEAD);
        *slot += 1;
    }
    Segment { starts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    const SID: [u8; 32] = [9; 32];

    fn draw(count: usize) -> Vec<[u8; 32]> {
        let mut entropy = Entropy::from_seed_for_tests([3; 32]);
        let mut rows = vec![[0; 32]; count];
        entropy.fill(rows.as_flattened_mut());
        rows
    }

    fn hash(element: &[u8; 32]) -> Block {
        let mut block = [Block::from_le_bytes(*element.first_chunk().unwrap())];
        session_key(&SID, "row").hash_each(&mut block);
        block[0]
    }

    #[test]
    fn every_row_stands_once_with_its_number_and_in_its_bin() {
        for (count, extra, bins) in [
            (0, 0, 1),
            (1, 0, 3),
            (0, 2, 3),
            (129, 1, 1),
            (1000, 100, 7),
            (SEGMENT + 1, 0, 5),
            (SEGMENT, 300, 1200),
        ] {
            let elements = draw(count + extra);
            let (first, second) = elements.split_at(count);
            let mut rows = Rows::group(first, second, &SID, bins, 100, 64, true).unwrap();
            let mut numbers = rows.index().to_vec();
            for (number, hashed) in numbers.iter().zip(rows.hashes()) {
                assert_eq!(*hashed, hash(&elements[*number as usize]), "seed 3");
            }
            numbers.sort_unstable();
            assert_eq!(numbers, (0..elements.len() as u32).collect::<Vec<_>>(), "seed 3");
            let counts: Vec<_> = (0..bins).map(|bin| rows.count(bin)).collect();
            let work = rows.evaluate(0..bins).unwrap();
            for (bin, count) in work.bins.iter().zip(counts) {
                let read = bin.read();
                assert_eq!((bin.count(), read.len()), (count, count), "seed 3");
                let number = bin.number as u32;
                assert!(read.iter().all(|hash| okvs::bin(*hash, bins as u32) == number), "seed 3");
            }
            assert_eq!(work.bins.iter().map(Bin::count).sum::<usize>(), elements.len());
        }
    }

    #[test]
    fn rows_without_numbers_stand_as_those_with_them() {
        let (elements, extra) = (draw(SEGMENT + 9), draw(7));
        let group = |numbered| Rows::group(&elements, &extra, &SID, 3, 100, 64, numbered).unwrap();
        let (mut with, mut without) = (group(true), group(false));
        assert_eq!(with.hashes(), without.hashes());
        assert!((0..3).all(|bin| with.count(bin) == without.count(bin)));
        let expected = elements.len() + extra.len();
        let length = || Error::Length { argument: "numbers of rows", expected, actual: 0 };
        assert_eq!(without.seals(), Err(length()));
        assert_eq!(without.take_numbered(), Err(length()));
        assert!(with.evaluate(0..1).is_ok() && without.evaluate(0..2).is_ok());
        let early = |bin| Error::Early { bin };
        assert_eq!(with.seals(), Err(early(1)));
        assert_eq!(with.take_numbered(), Err(early(1)));
        assert_eq!(without.take(), Err(early(2)));
    }

    #[test]
    fn what_is_written_to_a_bin_stands_at_its_rows() {
        let mut rows = Rows::group(&draw(SEGMENT + 9), &draw(7), &SID, 3, 100, 64, true).unwrap();
        let before = rows.hashes().to_vec();
        for bin in rows.evaluate(1..3).unwrap().bins {
            let changed: Vec<_> = bin.read().iter().map(|hash| !hash).collect();
            bin.write(&changed);
        }
        for (before, after) in before.iter().zip(rows.hashes()) {
            let expected = if okvs::bin(*before, 3) == 0 { *before } else { !before };
            assert_eq!(*after, expected, "seed 3");
        }
        let refused = |result: Result<Work<'_>, Error>| result.err().unwrap();
        assert_eq!(refused(rows.evaluate(0..2)), Error::Used { argument: "bins" });
        let index = Error::Index { argument: "bins", bound: 3, actual: 4 };
        assert_eq!(refused(rows.evaluate(2..4)), index);
        assert!(rows.evaluate(0..0).unwrap().bins.is_empty());
        assert_eq!(rows.evaluate(0..1).unwrap().bins.len(), 1);
        assert_eq!(rows.take().unwrap().len(), SEGMENT + 16);
        assert_eq!(refused(rows.evaluate(0..1)), Error::Used { argument: "bins" });
    }

    #[test]
    fn seals_are_two_hashes_of_each_output_in_the_order_of_the_elements_and_leave_a_third() {
        let elements = draw(300);
        let mut rows =
            Rows::group(&elements[..200], &elements[200..], &SID, 4, 100, 64, true).unwrap();
        assert_eq!(rows.evaluate(0..4).unwrap().bins.len(), 4);
        let seals = rows.seals().unwrap();
        assert_eq!(rows.seals(), Err(Error::Used { argument: "seals" }));
        let mut told = vec![0; 300];
        for (output, index) in rows.hashes().iter().zip(rows.index()) {
            told[*index as usize] = *output;
        }
        for ((element, seal), told) in elements.iter().zip(seals).zip(told) {
            let [mut low, mut high, mut third] = [[hash(element)]; 3];
            let bin = okvs::bin(low[0], 4) as usize;
            numbered_key(&SID, "seal", bin).hash_each(&mut low);
            numbered_key(&SID, "seal2", bin).hash_each(&mut high);
            numbered_key(&SID, "told", bin).hash_each(&mut third);
            assert_eq!(told, third[0]);
            assert_eq!(seal, *[low[0].to_le_bytes(), high[0].to_le_bytes()].as_flattened());
        }
    }

    #[test]
    fn forms_that_no_session_has_are_refused() {
        let group =
            |bins, third, width| Rows::group(&[], &[], &SID, bins, third, width, true).err();
        assert!(group(1, 100, 64).is_none());
        assert!(group(0, 100, 64).is_some() && group(MOST_BINS + 1, 100, 64).is_some());
        assert!(group(1, 0, 64).is_some() && group(1, okvs::LONGEST_THIRD + 1, 64).is_some());
        assert!(group(1, 100, 56).is_some() && group(1, 100, 65).is_some());
        assert!(group(1, 100, 136).is_some() && group(1, 100, 128).is_none());
    }
}
