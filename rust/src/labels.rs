//! Labels: a row of text columns as bytes of one width.
//!
//! A value is its length plus one in two bytes, little-endian, then its bytes in UTF-8; a missing
//! value is the two bytes 0. Values follow one another in the order of the columns, zeros fill up.

use arrow_array::builder::LargeStringBuilder;
use arrow_array::{Array, LargeStringArray};

use crate::error::Error;

/// The longest value, since its length plus one has two bytes.
pub const LONGEST: usize = u16::MAX as usize - 1;

/// The width that the widest row needs, in bytes.
///
/// Shapes: columns of n rows each.
///
/// # Errors
/// [`Error::Length`] if columns differ in length, [`Error::TooLarge`] if a value is too long.
pub fn width(columns: &[&LargeStringArray]) -> Result<usize, Error> {
    let rows = columns.first().map_or(0, |column| column.len());
    let mut widths = vec![2 * columns.len(); rows];
    for column in columns {
        if column.len() != rows {
            return Err(Error::Length {
                argument: "columns",
                expected: rows,
                actual: column.len(),
            });
        }
        for (width, value) in widths.iter_mut().zip(column.iter()) {
            let length = value.map_or(0, str::len);
            if length > LONGEST {
                return Err(Error::TooLarge { argument: "value", bound: LONGEST, actual: length });
            }
            *width += length;
        }
    }
    Ok(widths.into_iter().max().unwrap_or(0))
}

/// Packs each row into `width` bytes.
///
/// Shapes: columns of n rows each to n rows of `width` bytes.
/// Secret: the values; time and memory access depend on their lengths, at home only.
///
/// # Errors
/// As [`width`], and [`Error::Length`] if a row needs more than `width` bytes.
pub fn pack(columns: &[&LargeStringArray], width: usize) -> Result<Vec<u8>, Error> {
    let needed = self::width(columns)?;
    if needed > width {
        return Err(Error::Length { argument: "width", expected: needed, actual: width });
    }
    let rows = columns.first().map_or(0, |column| column.len());
    let mut block = vec![0; rows * width];
    for (i, row) in block.chunks_exact_mut(width.max(1)).enumerate() {
        let mut at = 0;
        for column in columns {
            let value = column.is_valid(i).then(|| column.value(i).as_bytes());
            let length = value.map_or(0, |value| value.len() as u16 + 1);
            row[at..at + 2].copy_from_slice(&length.to_le_bytes());
            at += 2;
            if let Some(value) = value {
                row[at..at + value.len()].copy_from_slice(value);
                at += value.len();
            }
        }
    }
    Ok(block)
}

/// Unpacks rows that [`pack`] made; they come from the peer, so nothing about them is trusted.
///
/// Shapes: n rows of `width` bytes to `columns` columns of n rows.
///
/// # Errors
/// [`Error::Length`] if `block` is not whole rows or a value ends beyond its row, is not UTF-8, or is
/// followed by anything but zeros.
pub fn unpack(block: &[u8], width: usize, columns: usize) -> Result<Vec<LargeStringArray>, Error> {
    if width == 0 || !block.len().is_multiple_of(width) {
        return Err(Error::Length { argument: "labels", expected: width, actual: block.len() });
    }
    let mut builders: Vec<_> = (0..columns).map(|_| LargeStringBuilder::new()).collect();
    for row in block.chunks_exact(width) {
        let mut rest = row;
        for builder in &mut builders {
            builder.append_option(take_value(&mut rest).ok_or(malformed(width))?);
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(malformed(width));
        }
    }
    Ok(builders.into_iter().map(|mut builder| builder.finish()).collect())
}

/// Whether a value holds a control character of ASCII other than tab and line ends.
///
/// What stands where a value is missing counts as well.
/// Secret: the values; of a column that has none, only the length decides the time.
#[must_use]
pub fn have_controls(columns: &[&LargeStringArray]) -> bool {
    let is_control = |byte: &u8| (*byte < 0x20 && !b"\t\n\r".contains(byte)) || *byte == 0x7f;
    columns.iter().any(|column| {
        let (start, end) = match column.value_offsets() {
            [first, .., last] => (*first as usize, *last as usize),
            _ => (0, 0),
        };
        column.value_data()[start..end].iter().fold(false, |any, byte| any | is_control(byte))
    })
}

/// Takes one value off the front: `Some(None)` is a missing one, `None` is a malformed one.
fn take_value<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a str>> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let Some(length) = usize::from(u16::from_le_bytes(*length)).checked_sub(1) else {
        *rest = after;
        return Some(None);
    };
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(Some(std::str::from_utf8(value).ok()?))
}

fn malformed(width: usize) -> Error {
    Error::Length { argument: "a label's values", expected: width, actual: width + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn unpacking_gives_every_value_back(rows: Vec<(Option<String>, Option<String>)>, more in 1usize..9) {
            let (a, b): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let (a, b) = (LargeStringArray::from(a), LargeStringArray::from(b));
            let width = width(&[&a, &b]).unwrap() + more;
            let block = pack(&[&a, &b], width).unwrap();
            prop_assert_eq!(unpack(&block, width, 2).unwrap(), vec![a, b]);
        }

        #[test]
        fn no_bytes_make_it_panic(block: Vec<u8>, width in 0usize..40, columns in 0usize..5) {
            let _ = unpack(&block, width, columns);
        }
    }

    #[test]
    fn control_characters_are_seen_in_any_value_that_is_there() {
        let fine =
            LargeStringArray::from(vec![Some("浙A12345"), None, Some(""), Some("a\tb\r\n ~")]);
        assert!(!have_controls(&[&fine, &LargeStringArray::from(Vec::<&str>::new())]));
        for control in (0..0x20).chain([0x7f_u8]).filter(|byte| !b"\t\n\r".contains(byte)) {
            let text = format!("a{}b", char::from(control));
            let column = LargeStringArray::from(vec![None, Some("c"), Some(&text), Some("d")]);
            assert!(have_controls(&[&fine, &column]), "{control}");
            assert!(!have_controls(&[&column.slice(0, 2), &column.slice(3, 1)]), "{control}");
        }
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused() {
        let column = LargeStringArray::from(vec!["abc"]);
        assert!(pack(&[&column], 4).is_err());
        assert!(pack(&[&column], 5).is_ok());
        assert!(unpack(&[9, 0, 1], 3, 1).is_err());
        assert!(unpack(&[2, 0, 0xff], 3, 1).is_err());
        assert!(unpack(&[1, 0, 7], 3, 1).is_err());
    }
}
