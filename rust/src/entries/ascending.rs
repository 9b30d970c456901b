//! Entries of a peer, in which tags are looked for.

use std::ops::Range;

use rayon::prelude::*;

use super::{Form, first};
use crate::error::Error;
use crate::memory::prefetch;
use crate::sha512::Digest;

/// Entries that were checked to ascend.
pub(super) struct Ascending<'a> {
    bins: &'a [&'a [u8]],
    /// How many rows stand before each bin.
    starts: Vec<usize>,
    /// How each row's tag begins. Most of a row is a sealed label: only where tags begin alike is
    /// it looked at.
    firsts: Vec<u64>,
    /// Where the rows of each bucket begin: those whose tags begin with its number.
    buckets: Vec<u32>,
    /// Bits of this number.
    bits: u32,
    form: Form,
}

impl<'a> Ascending<'a> {
    pub(super) fn new(bins: &'a [&'a [u8]], form: Form) -> Result<Self, Error> {
        let width = form.width();
        let mut starts = Vec::with_capacity(bins.len());
        let mut rows = 0;
        for bin in bins {
            if bin.len() % width != 0 {
                return Err(Error::Length {
                    argument: "entries",
                    expected: width,
                    actual: bin.len(),
                });
            }
            starts.push(rows);
            rows += bin.len() / width;
        }
        let bound = u32::MAX as usize;
        if rows > bound {
            return Err(Error::TooLarge { argument: "entries", bound, actual: rows });
        }
        let firsts: Vec<u64> = bins
            .par_iter()
            .flat_map(|bin| bin.par_chunks_exact(width).map(|row| first(&row[..form.tag])))
            .collect();
        let bits = rows.checked_ilog2().unwrap_or(0);
        let mut entries = Self { bins, starts, firsts, buckets: Vec::new(), bits, form };
        let ascends = |at: usize| {
            let [before, next] = [entries.firsts[at - 1], entries.firsts[at]];
            before < next || before == next && entries.tag(at - 1) < entries.tag(at)
        };
        let disorder = (1..rows).into_par_iter().find_first(|at| !ascends(*at));
        match disorder {
            Some(index) => Err(Error::Order { argument: "entries", index }),
            None => {
                entries.buckets = entries.buckets();
                Ok(entries)
            }
        }
    }

    pub(super) fn row(&self, index: usize) -> &[u8] {
        let (bin, at) = self.place(index);
        &bin[at..at + self.form.width()]
    }

    /// In which bin a row stands, and where.
    fn place(&self, index: usize) -> (&[u8], usize) {
        let bin = self.starts.partition_point(|start| *start <= index) - 1;
        (self.bins[bin], (index - self.starts[bin]) * self.form.width())
    }

    fn tag(&self, index: usize) -> &[u8] {
        &self.row(index)[..self.form.tag]
    }

    fn buckets(&self) -> Vec<u32> {
        let mut buckets = Vec::with_capacity((1 << self.bits) + 1);
        for (at, first) in (0..).zip(&self.firsts) {
            let bucket = self.bucket(*first);
            buckets.resize(buckets.len().max(bucket + 1), at);
        }
        buckets.resize((1 << self.bits) + 1, self.firsts.len() as u32);
        buckets
    }

    fn bucket(&self, first: u64) -> usize {
        (first >> 1 >> (63 - self.bits)) as usize // by all 64 is no shift
    }

    /// Which of some derived tags are there: the place of each among these, and its row.
    ///
    /// Each look is anywhere in memory: all ask for the first, then all for the next.
    /// Secret: what was derived; it decides where is looked, and how long.
    pub(super) fn find_each(&self, derived: &[Digest]) -> Vec<(usize, usize)> {
        let tags = || derived.iter().map(|derived| &derived[..self.form.tag]);
        tags().for_each(|tag| prefetch(&self.buckets, self.bucket(first(tag))));
        for tag in tags() {
            prefetch(&self.firsts, self.buckets[self.bucket(first(tag))] as usize);
        }
        let mut alike = tags().map(|tag| self.alike(tag)).enumerate().collect::<Vec<_>>();
        alike.retain(|(_, rows)| !rows.is_empty());
        for (_, rows) in &alike {
            let (bin, at) = self.place(rows.start);
            prefetch(bin, at);
        }
        let tag = |place: usize| &derived[place][..self.form.tag];
        let found = |(place, rows)| Some((place, self.among(rows, tag(place))?));
        alike.into_iter().filter_map(found).collect()
    }

    /// The rows whose tags begin like this one.
    fn alike(&self, tag: &[u8]) -> Range<usize> {
        let sought = first(tag);
        let bucket = self.bucket(sought);
        let [start, end] = [self.buckets[bucket], self.buckets[bucket + 1]].map(|at| at as usize);
        let firsts = &self.firsts[start..end];
        let low = firsts.partition_point(|first| *first < sought);
        let high = low + firsts[low..].partition_point(|first| *first == sought);
        start + low..start + high
    }

    /// The row with this tag among some. A peer may let all tags begin alike, so they are halved.
    fn among(&self, rows: Range<usize>, tag: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (rows.start, rows.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.tag(middle) < tag { low = middle + 1 } else { high = middle }
        }
        (low < rows.end && self.tag(low) == tag).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_also_among_those_that_begin_alike() {
        for tag in [3, 8, 10] {
            let form = Form { tag, label: 0, direction: 0 };
            // Ascending in the last two bytes alone, but for the first and the last row.
            let mut rows: Vec<Vec<u8>> = (0..=300_u16)
                .map(|i| [vec![7; tag - 2], (2 * i).to_be_bytes().to_vec()].concat())
                .collect();
            rows.insert(0, vec![1; tag]);
            rows.push(vec![9; tag]);
            let whole = rows.concat();
            let (head, tail) = whole.split_at(100 * tag);
            let bins = [head, tail];
            let entries = Ascending::new(&bins, form).unwrap();
            let find = |tag: &[u8]| entries.among(entries.alike(tag), tag);
            for (i, row) in rows.iter().enumerate() {
                assert_eq!(find(row), Some(i), "tag {tag}");
                let mut above = row.clone();
                above[tag - 1] += 1;
                assert_eq!(find(&above), None, "tag {tag}, row {i}");
            }
            assert_eq!((find(&vec![0; tag]), find(&vec![255; tag])), (None, None));
        }
    }
}
