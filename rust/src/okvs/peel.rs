//! Peeling: the order in which sparse cells can be set, one key after another.
//!
//! A cell that only one key is left to name can be set for that key at the end, whatever the other
//! cells hold; so the key is taken away, which may leave other cells with one key (Raghuraman,
//! Rindal, CCS 2022, section 2). Keys that cannot be taken away are the core: each of their cells is
//! named by at least two of them, and none is set for another key.
//!
//! A cell holds the sum of the rows of its keys, so that the last key's row, places included, is just
//! there. Nothing branches on a cell: a row goes to the list each time, and the list grows only if
//! the row belongs there. First come, first served keeps cells that follow one another apart, so that
//! the machine works on several at a time.

use std::hint::select_unpredictable;

use zeroize::Zeroize;

use crate::aes::Block;

use super::row::{LONGEST_THIRD, MOST_KEYS, ROOM, Row, STRIDE};

/// Cells that are looked at before the cells of the keys they gave are. 16 to 256 are as fast.
const BATCH: usize = 64;
const THIRDS: [usize; 3] = [0, STRIDE, 2 * STRIDE];

/// Working space of one bin. Wiped on drop, as far as it was used.
///
/// Secret: all of it; where it is read and written depends on the keys, at home only.
pub(super) struct Peel {
    /// The sum of the rows of each cell, less one: with one row left the low bits are 0, which costs
    /// one instruction less to see than 1.
    cells: Box<[u64; ROOM]>,
    /// Cells with one row, and those that had one; as far as they are looked at, those of the rows
    /// that were taken away.
    queue: Box<[u16; ROOM]>,
    taken: Box<[u64; ROOM]>,
    longest: usize,
}

impl Peel {
    pub(super) fn new() -> Self {
        Self { cells: room(), queue: room(), taken: room(), longest: 0 }
    }

    /// Peels the keys of one bin, at most [`MOST_KEYS`], with thirds of at most [`LONGEST_THIRD`].
    /// Gives the rows in the order in which they were taken away, each with the cell that is to be
    /// set for it. Gives nothing if a cell has 64 keys or more.
    ///
    /// Degrees follow Poisson's law with a mean below 2.5: in a bin of 2^14 keys one is 64 with
    /// probability below 2^-190.
    pub(super) fn run(
        &mut self,
        hashes: &[Block],
        third: u32,
    ) -> Option<impl ExactSizeIterator<Item = (Row, usize)> + DoubleEndedIterator + Clone> {
        assert!(hashes.len() <= MOST_KEYS && third as usize <= LONGEST_THIRD, "bounds of a bin");
        self.longest = self.longest.max(hashes.len());
        self.sum(hashes, third as usize);
        let tail = self.begin(third as usize, hashes.len())?;
        let count = self.take(tail)?;
        let rows = self.taken[..count].iter().map(|row| Row(*row));
        Some(rows.zip(self.queue[..count].iter().map(|cell| usize::from(*cell))))
    }

    /// Adds the rows up, in each cell.
    fn sum(&mut self, hashes: &[Block], third: usize) {
        let cells = &mut *self.cells;
        for start in THIRDS {
            cells[start..start + third].fill(u64::MAX);
        }
        for cell in Row::NONE.cells() {
            cells[cell] = u64::MAX;
        }
        for (number, hash) in hashes.iter().enumerate() {
            let row = Row::new(*hash, third as u32, number);
            for cell in row.cells() {
                cells[cell] = cells[cell].wrapping_add(row.0);
            }
        }
    }

    /// Lists the cells with one row.
    fn begin(&mut self, third: usize, keys: usize) -> Option<usize> {
        let (mut tail, mut degrees) = (0, 0);
        for start in THIRDS {
            for (cell, sum) in (start..).zip(&self.cells[start..start + third]) {
                self.queue[tail % ROOM] = cell as u16;
                tail += usize::from(alone(*sum));
                degrees += Row(sum.wrapping_add(1)).degree();
            }
        }
        (degrees == 3 * keys as u64).then_some(tail)
    }

    /// Takes rows away until no cell has one row. Gives how many there were.
    fn take(&mut self, mut tail: usize) -> Option<usize> {
        let Self { cells, queue, taken, .. } = self;
        let (mut head, mut count) = (0, 0);
        while head < tail {
            let (end, first) = (tail.min(head + BATCH), count);
            for at in head..end {
                let cell = queue[at % ROOM];
                let sum = cells[usize::from(cell)];
                // The key may have been taken by another one of its cells, which leaves no row here.
                let row = select_unpredictable(alone(sum), sum.wrapping_add(1), Row::NONE.0);
                taken[count % ROOM] = row;
                queue[count % ROOM] = cell;
                count += usize::from(alone(sum));
                for cell in Row(row).cells() {
                    cells[cell] = cells[cell].wrapping_sub(row);
                }
            }
            head = end;
            // A cell that two rows of a batch left with one stands there twice, so the list may be
            // longer than there are cells; twice as long only if the rows are not from hashes.
            if tail + 3 * BATCH > ROOM {
                return None;
            }
            for row in &taken[first..count] {
                for cell in Row(*row).cells() {
                    queue[tail % ROOM] = cell as u16;
                    tail += usize::from(alone(cells[cell]));
                }
            }
        }
        Some(count)
    }
}

/// Whether a cell has one row, or 65 and so on.
#[inline]
fn alone(sum: u64) -> bool {
    Row(sum).degree() == 0
}

impl Drop for Peel {
    fn drop(&mut self) {
        // The cells are what they were before any key, but for a core, whose rows are here too.
        self.taken[..self.longest].zeroize();
        self.queue.zeroize();
        self.cells[..3 * STRIDE].zeroize();
    }
}

/// Zeros on the heap, which cost nothing until they are touched.
pub(super) fn room<T: Copy + Default>() -> Box<[T; ROOM]> {
    match vec![T::default(); ROOM].into_boxed_slice().try_into() {
        Ok(room) => room,
        Err(_) => unreachable!("the length is the same constant"),
    }
}
