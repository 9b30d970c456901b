//! ChaCha20-Poly1305 (RFC 8439, section 2.8) of many labels, each under a key of its own.
//!
//! A key serves one label, so the nonce may be fixed: it is zero.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Form, GROUP, SEAL};
use crate::chacha20::{Block, Key, LANES, blocks};
use crate::poly1305;
use crate::sha512::Digest;

/// Room for a group; wiped when it is dropped.
pub(super) struct OneTime {
    keys: Zeroizing<Vec<Key>>,
    stream: Zeroizing<Vec<Block>>,
    /// How many of the keys are computed with.
    used: usize,
}

impl OneTime {
    pub(super) fn new() -> Self {
        Self {
            keys: Zeroizing::new(vec![[0; 32]; GROUP]),
            stream: Zeroizing::new(vec![[0; 64]; GROUP]),
            used: 0,
        }
    }

    /// Seals the labels of rows that begin with their tags, in place.
    pub(super) fn seal(&mut self, form: Form, derived: &[Digest], rows: &mut [u8]) {
        self.begin(derived.iter());
        let labels =
            rows.chunks_exact_mut(form.width()).map(|row| &mut row[form.tag..][..form.label]);
        self.apply(form.label, labels);
        self.block(0);
        for (row, block) in rows.chunks_exact_mut(form.width()).zip(self.stream.iter()) {
            let (sealed, seal) = row.split_at_mut(form.width() - SEAL);
            seal.copy_from_slice(&mac(form, block, sealed));
        }
    }

    /// Opens rows, at most [`GROUP`], each by what was derived for it, and writes their labels one
    /// after the other.
    ///
    /// # Errors
    /// Which row, if its label or tag is not what was sealed.
    pub(super) fn open<'a>(
        &mut self,
        form: Form,
        rows: impl Iterator<Item = (&'a Digest, &'a [u8])> + Clone,
        labels: &mut [u8],
    ) -> Result<(), usize> {
        self.begin(rows.clone().map(|(derived, _)| derived));
        self.block(0);
        for (at, ((_, row), block)) in rows.clone().zip(self.stream.iter()).enumerate() {
            let (sealed, seal) = row.split_at(form.width() - SEAL);
            if !bool::from(mac(form, block, sealed).ct_eq(seal)) {
                return Err(at);
            }
        }
        for (label, (_, row)) in labels.chunks_exact_mut(form.label).zip(rows) {
            label.copy_from_slice(&row[form.tag..][..form.label]);
        }
        self.apply(form.label, labels.chunks_exact_mut(form.label));
        Ok(())
    }

    fn begin<'a>(&mut self, derived: impl Iterator<Item = &'a Digest>) {
        self.used = 0;
        for (key, derived) in self.keys.iter_mut().zip(derived) {
            key.copy_from_slice(&derived[32..]);
            self.used += 1;
        }
        // Keys of the group before fill up the last lanes; nobody looks at their blocks.
        self.used = self.used.next_multiple_of(LANES);
    }

    /// Computes a block of each key.
    fn block(&mut self, counter: u32) {
        blocks(&self.keys[..self.used], counter, &mut self.stream[..self.used]);
    }

    /// Adds the streams to labels, from block 1 on.
    fn apply<'a>(&mut self, width: usize, labels: impl Iterator<Item = &'a mut [u8]>) {
        let mut labels: Vec<_> = labels.collect();
        for (counter, start) in (1..).zip((0..width).step_by(64)) {
            self.block(counter);
            for (label, block) in labels.iter_mut().zip(self.stream.iter()) {
                label[start..].iter_mut().zip(block).for_each(|(byte, stream)| *byte ^= stream);
            }
        }
    }
}

fn mac(form: Form, block: &Block, sealed: &[u8]) -> [u8; SEAL] {
    let (tag, body) = sealed.split_at(form.tag);
    block.first_chunk().map_or([0; SEAL], |key| poly1305::tag(key, tag, body))
}
