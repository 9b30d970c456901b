//! Making entries.

use rayon::prelude::*;

use super::{Form, first, key};
use crate::deriving::number;
use crate::dh::Outputs;
use crate::elements::split;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::memory::prefetch;
use crate::one_time::{GROUP, TASK};

/// Bits of the most buckets that rows are sorted by, and rows of a bucket on average.
const MOST_BITS: u32 = 20;
const BUCKET: usize = 8;
/// Rows ahead of the one that is copied, which is anywhere: some 200 ns of copying.
const AHEAD: usize = 16;

/// Makes the entries of all records, fills up with random ones to `total`, and sorts them.
///
/// Shapes: `positions[r]` says which of the n outputs record r belongs to; `labels` has one row of
/// `form.label` bytes a record; the result has `total` rows of `form.width()` bytes.
/// Secret: everything but `total`. Which output is read depends on `positions`, which is the
/// party's own order of records; sorting reads and writes by tags. Both happen at home.
///
/// # Errors
/// [`Error::Index`] if a position is not below n, [`Error::Length`] if `labels` does not fit or there
/// are more records than `total`, [`Error::TooLarge`] from 2^32 rows.
pub fn seal(
    outputs: &Outputs,
    positions: &[u32],
    labels: &[u8],
    form: Form,
    total: usize,
    entropy: &mut Entropy,
) -> Result<Sealed, Error> {
    form.check()?;
    let records = positions.len();
    if labels.len() != records * form.label {
        return Err(Error::Length {
            argument: "labels",
            expected: records * form.label,
            actual: labels.len(),
        });
    }
    if records > total {
        return Err(Error::Length { argument: "positions", expected: total, actual: records });
    }
    if total > u32::MAX as usize {
        return Err(Error::TooLarge { argument: "total", bound: u32::MAX as usize, actual: total });
    }
    let (numbers, _) = number(positions, outputs.rows().len())?;
    let width = form.width();
    let mut rows = vec![0; total * width];
    let (real, padding) = rows.split_at_mut(records * width);
    real.par_chunks_mut(TASK * width).enumerate().for_each(|(task, rows)| {
        let (mut deriving, mut one_time) = (form.deriving(), form.sealing());
        for (group, rows) in rows.chunks_mut(GROUP * width).enumerate() {
            let start = task * TASK + group * GROUP;
            let records = start..start + rows.len() / width;
            let derived = deriving.each(
                records.clone().map(|r| (&outputs.rows()[positions[r] as usize], numbers[r])),
            );
            for ((row, derived), r) in rows.chunks_exact_mut(width).zip(derived).zip(records) {
                row[..form.tag].copy_from_slice(&derived[..form.tag]);
                row[form.tag..][..form.label]
                    .copy_from_slice(&labels[r * form.label..][..form.label]);
            }
            if let Some(one_time) = &mut one_time {
                one_time.seal(derived.iter().map(key), rows);
            }
        }
    });
    entropy.fill(padding);
    Ok(Sealed::of(rows, width))
}

/// Entries that ascend as they are written.
pub struct Sealed {
    rows: Vec<u8>,
    width: usize,
    /// How each row begins, and which it is, in the order in which they are written.
    order: Vec<(u64, u32)>,
}

impl Sealed {
    /// Sorts rows by all of their bytes.
    ///
    /// Rows stand far apart: of nearly all pairs the first bytes decide, and these stay together. They
    /// are counted into buckets, for tags are as good as random.
    fn of(rows: Vec<u8>, width: usize) -> Self {
        let row = |i: u32| &rows[i as usize * width..][..width];
        let n = rows.len() / width;
        let bits = (n / BUCKET).checked_ilog2().unwrap_or(0).min(MOST_BITS);
        let bucket = |first: u64| (first >> 1 >> (63 - bits)) as usize; // by all 64 is no shift
        let mut ends = vec![0_usize; 1 << bits];
        (0..n as u32).for_each(|i| ends[bucket(first(row(i)))] += 1);
        let mut before = 0;
        for end in &mut ends {
            (before, *end) = (before + *end, before);
        }
        let mut order = vec![(0, 0); n];
        for i in 0..n as u32 {
            let first = first(row(i));
            let end = &mut ends[bucket(first)];
            order[*end] = (first, i);
            *end += 1;
        }
        split(&mut order, &ends).into_par_iter().with_min_len(1 << 10).for_each(|bucket| {
            bucket.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| row(a.1).cmp(row(b.1))));
        });
        Self { rows, width, order }
    }

    /// Bytes of all entries.
    #[must_use]
    pub fn size(&self) -> usize {
        self.rows.len()
    }

    /// Writes them.
    ///
    /// Shapes: `out` has [`Self::size`] bytes; what has no place there is left out.
    pub fn write(&self, out: &mut [u8]) {
        let tasks = out.par_chunks_mut(TASK * self.width).zip(self.order.par_chunks(TASK));
        tasks.for_each(|(out, order)| {
            for (at, (to, (_, i))) in out.chunks_exact_mut(self.width).zip(order).enumerate() {
                if let Some((_, next)) = order.get(at + AHEAD) {
                    prefetch(&self.rows, *next as usize * self.width);
                }
                to.copy_from_slice(&self.rows[*i as usize * self.width..][..self.width]);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_whole_also_where_they_begin_alike() {
        let mut entropy = Entropy::from_seed_for_tests([5; 32]);
        for width in [1, 7, 8, 9, 26] {
            let mut rows = vec![0; 300 * width];
            entropy.fill(&mut rows);
            // Every other row begins as all others do.
            for row in rows.chunks_exact_mut(width).step_by(2) {
                row[..width.min(8)].fill(7);
            }
            let mut expected: Vec<&[u8]> = rows.chunks_exact(width).collect();
            expected.sort_unstable();
            let mut sorted = vec![0; rows.len()];
            Sealed::of(rows.clone(), width).write(&mut sorted);
            assert_eq!(sorted, expected.concat(), "width {width}");
        }
    }
}
