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

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rayon::prelude::*;
use sha2::{Digest, Sha512};
use zeroize::Zeroize;

use crate::dh::Outputs;
use crate::entropy::Entropy;
use crate::error::Error;

const ENTRY: &[u8] = b"greenlane/entry";
/// Bytes that sealing adds to a label (RFC 8439, section 2.5).
pub const SEAL: usize = 16;

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

    fn check(&self) -> Result<(), Error> {
        if !(1..=32).contains(&self.tag) {
            return Err(Error::Length { argument: "tag", expected: 32, actual: self.tag });
        }
        if self.label > WIDEST {
            return Err(Error::Length { argument: "label", expected: WIDEST, actual: self.label });
        }
        Ok(())
    }

    /// Tag and sealing key of record `i` of the element with this output.
    fn derive(&self, output: &[u8; 32], i: u32) -> [u8; 64] {
        Sha512::new()
            .chain_update(ENTRY)
            .chain_update([self.direction])
            .chain_update(i.to_le_bytes())
            .chain_update(output)
            .finalize()
            .into()
    }
}

/// Makes the entries of all records, fills up with random ones to `total`, and sorts them.
///
/// Shapes: `positions[r]` says which of the n outputs record r belongs to; `labels` has one row of
/// `form.label` bytes a record; the result has `total` rows of `form.width()` bytes.
/// Secret: everything but `total`. Which output is read depends on `positions`, which is the
/// party's own order of records.
///
/// # Errors
/// [`Error::Index`] if a position is not below n, [`Error::Length`] if `labels` does not fit or there
/// are more records than `total`, [`Error::TooLarge`] from 2^32 rows.
pub fn seal(
    outputs: &Outputs,
    positions: &[u32],
    labels: &[u8],
    form: Form,
    total: usize,
    entropy: &mut Entropy,
) -> Result<Vec<u8>, Error> {
    form.check()?;
    let records = positions.len();
    if labels.len() != records * form.label {
        return Err(Error::Length {
            argument: "labels",
            expected: records * form.label,
            actual: labels.len(),
        });
    }
    if records > total {
        return Err(Error::Length { argument: "positions", expected: total, actual: records });
    }
    if total > u32::MAX as usize {
        return Err(Error::TooLarge { argument: "total", bound: u32::MAX as usize, actual: total });
    }
    let numbers = number_records(positions, outputs.rows().len())?;
    let width = form.width();
    let mut rows = vec![0; total * width];
    let (real, padding) = rows.split_at_mut(records * width);
    real.par_chunks_exact_mut(width).enumerate().for_each(|(r, row)| {
        let output = &outputs.rows()[positions[r] as usize];
        seal_one(&form, output, numbers[r], &labels[r * form.label..(r + 1) * form.label], row);
    });
    entropy.fill(padding);
    Ok(sorted(&rows, width))
}

/// Opens the entries that belong to known outputs.
///
/// Shapes: `bins` together hold the entries, rows of `form.width()` bytes, strictly ascending by tag;
/// the result is, for each of the n outputs, how many records the other party has, and the labels of
/// all of them in the order of outputs and records.
/// Secret: `outputs`. Which entries are read, and the running time, depend on the matches; a party
/// opens only at home, but its next message comes later the more there are.
///
/// # Errors
/// [`Error::Length`] if a bin is not a whole number of entries, [`Error::Order`] if tags do not
/// ascend, [`Error::Seal`] if a label does not open.
pub fn open(outputs: &Outputs, bins: &[&[u8]], form: Form) -> Result<(Vec<u32>, Vec<u8>), Error> {
    form.check()?;
    let entries = Ascending::new(bins, form)?;
    let found = outputs
        .rows()
        .par_iter()
        .map(|output| {
            let (mut count, mut labels) = (0, Vec::new());
            loop {
                let mut derived = form.derive(output, count);
                let Some(at) = entries.find(&derived[..form.tag]) else { break };
                let opened = open_one(&form, &derived, entries.row(at), &mut labels);
                derived.zeroize();
                opened.map_err(|()| Error::Seal { index: at })?;
                count += 1;
            }
            Ok((count, labels))
        })
        .collect::<Result<Vec<(u32, Vec<u8>)>, Error>>()?;
    let counts = found.iter().map(|(count, _)| *count).collect();
    Ok((counts, found.into_iter().flat_map(|(_, labels)| labels).collect()))
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
    out.par_chunks_exact_mut(form.tag).zip(outputs.rows()).for_each(|(tag, output)| {
        tag.copy_from_slice(&form.derive(output, 0)[..form.tag]);
    });
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

/// Numbers the records of each output 0, 1, ... in the order in which they stand.
fn number_records(positions: &[u32], outputs: usize) -> Result<Vec<u32>, Error> {
    let mut seen = vec![0_u32; outputs];
    let mut number = |position: &u32| {
        let next = seen.get_mut(*position as usize).ok_or(Error::Index {
            argument: "positions",
            bound: outputs,
            actual: *position as usize,
        })?;
        *next += 1;
        Ok(*next - 1)
    };
    positions.iter().map(&mut number).collect()
}

fn seal_one(form: &Form, output: &[u8; 32], number: u32, label: &[u8], row: &mut [u8]) {
    let mut derived = form.derive(output, number);
    let (tag, sealed) = row.split_at_mut(form.tag);
    tag.copy_from_slice(&derived[..form.tag]);
    if form.label > 0 {
        let (body, seal) = sealed.split_at_mut(form.label);
        body.copy_from_slice(label);
        // The key serves this one label, so the nonce may be fixed.
        let mac = cipher(&derived)
            .encrypt_inout_detached(&Nonce::default(), tag, body.into())
            .expect("a label is far below the cipher's bound of 2^38 bytes");
        seal.copy_from_slice(&mac);
    }
    derived.zeroize();
}

fn open_one(form: &Form, derived: &[u8; 64], row: &[u8], labels: &mut Vec<u8>) -> Result<(), ()> {
    if form.label == 0 {
        return Ok(());
    }
    let (tag, sealed) = row.split_at(form.tag);
    let (body, seal) = sealed.split_at(form.label);
    let start = labels.len();
    labels.extend_from_slice(body);
    let seal: [u8; SEAL] = seal.try_into().map_err(|_| ())?;
    cipher(derived)
        .decrypt_inout_detached(&Nonce::default(), tag, (&mut labels[start..]).into(), &seal.into())
        .map_err(|_| ())
}

fn cipher(derived: &[u8; 64]) -> ChaCha20Poly1305 {
    let mut key = Key::default();
    key.copy_from_slice(&derived[32..]);
    ChaCha20Poly1305::new(&key)
}

/// The first eight bytes as a number, or as many as there are: numbers order as the bytes do.
fn first(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let size = bytes.len().min(8);
    first[..size].copy_from_slice(&bytes[..size]);
    u64::from_be_bytes(first)
}

/// Sorts rows by all of their bytes.
fn sorted(rows: &[u8], width: usize) -> Vec<u8> {
    let row = |i: u32| &rows[i as usize * width..(i as usize + 1) * width];
    // Rows stand far apart: of nearly all pairs the first bytes decide, and these stay together.
    let mut order: Vec<(u64, u32)> =
        (0..(rows.len() / width) as u32).into_par_iter().map(|i| (first(row(i)), i)).collect();
    order.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| row(a.1).cmp(row(b.1))));
    let mut out = vec![0; rows.len()];
    out.par_chunks_exact_mut(width)
        .zip(&order)
        .for_each(|(to, (_, i))| to.copy_from_slice(row(*i)));
    out
}

/// Entries that were checked to ascend.
struct Ascending<'a> {
    bins: &'a [&'a [u8]],
    /// How many rows stand before each bin.
    starts: Vec<usize>,
    /// How each row's tag begins. Most of a row is a sealed label: only where tags begin alike is
    /// it looked at.
    firsts: Vec<u64>,
    form: Form,
}

impl<'a> Ascending<'a> {
    fn new(bins: &'a [&'a [u8]], form: Form) -> Result<Self, Error> {
        let width = form.width();
        let mut starts = Vec::with_capacity(bins.len());
        let mut rows = 0;
        for bin in bins {
            if bin.len() % width != 0 {
                return Err(Error::Length {
                    argument: "entries",
                    expected: width,
                    actual: bin.len(),
                });
            }
            starts.push(rows);
            rows += bin.len() / width;
        }
        let firsts = bins
            .par_iter()
            .flat_map(|bin| bin.par_chunks_exact(width).map(|row| first(&row[..form.tag])))
            .collect();
        let entries = Self { bins, starts, firsts, form };
        let disorder =
            (1..rows).into_par_iter().find_first(|i| entries.tag(i - 1) >= entries.tag(*i));
        match disorder {
            Some(index) => Err(Error::Order { argument: "entries", index }),
            None => Ok(entries),
        }
    }

    fn row(&self, index: usize) -> &[u8] {
        let bin = self.starts.partition_point(|start| *start <= index) - 1;
        let at = (index - self.starts[bin]) * self.form.width();
        &self.bins[bin][at..at + self.form.width()]
    }

    fn tag(&self, index: usize) -> &[u8] {
        &self.row(index)[..self.form.tag]
    }

    fn find(&self, tag: &[u8]) -> Option<usize> {
        let sought = first(tag);
        let mut low = self.firsts.partition_point(|first| *first < sought);
        // A peer may let all tags begin alike, so these are halved as well.
        let alike = low + self.firsts[low..].partition_point(|first| *first == sought);
        let mut high = alike;
        while low < high {
            let middle = low + (high - low) / 2;
            if self.tag(middle) < tag { low = middle + 1 } else { high = middle }
        }
        (low < alike && self.tag(low) == tag).then_some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dh::Key;

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
        seal(&outputs(0..6), &positions, &labels, form, 20, &mut entropy).unwrap()
    }

    #[test]
    fn rows_are_sorted_whole_also_where_they_begin_alike() {
        let mut entropy = Entropy::from_seed_for_tests([5; 32]);
        for width in [1, 7, 8, 9, 26] {
            let mut rows = vec![0; 300 * width];
            entropy.fill(&mut rows);
            // Every other row begins as all others do.
            for row in rows.chunks_exact_mut(width).step_by(2) {
                row[..width.min(8)].fill(7);
            }
            let mut expected: Vec<&[u8]> = rows.chunks_exact(width).collect();
            expected.sort_unstable();
            assert_eq!(sorted(&rows, width), expected.concat(), "width {width}");
        }
    }

    #[test]
    fn a_tag_is_found_also_among_those_that_begin_alike() {
        for tag in [3, 8, 10] {
            let form = Form { tag, label: 0, direction: 0 };
            // Ascending in the last two bytes alone, but for the first and the last row.
            let mut rows: Vec<Vec<u8>> = (0..=300_u16)
                .map(|i| [vec![7; tag - 2], (2 * i).to_be_bytes().to_vec()].concat())
                .collect();
            rows.insert(0, vec![1; tag]);
            rows.push(vec![9; tag]);
            let whole = rows.concat();
            let (head, tail) = whole.split_at(100 * tag);
            let bins = [head, tail];
            let entries = Ascending::new(&bins, form).unwrap();
            for (i, row) in rows.iter().enumerate() {
                assert_eq!(entries.find(row), Some(i), "tag {tag}");
                let mut above = row.clone();
                above[tag - 1] += 1;
                assert_eq!(entries.find(&above), None, "tag {tag}, row {i}");
            }
            assert_eq!((entries.find(&vec![0; tag]), entries.find(&vec![255; tag])), (None, None));
        }
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
