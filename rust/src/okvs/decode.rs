//! Reading keys from cells.

use zeroize::Zeroize;

use crate::aes::Block;

use super::row::{DENSE, places};
use super::{Form, TILE, Tile, dense};

/// Replaces the hash of each key by what the key reads from the cells.
///
/// Up to 128 keys at a time are also handed to `finish`: their seeds, and what they read.
///
/// Shapes: `form.cells()` cells, n keys.
/// Secret: cells and keys; keys decide which cells are read, at home only.
///
/// # Panics
/// If the number of cells is another one.
pub fn decode_each(
    form: &Form,
    cells: &[Block],
    keys: &mut [Block],
    mut finish: impl FnMut(&[Block], &mut [Block]),
) {
    assert_eq!(cells.len(), form.cells(), "cells of a bin");
    let Some((sparse, last)) = cells.split_last_chunk::<DENSE>() else { return };
    let mut tables = dense::sums(last);
    let mut tile = Tile::new();
    for keys in keys.chunks_mut(TILE) {
        let (seeds, bits) = form.seeds(keys, &mut tile);
        read_sparse(form.third, sparse, keys);
        for (key, bits) in keys.iter_mut().zip(bits) {
            *key = (0..).zip(&tables).fold(*key, |all, (i, sums)| all ^ dense::sum(sums, i, *bits));
        }
        finish(seeds, keys);
    }
    tables.zeroize();
}

/// Replaces each hash by the sum of its sparse cells.
fn read_sparse(third: u32, sparse: &[Block], keys: &mut [Block]) {
    let (first, rest) = sparse.split_at(third as usize);
    let (second, last) = rest.split_at(third as usize);
    for key in keys {
        let [a, b, c] = places(*key, third);
        *key = first[a as usize] ^ second[b as usize] ^ last[c as usize];
    }
}
