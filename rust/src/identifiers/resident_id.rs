//! The citizen identification number: 18 characters, or 15 digits on cards before 1999.
//!
//! Source: GB 11643-1999. Six digits of the place of registration (GB/T 2260), eight of the
//! birth date, three of sequence, one check character by ISO 7064 MOD 11-2. The 15-digit number
//! of GB 11643-1989 has a two-digit year and no check character.
//!
//! Decisions:
//! * 15 digits become 18 with the century 19. That is wrong for people born before 1900; the
//!   number alone cannot tell, and nobody of that age holds a card any more.
//! * The place is checked down to the province (the first two digits), since only those were
//!   never renumbered: cards keep the codes of counties that are gone, so a list of counties
//!   would reject good cards. 81, 82 and 83 are the residence permits of people from Hong Kong,
//!   Macau and Taiwan, 71 is Taiwan in GB/T 2260. A leading 9 marks the permanent residence
//!   permit of foreigners of 2023, which follows the same scheme.
//! * Spaces and dashes are dropped; any other stray character, such as the `*` of a masked
//!   number, rejects the value.

use super::calendar::{is_day, number};
use super::fold::Alphabet;
use super::reason::Reason;

/// Appends the 18 characters `p₁…p₆ y₁…y₄ m₁m₂ d₁d₂ s₁s₂s₃ c` with `Σ wᵢ·digitᵢ + c ≡ 1 mod 11`.
///
/// Shapes: any text; 18 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    // Clean numbers, nearly all of a good column, need no folding.
    if let Ok(id) = <&[u8; 18]>::try_from(value.as_bytes())
        && check(id) == Reason::Fine
    {
        out.extend_from_slice(id);
        return Reason::Fine;
    }
    match unfolded(value) {
        Ok(id) => {
            out.extend_from_slice(&id);
            Reason::Fine
        }
        Err(reason) => reason,
    }
}

/// The longer way, for values that need folding or a century.
fn unfolded(value: &str) -> Result<[u8; 18], Reason> {
    let mut id = [0; 18];
    match CHARACTERS.collect(value, &mut id)? {
        18 => {}
        15 => {
            if id.contains(&b'X') {
                return Err(Reason::Alphabet);
            }
            id.copy_within(6..15, 8);
            id[6..8].copy_from_slice(b"19");
            id[17] = CHECK[weighted_sum(&id) % 11];
        }
        _ => return Err(Reason::Length),
    }
    match check(&id) {
        Reason::Fine => Ok(id),
        reason => Err(reason),
    }
}

/// Says what is wrong with 18 bytes, if anything is.
fn check(id: &[u8; 18]) -> Reason {
    if !id[..17].iter().fold(true, |all, byte| all & byte.is_ascii_digit()) {
        return Reason::Alphabet;
    }
    if !PROVINCES[number(&id[..2]) as usize] {
        return Reason::Region;
    }
    if !is_day(number(&id[6..10]), number(&id[10..12]), number(&id[12..14])) {
        return Reason::BirthDate;
    }
    if CHECK[weighted_sum(id) % 11] != id[17] {
        return Reason::CheckCharacter;
    }
    Reason::Fine
}

/// The sum of the first 17 digits, each times its weight.
fn weighted_sum(id: &[u8; 18]) -> usize {
    let sum: u32 =
        id.iter().zip(WEIGHTS).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    sum as usize
}

const CHARACTERS: Alphabet = Alphabet::new(b"0123456789X", b" -");

/// `2^(17-i) mod 11` for the i-th character, counted from 0: the weights of MOD 11-2.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check character for each remainder r: `(12 - r) mod 11`, where ten is written X.
const CHECK: [u8; 11] = *b"10X98765432";

/// Which two digits are the code of a province, or of a permit that has the same scheme.
const PROVINCES: [bool; 100] = {
    let ranges = [(11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83)];
    let mut known = [false; 100];
    let mut code = 0;
    while code < 100 {
        let mut at = 0;
        while at < ranges.len() {
            known[code] |= ranges[at].0 <= code && code <= ranges[at].1;
            at += 1;
        }
        known[code] |= code >= 90;
        code += 1;
    }
    known
};
