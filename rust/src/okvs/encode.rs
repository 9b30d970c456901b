//! Writing a set of keys into cells.

use std::sync::{Mutex, PoisonError};

use zeroize::{Zeroize, Zeroizing};

use crate::aes::Block;

use super::dense::{self, Sums};
use super::peel::{Peel, room};
use super::row::{DENSE, ROOM, STRIDE};
use super::{Form, Lane, TILE, Tile};

/// Working space in which bins are encoded, one after another. Wiped on drop, as far as it was used.
///
/// Secret: all of it.
pub struct Encoder<L: Lane> {
    peel: Peel,
    /// Values of the keys, less what they read from the dense cells.
    values: Box<[L; ROOM]>,
    /// Sparse cells, a third every [`STRIDE`].
    cells: Box<[L; ROOM]>,
    dense: [L; DENSE],
    longest: usize,
}

impl<L: Lane> Encoder<L> {
    fn new() -> Self {
        let dense = [L::default(); DENSE];
        Self { peel: Peel::new(), values: room(), cells: room(), dense, longest: 0 }
    }

    /// Encodes the keys of one bin: [`super::decode_each`] reads from the cells, for each of these
    /// hashes, its value. Gives nothing if that cannot be, which has a probability of 2^-43 or less in
    /// a session whose bins hold no more keys than their capacity.
    ///
    /// Shapes: n hashes, at most [`super::MOST_KEYS`], to `form.cells()` cells.
    /// Secret: hashes and cells. Memory access depends on the keys, at home only; so does whether the
    /// few equations of a core are solved, some microseconds once in 2^11 bins. Who could time a bin so
    /// well would learn that two of its keys have equal places. The cells themselves show nothing of the
    /// keys once they are masked.
    pub fn encode(&mut self, form: &Form, hashes: &[Block]) -> Option<Cells<'_, L>> {
        let Self { peel, values, cells, dense, longest } = self;
        *longest = hashes.len().max(*longest);
        let third = form.third as usize;
        for cells in cells.chunks_exact_mut(STRIDE).take(3) {
            cells[..third].fill(L::default());
        }
        let mut tile = Tile::new();
        let taken = peel.run(hashes, form.third)?;
        *dense = [L::default(); DENSE];
        if taken.len() < hashes.len() {
            let mut core = Zeroizing::new(vec![true; hashes.len()]);
            taken.clone().for_each(|(row, _)| core[row.number()] = false);
            let core = hashes.iter().zip(core.iter()).filter(|(_, core)| **core);
            *dense = dense::solve(core.map(|(hash, _)| {
                let (seeds, bits) = form.seeds(std::slice::from_ref(hash), &mut tile);
                (bits[0], form.value(seeds[0]))
            }))?;
        }
        let mut tables = dense::sums(dense);
        // The few equations of a core have their solution in the first seven cells nearly always.
        let [first, others @ ..] = &tables;
        let others: Vec<_> = (1..).zip(others).filter(|(_, sums)| any(sums)).collect();
        for (hashes, values) in hashes.chunks(TILE).zip(values.chunks_mut(TILE)) {
            let (seeds, bits) = form.seeds(hashes, &mut tile);
            for (value, (seed, bits)) in values.iter_mut().zip(seeds.iter().zip(bits)) {
                *value = form.value::<L>(*seed) ^ dense::sum(first, 0, *bits);
            }
            for (i, sums) in &others {
                for (value, bits) in values.iter_mut().zip(bits) {
                    *value ^= dense::sum(sums, *i, *bits);
                }
            }
        }
        tables.zeroize();
        for (row, cell) in taken.rev() {
            // The cell itself is still 0.
            let [a, b, c] = row.cells();
            cells[cell] = values[row.number()] ^ cells[a] ^ cells[b] ^ cells[c];
        }
        Some(Cells { sparse: [0, 1, 2].map(|k| &cells[k * STRIDE..][..third]), dense })
    }
}

impl<L: Lane> Drop for Encoder<L> {
    fn drop(&mut self) {
        self.values[..self.longest].zeroize();
        self.cells[..3 * STRIDE].zeroize();
        self.dense.zeroize();
    }
}

/// Whether any sum is not 0, hence any of the cells.
fn any<L: Lane>(sums: &Sums<L>) -> bool {
    sums.iter().any(|sum| *sum != L::default())
}

/// The cells of a bin, in the encoder that wrote them.
pub struct Cells<'a, L> {
    sparse: [&'a [L]; 3],
    dense: &'a [L; DENSE],
}

impl<'a, L: Lane> Cells<'a, L> {
    /// The three thirds and the dense cells: in this order all cells, as they are told and read.
    pub fn parts(&self) -> [&'a [L]; 4] {
        let [first, second, last] = self.sparse;
        [first, second, last, self.dense]
    }
}

/// Encoders at rest, so that each thread finds one that is warm. Wiped on drop.
#[derive(Default)]
pub struct Encoders {
    pub(super) words: Mutex<Vec<Encoder<u64>>>,
    pub(super) blocks: Mutex<Vec<Encoder<Block>>>,
}

impl Encoders {
    /// Lends an encoder.
    pub fn with<L: Lane, T>(&self, work: impl FnOnce(&mut Encoder<L>) -> T) -> T {
        // A list of what rests is whole even if a thread that held it failed.
        let at_rest = || L::at_rest(self).lock().unwrap_or_else(PoisonError::into_inner);
        let encoder = at_rest().pop();
        let mut encoder = encoder.unwrap_or_else(Encoder::new);
        let result = work(&mut encoder);
        at_rest().push(encoder);
        result
    }
}
