//! The unified social credit code of an organisation: 18 characters.
//!
//! Source: GB 32100-2015. One character of the registering department, one of the kind of
//! organisation, six digits of its place, nine of the organisation code, one check character
//! modulo 31, all from 31 symbols: the digits and the letters but I, O, S, V and Z.
//!
//! Decisions:
//! * Only the check character of the standard counts. Variants circulate that map the letters
//!   otherwise or take the sum modulo 11; a code that only they accept is rejected. They may end
//!   in a letter that is no symbol, so at the last place that too is a wrong check character.
//! * The place must be digits (GB/T 2260), its code is not looked up.
//! * The check character inside the organisation code (GB 11714) is not looked at: modulo 31
//!   with weights that are powers of 3, a generator, already finds every single wrong character
//!   and every swap of two different neighbours.
//! * An organisation code alone (9 characters) or an old registration number (15 digits) does
//!   not hold the rest of the code, so its length rejects it.

use super::fold::Alphabet;
use super::reason::Reason;

/// Appends the 18 characters c₁…c₁₈ with `Σ 3^(i-1)·cᵢ + c₁₈ ≡ 0 mod 31`, i up to 17.
///
/// Shapes: any text; 18 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    if let Ok(code) = <&[u8; 18]>::try_from(value.as_bytes())
        && check(code) == Reason::Fine
    {
        out.extend_from_slice(code);
        return Reason::Fine;
    }
    let mut code = [0; 18];
    match CHARACTERS.collect(value, &mut code) {
        Ok(18) => {}
        Ok(_) => return Reason::Length,
        Err(reason) => return reason,
    }
    let reason = check(&code);
    if reason == Reason::Fine {
        out.extend_from_slice(&code);
    }
    reason
}

/// Says what is wrong with 18 bytes, if anything is.
fn check(code: &[u8; 18]) -> Reason {
    let mut sum = 0;
    let mut known = true;
    for (byte, weight) in code[..17].iter().zip(WEIGHTS) {
        let value = VALUES[usize::from(*byte)];
        known &= value < 31;
        sum += u32::from(value) * weight;
    }
    if !known || !code[2..8].iter().all(u8::is_ascii_digit) {
        return Reason::Alphabet;
    }
    let check = SYMBOLS[(31 - sum as usize % 31) % 31];
    if code[17] == check { Reason::Fine } else { Reason::CheckCharacter }
}

const SYMBOLS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// More than the symbols, see the head of this file.
const CHARACTERS: Alphabet = Alphabet::new(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b" -");

/// `3^(i-1) mod 31`.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// The value of each symbol is its place among the symbols; 255 for other bytes.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut at = 0;
    while at < SYMBOLS.len() {
        values[SYMBOLS[at] as usize] = at as u8;
        at += 1;
    }
    values
};
