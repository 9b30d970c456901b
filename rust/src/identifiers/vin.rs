//! The vehicle identification number: 17 characters.
//!
//! Source: ISO 3779 for the form and the alphabet (no I, O, Q), ISO 3780 for the first
//! character, 49 CFR 565.15 for the check digit at the ninth place.
//!
//! Decisions:
//! * A wrong check digit warns and keeps. It is mandatory in North America, and China's
//!   GB 16735 asks for it as well, but Europe does not, and files hold imported vehicles.
//! * A leading 0 is rejected: ISO 3780 assigns it to no region, and "all zeros", which passes
//!   the check digit, is the commonest filler of an empty field.
//! * Asterisks at both ends are dropped: GB 16735 has marks around a stamped number, and
//!   certificates print them as `*`.
//! * An I, O or Q is rejected, not read as 1 or 0: a guess could make another vehicle's number.

use super::fold::{Alphabet, is_space};
use super::reason::Reason;

/// Appends the 17 characters; `Σ wᵢ·tᵢ mod 11` should be the ninth, with X for ten.
///
/// Shapes: any text; 17 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    if let Ok(vin) = <&[u8; 17]>::try_from(value.as_bytes())
        && check(vin) == Reason::Fine
    {
        out.extend_from_slice(vin);
        return Reason::Fine;
    }
    let mut vin = [0; 17];
    match CHARACTERS.collect(value.trim_matches(is_margin), &mut vin) {
        Ok(17) => {}
        Ok(_) => return Reason::Length,
        Err(reason) => return reason,
    }
    let reason = check(&vin);
    if reason.keeps() {
        out.extend_from_slice(&vin);
    }
    reason
}

/// Says what is wrong with 17 bytes, if anything is.
fn check(vin: &[u8; 17]) -> Reason {
    let mut sum = 0;
    let mut known = true;
    for (byte, weight) in vin.iter().zip(WEIGHTS) {
        let value = VALUES[usize::from(*byte)];
        known &= value < 10;
        sum += u32::from(value) * weight;
    }
    if !known {
        return Reason::Alphabet;
    }
    if vin[0] == b'0' {
        return Reason::Region;
    }
    if vin[8] == CHECK[sum as usize % 11] { Reason::Fine } else { Reason::WarnCheckDigit }
}

/// Whether a character at an end of the value is no part of the number.
fn is_margin(c: char) -> bool {
    is_space(c) || matches!(c, '*' | '\u{FF0A}')
}

const CHARACTERS: Alphabet = Alphabet::new(b"0123456789ABCDEFGHJKLMNPRSTUVWXYZ", b" -");

/// 49 CFR 565.15, table IV; the check digit itself has weight 0.
const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

const CHECK: [u8; 11] = *b"0123456789X";

/// 49 CFR 565.15, table III: the value of each character; 255 for other bytes.
const VALUES: [u8; 256] = {
    let symbols = b"0123456789ABCDEFGHJKLMNPRSTUVWXYZ";
    let digits = b"012345678912345678123457923456789";
    let mut values = [255; 256];
    let mut at = 0;
    while at < symbols.len() {
        values[symbols[at] as usize] = digits[at] - b'0';
        at += 1;
    }
    values
};
