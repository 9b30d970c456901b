//! Days of the Gregorian calendar.

use std::ops::RangeInclusive;

/// The years in which a day may lie.
///
/// A kernel knows no clock, so the bounds are fixed. The lower one is before every birth that a
/// card can show (the example of GB 11643 was born in 1880), the upper one is so far ahead that
/// no running node rejects the newly born, and still catches a mistyped century. Who knows the
/// date may check for a day in the future.
pub(super) const YEARS: RangeInclusive<u32> = 1800..=2099;

/// Whether there is such a day, and within [`YEARS`].
pub(super) fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    YEARS.contains(&year) && (1..=last).contains(&day)
}

/// The number that a few ASCII digits write; digits only.
pub(super) fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}
