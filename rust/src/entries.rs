//! Entries: what a party that knows outputs tells one that may know some of them.
//!
//! An entry is `tag || sealed label`, made from the output o of one element, a direction, and the
//! number i of the record among those with this element:
//! `SHA-512(label || direction || i || o)` gives the tag in its first bytes and, in its last 32, the
//! key under which ChaCha20-Poly1305 (RFC 8439) seals the label. Whoever has the output finds the
//! tags for i = 0, 1, ... and opens the labels; to anyone else an entry is random. So an element with
//! many records is as many entries, and no label has to be as long as the longest list of records.
//!
//! Entries ascend by tag. Tags are pseudorandom, so this order tells nothing about the order of the
//! elements, and what no one can open cannot be told from padding.

mod ascending;
mod opening;
mod sealing;

pub use opening::open;
pub use sealing::{Sealed, seal};

use rayon::prelude::*;

use crate::deriving::Deriving;
use crate::dh::Outputs;
use crate::error::Error;
use crate::one_time::{self, GROUP, OneTime, TASK};
use crate::sha512::Digest;

const ENTRY: &[u8] = b"greenlane/entry";
/// Bytes that sealing adds to a label (RFC 8439, section 2.5).
pub const SEAL: usize = one_time::SEAL;

/// The widest label, so that 2^32 rows times a width stay below 2^64.
pub const WIDEST: usize = 1 << 16;

/// The form that both sides have agreed on.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Bytes of a tag, 1 to 32.
    pub tag: usize,
    /// Bytes of a label before it is sealed; 0 for none.
    pub label: usize,
    /// 0 from sender to receiver, 1 back.
    pub direction: u8,
}

impl Form {
    /// Bytes of an entry. A label of width 0 is not sealed.
    pub fn width(&self) -> usize {
        self.tag + if self.label == 0 { 0 } else { self.label + SEAL }
    }

    /// What derives tag and key of record i of the element with output o.
    fn deriving(&self) -> Deriving {
        Deriving::new(&[ENTRY, &[self.direction]])
    }

    /// What seals the label of an entry, to which its tag is bound; none where it has no label.
    fn sealing(&self) -> Option<OneTime> {
        let form = one_time::Form { head: self.tag, body: self.label };
        (self.label > 0).then(|| OneTime::new(form))
    }

    fn check(&self) -> Result<(), Error> {
        if !(1..=32).contains(&self.tag) {
            return Err(Error::Length { argument: "tag", expected: 32, actual: self.tag });
        }
        if self.label > WIDEST {
            return Err(Error::Length { argument: "label", expected: WIDEST, actual: self.label });
        }
        Ok(())
    }
}

/// The tag of each output's record 0, concatenated.
///
/// Shapes: n outputs to n rows of `form.tag` bytes.
///
/// # Errors
/// [`Error::Length`] if the form has no such tag.
pub fn tags(outputs: &Outputs, form: Form) -> Result<Vec<u8>, Error> {
    form.check()?;
    let mut out = vec![0; outputs.rows().len() * form.tag];
    out.par_chunks_mut(TASK * form.tag).zip(outputs.rows().par_chunks(TASK)).for_each(
        |(tags, outputs)| {
            let mut deriving = form.deriving();
            for (tags, outputs) in tags.chunks_mut(GROUP * form.tag).zip(outputs.chunks(GROUP)) {
                let derived = deriving.each(outputs.iter().map(|output| (output, 0)));
                for (tag, derived) in tags.chunks_exact_mut(form.tag).zip(derived) {
                    tag.copy_from_slice(&derived[..form.tag]);
                }
            }
        },
    );
    Ok(out)
}

/// Says for each wanted tag whether a row begins with it.
///
/// Shapes: `bins` together hold rows of `width` bytes, `wanted` rows of `tag` bytes. `wanted` is small:
/// every row is compared by hash with all of it.
///
/// # Errors
/// [`Error::Length`] if a length is not a whole number of rows.
pub fn contains(
    bins: &[&[u8]],
    width: usize,
    wanted: &[u8],
    tag: usize,
) -> Result<Vec<bool>, Error> {
    for (argument, bytes, row) in
        bins.iter().map(|bin| ("bins", bin.len(), width)).chain([("wanted", wanted.len(), tag)])
    {
        if row == 0 || bytes % row != 0 || tag > width {
            return Err(Error::Length { argument, expected: row, actual: bytes });
        }
    }
    let seen: std::collections::HashSet<&[u8]> = {
        let of_interest: std::collections::HashSet<_> = wanted.chunks_exact(tag).collect();
        bins.iter()
            .flat_map(|bin| bin.chunks_exact(width))
            .map(|row| &row[..tag])
            .filter(|row| of_interest.contains(row))
            .collect()
    };
    Ok(wanted.chunks_exact(tag).map(|row| seen.contains(row)).collect())
}

/// The sealing key of what was derived.
fn key(derived: &Digest) -> &[u8; 32] {
    &derived.as_chunks().0[1]
}

/// The first eight bytes as a number, or as many as there are: numbers order as the bytes do.
fn first(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let size = bytes.len().min(8);
    first[..size].copy_from_slice(&bytes[..size]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dh::Key;
    use crate::entropy::Entropy;

    fn outputs(elements: std::ops::Range<u8>) -> Outputs {
        let key = Key::draw(&mut Entropy::from_seed_for_tests([3; 32]));
        let elements: Vec<_> = elements.map(|i| [i; 32]).collect();
        let mut outputs = Outputs::default();
        outputs.extend_own(&elements, &[9; 32], &key).unwrap();
        outputs
    }

    const FORM: Form = Form { tag: 10, label: 3, direction: 0 };

    fn sealed(form: Form) -> Vec<u8> {
        // Elements 0..6; element 2 has three records, element 4 none.
        let positions = [0, 2, 1, 2, 3, 2, 5];
        let labels: Vec<u8> = (0..7).flat_map(|r| vec![r; form.label]).collect();
        let mut entropy = Entropy::from_seed_for_tests([4; 32]);
        let sealed = seal(&outputs(0..6), &positions, &labels, form, 20, &mut entropy).unwrap();
        let mut entries = vec![0; sealed.size()];
        sealed.write(&mut entries);
        entries
    }

    #[test]
    fn every_record_of_a_match_is_found_with_its_label_in_order() {
        let entries = sealed(FORM);
        assert_eq!(entries.len(), 20 * (10 + 3 + 16));
        let (first, second) = entries.split_at(7 * FORM.width());
        let (counts, labels) = open(&outputs(1..9), &[first, &[], second], FORM).unwrap();
        assert_eq!(counts, [1, 3, 1, 0, 1, 0, 0, 0]);
        let rows: Vec<u8> = labels.chunks(3).map(|label| label[0]).collect();
        assert_eq!(rows, [2, 1, 3, 5, 4, 6]);
    }

    #[test]
    fn entries_without_labels_are_tags_alone() {
        let form = Form { label: 0, ..FORM };
        let entries = sealed(form);
        assert_eq!(entries.len(), 20 * 10);
        assert_eq!(open(&outputs(2..3), &[&entries], form).unwrap(), (vec![3], vec![]));
        let own = tags(&outputs(0..6), form).unwrap();
        let found = contains(&[&entries], 10, &own, 10).unwrap();
        assert_eq!(found, [true, true, true, true, false, true]);
    }

    #[test]
    fn the_other_direction_opens_nothing() {
        let entries = sealed(FORM);
        let back = Form { direction: 1, ..FORM };
        assert_eq!(open(&outputs(0..6), &[&entries], back).unwrap().0, [0; 6]);
    }

    #[test]
    fn a_changed_label_is_refused_and_names_the_entry() {
        let mut entries = sealed(FORM);
        let width = FORM.width();
        for row in entries.chunks_exact_mut(width) {
            row[width - 1] ^= 1;
        }
        assert!(matches!(open(&outputs(0..6), &[&entries], FORM), Err(Error::Seal { .. })));
    }

    #[test]
    fn repeated_or_swapped_entries_are_refused() {
        let entries = sealed(FORM);
        let width = FORM.width();
        let (first, rest) = entries.split_at(width);
        let again = open(&outputs(0..6), &[first, first, rest], FORM);
        assert_eq!(again, Err(Error::Order { argument: "entries", index: 1 }));
        assert!(open(&outputs(0..6), &[rest, first], FORM).is_err());
        assert!(open(&outputs(0..6), &[&entries[1..]], FORM).is_err());
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let mut entropy = Entropy::from_seed_for_tests([4; 32]);
        let outputs = outputs(0..2);
        let mut seal = |positions: &[u32], labels: &[u8], form, total| {
            seal(&outputs, positions, labels, form, total, &mut entropy).err()
        };
        assert!(seal(&[0, 1], &[0; 5], FORM, 4).is_some());
        assert!(seal(&[0, 2], &[0; 6], FORM, 4).is_some());
        assert!(seal(&[0, 1], &[0; 6], FORM, 1).is_some());
        assert!(seal(&[], &[], Form { tag: 0, ..FORM }, 1).is_some());
        assert!(seal(&[], &[], Form { tag: 33, ..FORM }, 1).is_some());
        assert!(seal(&[], &[], FORM, 0).is_none());
    }
}
