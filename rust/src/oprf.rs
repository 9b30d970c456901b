//! The oblivious pseudorandom function of the match over VOLE.
//!
//! Raghuraman, Rindal, CCS 2022, figure 4, bin by bin. The receiver encodes its values as cells P and
//! tells `a ^ P`, which hides P behind the values a of VOLE; so the sender holds sums b' with
//! `c = b' ^ P * Delta`. The cells of a key sum to its value v at the receiver alone if the key is in
//! its set; then both have `Decode(c) = Decode(b') ^ v * Delta`, and for another key the sender's side
//! is off by a multiple of Delta, which the receiver does not know. The output is a hash of that; where
//! the sender may be dishonest, of a salt and of the key too, so that it stands for one key only.

mod last_hash;

use std::ops::Range;

use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::aes::Block;
use crate::error::Error;
use crate::gf128;
use crate::okvs::{Encoder, Form, Lane, MOST_KEYS, decode_each};
use crate::rows::{Rows, Work};
use crate::vole::{self, Values};

use last_hash::LastHash;

/// Cells unmasked at a time: up to 4 KiB, which stay in the first cache.
const TILE: usize = 128;
const BYTES: usize = size_of::<Block>();

/// Encodes and masks bins of the receiver's set, and replaces the hashes of their rows by outputs.
///
/// Shapes: `masked` takes the cells of one bin after the other, `width / 8` bytes each, little-endian.
/// Takes as many correlations as there are cells; the sender takes the same ones for the same bins.
/// With a `salt`, which the sender must be given too, outputs are bound to keys.
/// Secret: rows and correlations; rows decide which memory is used, at home only, and by a little how
/// long it takes (see [`crate::okvs::Encoder::encode`]). What is masked goes to the sender.
///
/// # Errors
/// [`Error::Index`] if there are no such bins, [`Error::Used`] if one of them was evaluated;
/// [`Error::Solve`] if a bin has more than `capacity` rows or cannot be encoded, which ends the
/// session: a second try with other rows would tell something about the set. [`Error::Spent`] if
/// there are not so many correlations, [`Error::Length`] if they have another width or `masked` has
/// another length, all before anything is done.
pub fn blind(
    rows: &mut Rows,
    bins: Range<usize>,
    capacity: usize,
    vole: &mut vole::Receiver,
    salt: Option<Block>,
    masked: &mut [u8],
) -> Result<(), Error> {
    ready(rows, &bins, vole.width(), vole.available(), masked)?;
    let work = rows.evaluate(bins)?;
    let capacity = capacity.min(MOST_KEYS);
    if let Some(bin) = work.bins.iter().find(|bin| bin.count() > capacity) {
        return Err(Error::Solve { bin: bin.number });
    }
    let (values, sums) = vole.take(work.bins.len() * work.form.cells())?;
    match values {
        Values::Short(values) => blind_each(work, values, sums, salt, masked),
        Values::Wide(values) => blind_each(work, values, sums, salt, masked),
    }
}

fn blind_each<L: Lane>(
    work: Work<'_>,
    values: &[L],
    sums: &[Block],
    salt: Option<Block>,
    masked: &mut [u8],
) -> Result<(), Error> {
    let Work { bins, form, sid, encoders } = work;
    let (cells, width) = (form.cells(), form.width() / 8);
    let parts = values.par_chunks(cells).zip(sums.par_chunks(cells));
    let parts = parts.zip(masked.par_chunks_mut(cells * width));
    bins.into_par_iter().zip(parts).try_for_each(|(bin, ((values, sums), masked))| {
        let mut keys = Zeroizing::new(bin.read());
        encoders.with(|encoder: &mut Encoder<L>| {
            let cells = encoder.encode(form, &keys).ok_or(Error::Solve { bin: bin.number })?;
            tell(cells.parts(), values, width, masked);
            Ok(())
        })?;
        fetch(sums);
        let mut last = LastHash::new(sid, bin.number, salt, &keys);
        decode_each(form, sums, &mut keys, |_, outputs| last.hash_each(outputs));
        bin.write(&keys);
        Ok(())
    })
}

/// Replaces the hashes of the rows of the sender's bins by outputs, from what [`blind`] gave for the
/// same bins of the receiver's.
///
/// Shapes: `masked` the cells of one bin after the other, `width / 8` bytes each, little-endian. Takes
/// as many correlations as there are cells. `salt` as at [`blind`].
/// Secret: rows and correlations; rows decide which memory is used, at home only.
///
/// # Errors
/// [`Error::Index`] if there are no such bins, [`Error::Length`] if `masked` has another length or the
/// correlations another width, [`Error::Used`] if one of the bins was evaluated, [`Error::Spent`] if
/// there are not so many correlations; all before anything is done.
pub fn evaluate(
    rows: &mut Rows,
    bins: Range<usize>,
    masked: &[u8],
    vole: &mut vole::Sender,
    salt: Option<Block>,
) -> Result<(), Error> {
    ready(rows, &bins, vole.width(), vole.available(), masked)?;
    let (cells, width) = (rows.form().cells(), rows.form().width() / 8);
    let work = rows.evaluate(bins)?;
    let delta = Zeroizing::new(vole.delta());
    let sums = vole.take(work.bins.len() * cells)?;
    let parts = sums.par_chunks_mut(cells).zip(masked.par_chunks(cells * width));
    work.bins.into_par_iter().zip(parts).for_each(|(bin, (sums, masked))| {
        unmask(width, masked, *delta, sums);
        let mut keys = Zeroizing::new(bin.read());
        let mut last = LastHash::new(work.sid, bin.number, salt, &keys);
        decode_each(work.form, sums, &mut keys, |seeds, outputs| {
            add_values(work.form, seeds, *delta, outputs);
            last.hash_each(outputs);
        });
        bin.write(&keys);
    });
    Ok(())
}

/// How many bytes [`blind`] writes for bins.
///
/// # Errors
/// [`Error::Index`] if there are no such bins.
pub fn masked_length(rows: &Rows, bins: &Range<usize>) -> Result<usize, Error> {
    if bins.end > rows.bins() {
        return Err(Error::Index { argument: "bins", bound: rows.bins(), actual: bins.end });
    }
    Ok(bins.len() * rows.form().cells() * rows.form().width() / 8)
}

/// Checks that correlations have the form's width and are enough for bins that there are, and that
/// `masked` has room for their cells and no more.
fn ready(
    rows: &Rows,
    bins: &Range<usize>,
    width: usize,
    available: usize,
    masked: &[u8],
) -> Result<(), Error> {
    let form = rows.form();
    if form.width() != width {
        return Err(Error::Length { argument: "width", expected: form.width(), actual: width });
    }
    let (expected, actual) = (masked_length(rows, bins)?, masked.len());
    let wanted = bins.len() * form.cells();
    if available < wanted {
        return Err(Error::Spent { available, wanted });
    }
    if actual != expected {
        return Err(Error::Length { argument: "masked", expected, actual });
    }
    Ok(())
}

/// Reads blocks in order, so that the machine fetches them ahead, as it does not when they are read
/// all over. Of each line of 64 bytes one block is enough.
fn fetch(blocks: &[Block]) {
    std::hint::black_box(blocks.iter().step_by(4).fold(0, |all, block| all ^ block));
}

/// Writes cells plus values, `width` bytes each.
fn tell<L: Lane>(parts: [&[L]; 4], mut values: &[L], width: usize, mut out: &mut [u8]) {
    for cells in parts {
        let (now, later) = values.split_at(cells.len());
        let (told, rest) = out.split_at_mut(cells.len() * width);
        (values, out) = (later, rest);
        let sums = cells.iter().zip(now).map(|(cell, value)| (*cell ^ *value).block());
        if width == size_of::<u64>() {
            for (told, sum) in told.as_chunks_mut().0.iter_mut().zip(sums) {
                *told = (sum as u64).to_le_bytes();
            }
            continue;
        }
        for (i, sum) in sums.enumerate() {
            let bytes = sum.to_le_bytes();
            // A whole block is one store, `width` bytes would be a call; the next sum covers the rest.
            match told.get_mut(i * width..i * width + BYTES) {
                Some(told) => told.copy_from_slice(&bytes),
                None => told[i * width..][..width].copy_from_slice(&bytes[..width]),
            }
        }
    }
}

/// Adds `a' * Delta` to each sum, a' being what was told.
fn unmask(width: usize, masked: &[u8], delta: Block, sums: &mut [Block]) {
    if width == size_of::<u64>() {
        let mut tile = [0; TILE];
        for (sums, masked) in sums.chunks_mut(TILE).zip(masked.as_chunks().0.chunks(TILE)) {
            for (word, bytes) in tile.iter_mut().zip(masked) {
                *word = u64::from_le_bytes(*bytes);
            }
            gf128::accumulate_short(sums, &tile[..masked.len()], delta);
        }
        return;
    }
    let mut tile = [0; TILE];
    for (sums, masked) in sums.chunks_mut(TILE).zip(masked.chunks(TILE * width)) {
        for (block, start) in tile.iter_mut().zip((0..masked.len()).step_by(width)) {
            let mut whole = [0; BYTES];
            match masked.get(start..start + BYTES) {
                Some(bytes) => whole.copy_from_slice(bytes),
                None => whole[..width].copy_from_slice(&masked[start..start + width]),
            }
            *block =
                Block::from_le_bytes(whole) & (Block::MAX >> (Block::BITS as usize - 8 * width));
        }
        gf128::accumulate(sums, &tile[..sums.len()], delta);
    }
}

/// Adds `v * Delta` to what each key read, v being its value.
fn add_values(form: &Form, seeds: &[Block], delta: Block, read: &mut [Block]) {
    if form.width() == u64::BITS as usize {
        let mut values = Zeroizing::new([0; TILE]);
        for (value, seed) in values.iter_mut().zip(seeds) {
            *value = form.value::<u64>(*seed);
        }
        gf128::accumulate_short(read, &values[..seeds.len()], delta);
    } else {
        let mut values = Zeroizing::new([0; TILE]);
        for (value, seed) in values.iter_mut().zip(seeds) {
            *value = form.value::<Block>(*seed);
        }
        gf128::accumulate(read, &values[..seeds.len()], delta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cot;
    use crate::entropy::Entropy;
    use crate::vole::Profile::Fresh as FRESH;

    const SID: [u8; 32] = [6; 32];
    const BINS: usize = 3;
    const CAPACITY: usize = 1200;
    const THIRD: usize = 540;
    const CELLS: usize = 3 * THIRD + crate::okvs::DENSE;

    /// Correlations of both sides, one chunk of them; base transfers come from a dealer.
    fn correlations(width: usize, entropy: &mut Entropy) -> (vole::Receiver, vole::Sender) {
        let mut draw = || {
            let mut block = [0; BYTES];
            entropy.fill(&mut block);
            Block::from_le_bytes(block)
        };
        let pairs: [[Block; 2]; 128] = std::array::from_fn(|_| [draw(), draw()]);
        let delta = draw();
        let keys: [Block; 128] = std::array::from_fn(|i| pairs[i][(delta >> i & 1) as usize]);
        let (receiver, trees) = cot::Receiver::plant(&SID, &pairs, entropy);
        let sender = cot::Sender::grow(&SID, delta, &keys, &trees).unwrap();
        let mut receiver =
            vole::Receiver::new(&SID, width, FRESH, FRESH.code(&SID), receiver, entropy).unwrap();
        let mut sender =
            vole::Sender::new(&SID, width, FRESH, FRESH.code(&SID), delta, sender).unwrap();
        let request = receiver.request(1, entropy);
        receiver.absorb(&sender.answer(&request, 1, entropy).unwrap()).unwrap();
        (receiver, sender)
    }

    fn group(elements: &[[u8; 32]], extra: &[[u8; 32]], width: usize) -> Rows {
        Rows::group(elements, extra, &SID, BINS, THIRD, width, true).unwrap()
    }

    /// What [`super::blind`] writes.
    fn blind(
        rows: &mut Rows,
        bins: Range<usize>,
        capacity: usize,
        vole: &mut vole::Receiver,
        salt: Option<Block>,
    ) -> Result<Vec<u8>, Error> {
        let mut masked = vec![0; masked_length(rows, &bins)?];
        super::blind(rows, bins, capacity, vole, salt, &mut masked)?;
        Ok(masked)
    }

    fn draw(count: usize, entropy: &mut Entropy) -> Vec<[u8; 32]> {
        let mut rows = vec![[0; 32]; count];
        entropy.fill(rows.as_flattened_mut());
        rows
    }

    fn in_order(rows: &Rows) -> Vec<Block> {
        let mut outputs = vec![0; rows.index().len()];
        for (output, index) in rows.hashes().iter().zip(rows.index()) {
            outputs[*index as usize] = *output;
        }
        outputs
    }

    #[test]
    fn both_sides_have_the_same_outputs_for_common_elements_and_no_others() {
        for (width, salt) in [(64, None), (72, None), (80, None), (128, None), (128, Some(9))] {
            let mut entropy = Entropy::from_seed_for_tests([4; 32]);
            let (mut receiver, mut sender) = correlations(width, &mut entropy);
            let elements = draw(7000, &mut entropy);
            // Common are 2000 to 3000; of the sender's, 2900 to 3000 are extra.
            let mut x = group(&elements[..2500], &elements[2500..3000], width);
            let mut y = group(&elements[3000..], &elements[2000..3000], width);
            let masked = blind(&mut x, 0..1, CAPACITY, &mut receiver, salt).unwrap();
            evaluate(&mut y, 0..1, &masked, &mut sender, salt).unwrap();
            let masked = blind(&mut x, 1..3, CAPACITY, &mut receiver, salt).unwrap();
            assert_eq!(masked.len(), 2 * CELLS * width / 8);
            evaluate(&mut y, 1..3, &masked, &mut sender, salt).unwrap();
            let (x, y) = (in_order(&x), in_order(&y));
            assert_eq!(x[2000..3000], y[4000..5000], "seed 4, width {width}");
            let mut all: Vec<_> = x.iter().chain(&y[..4000]).collect();
            all.sort_unstable();
            assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "seed 4, width {width}");
        }
    }

    #[test]
    fn other_cells_than_were_told_give_other_outputs() {
        let mut entropy = Entropy::from_seed_for_tests([4; 32]);
        let (mut receiver, mut sender) = correlations(64, &mut entropy);
        let elements = draw(3000, &mut entropy);
        let (mut x, mut y) = (group(&elements, &[], 64), group(&elements, &[], 64));
        let mut masked = blind(&mut x, 0..3, CAPACITY, &mut receiver, None).unwrap();
        // The last dense cell of bin 1.
        masked[2 * CELLS * 8 - 1] ^= 1;
        let second: Vec<_> = {
            let fresh = group(&elements, &[], 64);
            in_order(&fresh).iter().map(|hash| crate::okvs::bin(*hash, 3) == 1).collect()
        };
        evaluate(&mut y, 0..3, &masked, &mut sender, None).unwrap();
        let same: Vec<_> = in_order(&x).iter().zip(in_order(&y)).map(|(x, y)| *x == y).collect();
        let count = |in_second: bool| {
            let hits = second.iter().zip(&same).filter(|(second, _)| **second == in_second);
            (hits.clone().filter(|(_, same)| **same).count(), hits.count())
        };
        let (others, of_others) = count(false);
        assert_eq!(others, of_others);
        // Half the keys of the bin name the cell: of 1000, within 6 deviations of 16.
        let (hits, all) = count(true);
        assert!(hits.abs_diff(all / 2) < 96, "seed 4: {hits} of {all}");
    }

    #[test]
    fn sizes_are_checked_before_anything_is_taken() {
        let mut entropy = Entropy::from_seed_for_tests([4; 32]);
        let (mut receiver, mut sender) = correlations(64, &mut entropy);
        let elements = draw(3000, &mut entropy);
        let (mut x, mut y) = (group(&elements, &[], 64), group(&elements, &[], 64));
        let largest = (0..BINS).max_by_key(|bin| x.count(*bin)).unwrap();
        let capacity = x.count(largest) - 1;
        let solve = Err(Error::Solve { bin: largest });
        assert_eq!(blind(&mut x, largest..largest + 1, capacity, &mut receiver, None), solve);
        let mut x = group(&elements, &[], 64);
        let masked = blind(&mut x, 0..1, CAPACITY, &mut receiver, None).unwrap();
        let expected = CELLS * 8;
        for actual in [0, expected - 1, expected + 1, 2 * expected] {
            let error = Error::Length { argument: "masked", expected, actual };
            assert_eq!(evaluate(&mut y, 0..1, &vec![0; actual], &mut sender, None), Err(error));
        }
        let index = Err(Error::Index { argument: "bins", bound: 3, actual: 4 });
        assert_eq!(evaluate(&mut y, 3..4, &masked, &mut sender, None), index);
        assert_eq!(evaluate(&mut y, 0..1, &masked, &mut sender, None), Ok(()));
        let used = Error::Used { argument: "bins" };
        assert_eq!(evaluate(&mut y, 0..1, &masked, &mut sender, None), Err(used.clone()));
        assert_eq!(blind(&mut x, 0..1, CAPACITY, &mut receiver, None), Err(used));
        let bins = sender.available() / CELLS + 1;
        let mut many = Rows::group(&elements, &[], &SID, bins, THIRD, 64, true).unwrap();
        let (available, wanted) = (sender.available(), bins * CELLS);
        let spent = Error::Spent { available, wanted };
        let masked_bins = vec![0; wanted * 8];
        assert_eq!(
            evaluate(&mut many, 0..bins, &masked_bins, &mut sender, None),
            Err(spent.clone())
        );
        assert_eq!(blind(&mut many, 0..bins, CAPACITY, &mut receiver, None), Err(spent));
        assert!(blind(&mut many, 0..1, CAPACITY, &mut receiver, None).is_ok());
        let mut wide = group(&elements, &[], 72);
        let width = Error::Length { argument: "width", expected: 72, actual: 64 };
        assert_eq!(blind(&mut wide, 0..1, CAPACITY, &mut receiver, None), Err(width.clone()));
        assert_eq!(evaluate(&mut wide, 0..1, &masked, &mut sender, None), Err(width));
    }

    #[test]
    fn told_cells_are_the_low_bytes_of_each_in_order() {
        for width in [8, 9, 10, 15, 16] {
            let cells: Vec<Block> = (1..300).map(|i| i << 56 | i).collect();
            let mut told = vec![0; cells.len() * width];
            let parts = [&cells[..100], &cells[100..101], &[], &cells[101..]];
            tell(parts, &vec![5; cells.len()], width, &mut told);
            let slow = |c: &Block| (c ^ 5).to_le_bytes()[..width].to_vec();
            let slow: Vec<_> = cells.iter().flat_map(slow).collect();
            assert_eq!(told, slow, "{width} bytes");
            let mut sums = vec![0; cells.len()];
            unmask(width, &told, 1, &mut sums);
            let low = Block::MAX >> (128 - 8 * width);
            assert_eq!(
                sums,
                cells.iter().map(|c| (c ^ 5) & low).collect::<Vec<_>>(),
                "{width} bytes"
            );
        }
    }
}
