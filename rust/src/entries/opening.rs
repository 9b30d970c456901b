//! Opening the entries of known outputs.

use rayon::prelude::*;

use super::ascending::Ascending;
use super::{Form, key};
use crate::dh::Outputs;
use crate::error::Error;
use crate::one_time::{GROUP, TASK};

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
/// ascend, [`Error::Seal`] if a label does not open, [`Error::TooLarge`] from 2^32 entries.
pub fn open(outputs: &Outputs, bins: &[&[u8]], form: Form) -> Result<(Vec<u32>, Vec<u8>), Error> {
    form.check()?;
    let entries = Ascending::new(bins, form)?;
    let found = outputs
        .rows()
        .par_chunks(TASK)
        .map(|outputs| Found::of(outputs, &entries, form))
        .collect::<Result<Vec<_>, Error>>()?;
    let (counts, labels): (Vec<_>, Vec<_>) =
        found.into_iter().map(|found| (found.counts, found.labels)).unzip();
    Ok((counts.concat(), labels.concat()))
}

/// The entries of some outputs.
struct Found {
    /// How many each output has.
    counts: Vec<u32>,
    /// Their labels.
    labels: Vec<u8>,
}

impl Found {
    /// Looks for record 0 of each output, then for record 1 of those that have one, and so on.
    fn of(outputs: &[[u8; 32]], entries: &Ascending<'_>, form: Form) -> Result<Self, Error> {
        let (mut deriving, mut one_time) = (form.deriving(), form.sealing());
        let mut found = Self { counts: vec![0; outputs.len()], labels: Vec::new() };
        let mut belongs = Vec::new(); // the output of each label
        let mut sought: Vec<u32> = (0..outputs.len() as u32).collect();
        for number in 0.. {
            let before = belongs.len();
            for group in sought.chunks(GROUP) {
                let derived =
                    deriving.each(group.iter().map(|at| (&outputs[*at as usize], number)));
                let there = entries.find_each(derived);
                for (place, _) in &there {
                    belongs.push(group[*place]);
                    found.counts[group[*place] as usize] += 1;
                }
                if let Some(one_time) = &mut one_time {
                    let start = found.labels.len();
                    found.labels.resize(start + there.len() * form.label, 0);
                    let keys = there.iter().map(|(place, _)| key(&derived[*place]));
                    let rows = there.iter().map(|(_, at)| entries.row(*at));
                    let opens = one_time.open(keys, rows, &mut found.labels[start..]);
                    if let Some(at) = opens.iter().position(|opens| !opens) {
                        return Err(Error::Seal { index: there[at].1 });
                    }
                }
            }
            sought = belongs[before..].to_vec();
            if sought.is_empty() {
                break;
            }
        }
        found.put_in_order(&belongs, form);
        Ok(found)
    }

    /// Puts labels, which were found by record first, into the order of outputs and records.
    fn put_in_order(&mut self, belongs: &[u32], form: Form) {
        if form.label > 0 && !belongs.is_sorted() {
            let mut order: Vec<usize> = (0..belongs.len()).collect();
            order.sort_by_key(|at| belongs[*at]);
            let label = |at: usize| &self.labels[at * form.label..][..form.label];
            self.labels = order.into_iter().flat_map(label).copied().collect();
        }
    }
}
