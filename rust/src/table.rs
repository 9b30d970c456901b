//! Shards of a prepared table: what a party that can evaluate a pseudorandom function gives away of its
//! records, so that whoever learns the output of an identifier finds that identifier's records, and
//! nothing else.
//!
//! Entry j of an identifier with output o has its secrets from
//! `SHA-512(label || salt || j || o)`: a key of the map (16 bytes), a key for its label (32), and a
//! fingerprint (5). The salt is fresh and public for each shard, so that no secret serves twice, even
//! where a table is built again with other labels.
//!
//! - Without labels the map holds a fingerprint an identifier (j = 0): *is it there?*
//! - With labels it holds an entry a record: the number of the identifier's records and one label, in
//!   one width, sealed by ChaCha20-Poly1305 (RFC 8439) under the entry's own key, which serves for it
//!   alone, hence the nonce 0. What does not open is not there, so a hit is exact.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::deriving::{Deriving, number};
use crate::entries::{SEAL, WIDEST};
use crate::entropy::Entropy;
use crate::error::Error;
use crate::fuse::{self, Key, Shape};
use crate::one_time::{self, GROUP, OneTime, TASK};
use crate::sha512::Digest;

const ENTRY: &[u8] = b"greenlane/table/1/entry";
/// Bytes of a fingerprint: who is not there seems to be with 2^-40 a question, the probability that a
/// wrong result may have anywhere in this toolkit.
pub const FINGERPRINT: usize = 5;
/// Bytes of a shard's salt: two of 2^64 shards share one with 2^-128.
pub const SALT: usize = 32;
/// Bytes of a number of records.
const COUNT: usize = 4;

/// What of an output a table takes: half of the 64 bytes of RFC 9497, which are uniform.
pub type Secret = [u8; 32];

/// The form of a shard's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Fingerprints alone.
    Members,
    /// Records with labels of so many bytes.
    Labels(usize),
}

impl Form {
    /// Bytes of an entry.
    pub fn width(&self) -> usize {
        match self {
            Self::Members => FINGERPRINT,
            Self::Labels(label) => COUNT + label + SEAL,
        }
    }

    fn label(&self) -> usize {
        match self {
            Self::Members => 0,
            Self::Labels(label) => *label,
        }
    }

    /// The form in which a record is sealed, whole.
    fn sealed(&self) -> one_time::Form {
        one_time::Form { head: 0, body: COUNT + self.label() }
    }

    fn check(&self) -> Result<(), Error> {
        if self.label() > WIDEST {
            return Err(Error::Length {
                argument: "label",
                expected: WIDEST,
                actual: self.label(),
            });
        }
        Ok(())
    }
}

/// What derives the secrets of entries of a shard.
fn deriving(salt: &[u8; SALT]) -> Deriving {
    Deriving::new(&[ENTRY, salt])
}

/// The key of the map of what was derived for an entry.
fn key(derived: &Digest) -> Key {
    derived.as_chunks().0[0]
}

/// The key of its label.
fn label_key(derived: &Digest) -> &[u8; 32] {
    &derived[16..].as_chunks().0[0]
}

/// Its fingerprint.
fn fingerprint(derived: &Digest) -> &[u8] {
    &derived[48..48 + FINGERPRINT]
}

/// Builds a shard.
///
/// Shapes: n `secrets`; with labels, `positions[r]` says which of them record r belongs to, and
/// `labels` has a row a record; without, both are empty. The result is the map's seed and its rows.
/// `shape` is for a capacity that tells no more of the number of entries than is wanted.
/// Secret: all but salt and shape, and what is read where depends on it; it happens at home.
///
/// # Errors
/// [`Error::Index`] for a position from n on, [`Error::Length`] if lengths do not fit,
/// [`Error::Solve`] if there are more entries than the shape is for or a secret stands there twice.
pub fn build(
    secrets: &[Secret],
    positions: &[u32],
    labels: &[u8],
    form: Form,
    salt: &[u8; SALT],
    shape: Shape,
    entropy: &mut Entropy,
) -> Result<(u64, Vec<u8>), Error> {
    form.check()?;
    let width = form.width();
    let expected = positions.len() * form.label();
    if labels.len() != expected {
        return Err(Error::Length { argument: "labels", expected, actual: labels.len() });
    }
    let (keys, values): (Vec<Key>, Vec<u8>) = match form {
        Form::Members => {
            if !positions.is_empty() {
                let actual = positions.len();
                return Err(Error::Length { argument: "positions", expected: 0, actual });
            }
            let mut keys = vec![Key::default(); secrets.len()];
            let mut fingerprints = vec![0; FINGERPRINT * secrets.len()];
            keys.par_chunks_mut(TASK)
                .zip(fingerprints.par_chunks_mut(FINGERPRINT * TASK))
                .zip(secrets.par_chunks(TASK))
                .for_each(|((keys, values), secrets)| {
                    let mut deriving = deriving(salt);
                    let groups = keys.chunks_mut(GROUP).zip(values.chunks_mut(FINGERPRINT * GROUP));
                    for ((keys, values), secrets) in groups.zip(secrets.chunks(GROUP)) {
                        let derived = deriving.each(secrets.iter().map(|secret| (secret, 0)));
                        let values = values.chunks_exact_mut(FINGERPRINT);
                        for ((own, value), derived) in keys.iter_mut().zip(values).zip(derived) {
                            *own = key(derived);
                            value.copy_from_slice(fingerprint(derived));
                        }
                    }
                });
            (keys, fingerprints)
        }
        Form::Labels(label) => {
            let (numbers, counts) = number(positions, secrets.len())?;
            let mut keys = vec![Key::default(); positions.len()];
            let mut values = vec![0; positions.len() * width];
            let seal = |(task, (keys, values)): (usize, (&mut [Key], &mut [u8]))| {
                let (mut deriving, mut one_time) = (deriving(salt), OneTime::new(form.sealed()));
                let groups = keys.chunks_mut(GROUP).zip(values.chunks_mut(width * GROUP));
                for (group, (keys, values)) in groups.enumerate() {
                    let start = task * TASK + group * GROUP;
                    let records = start..start + keys.len();
                    let derived = deriving.each(records.clone().map(|r| {
                        let position = positions[r] as usize;
                        (&secrets[position], numbers[r])
                    }));
                    for (value, r) in values.chunks_exact_mut(width).zip(records) {
                        let count = counts[positions[r] as usize];
                        value[..COUNT].copy_from_slice(&count.to_le_bytes());
                        value[COUNT..COUNT + label].copy_from_slice(&labels[r * label..][..label]);
                    }
                    keys.iter_mut().zip(derived).for_each(|(own, derived)| *own = key(derived));
                    one_time.seal(derived.iter().map(label_key), values);
                }
            };
            keys.par_chunks_mut(TASK)
                .zip(values.par_chunks_mut(width * TASK))
                .enumerate()
                .for_each(seal);
            (keys, values)
        }
    };
    fuse::build(&keys, &values, width, shape, entropy)
}

/// Entries that are looked for. Wiped on drop.
pub struct Wanted {
    derived: Zeroizing<Vec<Digest>>,
}

impl Wanted {
    /// Entry `numbers[i]` of the identifier with secret `secrets[i]`.
    ///
    /// # Errors
    /// [`Error::Length`] if lengths differ.
    pub fn of(secrets: &[Secret], numbers: &[u32], salt: &[u8; SALT]) -> Result<Self, Error> {
        if numbers.len() != secrets.len() {
            let expected = secrets.len();
            return Err(Error::Length { argument: "numbers", expected, actual: numbers.len() });
        }
        let mut all = Zeroizing::new(vec![[0; 64]; secrets.len()]);
        let parts = secrets.par_chunks(GROUP).zip(numbers.par_chunks(GROUP));
        all.par_chunks_mut(GROUP).zip(parts).for_each_init(
            || deriving(salt),
            |deriving, (all, (secrets, numbers))| {
                let pairs = secrets.iter().zip(numbers.iter().copied());
                all.copy_from_slice(deriving.each(pairs));
            },
        );
        Ok(Self { derived: all })
    }

    /// The three places of each entry.
    pub fn places(&self, shape: Shape, seed: u64) -> Vec<[u32; 3]> {
        self.derived.iter().map(|each| shape.places_of(&key(each), seed)).collect()
    }

    /// Says which entries are there, and what they hold.
    ///
    /// Shapes: `sums`, n rows of an entry's width, each the sum of its three places. With labels, of
    /// each entry that is there: how many records its identifier has, and its label; both are 0 for
    /// the others.
    /// Secret: what is found, and the time depends on it. So it happens at home, when the dialogue is
    /// over.
    ///
    /// # Errors
    /// [`Error::Length`] if there is not a row an entry.
    pub fn open(&self, mut sums: Vec<u8>, form: Form) -> Result<Opened, Error> {
        form.check()?;
        let (width, label) = (form.width(), form.label());
        let expected = self.derived.len() * width;
        if sums.len() != expected {
            return Err(Error::Length { argument: "sums", expected, actual: sums.len() });
        }
        let n = self.derived.len();
        let mut opened = Opened { counts: vec![0; n], labels: vec![0; n * label] };
        if form == Form::Members {
            for (count, (derived, row)) in
                opened.counts.iter_mut().zip(self.derived.iter().zip(sums.chunks_exact(width)))
            {
                *count = u32::from(*row == *fingerprint(derived));
            }
        } else {
            let mut one_time = OneTime::new(form.sealed());
            let mut bodies = Zeroizing::new(vec![0; GROUP * (COUNT + label)]);
            let groups = self.derived.chunks(GROUP).zip(sums.chunks(GROUP * width));
            for (group, (derived, sums)) in groups.enumerate() {
                let bodies = &mut bodies[..derived.len() * (COUNT + label)];
                one_time.open(derived.iter().map(label_key), sums.chunks_exact(width), bodies);
                for (i, body) in (group * GROUP..).zip(bodies.chunks_exact(COUNT + label)) {
                    let (count, told) = body.split_at(COUNT);
                    opened.counts[i] = u32::from_le_bytes(count.as_chunks().0[0]);
                    opened.labels[i * label..][..label].copy_from_slice(told);
                }
            }
        }
        sums.zeroize();
        Ok(opened)
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    /// Records of each entry's identifier, 0 where the entry is not there; without labels 1 or 0.
    pub counts: Vec<u32>,
    /// A label each, of zeros where the entry is not there.
    pub labels: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(count: usize, entropy: &mut Entropy) -> Vec<Secret> {
        let mut secrets = vec![[0; 32]; count];
        entropy.fill(secrets.as_flattened_mut());
        secrets
    }

    struct Shard {
        salt: [u8; SALT],
        shape: Shape,
        form: Form,
        seed: u64,
        rows: Vec<u8>,
    }

    impl Shard {
        fn look(&self, secrets: &[Secret], number: u32) -> Opened {
            let numbers = vec![number; secrets.len()];
            let wanted = Wanted::of(secrets, &numbers, &self.salt).unwrap();
            let width = self.form.width();
            let mut sums = vec![0; secrets.len() * width];
            let places = wanted.places(self.shape, self.seed);
            for (sum, places) in sums.chunks_exact_mut(width).zip(places) {
                for place in places {
                    fuse::add(sum, &self.rows[place as usize * width..][..width]);
                }
            }
            wanted.open(sums, self.form).unwrap()
        }
    }

    #[test]
    fn members_are_found_and_strangers_are_not() {
        let mut entropy = Entropy::from_seed_for_tests([110; 32]);
        let (ours, others) = (secrets(3000, &mut entropy), secrets(20_000, &mut entropy));
        let (salt, shape, form) = ([1; SALT], Shape::of(3500).unwrap(), Form::Members);
        let (seed, rows) = build(&ours, &[], &[], form, &salt, shape, &mut entropy).unwrap();
        let shard = Shard { salt, shape, form, seed, rows };
        assert_eq!(shard.look(&ours, 0).counts, vec![1; 3000], "seed 110");
        assert_eq!(shard.look(&others, 0).counts, vec![0; 20_000], "seed 110");
        let elsewhere = Shard { salt: [2; SALT], ..shard };
        assert_eq!(elsewhere.look(&ours, 0).counts, vec![0; 3000], "seed 110");
    }

    #[test]
    fn records_are_found_in_their_order_with_their_labels() {
        let mut entropy = Entropy::from_seed_for_tests([111; 32]);
        let (ours, others) = (secrets(40, &mut entropy), secrets(1000, &mut entropy));
        // Identifier i has i records, and none for the first; they stand in a mixed order.
        let mut records: Vec<(u32, u32)> =
            (0..40).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        records.sort_by_key(|(i, j)| (j * 31 % 7, *i, *j));
        let mut seen = [0; 40];
        for (i, j) in &mut records {
            *j = seen[*i as usize];
            seen[*i as usize] += 1;
        }
        let positions: Vec<_> = records.iter().map(|(i, _)| *i).collect();
        let label = |i: u32, j: u32| [i as u8, j as u8, 9];
        let labels: Vec<_> = records.iter().flat_map(|(i, j)| label(*i, *j)).collect();
        let (salt, form) = ([3; SALT], Form::Labels(3));
        let shape = Shape::of(records.len()).unwrap();
        let (seed, rows) =
            build(&ours, &positions, &labels, form, &salt, shape, &mut entropy).unwrap();
        let shard = Shard { salt, shape, form, seed, rows };
        for j in 0..41 {
            let found = shard.look(&ours, j);
            for i in 0..40 {
                let there = j < i;
                assert_eq!(found.counts[i as usize], if there { i } else { 0 }, "seed 111");
                let due = if there { label(i, j) } else { [0; 3] };
                assert_eq!(found.labels[3 * i as usize..][..3], due, "seed 111");
            }
        }
        assert_eq!(shard.look(&others, 0).counts, vec![0; 1000], "seed 111");
    }

    #[test]
    fn a_changed_place_spoils_only_entries_that_name_it_and_tells_no_other_label() {
        let mut entropy = Entropy::from_seed_for_tests([112; 32]);
        let ours = secrets(200, &mut entropy);
        let positions: Vec<_> = (0..200).collect();
        let (salt, shape, form) = ([4; SALT], Shape::of(200).unwrap(), Form::Labels(8));
        let labels = vec![5; 200 * 8];
        let (seed, rows) =
            build(&ours, &positions, &labels, form, &salt, shape, &mut entropy).unwrap();
        let mut shard = Shard { salt, shape, form, seed, rows };
        for byte in (0..shard.rows.len()).step_by(97) {
            shard.rows[byte] ^= 1;
            let place = (byte / form.width()) as u32;
            let wanted = Wanted::of(&ours, &[0; 200], &salt).unwrap();
            let names: Vec<_> =
                wanted.places(shape, seed).iter().map(|each| each.contains(&place)).collect();
            let found = shard.look(&ours, 0);
            for (i, names) in names.into_iter().enumerate() {
                assert_eq!(found.counts[i], u32::from(!names), "seed 112");
            }
            shard.rows[byte] ^= 1;
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut entropy = Entropy::from_seed_for_tests([113; 32]);
        let ours = secrets(3, &mut entropy);
        let (salt, shape) = ([5; SALT], Shape::of(3).unwrap());
        let mut refused = |secrets: &[Secret], positions: &[u32], labels: &[u8], form| {
            build(secrets, positions, labels, form, &salt, shape, &mut entropy).err()
        };
        let length =
            |argument, expected, actual| Some(Error::Length { argument, expected, actual });
        assert_eq!(refused(&ours, &[0], &[], Form::Members), length("positions", 0, 1));
        assert_eq!(refused(&ours, &[0], &[1], Form::Labels(2)), length("labels", 2, 1));
        assert_eq!(refused(&ours, &[], &[1], Form::Labels(2)), length("labels", 0, 1));
        let index = Error::Index { argument: "positions", bound: 3, actual: 3 };
        assert_eq!(refused(&ours, &[3], &[1, 2], Form::Labels(2)), Some(index));
        let wide = Form::Labels(WIDEST + 1);
        assert_eq!(refused(&ours, &[], &[], wide), length("label", WIDEST, WIDEST + 1));
        let twice = [ours[0], ours[0]];
        assert_eq!(refused(&twice, &[], &[], Form::Members), Some(Error::Solve { bin: 0 }));
        let wanted = Wanted::of(&ours, &[0; 3], &salt).unwrap();
        assert!(wanted.open(vec![0; 14], Form::Members).is_err());
        assert!(Wanted::of(&ours, &[0; 2], &salt).is_err());
    }
}
