//! Why a value was rejected, or kept with a warning.

/// One word of [`REASONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Reason {
    /// The value is fine.
    Fine,
    /// There is nothing in it but separators.
    Empty,
    /// A character that this kind never has, or not at this place.
    Alphabet,
    /// Too few or too many characters.
    Length,
    /// A prefix that no register assigns.
    Region,
    /// No day of the calendar, or outside [`super::calendar::YEARS`].
    BirthDate,
    /// The check character does not follow from the others.
    CheckCharacter,
    /// It does not begin with the character of a province.
    Province,
    /// No number of the plan begins like this.
    Prefix,
    /// It does not begin with the designator of a carrier.
    Carrier,
    /// The number is missing or too long.
    Number,
    /// No day of the calendar, or not in an agreed form.
    Date,
    /// The archive number of a licence, which is not the licence's number.
    ArchiveNumber,
    /// A mobile number with an extension belongs to a relay, not to a person.
    Extension,
    /// Kept: the check digit is wrong, but not every maker must set it.
    WarnCheckDigit,
    /// Kept: the number of the switchboard, without the extension behind it.
    WarnExtension,
    /// Kept: a passport, but of none of the known Chinese series.
    WarnForeign,
}

/// The text of each reason code. Code 0 is "fine or missing"; texts that begin with "warning: "
/// belong to values that were kept.
pub const REASONS: &[&str] = &[
    "",
    "empty",
    "alphabet",
    "length",
    "region",
    "birth date",
    "check character",
    "province",
    "prefix",
    "carrier",
    "number",
    "date",
    "archive number",
    "extension",
    "warning: check digit",
    "warning: extension dropped",
    "warning: no Chinese passport series",
];

impl Reason {
    /// Whether the value is kept.
    pub(super) const fn keeps(self) -> bool {
        matches!(self, Self::Fine | Self::WarnCheckDigit | Self::WarnExtension | Self::WarnForeign)
    }
}
