//! Normalised identifiers: one spelling for one thing, or a rejection with its reason.
//!
//! Two parties meet on an identifier only if both write it the same way, to the byte. Each kind
//! has one rule, in a file of its own, with the standard that it follows and the decisions that
//! the standard leaves open. A rule never guesses: a value that fits is brought to the one
//! spelling, a value that does not is rejected with a word from [`REASONS`]. A *warning* keeps
//! the value: its rule is not binding for every holder.
//!
//! [`VERSION`] and [`DIGEST`] say which rules a node runs, so that two nodes with other rules
//! find out before they compare anything.

mod calendar;
mod case_folding;
mod composite;
mod driver_licence;
mod flight;
mod fold;
mod passport;
mod phone;
mod plate;
#[cfg(test)]
mod probes;
mod reason;
mod resident_id;
mod rows;
#[cfg(test)]
mod tests;
mod text;
mod uscc;
mod vin;

pub use composite::compose;
pub use reason::REASONS;

use arrow_array::{Array, LargeStringArray, UInt8Array};

use reason::Reason;

/// The version of the rules; it changes with every change of a value or a reason.
pub const VERSION: &str = "1.0.0";

/// What the rules do, in 32 bytes: their outcomes on fixed probes, hashed.
///
/// A test computes it anew from the rules that it is built with, which takes longer than a small
/// job, and fails if it is another.
pub const DIGEST: [u8; 32] = [
    0x7f, 0x29, 0xee, 0x9e, 0x37, 0x58, 0x83, 0x61, 0x65, 0x74, 0xb2, 0xcf, 0x04, 0x82, 0x80, 0xc9,
    0x7f, 0x97, 0xe5, 0x61, 0xcb, 0x28, 0x77, 0x3a, 0xa7, 0xb7, 0x24, 0xed, 0x67, 0x30, 0x2a, 0xdb,
];

/// What an identifier names, and so the rule that normalises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The number of a resident identity card, GB 11643.
    ResidentId,
    /// The unified social credit code of an organisation, GB 32100.
    Uscc,
    /// The number of a vehicle's body, ISO 3779.
    Vin,
    /// The number plate of a vehicle, GA 36.
    Plate,
    /// A telephone number, E.164.
    Phone,
    /// The number of a passport, ICAO 9303.
    Passport,
    /// The number of a driving licence.
    DriverLicence,
    /// A flight on a day.
    Flight,
    /// Names, places and whatever else has no form of its own.
    Text,
}

impl Kind {
    /// The names of the kinds, in the order of the variants.
    pub const NAMES: [&str; 9] = [
        "resident_id",
        "uscc",
        "vin",
        "plate",
        "phone",
        "passport",
        "driver_licence",
        "flight",
        "text",
    ];

    /// Finds the kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    /// The kinds, in the order of [`Self::NAMES`].
    const ALL: [Self; 9] = [
        Self::ResidentId,
        Self::Uscc,
        Self::Vin,
        Self::Plate,
        Self::Phone,
        Self::Passport,
        Self::DriverLicence,
        Self::Flight,
        Self::Text,
    ];
}

/// Normalises a column: `values[i] = rule(column[i])`, and `reasons[i]` says why there is none.
///
/// Shapes: `column` n rows; n values, null where `column` is null or its value is rejected; n
/// codes into [`REASONS`], 0 where a value is fine or missing. A warning has a code and a value.
/// Secret: `column` holds personal data. Time and memory access depend on it: the column, its
/// owner and the processor are one party, and nothing of this is visible to the other.
/// Runs on rayon's threads; the order of the rows is kept.
#[must_use]
pub fn normalise(kind: Kind, column: &LargeStringArray) -> (LargeStringArray, UInt8Array) {
    match kind {
        Kind::ResidentId => each_row(column, resident_id::normalise),
        Kind::Uscc => each_row(column, uscc::normalise),
        Kind::Vin => each_row(column, vin::normalise),
        Kind::Plate => each_row(column, plate::normalise),
        Kind::Phone => each_row(column, phone::normalise),
        Kind::Passport => each_row(column, passport::normalise),
        Kind::DriverLicence => each_row(column, driver_licence::normalise),
        Kind::Flight => each_row(column, flight::normalise),
        Kind::Text => text::plain(column).unwrap_or_else(|| each_row(column, text::normalise)),
    }
}

/// How many rows have each reason, by its code.
#[must_use]
pub fn tally(reasons: &UInt8Array) -> [usize; REASONS.len()] {
    let mut tally = [0; 256];
    for code in reasons.values() {
        tally[usize::from(*code)] += 1;
    }
    std::array::from_fn(|code| tally[code])
}

/// Runs a rule over a column. Generic, so that the rule is inlined in the loop over the rows.
///
/// A rule appends the normalised value if it keeps it; what it appends otherwise is undone.
fn each_row<R>(column: &LargeStringArray, rule: R) -> (LargeStringArray, UInt8Array)
where
    R: Fn(&str, &mut Vec<u8>) -> Reason + Sync,
{
    rows::build(column.len(), column.nulls(), column.value_data().len(), |row, out| {
        rule(column.value(row), out)
    })
}
