//! Telephone numbers, brought to E.164: "+", country code, national number.
//!
//! Source: ITU-T E.164 (at most 15 digits) and E.123 (how people write them); the Chinese
//! numbering plan (trunk prefix 0, international prefix 00, country code 86).
//!
//! | written                           | read as                                                 |
//! |-----------------------------------|---------------------------------------------------------|
//! | +86…, 0086…, 86… (12 digits or more) | Chinese; a trunk 0 behind it is dropped, also as (0) |
//! | +…, 00…                           | another country's, kept as it is: 7 to 15 digits        |
//! | 0…                                | Chinese: landline with area code, or mobile             |
//! | anything else                     | Chinese mobile                                          |
//!
//! Chinese numbers: mobile 1[3-9] and 9 digits; landline 10 or 2[0-57-9] and 8 digits, or three
//! digits from 3 on and 7 or 8 digits, where the subscriber's number begins with 2 to 8 (0 is
//! the trunk prefix, 1 and 9 are services). Area codes are checked by form and not by list,
//! since they are merged now and then.
//!
//! Decisions:
//! * Spaces, dashes, dots and parentheses are dropped.
//! * A local number without area code, and a service number (95…, 400…), name no subscriber and
//!   are rejected.
//! * An extension (`转`, `#`, `x`, `ext`, or digits behind a last dash that do not belong to the
//!   number) is dropped with a warning: what is left is the switchboard. Where the digits could
//!   be the number's own, they are. Behind a mobile number it rejects the value: such numbers
//!   are relays of platforms, where the extension is what tells the people apart.

use super::fold::folded;
use super::reason::Reason;

/// Appends "+" and the digits of the number.
///
/// Shapes: any text; at most 16 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    // Clean mobile numbers, nearly all of a good column, need no parsing.
    if let [b'1', b'3'..=b'9', rest @ ..] = value.as_bytes()
        && rest.len() == 9
        && rest.iter().all(u8::is_ascii_digit)
    {
        out.extend_from_slice(b"+86");
        out.extend_from_slice(value.as_bytes());
        return Reason::Fine;
    }
    match Dialled::parse(value).and_then(|dialled| dialled.place(out)) {
        Ok(reason) | Err(reason) => reason,
    }
}

/// What is written, without separators.
struct Dialled {
    /// The first digits.
    digits: [u8; MOST],
    /// How many digits there are.
    count: usize,
    /// Whether a plus stands in front.
    plus: bool,
    /// How many digits stand before the last dash.
    dash: usize,
    /// How many digits stand behind a mark for an extension, if there is one.
    extension: Option<usize>,
}

impl Dialled {
    fn parse(value: &str) -> Result<Self, Reason> {
        let mut dialled =
            Self { digits: [0; MOST], count: 0, plus: false, dash: 0, extension: None };
        let mut rest = folded(value).filter(|c| !matches!(c, ' ' | '.'));
        let mut blank = true;
        while let Some(c) = rest.next() {
            match (c, dialled.extension.as_mut()) {
                ('-', None) => {
                    dialled.dash = dialled.count;
                    continue;
                }
                // The trunk prefix in parentheses is not dialled behind a country code.
                ('(', None) if dialled.count > 0 && skip(&mut rest, "0)") => {}
                ('(' | ')' | '-', _) => continue,
                ('0'..='9', Some(digits)) => *digits += 1,
                ('0'..='9', None) => {
                    if let Some(place) = dialled.digits.get_mut(dialled.count) {
                        *place = c as u8;
                    }
                    dialled.count += 1;
                }
                ('+', None) if blank => dialled.plus = true,
                ('转' | '轉' | '#' | 'X', None) => dialled.extension = Some(0),
                ('E', None) if skip(&mut rest, "XT") => dialled.extension = Some(0),
                _ => return Err(Reason::Alphabet),
            }
            blank = false;
        }
        if blank { Err(Reason::Empty) } else { Ok(dialled) }
    }

    /// Appends the number, and says whether an extension was dropped.
    fn place(&self, out: &mut Vec<u8>) -> Result<Reason, Reason> {
        let whole = self.digits.get(..self.count).ok_or(Reason::Length)?;
        if let Some(digits) = self.extension {
            return match (Number::read(whole, self.plus)?, digits) {
                (Number::Mobile(_), _) => Err(Reason::Extension),
                (number, 1..=EXTENSION) => Ok(number.write(out, Reason::WarnExtension)),
                _ => Err(Reason::Length),
            };
        }
        match Number::read(whole, self.plus) {
            Ok(number) => Ok(number.write(out, Reason::Fine)),
            Err(Reason::Length) if (2..=EXTENSION).contains(&(self.count - self.dash)) => {
                match Number::read(&whole[..self.dash], self.plus) {
                    Ok(Number::Mobile(_)) => Err(Reason::Extension),
                    Ok(number @ Number::Landline(_)) => {
                        Ok(number.write(out, Reason::WarnExtension))
                    }
                    _ => Err(Reason::Length),
                }
            }
            Err(reason) => Err(reason),
        }
    }
}

/// Goes past `expected` if it comes next.
fn skip(rest: &mut (impl Iterator<Item = char> + Clone), expected: &str) -> bool {
    let mut ahead = rest.clone();
    let found = expected.chars().all(|c| ahead.next() == Some(c));
    if found {
        *rest = ahead;
    }
    found
}

/// A number that can be dialled from everywhere.
enum Number<'a> {
    /// A Chinese mobile number, without country code.
    Mobile(&'a [u8]),
    /// A Chinese landline number, with area code, without country code.
    Landline(&'a [u8]),
    /// Another country's number, with country code.
    Foreign(&'a [u8]),
}

impl<'a> Number<'a> {
    fn read(digits: &'a [u8], plus: bool) -> Result<Self, Reason> {
        let international = match digits {
            _ if plus => Some(digits),
            [b'0', b'0', rest @ ..] => Some(rest),
            [b'8', b'6', ..] if digits.len() >= 12 => Some(digits),
            _ => None,
        };
        match (international, digits) {
            (Some([b'8', b'6', b'0', rest @ ..] | [b'8', b'6', rest @ ..]), _) => {
                Self::chinese(rest)
            }
            (Some([b'0', ..]), _) => Err(Reason::Prefix),
            (Some(foreign), _) if (7..=15).contains(&foreign.len()) => Ok(Self::Foreign(foreign)),
            (Some(_), _) => Err(Reason::Length),
            (None, [b'0', rest @ ..]) => Self::chinese(rest),
            (None, [b'1', b'3'..=b'9', ..]) => Self::chinese(digits),
            (None, _) if digits.len() == 11 => Err(Reason::Prefix),
            (None, _) => Err(Reason::Length),
        }
    }

    /// Reads a number as it is dialled within China, without the trunk prefix.
    fn chinese(digits: &'a [u8]) -> Result<Self, Reason> {
        let (area, lengths) = match digits {
            [] | [_] | [_, _] => return Err(Reason::Length),
            [b'1', b'3'..=b'9', ..] if digits.len() == 11 => return Ok(Self::Mobile(digits)),
            [b'1', b'3'..=b'9', ..] => return Err(Reason::Length),
            [b'1', b'0', ..] | [b'2', b'0'..=b'5' | b'7'..=b'9', ..] => (2, 10..=10),
            [b'3'..=b'9', ..] => (3, 10..=11),
            _ => return Err(Reason::Prefix),
        };
        if !lengths.contains(&digits.len()) {
            return Err(Reason::Length);
        }
        match digits[area] {
            b'2'..=b'8' => Ok(Self::Landline(digits)),
            _ => Err(Reason::Prefix),
        }
    }

    fn write(self, out: &mut Vec<u8>, reason: Reason) -> Reason {
        let (code, digits): (&[u8], _) = match self {
            Self::Mobile(digits) | Self::Landline(digits) => (b"+86", digits),
            Self::Foreign(digits) => (b"+", digits),
        };
        out.extend_from_slice(code);
        out.extend_from_slice(digits);
        reason
    }
}

/// The longest extension that offices have.
const EXTENSION: usize = 6;

/// Room for the longest number that is read: 00 or a trunk 0, 15 digits, an extension.
const MOST: usize = 2 + 1 + 15 + EXTENSION;
