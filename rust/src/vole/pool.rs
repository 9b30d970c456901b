use zeroize::Zeroize;

use crate::code::Value;
use crate::error::Error;
use crate::trees::{Row, TREES};

/// Outputs of chunks, in order, in one piece of memory. Wiped on drop.
///
/// A chunk is written where it will be read. Its first [`TREES`] outputs are for the next chunk's
/// noise and no one else: while it is written they cover the last ones of the chunk before.
pub(super) struct Pool<T: Value> {
    room: Vec<T>,
    /// Outputs of a chunk that can be taken.
    taken: usize,
    /// The first one that was not taken, and behind the last one.
    start: usize,
    end: usize,
    /// What is covered.
    covered: Vec<T>,
}

impl<T: Value> Pool<T> {
    /// For chunks of so many outputs.
    pub(super) fn new(outputs: usize) -> Self {
        Self {
            room: vec![T::default(); TREES],
            taken: outputs - TREES,
            start: TREES,
            end: TREES,
            covered: vec![T::default(); TREES],
        }
    }

    /// Where the next chunk is to be written, for which there is room; [`Pool::put`] follows.
    pub(super) fn next(&mut self) -> &mut [T] {
        let chunk = &mut self.room[self.end - TREES..self.end + self.taken];
        self.covered.copy_from_slice(&chunk[..TREES]);
        chunk
    }

    /// Ends the chunk that was written, and copies what goes to the trees of the next one.
    pub(super) fn put(&mut self, next: &mut [Row]) {
        let kept = &mut self.room[self.end - TREES..self.end];
        for (next, output) in next.as_flattened_mut().iter_mut().zip(&*kept) {
            *next = (*output).into();
        }
        kept.copy_from_slice(&self.covered);
        self.end += self.taken;
    }

    pub(super) fn available(&self) -> usize {
        self.end - self.start
    }

    /// The next m, which no one gets again.
    ///
    /// # Errors
    /// [`Error::Spent`] if there are less.
    pub(super) fn take(&mut self, m: usize) -> Result<&mut [T], Error> {
        if m > self.available() {
            return Err(Error::Spent { available: self.available(), wanted: m });
        }
        self.start += m;
        Ok(&mut self.room[self.start - m..self.start])
    }

    /// Has room for so many chunks more: moves what was not taken to the front, and to a larger room
    /// if they do not fit then.
    pub(super) fn reserve(&mut self, chunks: u8) {
        let more = usize::from(chunks) * self.taken;
        if self.end + more <= self.room.len() {
            return;
        }
        let rest = self.start..self.end;
        let end = TREES + rest.len();
        if end + more <= self.room.len() {
            self.room.copy_within(rest, TREES);
        } else {
            let mut larger = vec![T::default(); end + more];
            larger[TREES..end].copy_from_slice(&self.room[rest]);
            std::mem::swap(&mut self.room, &mut larger);
            larger.zeroize();
        }
        (self.start, self.end) = (TREES, end);
    }
}

impl<T: Value> Drop for Pool<T> {
    fn drop(&mut self) {
        self.room.zeroize();
        self.covered.zeroize();
    }
}
