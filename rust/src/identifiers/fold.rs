//! Folding: the many ways to type one letter, digit or separator, brought to ASCII.
//!
//! Source: Unicode, block "Halfwidth and Fullwidth Forms" for the full-width twins of ASCII;
//! property `White_Space` for spaces; a part of `Default_Ignorable_Code_Point` for characters
//! that nobody sees and that copying leaves behind. Which separators are then dropped is a
//! matter of each kind, see [`Alphabet`].

use super::reason::Reason;

/// Folds each character: full-width to ASCII, upper case, one space, one dash, one dot.
///
/// Shapes: at most as many characters as `value`; invisible ones are gone, characters without
/// an ASCII twin stay as they are.
/// Secret: `value`, as in [`super::normalise`].
pub(super) fn folded(value: &str) -> impl Iterator<Item = char> + Clone {
    value.chars().filter(|c| !is_invisible(*c)).map(fold)
}

/// Folds one character.
fn fold(c: char) -> char {
    match c {
        '!'..='~' => c.to_ascii_uppercase(),
        // U+FF01 to U+FF5E repeat U+0021 to U+007E, 0xFEE0 further up.
        '\u{FF01}'..='\u{FF5E}' => char::from((u32::from(c) - 0xFEE0) as u8).to_ascii_uppercase(),
        // Hyphens, dashes and the minus sign.
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => '-',
        // Middle dots and bullets, as between the letter and the number of a plate.
        '\u{B7}' | '\u{387}' | '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}'
        | '\u{FF65}' => '.',
        // GB 11643 calls its X the Roman numeral ten, and some people type that.
        '\u{2169}' | '\u{2179}' => 'X',
        _ if is_space(c) => ' ',
        _ => c,
    }
}

/// Whether Unicode calls the character white space.
pub(super) const fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r' | ' ' | '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{2028}'
            | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// Whether the character leaves no mark: soft hyphen, zero-width and direction characters, byte
/// order mark, variation selectors.
pub(super) const fn is_invisible(c: char) -> bool {
    c > '\u{A0}'
        && matches!(
            c,
            '\u{AD}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}' | '\u{E0100}'..='\u{E01EF}'
        )
}

/// Which folded characters a kind keeps, and which it drops as separators.
pub(super) struct Alphabet([Role; 128]);

#[derive(Clone, Copy)]
enum Role {
    Foreign,
    Kept,
    Dropped,
}

impl Alphabet {
    /// The alphabet that keeps and drops these ASCII characters.
    pub(super) const fn new(kept: &[u8], dropped: &[u8]) -> Self {
        let mut roles = [Role::Foreign; 128];
        let mut at = 0;
        while at < kept.len() {
            roles[kept[at] as usize] = Role::Kept;
            at += 1;
        }
        at = 0;
        while at < dropped.len() {
            roles[dropped[at] as usize] = Role::Dropped;
            at += 1;
        }
        Self(roles)
    }

    /// Folds a value and keeps what the alphabet keeps; returns how many characters that are.
    ///
    /// Shapes: the first N kept characters stand in `kept`; the count may be above N.
    /// Secret: `value`, as in [`super::super::normalise`].
    ///
    /// # Errors
    /// [`Reason::Alphabet`] if a character is foreign, [`Reason::Empty`] if none is kept.
    pub(super) fn collect<const N: usize>(
        &self,
        value: &str,
        kept: &mut [u8; N],
    ) -> Result<usize, Reason> {
        let mut count = 0;
        for c in folded(value) {
            match self.0.get(c as usize) {
                Some(Role::Kept) => {
                    if let Some(place) = kept.get_mut(count) {
                        *place = c as u8;
                    }
                    count += 1;
                }
                Some(Role::Dropped) => {}
                Some(Role::Foreign) | None => return Err(Reason::Alphabet),
            }
        }
        if count == 0 { Err(Reason::Empty) } else { Ok(count) }
    }
}
