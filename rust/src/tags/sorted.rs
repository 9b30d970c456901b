//! The sender's side: tags in order, and the two messages made of them.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::Zeroize;

use super::parts::{Grouped, Parts, Row};
use super::{Split, with_width};
use crate::aes::Block;
use crate::error::Error;

/// Parts that one task sorts one after the other, so that they share its buffers.
const BATCH: usize = 16;

/// The sender's tags in ascending order.
///
/// They stand in the memory of the outputs: part after part, the tags of a part in its places in each
/// chunk. Of the outputs only the tags are left, and these are sent, so nothing is wiped on drop.
pub struct Sorted {
    split: Split,
    unary: Vec<u8>,
    /// Each part in order. If a low part has at most 64 bits, only low parts are left, two to a place.
    rows: Grouped,
    /// Tags in front of each part.
    starts: Vec<usize>,
}

impl Sorted {
    /// Takes outputs and sorts their tags, the top `bits` bits of each, 8 to 128.
    ///
    /// Shapes: n outputs; no more memory is taken than a unary vector and buffers of a fixed size.
    /// Secret: outputs below the tag. Branches and indices depend on the tags, which are sent.
    /// Time: O(n) for uniform outputs, O(n log n) for any.
    ///
    /// # Errors
    /// As [`Split::new`].
    pub fn of(mut outputs: Vec<Block>, bits: usize) -> Result<Self, Error> {
        let split =
            Split::new(bits, outputs.len()).inspect_err(|_| outputs.as_mut_slice().zeroize())?;
        let parts = Parts::of(split);
        let mut rows = Grouped::of(outputs, Vec::new(), parts);
        let starts = rows.starts();
        let words: Vec<Vec<u64>> = batches(&mut rows)
            .into_par_iter()
            .zip(starts.par_chunks(BATCH))
            .enumerate()
            .map_init(
                || (Buffers::<u64>::default(), Buffers::<Row>::default()),
                |(short, long), (batch, (segments, starts))| {
                    let first = batch * BATCH;
                    let count = BATCH.min(parts.count() - first);
                    if split.row() <= 8 {
                        short.batch(segments, &starts[..count], first, parts)
                    } else {
                        long.batch(segments, &starts[..count], first, parts)
                    }
                },
            )
            .collect();
        let mut unary = vec![0; split.unary().div_ceil(8)];
        for (batch, words) in words.iter().enumerate() {
            let part = batch * BATCH;
            let first = (starts[part] + part * parts.buckets()) / 64;
            for (to, word) in unary[first..].iter_mut().zip(words) {
                *to |= word;
            }
        }
        let mut unary: Vec<u8> = unary.into_iter().flat_map(u64::to_le_bytes).collect();
        unary.truncate(split.unary());
        Ok(Self { split, unary, rows, starts })
    }

    /// How the tags are cut.
    pub fn split(&self) -> Split {
        self.split
    }

    /// The unary vector: for each bucket in order as many ones as it has tags, then a zero. Bit p is
    /// bit p % 8 of byte p / 8.
    pub fn unary(&self) -> Vec<u8> {
        self.unary.clone()
    }

    /// How many bytes [`Sorted::lows`] gives for tags `start..start + count`, or those of them that
    /// there are.
    pub fn length(&self, start: usize, count: usize) -> usize {
        count.min(self.split.tags.saturating_sub(start)) * self.split.row()
    }

    /// Writes the low parts of the tags from `start` on.
    ///
    /// Shapes: `Split::row` bytes for each tag, little-endian; as many tags as there is room for.
    ///
    /// # Errors
    /// [`Error::Length`] if the room is not whole rows, or there are not so many tags.
    pub fn lows(&self, start: usize, out: &mut [u8]) -> Result<(), Error> {
        let (row, actual) = (self.split.row(), out.len());
        let expected = self.length(start, actual / row);
        if actual != expected {
            return Err(Error::Length { argument: "tags", expected, actual });
        }
        with_width!(row, WIDTH => self.emit(start, out.as_chunks_mut::<WIDTH>().0));
        Ok(())
    }

    fn emit<const WIDTH: usize>(&self, start: usize, mut out: &mut [[u8; WIDTH]]) {
        let mut part = self.starts.partition_point(|first| *first <= start) - 1;
        let mut skip = start - self.starts[part];
        while !out.is_empty() {
            let count = (self.starts[part + 1] - self.starts[part] - skip).min(out.len());
            let (now, later) = out.split_at_mut(count);
            if WIDTH <= 8 {
                self.emit_short(part, skip, now);
            } else {
                self.emit_long(part, skip, now);
            }
            (out, part, skip) = (later, part + 1, 0);
        }
    }

    /// Two low parts stand in each place; `skip` of them are passed over.
    fn emit_short<const WIDTH: usize>(
        &self,
        part: usize,
        skip: usize,
        mut out: &mut [[u8; WIDTH]],
    ) {
        let mut odd = skip % 2 == 1;
        for mut rows in self.places(part, skip / 2) {
            if let (true, [row, rest @ ..]) = (odd, rows) {
                let Some(low) = out.split_off_first_mut() else { break };
                low.copy_from_slice(&row.to_le_bytes()[8..][..WIDTH]);
                (odd, rows) = (false, rest);
            }
            let count = out.len().min(2 * rows.len());
            let (now, later) = out.split_at_mut(count);
            let (pairs, last) = now.as_chunks_mut::<2>();
            for ([first, second], row) in pairs.iter_mut().zip(rows) {
                let bytes = row.to_le_bytes();
                first.copy_from_slice(&bytes[..WIDTH]);
                second.copy_from_slice(&bytes[8..][..WIDTH]);
            }
            if let [last] = last {
                last.copy_from_slice(&rows[count / 2].to_le_bytes()[..WIDTH]);
            }
            out = later;
        }
    }

    /// A row stands in each place; the low part is its low half and some bits of the high half.
    fn emit_long<const WIDTH: usize>(&self, part: usize, skip: usize, mut out: &mut [[u8; WIDTH]]) {
        let (left, right) = (self.rows.parts.high, 128 - self.rows.parts.low());
        for rows in self.places(part, skip) {
            let count = out.len().min(rows.len());
            let (now, later) = out.split_at_mut(count);
            for (low, row) in now.iter_mut().zip(rows) {
                let (head, tail) = low.split_at_mut(8);
                head.copy_from_slice(&(*row as u64).to_le_bytes());
                let top = (row >> 64) as u64;
                tail.copy_from_slice(&(top << left >> right).to_le_bytes()[..WIDTH - 8]);
            }
            out = later;
        }
    }

    /// The places of a part but the first `skip`.
    fn places(&self, part: usize, mut skip: usize) -> impl Iterator<Item = &[Row]> {
        (0..self.rows.chunks()).map(move |chunk| {
            let rows = &self.rows.rows[self.rows.range(chunk, part)];
            let (passed, rows) = rows.split_at(skip.min(rows.len()));
            skip -= passed.len();
            rows
        })
    }
}

/// What a batch of parts has in one chunk.
struct Segment<'a> {
    rows: &'a mut [Row],
    /// Where each part ends, and where the batch starts, counted from the start of the chunk.
    ends: &'a [u32],
    first: u32,
}

impl Segment<'_> {
    #[inline(always)]
    fn range(&self, part: usize) -> Range<usize> {
        let start = if part == 0 { self.first } else { self.ends[part - 1] };
        (start - self.first) as usize..(self.ends[part] - self.first) as usize
    }
}

/// Cuts each chunk into the segments of the batches.
fn batches(grouped: &mut Grouped) -> Vec<Vec<Segment<'_>>> {
    let chunks = grouped.chunks();
    let count = grouped.parts.count();
    let mut batches: Vec<_> =
        (0..count.div_ceil(BATCH)).map(|_| Vec::with_capacity(chunks)).collect();
    let ends = grouped.ends.chunks(count);
    for (mut rest, ends) in grouped.rows.chunks_mut(grouped.chunk).zip(ends) {
        let mut first = 0;
        for (batch, ends) in batches.iter_mut().zip(ends.chunks(BATCH)) {
            let last = ends[ends.len() - 1];
            let (rows, after) = rest.split_at_mut((last - first) as usize);
            batch.push(Segment { rows, ends, first });
            (rest, first) = (after, last);
        }
    }
    batches
}

/// What is sorted within a cell: the low part if it has at most 64 bits, else the row.
trait Item: Copy + Ord + Default {
    const LAST: Self;

    fn of(row: Row) -> Self;

    /// Packs items, and says how many fit into so many places.
    fn pack(items: &[Self], places: &mut [Row]) -> usize;
}

impl Item for u64 {
    const LAST: Self = Self::MAX;

    #[inline(always)]
    fn of(row: Row) -> Self {
        row as Self
    }

    #[inline(always)]
    fn pack(items: &[Self], places: &mut [Row]) -> usize {
        for (place, [first, second]) in places.iter_mut().zip(items.as_chunks().0) {
            *place = Row::from(*first) | Row::from(*second) << 64;
        }
        2 * places.len()
    }
}

impl Item for Row {
    const LAST: Self = Self::MAX;

    #[inline(always)]
    fn of(row: Row) -> Self {
        row
    }

    #[inline(always)]
    fn pack(items: &[Self], places: &mut [Row]) -> usize {
        for (place, item) in places.iter_mut().zip(items) {
            *place = *item;
        }
        places.len()
    }
}

/// Buffers of a task. What is in them is sent.
#[derive(Default)]
struct Buffers<I> {
    /// Where each cell of the part ends.
    ends: Vec<u32>,
    /// Cells of more than one item.
    crowded: Vec<u32>,
    /// The items of the part, and two more that are never used: sorting reads three at a time.
    items: Vec<I>,
}

impl<I: Item> Buffers<I> {
    /// Sorts parts `first..` in their places; the words of the unary vector, from the one on that
    /// has the batch's first bit.
    fn batch(
        &mut self,
        mut segments: Vec<Segment>,
        starts: &[usize],
        first: usize,
        parts: Parts,
    ) -> Vec<u64> {
        let mut zeros = Zeros::after(starts[0] + first * parts.buckets());
        for (part, start) in starts.iter().enumerate() {
            let mut items = self.sort(&segments, part, parts);
            for segment in &mut segments {
                let range = segment.range(part);
                let count = I::pack(items, &mut segment.rows[range]);
                items = &items[count.min(items.len())..];
            }
            zeros.extend(&self.ends, start + (first + part) * parts.buckets(), parts);
        }
        zeros.finish()
    }

    /// The items of a part in order, and two more.
    fn sort(&mut self, segments: &[Segment], part: usize, parts: Parts) -> &[I] {
        self.ends.clear();
        self.ends.resize(parts.cells(), 0);
        self.crowded.resize(parts.cells(), 0);
        let ends = &mut self.ends[..parts.cells()];
        for segment in segments {
            for row in &segment.rows[segment.range(part)] {
                ends[parts.cell_of(*row)] += 1;
            }
        }
        let (mut sum, mut crowded) = (0, 0);
        for (end, cell) in ends.iter_mut().zip(0..) {
            let count = std::mem::replace(end, sum);
            sum += count;
            // Written in any case and kept if it counts: a branch would be guessed.
            self.crowded[crowded] = cell;
            crowded += usize::from(count > 1);
        }
        let room = sum as usize + 2;
        if self.items.len() < room {
            self.items.resize(room, I::default());
        }
        let items = &mut self.items[..room];
        for segment in segments {
            for row in &segment.rows[segment.range(part)] {
                let end = &mut ends[parts.cell_of(*row)];
                items[*end as usize] = I::of(*row);
                *end += 1;
            }
        }
        for cell in &self.crowded[..crowded] {
            let cell = *cell as usize;
            let start = if cell == 0 { 0 } else { ends[cell - 1] as usize };
            sort_cell(items, start, ends[cell] as usize);
        }
        items
    }
}

/// Sorts a cell of at least two items; two and three without a branch. Another item may follow.
#[inline(always)]
fn sort_cell<I: Item>(items: &mut [I], start: usize, end: usize) {
    if end - start > 3 {
        items[start..end].sort_unstable();
    } else if let [a, b, c] = &mut items[start..start + 3] {
        let three = end - start == 3;
        let (low, high) = ((*a).min(*b), (*a).max(*b));
        let third = if three { *c } else { I::LAST };
        let middle = low.max(third);
        *a = low.min(third);
        *b = high.min(middle);
        *c = if three { high.max(middle) } else { *c };
    }
}

/// A piece of the unary vector, made of its zeros.
struct Zeros {
    words: Vec<u64>,
    /// The word that is being made.
    word: u64,
    /// The bit from which positions count, and the last zero counted from there.
    base: usize,
    last: usize,
}

impl Zeros {
    /// A piece that starts with this bit.
    fn after(bit: usize) -> Self {
        let word = u64::MAX << (bit % 64);
        Self { words: Vec::new(), word, base: bit / 64 * 64, last: bit % 64 }
    }

    /// Appends the buckets of a part, of which `bit` is the first bit.
    fn extend(&mut self, ends: &[u32], bit: usize, parts: Parts) {
        let step = 1 << parts.fine();
        let first = bit - self.base;
        let (mut at, mut word) = (self.words.len(), self.word);
        for (bucket, end) in ends[step - 1..].iter().step_by(step).enumerate() {
            self.last = first + *end as usize + bucket;
            while self.last / 64 != at {
                self.words.push(word);
                (at, word) = (at + 1, u64::MAX);
            }
            word ^= 1 << (self.last % 64);
        }
        self.word = word;
    }

    /// The words of the piece, whose last bit is its last zero.
    fn finish(mut self) -> Vec<u64> {
        self.words.push(self.word & (u64::MAX >> (63 - self.last % 64)));
        self.words
    }
}
