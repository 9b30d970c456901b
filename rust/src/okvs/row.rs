//! The row of a key: one sparse cell in each third, and bits over the dense cells.

use crate::aes::Block;

/// Dense cells at the end of a bin.
///
/// Keys that peeling leaves, g of them, are solved over the dense cells alone, which fails with
/// probability below 2^(g - 56). The likely case is one pair of keys with equal places: one bin in
/// 2^11 of 2^14 keys has such a pair, and one in 2^65 one that fails.
pub const DENSE: usize = 56;

/// Bits of a place in its third, and of a key's number.
const PLACE: u32 = 14;
const NUMBER: u32 = 16;
/// Bits of a cell's degree: what the other fields leave of a word.
const DEGREE: u32 = 64 - 3 * PLACE - NUMBER;

/// Where each field of a [`Row`] begins, the degree's at 0.
const PLACES: [u32; 3] = [DEGREE, DEGREE + PLACE, DEGREE + 2 * PLACE + NUMBER];
const NUMBERS: u32 = DEGREE + 2 * PLACE;

/// From the first cell of a third to that of the next one.
pub(super) const STRIDE: usize = 1 << PLACE;
/// Room for three thirds and for each index of 16 bits, so that no index needs a check.
pub(super) const ROOM: usize = 1 << 16;

/// The longest third; each keeps its last place for no key.
pub const LONGEST_THIRD: usize = STRIDE - 1;
/// The most keys of a bin; the list of all of them still has a spare place.
pub const MOST_KEYS: usize = (1 << NUMBER) - 1;

/// The bin of a key, of `bins`, from the first word of its hash.
#[inline]
pub fn bin(hash: Block, bins: u32) -> u32 {
    below(hash as u32, bins)
}

/// The places of a key's sparse cells in the three thirds, from the other words of its hash.
#[inline]
pub(super) fn places(hash: Block, third: u32) -> [u32; 3] {
    [32, 64, 96].map(|word| below((hash >> word) as u32, third))
}

/// Scales a word to below `bound`: the high half of their product. Each result comes of
/// `2^32 / bound` words, rounded up or down.
#[inline]
fn below(word: u32, bound: u32) -> u32 {
    ((u64::from(word) * u64::from(bound)) >> 32) as u32
}

/// A key's row in one word, or the sum of several: the number of rows in the low bits, places and
/// key's number above. Sums are modulo 2^64, so that a row can be taken out of a sum again, and a sum
/// of one row is that row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row(pub(super) u64);

impl Row {
    /// A row that is none, for a step that is to change nothing: it counts as no row, and its places
    /// are those that no key has.
    pub(super) const NONE: Self = Self({
        let place = (STRIDE - 1) as u64;
        place << PLACES[0] | place << PLACES[1] | place << PLACES[2]
    });

    /// The row of a key.
    #[inline]
    pub(super) fn new(hash: Block, third: u32, number: usize) -> Self {
        let [a, b, c] = places(hash, third).map(u64::from);
        let places = a << PLACES[0] | b << PLACES[1] | c << PLACES[2];
        Self(places | (number as u64) << NUMBERS | 1)
    }

    /// How many rows this is, modulo 64.
    #[inline]
    pub(super) fn degree(self) -> u64 {
        self.0 % (1 << DEGREE)
    }

    /// The number of the key.
    #[inline]
    pub(super) fn number(self) -> usize {
        (self.0 >> NUMBERS) as usize % (1 << NUMBER)
    }

    /// The sparse cells.
    #[inline]
    pub(super) fn cells(self) -> [usize; 3] {
        [0, 1, 2].map(|third| third * STRIDE + (self.0 >> PLACES[third]) as usize % STRIDE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    /// As the protocol's description has it, byte by byte.
    fn slow(hash: &[u8; 16], bins: u64, third: u64) -> (u64, [u64; 3]) {
        let word = |i: usize| (0..4).map(|j| u64::from(hash[4 * i + j]) << (8 * j)).sum::<u64>();
        let scaled = |i: usize, bound: u64| word(i) * bound / 4_294_967_296;
        (scaled(0, bins), [1, 2, 3].map(|i| scaled(i, third)))
    }

    #[test]
    fn rows_are_those_of_the_description_and_survive_packing() {
        let mut entropy = Entropy::from_seed_for_tests([1; 32]);
        for (bins, third) in [(1, 1), (3, 437), (64, 7387), (1 << 16, LONGEST_THIRD as u32)] {
            for number in [0, 1, 17_000, MOST_KEYS] {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes);
                for bytes in [bytes, [0; 16], [255; 16]] {
                    let hash = Block::from_le_bytes(bytes);
                    let (slow_bin, slow_places) = slow(&bytes, bins.into(), third.into());
                    assert_eq!(u64::from(bin(hash, bins)), slow_bin, "seed 1");
                    assert_eq!(places(hash, third).map(u64::from), slow_places, "seed 1");
                    let row = Row::new(hash, third, number);
                    let cells = [0, 1, 2].map(|k| k * STRIDE + slow_places[k] as usize);
                    assert_eq!((row.degree(), row.number(), row.cells()), (1, number, cells));
                    assert!(cells.iter().all(|cell| !Row::NONE.cells().contains(cell)));
                }
            }
        }
        assert_eq!(Row::NONE.degree(), 0);
    }
}
