//! Names, places and other free text.
//!
//! Source: the Unicode Standard 18.0, section 3.13, D146: two strings are a compatibility
//! caseless match if `NFKD(fold(NFKD(fold(NFD(X)))))` agrees. The value written is that string,
//! composed (UAX #15), which does not change what matches.
//!
//! Decisions:
//! * Invisible characters are removed first; see [`super::fold::is_invisible`].
//! * White space at the ends is dropped, and any run of it inside becomes one space.
//! * Control characters, and U+FFFD, which stands where decoding failed, reject the value: what
//!   is left of a damaged text would match other damaged texts.
//! * Simplified and traditional characters stay apart: the mapping is not one to one, and people
//!   with either name exist.

use arrow_array::{Array, LargeStringArray, UInt8Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use unicode_normalization::UnicodeNormalization;

use super::case_folding::fold;
use super::fold::{is_invisible, is_space};
use super::reason::Reason;

/// Appends `collapse(NFKC(fold(NFKD(fold(NFD(value))))))`.
///
/// Shapes: any text; at least one byte, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    let before = out.len();
    // Letters, digits and marks of ASCII, nearly all of most columns: only their case changes.
    // All of them are looked at, several at a time: an end at the first other one would forbid that.
    let graphic = |all: bool, byte: u8| all & byte.is_ascii_graphic();
    if !value.is_empty() && value.bytes().fold(true, graphic) {
        out.extend_from_slice(value.as_bytes());
        out[before..].make_ascii_lowercase();
        return Reason::Fine;
    }
    if value.chars().any(is_damaged) {
        return Reason::Alphabet;
    }
    // ASCII and Chinese characters, nearly all of a good column, only change their case.
    if value.chars().all(|c| c.is_ascii() || is_ideograph(c)) {
        collapse(value.chars().map(|c| c.to_ascii_lowercase()), out);
    } else {
        let seen = value.chars().filter(|c| !is_invisible(*c));
        collapse(seen.nfd().flat_map(fold).nfkd().flat_map(fold).nfkc(), out);
    }
    if out.len() == before { Reason::Empty } else { Reason::Fine }
}

/// Normalises a column of numbers and codes at once: where each value is there, and made of letters,
/// digits and marks of ASCII alone, only their case changes. Nothing for any other column.
///
/// Shapes: n rows to n values and n reasons, as [`normalise`] has them.
/// Secret: the column; time depends on it, as in [`super::normalise`].
pub(super) fn plain(column: &LargeStringArray) -> Option<(LargeStringArray, UInt8Array)> {
    let ends = column.value_offsets();
    let (first, last) = (*ends.first()?, *ends.last()?);
    let values = column.value_data().get(first as usize..last as usize)?;
    // All are looked at, several at a time: an end at the first other one would forbid that.
    let there = ends.windows(2).fold(true, |all, pair| all & (pair[0] < pair[1]));
    let graphic = |all: bool, byte: &u8| all & byte.is_ascii_graphic();
    if column.null_count() > 0 || !there || !values.iter().fold(true, graphic) {
        return None;
    }
    let ends = match first {
        0 => column.offsets().clone(), // as nearly always: not copied
        _ => {
            let ends: Vec<_> = ends.iter().map(|end| end - first).collect();
            OffsetBuffer::new(ScalarBuffer::from(ends))
        }
    };
    let values = Buffer::from_vec(values.to_ascii_lowercase());
    let values = LargeStringArray::try_new(ends, values, None).ok()?;
    Some((values, UInt8Array::from(vec![Reason::Fine as u8; column.len()])))
}

/// Appends characters with one space for each run of white space inside, none at the ends.
fn collapse(text: impl Iterator<Item = char>, out: &mut Vec<u8>) {
    let before = out.len();
    let mut space = false;
    for c in text {
        if is_space(c) {
            space = out.len() > before;
            continue;
        }
        if space {
            out.push(b' ');
            space = false;
        }
        if c.is_ascii() {
            out.push(c as u8);
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// Whether the character neither decomposes, folds nor combines: the bulk of Chinese text.
const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}')
}

/// Whether the character shows that the text was damaged.
fn is_damaged(c: char) -> bool {
    c == '\u{FFFD}' || (c.is_control() && !is_space(c))
}
