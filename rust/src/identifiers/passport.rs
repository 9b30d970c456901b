//! Passport numbers.
//!
//! Source: ICAO Doc 9303-4: a document number has at most 9 characters, digits and letters A to
//! Z, filled up with `<` in the machine-readable zone. The Chinese series, as consulates describe
//! them:
//!
//! | series                                              | form                                 |
//! |-----------------------------------------------------|--------------------------------------|
//! | ordinary, with chip (2012); since 2017 two letters  | E and 8 digits; E, letter, 7 digits  |
//! | ordinary, without chip                              | G and 8 digits; 14 or 15 and 7 digits|
//! | diplomatic, service, public affairs                 | D, S, P and 7 or 8 digits; DE, SE, PE and 7 digits |
//! | Hong Kong                                           | H or K and 8 digits; KJ and 7 digits |
//! | Macau                                               | M and 8 digits; MA or MB and 7 digits|
//! | Taiwan                                              | 3 and 8 digits                       |
//!
//! The letter behind E is neither I nor O.
//!
//! Decisions:
//! * 5 to 9 characters. ICAO gives no lower bound; below 5 no state issues numbers, and fillers
//!   such as "N/A" or "0000" begin.
//! * At least one digit, so that words in the column ("UNKNOWN") are no passports.
//! * A number outside the Chinese series is kept with a warning: it may be another state's, or
//!   mistyped. The form cannot tell.
//! * Spaces, dashes and dots are dropped (older official passports print "P.1234567"), and so
//!   are `<` at the end.
//! * Numbers are unique only within the issuing state: where both parties hold the state, a
//!   composite of both is the sharper identifier.

use super::fold::{Alphabet, is_space};
use super::reason::Reason;

/// Appends the number in upper case.
///
/// Shapes: any text; at most 9 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    let mut passport = [0; 9];
    let number = value.trim_end_matches(|c| is_space(c) || matches!(c, '<' | '\u{FF1C}'));
    let count = match CHARACTERS.collect(number, &mut passport) {
        Ok(count @ 5..=9) => count,
        Ok(_) => return Reason::Length,
        Err(reason) => return reason,
    };
    let passport = &passport[..count];
    if !passport.iter().any(u8::is_ascii_digit) {
        return Reason::Number;
    }
    out.extend_from_slice(passport);
    if is_chinese(passport) { Reason::Fine } else { Reason::WarnForeign }
}

/// Whether the number is of one of the series above.
fn is_chinese(passport: &[u8]) -> bool {
    let digits = match passport {
        [b'E', b'A'..=b'H' | b'J'..=b'N' | b'P'..=b'Z', digits @ ..]
        | [b'D' | b'S' | b'P', b'E', digits @ ..]
        | [b'1', b'4' | b'5', digits @ ..]
        | [b'K', b'J', digits @ ..]
        | [b'M', b'A' | b'B', digits @ ..]
            if passport.len() == 9 =>
        {
            digits
        }
        [b'E' | b'G' | b'H' | b'K' | b'M' | b'3', digits @ ..] if passport.len() == 9 => digits,
        [b'D' | b'S' | b'P', digits @ ..] if passport.len() >= 8 => digits,
        _ => return false,
    };
    digits.iter().all(u8::is_ascii_digit)
}

const CHARACTERS: Alphabet = Alphabet::new(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b" -.");
