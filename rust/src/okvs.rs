//! An oblivious key-value store over F2: cells from which each key of a set reads its value.
//!
//! Raghuraman, Rindal, CCS 2022, section 2: a key names three sparse cells and some dense ones, and
//! reads their sum. The sparse ones are set by peeling, in bins that stay in the second cache; the
//! dense ones serve what peeling leaves. Reading is linear: from `A ^ B` a key reads what it reads
//! from A, exclusive or what it reads from B. Where RR22 draws any three cells, these are one from
//! each third, which are always three and pack into one word; and the dense part is over F2, so that
//! a value may be any number of bits.

mod core_sizes;
mod decode;
mod dense;
mod encode;
mod lane;
mod peel;
mod row;
mod splitting;

use crate::aes::{Aes, Block};
use crate::error::Error;
use crate::session::session_key;

pub use core_sizes::core_sizes;
pub use decode::decode_each;
pub use encode::{Cells, Encoder, Encoders};
pub use lane::Lane;
pub use row::{DENSE, LONGEST_THIRD, MOST_KEYS, bin};
pub use splitting::{Level, large_cores};

/// Keys handled at a time: a column of their blocks has 2 KiB and stays in the first cache.
const TILE: usize = 128;
/// The widest value that leaves its seed room for dense bits above it.
const NARROW: usize = 128 - DENSE;
const DENSE_BITS: u64 = (1 << DENSE) - 1;

/// What the keys of a session's bins read: how many cells there are, and the hashes that give values
/// and dense bits.
///
/// A key's hash h gives its sparse cells. Its seed `value(h)` gives its value, the low bits, and its
/// dense bits, the top 56; with values above 72 bits the dense bits are the low ones of `dense(h)`.
#[derive(Clone)]
pub struct Form {
    third: u32,
    width: usize,
    value: Aes,
    dense: Option<Aes>,
}

impl Form {
    /// The form of a session whose bins have three times `third` sparse cells of `width` bits.
    ///
    /// # Errors
    /// [`Error::Length`] if `width` is no multiple of 8 from 64 to 128; [`Error::TooLarge`] if `third`
    /// is above [`LONGEST_THIRD`], or 0.
    pub fn new(sid: &[u8; 32], third: usize, width: usize) -> Result<Self, Error> {
        if !(64..=128).contains(&width) || !width.is_multiple_of(8) {
            return Err(Error::Length { argument: "width", expected: 8, actual: width });
        }
        if third == 0 || third > LONGEST_THIRD {
            return Err(Error::TooLarge { argument: "third", bound: LONGEST_THIRD, actual: third });
        }
        let dense = (width > NARROW).then(|| session_key(sid, "dense"));
        Ok(Self { third: third as u32, width, value: session_key(sid, "value"), dense })
    }

    /// How many cells a bin has.
    #[must_use]
    pub fn cells(&self) -> usize {
        3 * self.third as usize + DENSE
    }

    /// The bits of a value.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The value of a key, from its seed.
    #[inline]
    pub fn value<L: Lane>(&self, seed: Block) -> L {
        L::low(seed & (Block::MAX >> (128 - self.width)))
    }

    /// The seeds and the dense bits of up to [`TILE`] keys.
    fn seeds<'a>(&self, hashes: &[Block], tile: &'a mut Tile) -> (&'a [Block], &'a [u64]) {
        let count = hashes.len();
        let (seeds, bits) = (&mut tile.seeds[..count], &mut tile.bits[..count]);
        self.value.hash_into(hashes, seeds);
        match &self.dense {
            None => {
                for (bits, seed) in bits.iter_mut().zip(&*seeds) {
                    *bits = (seed >> NARROW) as u64;
                }
            }
            Some(dense) => {
                let blocks = &mut tile.blocks[..count];
                dense.hash_into(hashes, blocks);
                for (bits, block) in bits.iter_mut().zip(blocks) {
                    *bits = *block as u64 & DENSE_BITS;
                }
            }
        }
        (seeds, bits)
    }
}

/// Room for what is derived from the hashes of some keys.
struct Tile {
    seeds: [Block; TILE],
    blocks: [Block; TILE],
    bits: [u64; TILE],
}

impl Tile {
    fn new() -> Self {
        Self { seeds: [0; TILE], blocks: [0; TILE], bits: [0; TILE] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    const SID: [u8; 32] = [2; 32];
    const WIDTHS: [usize; 5] = [64, 72, 80, 120, 128];

    fn draw(count: usize, seed: u8) -> Vec<Block> {
        let mut bytes = vec![[0; 16]; count];
        Entropy::from_seed_for_tests([seed; 32]).fill(bytes.as_flattened_mut());
        bytes.into_iter().map(Block::from_le_bytes).collect()
    }

    /// What the description says a key is to read, block by block.
    fn slow_value(hash: Block, width: usize) -> Block {
        let mut seed = [hash];
        session_key(&SID, "value").encrypt_each(&mut seed);
        (seed[0] ^ hash) & (Block::MAX >> (128 - width))
    }

    /// What the description says a key reads, cell by cell.
    fn slow_read(form: &Form, cells: &[Block], hash: Block) -> Block {
        let (mut seed, mut dense) = ([hash], [hash]);
        session_key(&SID, "value").hash_each(&mut seed);
        session_key(&SID, "dense").hash_each(&mut dense);
        let bits = if form.width <= 72 { seed[0] >> 72 } else { dense[0] & ((1 << 56) - 1) };
        let (third, sparse) = (Block::from(form.third), 3 * form.third as usize);
        let place = |k: usize| ((hash >> (32 * (k + 1))) % (1 << 32) * third) >> 32;
        let named = (0..3).map(|k| k * form.third as usize + place(k) as usize);
        let named = named.chain((0..DENSE).filter(|i| bits >> i & 1 == 1).map(|i| sparse + i));
        named.fold(0, |sum, cell| sum ^ cells[cell])
    }

    fn encoded<L: Lane>(form: &Form, hashes: &[Block]) -> Option<Vec<Block>> {
        Encoders::default().with(|encoder: &mut Encoder<L>| {
            Some(encoder.encode(form, hashes)?.parts().concat().into_iter().map(L::block).collect())
        })
    }

    fn encode(form: &Form, hashes: &[Block]) -> Option<Vec<Block>> {
        if form.width == 64 { encoded::<u64>(form, hashes) } else { encoded::<Block>(form, hashes) }
    }

    fn decode(form: &Form, cells: &[Block], hashes: &[Block]) -> Vec<Block> {
        let mut keys = hashes.to_vec();
        decode_each(form, cells, &mut keys, |_, _| ());
        keys
    }

    fn assert_holds(form: &Form, hashes: &[Block], seed: u8) {
        let cells = encode(form, hashes).unwrap();
        assert_eq!(cells.len(), form.cells());
        let values: Vec<_> = hashes.iter().map(|hash| slow_value(*hash, form.width)).collect();
        assert!(decode(form, &cells, hashes) == values, "seed {seed}, {} keys", hashes.len());
    }

    #[test]
    fn every_key_reads_its_value() {
        for width in WIDTHS {
            for count in [0, 1, 2, 63, 64, 127, 128, 129, 1000, 1024] {
                let form = Form::new(&SID, 460, width).unwrap();
                assert_holds(&form, &draw(count, 1), 1);
            }
        }
        let form = Form::new(&SID, 7387, 64).unwrap();
        assert_holds(&form, &draw(17_393, 1), 1);
        let form = Form::new(&SID, LONGEST_THIRD, 72).unwrap();
        assert_holds(&form, &draw(37_000, 1), 1);
    }

    #[test]
    fn keys_with_equal_places_read_their_values_from_dense_cells() {
        for width in WIDTHS {
            // Words 1 to 3 are equal; word 0, which only decides the bin, differs. Thrice 2 keys, or 12.
            for (equal, others) in [(2, 0), (2, 1000), (12, 1000)] {
                let mut hashes = draw(others + 3 * equal, 2);
                for (i, hash) in hashes[others..].iter_mut().enumerate() {
                    *hash = Block::from((i / equal) as u32) << 124 | i as Block;
                }
                let form = Form::new(&SID, 500, width).unwrap();
                assert_holds(&form, &hashes, 2);
                let cells = encode(&form, &hashes).unwrap();
                assert!(cells[3 * 500..].iter().any(|cell| *cell != 0));
            }
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let form = Form::new(&SID, 500, 64).unwrap();
        // 57 keys at the same places, of which 56 could be told apart.
        let equal: Vec<_> = (0..57).map(|i| 7 << 32 | i).collect();
        assert!(encode(&form, &equal).is_none());
        // A degree that does not fit its field, by different keys and by one key, over and over.
        let many: Vec<_> = (0..64).map(|i| 7 << 32 | i).collect();
        assert!(encode(&form, &many).is_none());
        for count in [63, 64, 65, 128, 4096] {
            assert_eq!(encode(&form, &vec![5; count]).is_some(), count < 64, "{count} times");
        }
        // Far more keys than cells.
        assert!(encode(&form, &draw(3000, 3)).is_none());
        // After all that, the next bin is none the worse.
        let encoders = Encoders::default();
        for hashes in [&many[..], &draw(3000, 3), &draw(1000, 3)] {
            encoders.with(|encoder: &mut Encoder<u64>| {
                let cells = encoder.encode(&form, hashes).map(|cells| cells.parts().concat());
                let fresh = encoded::<u64>(&form, hashes);
                let fresh = fresh.map(|cells| cells.into_iter().map(u64::low).collect::<Vec<_>>());
                assert!(cells == fresh);
            });
        }
    }

    #[test]
    fn keys_read_what_the_description_says_from_any_cells() {
        for width in WIDTHS {
            let form = Form::new(&SID, 37, width).unwrap();
            let (cells, mut hashes) = (draw(form.cells(), 4), draw(300, 5));
            hashes.extend([0, Block::MAX]);
            for (hash, read) in hashes.iter().zip(decode(&form, &cells, &hashes)) {
                assert_eq!(read, slow_read(&form, &cells, *hash), "seeds 4 and 5, width {width}");
            }
        }
    }

    #[test]
    fn reading_is_linear_and_seeds_come_with_what_was_read() {
        let form = Form::new(&SID, 500, 64).unwrap();
        let (a, b, hashes) = (draw(form.cells(), 6), draw(form.cells(), 7), draw(300, 8));
        let xor =
            |a: &[Block], b: &[Block]| -> Vec<_> { a.iter().zip(b).map(|(a, b)| a ^ b).collect() };
        let both = decode(&form, &xor(&a, &b), &hashes);
        assert_eq!(
            both,
            xor(&decode(&form, &a, &hashes), &decode(&form, &b, &hashes)),
            "seeds 6 to 8"
        );
        let (mut keys, mut seen) = (hashes.clone(), Vec::new());
        decode_each(&form, &a, &mut keys, |seeds, read| {
            seen.extend(seeds.iter().map(|seed| form.value::<Block>(*seed)));
            read.iter_mut().for_each(|read| *read = !*read);
        });
        assert_eq!(seen, hashes.iter().map(|hash| slow_value(*hash, 64)).collect::<Vec<_>>());
        assert_eq!(keys, decode(&form, &a, &hashes).iter().map(|read| !read).collect::<Vec<_>>());
    }
}
