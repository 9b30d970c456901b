//! The receiver's side: which of its own rows have a tag of the sender.
//!
//! Own rows are grouped by part. The sender's tags come in order, so those of a part come together;
//! they are what is searched, with a table of where each cell starts, and all of it fits a cache.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::parts::{Grouped, Parts, Row};
use super::{Split, with_width};
use crate::aes::Block;
use crate::error::Error;

/// Tags of a cell that are compared without a branch. A cell has one in the mean; one of 50 rows
/// that have a match finds a cell of more than four.
const NEAR: usize = 4;
/// A table of this many tags could not say where its cells start (24 bits).
const LONGEST: usize = (1 << 24) - 1;
/// Runs that are worth a task.
const TASK: usize = 8;

/// The receiver's rows and those of them that were found. Wiped on drop.
///
/// Secret: the rows and which were found. They decide branches and indices, at home.
pub struct Join {
    split: Split,
    rows: Grouped,
    /// Own rows of each part.
    own: Vec<usize>,
    /// The unary vector.
    unary: Vec<u64>,
    /// Tags in front of each part, and all of them at the end.
    starts: Vec<usize>,
    /// Where the next run starts.
    next: Place,
    /// Low parts of the next run that are already here.
    held: Vec<u8>,
    /// Bucket and low part of the last tag.
    last: (usize, Block),
    /// A bit for each own index.
    found: Vec<u64>,
}

/// A place in the message.
#[derive(Clone, Copy, Default)]
struct Place {
    part: usize,
    /// Tags in front of it.
    tag: usize,
    /// A bit of the unary vector after that of the tag before and not after that of the tag here.
    bit: usize,
}

/// Tags that are searched together: all of a part, or a long piece of it.
struct Run<'a> {
    place: Place,
    lows: &'a [u8],
}

/// What came of a run.
struct Found {
    /// Indices of own rows.
    hits: Zeroizing<Vec<u32>>,
    /// Bucket and low part of the first and last tag.
    ends: [(usize, Block); 2],
    /// The first tag that is below the one before it, counted from the first of the run.
    disorder: Option<usize>,
}

impl Join {
    /// Takes the own rows and the peer's unary vector.
    ///
    /// Shapes: n `outputs` and the `index` of each (what [`Join::matched`] tells; a bit is kept for
    /// each up to the largest); tags of `bits` bits, 8 to 128. Vectors are worked on in place; a slice
    /// is copied.
    ///
    /// # Errors
    /// As [`Split::new`]; [`Error::Length`] if `index` or `unary` has the wrong length;
    /// [`Error::Unary`] if `unary` is not the counts of `tags` tags, or is filled up with ones.
    pub fn of(
        outputs: impl Into<Vec<Block>>,
        index: impl Into<Vec<u32>>,
        bits: usize,
        tags: usize,
        unary: &[u8],
    ) -> Result<Self, Error> {
        let (mut outputs, index) = (outputs.into(), index.into());
        Self::checked(&outputs, &index, bits, tags, unary)
            .map(|(split, unary, starts)| {
                let found = vec![0; index.iter().max().map_or(0, |top| *top as usize / 64 + 1)];
                let rows = Grouped::of(std::mem::take(&mut outputs), index, Parts::of(split));
                let own = rows.starts().windows(2).map(|pair| pair[1] - pair[0]).collect();
                let (next, held, last) = (Place::default(), Vec::new(), (0, 0));
                Self { split, rows, own, unary, starts, next, held, last, found }
            })
            .inspect_err(|_| outputs.as_mut_slice().zeroize())
    }

    fn checked(
        outputs: &[Block],
        index: &[u32],
        bits: usize,
        tags: usize,
        unary: &[u8],
    ) -> Result<(Split, Vec<u64>, Vec<usize>), Error> {
        let split = Split::new(bits, tags)?;
        for (argument, expected, actual) in
            [("index", outputs.len(), index.len()), ("unary", split.unary(), unary.len())]
        {
            if expected != actual {
                return Err(Error::Length { argument, expected, actual });
            }
        }
        let mut words = vec![0; unary.len().div_ceil(8)];
        for (word, bytes) in words.iter_mut().zip(unary.chunks(8)) {
            let mut all = [0; 8];
            all[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(all);
        }
        let starts = starts(&words, split)?;
        Ok((split, words, starts))
    }

    /// Takes the next low parts, ascending by tag, any number of them.
    ///
    /// Shapes: `Split::row` bytes for each. They are kept until a part is complete.
    /// After an error the join is of no use.
    ///
    /// # Errors
    /// [`Error::Length`] if `lows` is not whole rows, has more than there are tags, or a row has more
    /// bits than a tag; [`Error::Order`] for a tag that is below the one before it.
    pub fn probe(&mut self, lows: &[u8]) -> Result<(), Error> {
        let row = self.split.row();
        let due = (self.split.tags - self.next.tag) * row - self.held.len();
        if !lows.len().is_multiple_of(row) || lows.len() > due {
            let expected = if lows.len() > due { due } else { row };
            return Err(Error::Length { argument: "lows", expected, actual: lows.len() });
        }
        let mut held = std::mem::take(&mut self.held);
        let mut rest = lows;
        let mut runs = Vec::new();
        let mut wanted = self.wanted() * row;
        if !held.is_empty() {
            let (fill, after) = rest.split_at(rest.len().min(wanted - held.len()));
            held.extend_from_slice(fill);
            rest = after;
            if held.len() < wanted {
                self.held = held;
                return Ok(());
            }
            runs.push(self.run(&held));
            wanted = self.wanted() * row;
        }
        while wanted > 0 && rest.len() >= wanted {
            let (run, after) = rest.split_at(wanted);
            runs.push(self.run(run));
            rest = after;
            wanted = self.wanted() * row;
        }
        self.search(&runs)?;
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// The indices of own rows whose tag the sender has, ascending, each once.
    ///
    /// # Errors
    /// [`Error::Length`] for `lows` if not all of them came.
    pub fn matched(self) -> Result<Vec<u32>, Error> {
        let row = self.split.row();
        let (expected, actual) = (self.split.tags * row, self.next.tag * row + self.held.len());
        if actual != expected {
            return Err(Error::Length { argument: "lows", expected, actual });
        }
        let count = self.found.iter().map(|word| word.count_ones() as usize).sum();
        let mut matched = Vec::with_capacity(count);
        for (mut word, first) in self.found.iter().copied().zip((0..).step_by(64)) {
            while word != 0 {
                matched.push(first + word.trailing_zeros());
                word &= word - 1;
            }
        }
        Ok(matched)
    }

    /// Tags of the next run, 0 if there is none.
    ///
    /// A part of uniform tags is one run. One that has many times what it should have comes in pieces,
    /// so that memory stays bounded, each at least as long as the own rows of a part in the mean, so
    /// that searching all of these in each piece takes no longer than reading it. Of the own rows
    /// nothing but their number counts: the peer sees after which message it is refused.
    fn wanted(&mut self) -> usize {
        let Place { mut part, tag, .. } = self.next;
        if tag == self.split.tags {
            return 0;
        }
        while self.starts[part + 1] == tag {
            part += 1;
            self.next = Place { part, tag, bit: tag + part * self.rows.parts.buckets() };
        }
        let mean = self.rows.rows.len() / self.own.len();
        let longest = (8 * self.rows.parts.cells()).max(mean).min(LONGEST);
        (self.starts[part + 1] - tag).min(longest)
    }

    /// Makes a run of these low parts and moves on.
    fn run<'a>(&mut self, lows: &'a [u8]) -> Run<'a> {
        let run = Run { place: self.next, lows };
        let count = lows.len() / self.split.row();
        self.next.tag += count;
        if self.next.tag < self.starts[self.next.part + 1] {
            self.next.bit = after_ones(&self.unary, self.next.bit, count);
        }
        run
    }

    fn search(&mut self, runs: &[Run]) -> Result<(), Error> {
        let search = |table: &mut Table, run: &Run| with_width!(self.split.row(), WIDTH => self.search_run::<WIDTH>(run, table));
        let found: Vec<Found> =
            runs.par_iter().with_min_len(TASK).map_init(Table::default, search).collect();
        for (run, found) in runs.iter().zip(found) {
            let [first, last] = found.ends;
            let disorder = if first < self.last { Some(0) } else { found.disorder };
            if let Some(index) = disorder {
                return Err(Error::Order { argument: "lows", index: run.place.tag + index });
            }
            self.last = last;
            let (expected, low) = (self.rows.parts.low(), 128 - last.1.leading_zeros());
            if low > expected {
                let (expected, actual) = (expected as usize, low as usize);
                return Err(Error::Length { argument: "lows", expected, actual });
            }
            for hit in found.hits.iter() {
                self.found[*hit as usize / 64] |= 1 << (hit % 64);
            }
        }
        Ok(())
    }

    fn search_run<const WIDTH: usize>(&self, run: &Run, table: &mut Table) -> Found {
        let (part, parts) = (run.place.part, self.rows.parts);
        let (ends, disorder) = table.fill::<WIDTH>(run, &self.unary, parts);
        let mut hits = Zeroizing::new(vec![0; self.own[part]]);
        let mut count = 0;
        for chunk in 0..self.rows.chunks() {
            let range = self.rows.range(chunk, part);
            let (rows, index) = (&self.rows.rows[range.clone()], &self.rows.index[range]);
            let free = &mut hits[count..];
            count += if WIDTH <= 8 {
                table.find::<false>(rows, index, parts, free)
            } else {
                table.find::<true>(rows, index, parts, free)
            };
        }
        hits.truncate(count);
        Found { hits, ends, disorder }
    }
}

impl Drop for Join {
    fn drop(&mut self) {
        self.rows.rows.as_mut_slice().zeroize();
        self.rows.index.as_mut_slice().zeroize();
        self.found.as_mut_slice().zeroize();
    }
}

/// The tags of a run and where to look for one.
#[derive(Default)]
struct Table {
    /// For each cell 24 bits of where it starts, then 8 bits, as many ones as it has tags, at most
    /// NEAR + 1. At the end where all of them end.
    cells: Vec<u32>,
    /// The low half of each tag's row, and NEAR more that are never used.
    lows: Vec<u64>,
    /// The high half without the bits of the bucket; only for low parts of more than 64 bits. A row
    /// of the same cell has the same bucket, and a low part of at most 64 bits is the rest.
    highs: Vec<u64>,
}

impl Table {
    /// Reads a run: its first and last tag, and the first that is below the one before it.
    fn fill<const WIDTH: usize>(
        &mut self,
        run: &Run,
        unary: &[u64],
        parts: Parts,
    ) -> ([(usize, Block); 2], Option<usize>) {
        let rows = run.lows.as_chunks::<WIDTH>().0;
        self.cells.clear();
        self.cells.resize(parts.cells() + 1, 0);
        if self.lows.len() < rows.len() + NEAR {
            self.lows.resize(rows.len() + NEAR, 0);
        }
        if WIDTH > 8 && self.highs.len() < rows.len() + NEAR {
            self.highs.resize(rows.len() + NEAR, 0);
        }
        let (lows, highs) = (&mut self.lows[..rows.len()], &mut self.highs[..]);
        let (bits, fine, mask) = (parts.low(), parts.fine(), parts.cells() - 1);
        let keep = u64::MAX << parts.high;
        let mut ones = Ones::after(unary, run.place.bit);
        // Bits in front of a tag's bit, but for the tags and the buckets of other parts.
        let before = run.place.tag + run.place.part * parts.buckets();
        let (mut last_bit, mut last_low) = (0, 0);
        let mut disorder = false;
        for (i, row) in rows.iter().enumerate() {
            let bit = ones.next_bit();
            let bucket = bit - before - i;
            let low = low_of(row);
            // Tags of one bucket are ones side by side.
            disorder |= (low < last_low) & (bit == last_bit + 1);
            (last_bit, last_low) = (bit, low);
            lows[i] = low as u64;
            let within = if WIDTH <= 8 {
                low as u64 >> 1 >> (bits - fine - 1)
            } else {
                let top = (low << (128 - bits) >> 64) as u64;
                highs[i] = top & keep;
                top >> 1 >> (63 - fine)
            };
            // The mask is for low parts of too many bits, which are refused later.
            self.cells[(bucket << fine | within as usize) & mask] += 1;
        }
        self.sum();
        let ends = [0, rows.len() - 1].map(|i| (bucket_of(run, unary, i), low_of(&rows[i])));
        let disorder = if disorder { descent(run, rows, unary) } else { None };
        (ends, disorder)
    }

    /// Turns counts into what `cells` should be.
    fn sum(&mut self) {
        const ONES: [u32; NEAR + 2] = [0, 1, 3, 7, 15, 31];
        let mut sum = 0;
        for cell in &mut self.cells {
            let count = *cell;
            *cell = sum << 8 | ONES[(count as usize).min(NEAR + 1)];
            sum += count;
        }
    }

    /// Writes the indices of rows that are in the table; says how many.
    ///
    /// `hits` has room for all rows. Whether a row is found is as good as random, so no branch asks.
    fn find<const LONG: bool>(
        &self,
        rows: &[Row],
        index: &[u32],
        parts: Parts,
        hits: &mut [u32],
    ) -> usize {
        let mut count = 0;
        for (row, index) in rows.iter().zip(index) {
            let (high, low) = (((row >> 64) as u64) << parts.high, *row as u64);
            let cell = parts.cell_of(*row);
            let ones = self.cells[cell];
            let start = (ones >> 8) as usize;
            let near = start..start + NEAR;
            let mut equal = 0;
            if LONG {
                let near = self.lows[near.clone()].iter().zip(&self.highs[near]);
                for (i, (near_low, near_high)) in near.enumerate() {
                    equal |= u32::from((*near_low == low) & (*near_high == high)) << i;
                }
            } else {
                for (i, near) in self.lows[near].iter().enumerate() {
                    equal |= u32::from(*near == low) << i;
                }
            }
            let mut hit = equal & ones != 0;
            if ones & 1 << NEAR != 0 {
                let end = (self.cells[cell + 1] >> 8) as usize;
                hit = self.has::<LONG>(start..end, high, low);
            }
            hits[count] = *index;
            count += usize::from(hit);
        }
        count
    }

    /// Whether a tag is in a long cell: by halving, so that a cell of all tags is no worse.
    #[cold]
    fn has<const LONG: bool>(&self, cell: Range<usize>, high: u64, low: u64) -> bool {
        let lows = &self.lows[cell.clone()];
        if !LONG {
            return lows.binary_search(&low).is_ok();
        }
        let highs = &self.highs[cell];
        let first = highs.partition_point(|other| *other < high);
        let last = highs.partition_point(|other| *other <= high);
        // Tags with one high half ascend by what is below. If they do not, `last` may be anywhere.
        lows.get(first..last).is_some_and(|lows| lows.binary_search(&low).is_ok())
    }
}

/// The ones of the unary vector, one after the other.
struct Ones<'a> {
    words: &'a [u64],
    at: usize,
    word: u64,
}

impl<'a> Ones<'a> {
    /// Those from a bit on.
    fn after(words: &'a [u64], bit: usize) -> Self {
        Self { words, at: bit / 64, word: words[bit / 64] & (u64::MAX << (bit % 64)) }
    }

    /// The position of the next, which must exist.
    #[inline(always)]
    fn next_bit(&mut self) -> usize {
        while self.word == 0 {
            self.at += 1;
            self.word = self.words[self.at];
        }
        let bit = self.at * 64 + self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        bit
    }
}

/// A low part as a number.
#[inline(always)]
fn low_of<const WIDTH: usize>(row: &[u8; WIDTH]) -> Block {
    let mut bytes = [0; 16];
    bytes[..WIDTH].copy_from_slice(row);
    Block::from_le_bytes(bytes)
}

/// The position after so many ones from a bit on.
fn after_ones(words: &[u64], bit: usize, count: usize) -> usize {
    let mut left = count;
    let (mut at, mut word) = (bit / 64, words[bit / 64] & (u64::MAX << (bit % 64)));
    while (word.count_ones() as usize) < left {
        left -= word.count_ones() as usize;
        at += 1;
        word = words[at];
    }
    for _ in 1..left {
        word &= word - 1;
    }
    at * 64 + word.trailing_zeros() as usize + 1
}

/// The bucket of tag i of a run.
fn bucket_of(run: &Run, unary: &[u64], i: usize) -> usize {
    after_ones(unary, run.place.bit, i + 1) - 1 - (run.place.tag + i)
}

/// The first tag that is below the one before it.
#[cold]
fn descent<const WIDTH: usize>(run: &Run, rows: &[[u8; WIDTH]], unary: &[u64]) -> Option<usize> {
    let mut ones = Ones::after(unary, run.place.bit);
    let tag = |(i, row)| (ones.next_bit() - i, low_of::<WIDTH>(row));
    let tags: Vec<(usize, Block)> = rows.iter().enumerate().map(tag).collect();
    tags.windows(2).position(|pair| pair[1] < pair[0]).map(|i| i + 1)
}

/// Checks the unary vector; the tags in front of each part, and all of them at the end.
fn starts(words: &[u64], split: Split) -> Result<Vec<usize>, Error> {
    let parts = Parts::of(split);
    let (ones, end) = (split.tags, split.tags + split.buckets());
    let count: usize = words.iter().map(|word| word.count_ones() as usize).sum();
    // So many ones up to the last zero leave no other number of zeros, and none after it.
    let bit = |bit: usize| words[bit / 64] >> (bit % 64) & 1;
    let filled = (end..words.len() * 64).any(|i| bit(i) == 1);
    if count != ones || bit(end - 1) == 1 || filled {
        return Err(Error::Unary { argument: "unary" });
    }
    let mut starts = Vec::with_capacity(parts.count() + 1);
    starts.push(0);
    let mut zeros = 0;
    for (at, word) in words.iter().enumerate() {
        // A part ends with the last zero of its buckets.
        let mut wanted = starts.len() * parts.buckets();
        let mut left = !word;
        let mut here = zeros;
        zeros += left.count_ones() as usize;
        while wanted <= zeros && starts.len() <= parts.count() {
            while here + 1 < wanted {
                left &= left - 1;
                here += 1;
            }
            starts.push(at * 64 + left.trailing_zeros() as usize + 1 - wanted);
            wanted += parts.buckets();
        }
    }
    Ok(starts)
}
