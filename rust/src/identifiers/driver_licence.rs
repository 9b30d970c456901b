//! Driving licence numbers.
//!
//! Source: the Ministry of Public Security's rules for driving licences, where the number of a
//! licence is the number of the holder's identity document: for residents the number of GB 11643,
//! so that a licence meets the person's other files.
//!
//! Decisions:
//! * The rule is that of [`super::resident_id`].
//! * The archive number of 12 digits, printed on the second page, is another thing: it changes
//!   when the file moves to another city, so it is rejected by its own reason.
//! * A licence on a passport carries the passport's number. Such a column is of kind passport.

use super::fold::Alphabet;
use super::reason::Reason;
use super::resident_id;

/// Appends the 18 characters of the holder's resident ID.
///
/// Shapes: any text; 18 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    match resident_id::normalise(value, out) {
        Reason::Length if DIGITS.collect(value, &mut []) == Ok(12) => Reason::ArchiveNumber,
        reason => reason,
    }
}

const DIGITS: Alphabet = Alphabet::new(b"0123456789", b" -");
