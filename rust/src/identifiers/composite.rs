//! Composite identifiers: several normalised columns as one, such as a plate and a day.

use arrow_array::{Array, LargeStringArray};
use arrow_buffer::NullBuffer;

use super::reason::Reason;
use super::rows;
use crate::error::Error;

/// Joins columns injectively: `out[i] = netstring(parts[0][i]) ‖ netstring(parts[1][i]) ‖ …`.
///
/// A netstring is the length in bytes, a colon, the bytes and a comma (Bernstein, *Netstrings*,
/// 1997): "3:abc,". So ("ab", "c") and ("a", "bc") stay apart, whatever the parts hold, and so
/// do two composites of different numbers of parts.
///
/// Shapes: at least one part, n rows each; n rows, null where any part is null.
/// Secret: `parts`; time and memory access depend on them, as in [`super::normalise`].
///
/// # Errors
/// [`Error::Length`] if there is no part, or a part has not as many rows as the first.
pub fn compose(parts: &[&LargeStringArray]) -> Result<LargeStringArray, Error> {
    let Some(first) = parts.first() else {
        return Err(Error::Length { argument: "parts", expected: 1, actual: 0 });
    };
    let rows = first.len();
    if let Some(part) = parts.iter().find(|part| part.len() != rows) {
        return Err(Error::Length { argument: "parts", expected: rows, actual: part.len() });
    }
    let present =
        parts.iter().fold(None, |present, part| NullBuffer::union(present.as_ref(), part.nulls()));
    let bytes = parts.iter().map(|part| part.value_data().len() + 4 * rows).sum();
    let (values, _) = rows::build(rows, present.as_ref(), bytes, |row, out| {
        for part in parts {
            let value = part.value(row).as_bytes();
            decimal(value.len(), out);
            out.push(b':');
            out.extend_from_slice(value);
            out.push(b',');
        }
        Reason::Fine
    });
    Ok(values)
}

/// Appends a number in decimal digits, without leading zeros.
fn decimal(number: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20]; // 2^64 has 20 digits
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
