//! A flight on a day: "CARRIER NUMBER|DATE".
//!
//! Source: IATA Standard Schedules Information Manual, chapter 2: a flight designator is a
//! two-character carrier (letters and digits, not two digits), up to four digits and perhaps an
//! operational suffix, which is a letter; the day is the scheduled local day of departure. ISO
//! 8601 for the form of the day.
//!
//! Decisions:
//! * Leading zeros of the number are dropped; 0 itself is no flight.
//! * The suffix is kept: flight 123 and its delayed twin 123D fly on one day.
//! * Three-letter carriers (ICAO) are rejected. They are not IATA carriers written longer, and
//!   turning one into the other needs a register that changes.
//! * Days: 2019-11-02, 2019/11/2, 2019.11.2, 20191102, 2019年11月2日. Orders without the year in
//!   front are ambiguous and rejected, and so are times: whose zone they are in is not said.
//! * Code shares have several designators; both parties should hold the operating carrier's.

use super::calendar::{is_day, number};
use super::fold::{Alphabet, folded};
use super::reason::Reason;

/// Appends "carrier, number, suffix|YYYY-MM-DD".
///
/// Shapes: any text; at most 18 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    let (flight, day) = match value.split_once(['|', '\u{FF5C}']) {
        Some((flight, day)) => (flight, Some(day)),
        None => (value, None),
    };
    let mut designator = [0; LONGEST];
    let count = match DESIGNATOR.collect(flight, &mut designator) {
        Ok(count) => count,
        Err(Reason::Empty) if day.is_some() => return Reason::Carrier,
        Err(reason) => return reason,
    };
    let Some(designator) = designator.get(..count) else { return Reason::Number };
    if let Err(reason) = write_designator(designator, out) {
        return reason;
    }
    let Some((year, month, date)) = day.and_then(parse_day) else { return Reason::Date };
    if !is_day(year, month, date) {
        return Reason::Date;
    }
    out.push(b'|');
    decimal(year, 4, out);
    out.push(b'-');
    decimal(month, 2, out);
    out.push(b'-');
    decimal(date, 2, out);
    Reason::Fine
}

/// Splits "MU05101A" and appends "MU5101A".
fn write_designator(designator: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
    let Some((carrier, rest)) = designator.split_at_checked(2) else {
        return Err(Reason::Carrier);
    };
    // A third letter with digits behind it makes an ICAO carrier.
    let icao = matches!(rest, [b'A'..=b'Z', b'0'..=b'9', ..]);
    if icao || carrier.iter().all(u8::is_ascii_digit) {
        return Err(Reason::Carrier);
    }
    let (digits, suffix) = match rest {
        [digits @ .., suffix @ b'A'..=b'Z'] => (digits, Some(*suffix)),
        digits => (digits, None),
    };
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let digits = &digits[zeros..];
    if !(1..=4).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::Number);
    }
    out.extend_from_slice(carrier);
    out.extend_from_slice(digits);
    out.extend(suffix);
    Ok(())
}

/// Reads year, month and day as numbers; whether there is such a day is another question.
fn parse_day(day: &str) -> Option<(u32, u32, u32)> {
    let mut rest = folded(day);
    let (year, digits, next) = read_number(&mut rest);
    if digits == 8 && next.is_none() {
        return Some((year / 10_000, year / 100 % 100, year % 100));
    }
    let (month, month_digits, second) = read_number(&mut rest);
    let (date, date_digits, third) = read_number(&mut rest);
    let separated = match (next, second) {
        (Some('-'), Some('-')) | (Some('/'), Some('/')) | (Some('.'), Some('.')) => third.is_none(),
        (Some('年'), Some('月')) => matches!(third, None | Some('日' | '号')),
        _ => false,
    };
    let short = 1..=2;
    let shaped = digits == 4 && short.contains(&month_digits) && short.contains(&date_digits);
    (separated && shaped && rest.all(|c| c == ' ')).then_some((year, month, date))
}

/// Reads digits with spaces around them: their number, how many, and the character behind.
fn read_number(rest: &mut impl Iterator<Item = char>) -> (u32, usize, Option<char>) {
    let mut digits = [0; 8];
    let mut count = 0;
    let mut next = rest.find(|c| *c != ' ');
    while let Some(c @ '0'..='9') = next {
        if let Some(place) = digits.get_mut(count) {
            *place = c as u8;
        }
        count += 1;
        next = rest.next();
    }
    if next == Some(' ') {
        next = rest.find(|c| *c != ' ');
    }
    (number(&digits[..count.min(8)]), count, next)
}

/// Appends a number with leading zeros up to `width`.
fn decimal(number: u32, width: u32, out: &mut Vec<u8>) {
    out.extend((0..width).rev().map(|place| b'0' + (number / 10_u32.pow(place) % 10) as u8));
}

const DESIGNATOR: Alphabet = Alphabet::new(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b" -./");

/// Room for a carrier, four digits and a suffix, and for as many leading zeros as tables add.
const LONGEST: usize = 16;
