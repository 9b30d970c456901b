//! ChaCha20-Poly1305 (RFC 8439, section 2.8) of many short messages, each under a key of its own.
//!
//! A row is `head || body || seal`: the head is not sealed but bound to it, as associated data. A key
//! serves one message, so the nonce may be fixed: it is zero.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::chacha20::{Block, Key, LANES, blocks};
use crate::poly1305;

/// Rows that are sealed or opened together: their keys and streams are 6 KiB.
pub(crate) const GROUP: usize = 64;
/// Keys that take as long one after the other as all lanes do.
const FEW: usize = 4;
/// Bytes that sealing adds (RFC 8439, section 2.5).
pub(crate) const SEAL: usize = poly1305::TAG;

/// The form of rows.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// Bytes of a head.
    pub(crate) head: usize,
    /// Bytes of a body, not 0.
    pub(crate) body: usize,
}

impl Form {
    fn width(self) -> usize {
        self.head + self.body + SEAL
    }

    fn seal(self, block: &Block, row: &[u8]) -> [u8; SEAL] {
        let (head, body) = row[..self.head + self.body].split_at(self.head);
        block.first_chunk().map_or([0; SEAL], |key| poly1305::tag(key, head, body))
    }
}

/// Rows of a task: some 500 us of work, after which its room is wiped.
pub(crate) const TASK: usize = 32 * GROUP;

/// Room for a group; wiped when it is dropped.
pub(crate) struct OneTime {
    form: Form,
    keys: Zeroizing<Vec<Key>>,
    stream: Zeroizing<Vec<Block>>,
    /// How many of the keys are computed with.
    used: usize,
}

impl OneTime {
    pub(crate) fn new(form: Form) -> Self {
        Self {
            form,
            keys: Zeroizing::new(vec![[0; 32]; GROUP]),
            stream: Zeroizing::new(vec![[0; 64]; GROUP]),
            used: 0,
        }
    }

    /// Seals rows, at most [`GROUP`], in place.
    ///
    /// # Panics
    /// If there are more, or another number of keys: a row without a key of its own must not leave.
    pub(crate) fn seal<'a>(&mut self, keys: impl Iterator<Item = &'a Key>, rows: &mut [u8]) {
        let form = self.form;
        self.begin(keys, rows.len() / form.width());
        self.apply(
            rows.chunks_exact_mut(form.width()).map(|row| &mut row[form.head..][..form.body]),
        );
        self.block(0);
        for (row, block) in rows.chunks_exact_mut(form.width()).zip(self.stream.iter()) {
            let seal = form.seal(block, row);
            row[form.head + form.body..].copy_from_slice(&seal);
        }
    }

    /// Opens rows, at most [`GROUP`], and writes their bodies one after the other: zeros for those that
    /// do not open. Returns which ones do.
    ///
    /// Secret: keys and bodies. Only which rows open decides a branch; it happens at home.
    ///
    /// # Panics
    /// As `seal`.
    pub(crate) fn open<'a>(
        &mut self,
        keys: impl Iterator<Item = &'a Key>,
        rows: impl Iterator<Item = &'a [u8]> + Clone,
        bodies: &mut [u8],
    ) -> Vec<bool> {
        let form = self.form;
        self.begin(keys, bodies.len() / form.body);
        self.block(0);
        let opens = |(row, block): (&[u8], &Block)| {
            bool::from(form.seal(block, row).ct_eq(&row[form.head + form.body..]))
        };
        let opens: Vec<_> = rows.clone().zip(self.stream.iter()).map(opens).collect();
        for (body, row) in bodies.chunks_exact_mut(form.body).zip(rows) {
            body.copy_from_slice(&row[form.head..][..form.body]);
        }
        self.apply(bodies.chunks_exact_mut(form.body));
        for (body, _) in
            bodies.chunks_exact_mut(form.body).zip(&opens).filter(|(_, opens)| !**opens)
        {
            body.fill(0);
        }
        opens
    }

    fn begin<'a>(&mut self, keys: impl Iterator<Item = &'a Key>, rows: usize) {
        self.used = 0;
        for key in keys {
            self.keys[self.used] = *key;
            self.used += 1;
        }
        assert_eq!(self.used, rows, "a key for each row");
        // Keys of the group before fill up the last lanes, unless few are left over; nobody looks at
        // their blocks.
        if self.used % LANES >= FEW {
            self.used = self.used.next_multiple_of(LANES);
        }
    }

    /// Computes a block of each key.
    fn block(&mut self, counter: u32) {
        blocks(&self.keys[..self.used], counter, &mut self.stream[..self.used]);
    }

    /// Adds the streams to bodies, from block 1 on.
    fn apply<'a>(&mut self, bodies: impl Iterator<Item = &'a mut [u8]>) {
        let mut bodies: Vec<_> = bodies.collect();
        for (counter, start) in (1..).zip((0..self.form.body).step_by(64)) {
            self.block(counter);
            for (body, block) in bodies.iter_mut().zip(self.stream.iter()) {
                body[start..].iter_mut().zip(block).for_each(|(byte, stream)| *byte ^= stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chacha20poly1305::aead::{AeadInOut, KeyInit};
    use chacha20poly1305::{ChaCha20Poly1305, Nonce};

    use super::*;
    use crate::entropy::Entropy;

    #[test]
    fn rows_are_those_of_the_library_and_open_whole_or_not_at_all() {
        let mut entropy = Entropy::from_seed_for_tests([89; 32]);
        for (head, body) in [(0, 1), (11, 44), (11, 64), (32, 65), (0, 200)] {
            let form = Form { head, body };
            for count in [1, 15, 16, 17, GROUP] {
                let (mut keys, mut plain) = (vec![[0; 32]; count], vec![0; count * form.width()]);
                entropy.fill(keys.as_flattened_mut());
                entropy.fill(&mut plain);
                let mut sealed = plain.clone();
                OneTime::new(form).seal(keys.iter(), &mut sealed);
                for ((key, plain), sealed) in
                    keys.iter().zip(plain.chunks(form.width())).zip(sealed.chunks(form.width()))
                {
                    let mut due = plain[head..][..body].to_vec();
                    let seal = ChaCha20Poly1305::new(key.into())
                        .encrypt_inout_detached(
                            &Nonce::default(),
                            &plain[..head],
                            due.as_mut_slice().into(),
                        )
                        .unwrap();
                    assert_eq!(&sealed[..head], &plain[..head], "seed 89");
                    assert_eq!(sealed[head..], [&due[..], &seal[..]].concat(), "seed 89");
                }
                // One changed bit, in another part of each row.
                let changed = sealed.len() / count * (count / 2) + count % form.width();
                sealed[changed] ^= 4;
                let mut opened = vec![7; count * body];
                let opens =
                    OneTime::new(form).open(keys.iter(), sealed.chunks(form.width()), &mut opened);
                for (at, (opens, opened)) in opens.iter().zip(opened.chunks(body)).enumerate() {
                    let there = at != count / 2;
                    assert_eq!(*opens, there, "{count} rows of {head} + {body}");
                    let due = plain[at * form.width() + head..][..body].iter();
                    let due: Vec<u8> = due.map(|byte| if there { *byte } else { 0 }).collect();
                    assert_eq!(opened, due);
                }
            }
        }
    }
}
