//! Columns of texts: some of their rows.

use arrow_array::{Array, LargeStringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::error::Error;

/// What is copied of a short text: a copy of a length that only the machine knows takes longer.
pub(crate) const SHORT: usize = 32;

/// Appends what stands from `from` to `to` in `all`.
///
/// # Panics
/// If there is no such part.
pub(crate) fn append(out: &mut Vec<u8>, all: &[u8], from: usize, to: usize) {
    let length = to - from;
    match all[from..].first_chunk::<SHORT>() {
        Some(bytes) if length <= SHORT => {
            let end = out.len() + length;
            out.extend_from_slice(bytes);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&all[from..to]),
    }
}

/// Takes the texts at some rows; a missing one stays missing.
///
/// Shapes: n texts and m numbers of rows to m texts.
/// Secret: both; time and memory access depend on them, at home only.
///
/// # Errors
/// [`Error::Index`] if there is no such row.
pub fn take(column: &LargeStringArray, rows: &[u32]) -> Result<LargeStringArray, Error> {
    let bound = column.len();
    if let Some(row) = rows.iter().find(|row| **row as usize >= bound) {
        return Err(Error::Index { argument: "rows", bound, actual: *row as usize });
    }
    let (offsets, values) = (column.value_offsets(), column.value_data());
    let mut ends = Vec::with_capacity(rows.len() + 1);
    ends.push(0_i64);
    let mut end = 0;
    ends.extend(rows.iter().map(|row| {
        end += offsets[*row as usize + 1] - offsets[*row as usize];
        end
    }));
    let mut taken = Vec::with_capacity(end as usize + SHORT);
    for row in rows {
        let (start, end) = (offsets[*row as usize], offsets[*row as usize + 1]);
        append(&mut taken, values, start as usize, end as usize);
    }
    let nulls = column.nulls().map(|nulls| {
        let valid = rows.iter().map(|row| nulls.is_valid(*row as usize));
        NullBuffer::new(valid.collect::<BooleanBuffer>())
    });
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let taken = LargeStringArray::try_new(offsets, Buffer::from_vec(taken), nulls)
        .expect("whole texts follow one another, as their ends say");
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_in_the_order_of_the_rows_and_as_often() {
        let column =
            LargeStringArray::from(vec![Some("a"), None, Some(""), Some("京A"), Some("z")]);
        let taken = |column: &LargeStringArray, rows: &[u32]| take(column, rows).unwrap();
        let expected = [Some("京A"), None, Some("a"), Some("京A"), Some("")];
        assert_eq!(taken(&column, &[3, 1, 0, 3, 2]), LargeStringArray::from(expected.to_vec()));
        assert_eq!(taken(&column.slice(3, 2), &[1, 0]), LargeStringArray::from(vec!["z", "京A"]));
        assert!(taken(&column, &[]).is_empty());
        let index = Error::Index { argument: "rows", bound: 2, actual: 2 };
        assert_eq!(take(&column.slice(3, 2), &[2]), Err(index));
    }
}
