//! Rows grouped by the high bits of their tags.
//!
//! One pass of a radix sort, but each chunk of rows for itself and in place: what is written at random
//! stays in the second-level cache, no second array of all rows is needed (memory that was never
//! touched costs more than sorting it), and chunks are independent. A part is then a few rows of
//! each chunk, which is read like one list.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::Zeroize;

use super::{Split, ceil_log2};
use crate::aes::Block;

/// Binary logarithm of the tags that one part should have: the tables of 2048 fit the first-level
/// cache (32 KiB) and pay for the work that each part costs.
const PART: u32 = 11;
/// Binary logarithm of the rows that one part should have in one chunk: 64 of 16 bytes are a quarter
/// of a page, long enough to be read as a stream. With more, reading gains less than grouping loses.
const SEGMENT: u32 = 6;
/// Binary logarithm of the smallest chunk, 64 KiB of rows.
const CHUNK: u32 = 12;

/// A tag as it is kept: the first 64 of its T bits (filled up with zeros below), then its low part
/// (the last 64 bits of it, if it is longer). Of two such rows that of the smaller tag is smaller.
pub(super) type Row = Block;

/// Where a tag belongs: its first `part` bits choose a part, `cell` further bits one of the part's
/// cells. A cell should have one tag, and lies within one bucket.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// T.
    bits: u32,
    /// k.
    pub(super) high: u32,
    pub(super) part: u32,
    pub(super) cell: u32,
}

impl Parts {
    pub(super) fn of(split: Split) -> Self {
        let (bits, high) = (split.bits, split.high());
        // At least one bit for the cell, and one below it, so that no shift is by a whole word.
        let both = ceil_log2(split.tags.max(2) as u128).min(bits - 1);
        // As many bits for the part as for the cell at most, so that chunks stay in a cache.
        let part = both.saturating_sub(PART).min((both - 1) / 2).min(high);
        Self { bits, high, part, cell: both - part }
    }

    /// Number of parts.
    pub(super) fn count(&self) -> usize {
        1 << self.part
    }

    /// Cells of a part.
    pub(super) fn cells(&self) -> usize {
        1 << self.cell
    }

    /// Buckets of a part.
    pub(super) fn buckets(&self) -> usize {
        1 << (self.high - self.part)
    }

    /// Binary logarithm of the cells of a bucket.
    pub(super) fn fine(&self) -> u32 {
        self.cell - (self.high - self.part)
    }

    /// Bits of the low part without what fills it up.
    pub(super) fn low(&self) -> u32 {
        self.bits - self.high
    }

    /// The part of an output or row.
    #[inline(always)]
    fn part_of(&self, row: Row) -> usize {
        ((row >> 64) as u64 >> 1 >> (63 - self.part)) as usize
    }

    /// The cell of a row within its part.
    #[inline(always)]
    pub(super) fn cell_of(&self, row: Row) -> usize {
        ((row >> 64) as u64 >> (64 - self.part - self.cell)) as usize & (self.cells() - 1)
    }

    /// The row of an output. What is below the tag is gone.
    #[inline(always)]
    fn row_of(&self, output: Block) -> Row {
        let (below, low) = (128 - self.bits, u64::MAX >> 64_u32.saturating_sub(self.low()));
        let high = (output & (Block::MAX << below)) >> 64 << 64;
        high | Block::from((output >> below) as u64 & low)
    }
}

/// Rows, each chunk of them grouped by part, and possibly an index for each.
pub(super) struct Grouped {
    pub(super) rows: Vec<Row>,
    pub(super) index: Vec<u32>,
    /// Where each part ends in each chunk.
    pub(super) ends: Vec<u32>,
    /// Rows of a chunk.
    pub(super) chunk: usize,
    pub(super) parts: Parts,
}

impl Grouped {
    /// Groups outputs; `index` is empty or has an entry for each.
    pub(super) fn of(outputs: Vec<Block>, index: Vec<u32>, parts: Parts) -> Self {
        let chunk = 1 << (parts.part + SEGMENT).max(CHUNK);
        let chunks = outputs.len().div_ceil(chunk);
        let mut grouped =
            Self { rows: outputs, index, ends: vec![0; chunks * parts.count()], chunk, parts };
        let chunks =
            grouped.rows.par_chunks_mut(chunk).zip_eq(grouped.ends.par_chunks_mut(parts.count()));
        if grouped.index.is_empty() {
            chunks.for_each_init(Spare::default, |spare, (rows, ends)| {
                group(rows, ends, parts, spare);
            });
        } else {
            chunks
                .zip_eq(grouped.index.par_chunks_mut(chunk))
                .for_each_init(Spare::default, |spare, ((rows, ends), index)| {
                    group_both(rows, index, ends, parts, spare)
                });
        }
        grouped
    }

    /// Number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.ends.len() / self.parts.count()
    }

    /// Where the rows of a part stand in a chunk, counted from the start of all rows.
    #[inline(always)]
    pub(super) fn range(&self, chunk: usize, part: usize) -> Range<usize> {
        let ends = &self.ends[chunk * self.parts.count()..][..self.parts.count()];
        let start = if part == 0 { 0 } else { ends[part - 1] as usize };
        chunk * self.chunk + start..chunk * self.chunk + ends[part] as usize
    }

    /// Rows in front of each part, and of all at the end.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0; self.parts.count() + 1];
        for chunk in 0..self.chunks() {
            for part in 0..self.parts.count() {
                starts[part + 1] += self.range(chunk, part).len();
            }
        }
        for part in 0..self.parts.count() {
            starts[part + 1] += starts[part];
        }
        starts
    }
}

/// Room for one chunk. Wiped on drop.
#[derive(Default)]
struct Spare {
    rows: Vec<Row>,
    index: Vec<u32>,
}

impl Drop for Spare {
    fn drop(&mut self) {
        self.rows.as_mut_slice().zeroize();
        self.index.as_mut_slice().zeroize();
    }
}

/// Makes rows of outputs and groups them; says where each part ends.
fn group(rows: &mut [Row], ends: &mut [u32], parts: Parts, spare: &mut Spare) {
    count(rows, ends, parts);
    if spare.rows.len() < rows.len() {
        spare.rows.resize(rows.len(), 0);
    }
    let to = &mut spare.rows[..rows.len()];
    for row in rows.iter() {
        let end = &mut ends[parts.part_of(*row)];
        to[*end as usize] = *row;
        *end += 1;
    }
    rows.copy_from_slice(to);
}

/// As [`group`], and moves the index along.
fn group_both(
    rows: &mut [Row],
    index: &mut [u32],
    ends: &mut [u32],
    parts: Parts,
    spare: &mut Spare,
) {
    count(rows, ends, parts);
    if spare.index.len() < rows.len() {
        spare.rows.resize(rows.len(), 0);
        spare.index.resize(rows.len(), 0);
    }
    let (to, to_index) = (&mut spare.rows[..rows.len()], &mut spare.index[..rows.len()]);
    for (row, index) in rows.iter().zip(index.iter()) {
        let end = &mut ends[parts.part_of(*row)];
        to[*end as usize] = *row;
        to_index[*end as usize] = *index;
        *end += 1;
    }
    rows.copy_from_slice(to);
    index.copy_from_slice(to_index);
}

/// Makes rows of outputs; says where each part starts.
///
/// Rows are made here and not where they are moved: that loop is bound by its loads and stores.
fn count(rows: &mut [Row], ends: &mut [u32], parts: Parts) {
    for row in rows.iter_mut() {
        ends[parts.part_of(*row)] += 1;
        *row = parts.row_of(*row);
    }
    let mut sum = 0;
    for end in ends {
        sum += std::mem::replace(end, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_the_tag_and_its_order_and_nothing_below() {
        for bits in 8..=128 {
            for tags in [1, 300, 1 << 20] {
                let parts = Parts::of(Split::new(bits, tags).unwrap());
                let below = Block::MAX.unbounded_shr(bits as u32);
                let lowest = parts.row_of(0);
                assert_eq!(lowest, parts.row_of(below), "{bits} bits of {tags} tags");
                // Each bit of a tag, and the one below it with all that follow.
                for bit in 128 - bits..128 {
                    let (row, before) = (1 << bit, (1 << bit) - 1);
                    assert!(parts.row_of(before) < parts.row_of(row), "{bits} bits, bit {bit}");
                    assert!(parts.cell_of(parts.row_of(row)) < parts.cells());
                }
            }
        }
    }
}
