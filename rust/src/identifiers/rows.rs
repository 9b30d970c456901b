//! Builds a column of strings row by row, on all cores, without an allocation a row.
//!
//! Rows are cut into ranges. Each range grows one buffer of bytes; lengths, validity and reasons
//! go straight to their place in the result. Only joining the buffers is sequential.

use arrow_array::{LargeStringArray, UInt8Array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use rayon::prelude::*;

use super::reason::Reason;

/// Rows a range: about 300 kB of identifiers, so that a range stays in a core's cache and a
/// column of a million rows is 61 ranges; a multiple of 64, so that a range owns whole words of
/// the validity bitmap.
const RANGE: usize = 1 << 14;

/// Builds n rows: `values[i]` is what `write(i, out)` appends, `reasons[i]` what it returns.
///
/// Shapes: n = `rows`; `present` has n bits or is absent. A row that is not present is null with
/// reason 0 and is not written; a row whose reason does not keep it is null. `bytes` is a guess
/// of the size of the result.
/// Secret: what the rows hold; see [`super::normalise`].
pub(super) fn build<W>(
    rows: usize,
    present: Option<&NullBuffer>,
    bytes: usize,
    write: W,
) -> (LargeStringArray, UInt8Array)
where
    W: Fn(usize, &mut Vec<u8>) -> Reason + Sync,
{
    let mut reasons = vec![0_u8; rows];
    let mut ends = vec![0_i64; rows + 1];
    let mut valid = vec![0_u64; rows.div_ceil(64)];
    let mut parts: Vec<Vec<u8>> = reasons
        .par_chunks_mut(RANGE)
        .zip(ends[1..].par_chunks_mut(RANGE))
        .zip(valid.par_chunks_mut(RANGE / 64))
        .enumerate()
        .map(|(at, ((reasons, ends), valid))| {
            let first = at * RANGE;
            // One byte in eight to spare: 15-digit numbers grow to 18, telephone numbers by "+86".
            let guess = bytes / rows * reasons.len();
            let mut out = Vec::with_capacity(guess + guess / 8);
            for (at, word) in valid.iter_mut().enumerate() {
                let start = at * 64;
                let end = reasons.len().min(start + 64);
                let here = present.map_or(u64::MAX, |nulls| word_of(nulls, first + start));
                for row in start..end {
                    let bit = 1 << (row - start);
                    if here & bit != 0 {
                        let before = out.len();
                        let reason = write(first + row, &mut out);
                        reasons[row] = reason as u8;
                        if reason.keeps() {
                            *word |= bit;
                        } else {
                            out.truncate(before);
                        }
                    }
                    ends[row] = out.len() as i64;
                }
            }
            out
        })
        .collect();
    let values = join(&mut parts, &mut ends[1..]);
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(valid), 0, rows));
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let values = LargeStringArray::try_new(offsets, values, nulls)
        .expect("rules write whole characters, so every row is UTF-8");
    (values, UInt8Array::new(ScalarBuffer::from(reasons), None))
}

/// The 64 validity bits from `row` on; `row` is below the number of rows.
fn word_of(nulls: &NullBuffer, row: usize) -> u64 {
    let bits = nulls.inner();
    let length = (bits.len() - row).min(64);
    bits.slice(row, length).bit_chunks().iter_padded().next().unwrap_or(0)
}

/// Joins the ranges' buffers, and turns the ends within a range into ends within the whole.
fn join(parts: &mut Vec<Vec<u8>>, ends: &mut [i64]) -> Buffer {
    if let [only] = parts.as_mut_slice() {
        return Buffer::from_vec(std::mem::take(only));
    }
    let mut whole = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for (part, ends) in parts.drain(..).zip(ends.chunks_mut(RANGE)) {
        let before = whole.len() as i64;
        ends.iter_mut().for_each(|end| *end += before);
        whole.extend_from_slice(&part);
    }
    Buffer::from_vec(whole)
}
