//! Tags: the sender tells its outputs in short, the receiver finds its own among them.
//!
//! A tag is the top T bits of an output. Tags go out ascending, so that the message is a function of
//! the set alone, and then their k high bits need not be said for each: a unary vector says how many
//! tags each of the 2^k buckets has (for each bucket as many ones as it has tags, then a zero), and
//! what follows is the low part of each tag, w bits. This is the delta code of Elias (JACM 21 (1974),
//! section 2, "Efficient storage and retrieval by content and address of static files"), about two bits
//! a tag above the entropy of the set.
//!
//! Both sides look at their tags with branches and indices. The sender's tags are what it sends; the
//! receiver's own decide which memory is touched, at home, and its time depends on the matches a little;
//! an abort does not depend on its tags.

mod join;
mod parts;
mod sorted;

pub use join::Join;
pub use sorted::Sorted;

use crate::error::Error;

/// Bits of a tag beyond log2 of the number of pairs: two different outputs of the match share a tag
/// with probability at most 2^-43, that is lambda = 40 and 3 bits for the other errors of a session.
const SLACK: u32 = 43;

/// How tags are cut: T bits, of which k go into the unary vector and the rest into w/8 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    bits: u32,
    tags: usize,
    width: u32,
}

impl Split {
    /// The split for a receiver of so many rows and a sender of so many tags:
    /// `T = ceil(43 + log2(receivers * senders))`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] from 2^32 tags, [`Error::Length`] if T is above 128.
    pub fn of(receivers: usize, senders: usize) -> Result<Self, Error> {
        let pairs = receivers.max(1) as u128 * senders.max(1) as u128;
        Self::new((SLACK + ceil_log2(pairs)) as usize, senders)
    }

    /// The split for tags of T = `bits` bits, 8 to 128:
    /// `w = 8 * ceil((T - floor(log2 tags)) / 8)` and `k = T - w`.
    ///
    /// Where w is above T (only below 128 tags), k is 0 and the low part is the tag, filled up with
    /// zeros. No tags are split like one.
    ///
    /// # Errors
    /// [`Error::Length`] for other `bits`, [`Error::TooLarge`] from 2^32 tags.
    pub fn new(bits: usize, tags: usize) -> Result<Self, Error> {
        if !(8..=128).contains(&bits) {
            return Err(Error::Length { argument: "bits", expected: 128, actual: bits });
        }
        let bound = u32::MAX as usize;
        if tags > bound {
            return Err(Error::TooLarge { argument: "tags", bound, actual: tags });
        }
        let bits = bits as u32;
        let width = bits.saturating_sub(tags.max(1).ilog2()).max(1).next_multiple_of(8);
        Ok(Self { bits, tags, width })
    }

    /// Bits of a tag, T.
    pub fn bits(&self) -> usize {
        self.bits as usize
    }

    /// Number of tags.
    pub fn tags(&self) -> usize {
        self.tags
    }

    /// Bytes of a low part, w/8.
    pub fn row(&self) -> usize {
        self.width as usize / 8
    }

    /// Bytes of the unary vector: a bit a tag and a bit a bucket, filled up with zeros.
    pub fn unary(&self) -> usize {
        (self.tags + self.buckets()).div_ceil(8)
    }

    /// Number of buckets, 2^k; at most the number of tags, or 1.
    pub fn buckets(&self) -> usize {
        1 << self.high()
    }

    /// k.
    fn high(&self) -> u32 {
        self.bits.saturating_sub(self.width)
    }
}

/// The smallest l with 2^l >= n, for n of at least 1.
fn ceil_log2(n: u128) -> u32 {
    128 - (n - 1).leading_zeros()
}

/// Evaluates an expression with a width in bytes, 1 to 16, as a constant: a copy of 9 bytes is then two
/// moves instead of a call.
macro_rules! with_width {
    ($row:expr, $width:ident => $call:expr) => {
        with_width!(@ $row, $width, $call, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $row:expr, $width:ident, $call:expr, $($bytes:literal)*) => {
        match $row {
            $($bytes => {
                const $width: usize = $bytes;
                $call
            })*
            _ => {
                const $width: usize = 16;
                $call
            }
        }
    };
}
use with_width;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::aes::Block;
    use crate::entropy::Entropy;

    fn blocks(count: usize, seed: u8) -> Vec<Block> {
        let mut bytes = vec![0; 16 * count];
        Entropy::from_seed_for_tests([seed; 32]).fill(&mut bytes);
        bytes.as_chunks().0.iter().map(|bytes| Block::from_le_bytes(*bytes)).collect()
    }

    /// Own rows: the first `common` of the peer's outputs and others, in an order of their own; the
    /// index of a row says where it stood before.
    fn own(count: usize, theirs: &[Block], common: usize, seed: u8) -> (Vec<Block>, Vec<u32>) {
        let mut rows = theirs[..common].to_vec();
        rows.extend(blocks(count - common, seed));
        let mut index: Vec<u32> = (0..count as u32).collect();
        index.sort_by_key(|i| rows[*i as usize].rotate_left(17));
        (index.iter().map(|i| rows[*i as usize]).collect(), index)
    }

    /// The tags that two messages tell, read bit by bit.
    fn decode(split: Split, unary: &[u8], lows: &[u8]) -> Vec<Block> {
        let mut rows = lows.chunks(split.row());
        let (mut bucket, mut tags) = (0, Vec::new());
        for position in 0..split.tags() + split.buckets() {
            if unary[position / 8] >> (position % 8) & 1 == 0 {
                bucket += 1;
                continue;
            }
            let low = rows
                .next()
                .unwrap()
                .iter()
                .rev()
                .fold(0, |low, byte| low << 8 | Block::from(*byte));
            // A shift by 128 bits would not be one, but then there is only bucket 0.
            tags.push(if bucket == 0 { low } else { bucket << (8 * split.row()) | low });
        }
        assert_eq!((bucket, rows.next()), (split.buckets() as Block, None));
        tags
    }

    fn tag(output: Block, bits: usize) -> Block {
        output >> (128 - bits)
    }

    /// Own indices whose tag the peer has, by a plain set.
    fn meet(own: &[Block], index: &[u32], theirs: &[Block], bits: usize) -> Vec<u32> {
        let theirs: HashSet<Block> = theirs.iter().map(|output| tag(*output, bits)).collect();
        let hit = |(row, _): &(&Block, _)| theirs.contains(&tag(**row, bits));
        let found: BTreeSet<u32> =
            own.iter().zip(index).filter(hit).map(|(_, index)| *index).collect();
        found.into_iter().collect()
    }

    /// The low parts of tags `start..start + count`, or of those of them that there are.
    fn lows(sorted: &Sorted, start: usize, count: usize) -> Vec<u8> {
        let mut lows = vec![0; sorted.length(start, count)];
        sorted.lows(start, &mut lows).unwrap();
        lows
    }

    /// Both sides, with pieces of so many tags.
    fn join(own: &[Block], index: &[u32], theirs: &[Block], bits: usize, piece: usize) -> Vec<u32> {
        let sorted = Sorted::of(theirs.to_vec(), bits).unwrap();
        let mut join = Join::of(own, index, bits, theirs.len(), &sorted.unary()).unwrap();
        for start in (0..theirs.len()).step_by(piece) {
            join.probe(&lows(&sorted, start, piece)).unwrap();
        }
        join.matched().unwrap()
    }

    /// Numbers of tags around the sizes at which there are more buckets, parts and chunks.
    const SIZES: [usize; 13] = [0, 1, 2, 3, 127, 128, 129, 1000, 4095, 4096, 4097, 16_385, 66_000];

    #[test]
    fn the_split_is_that_of_the_contract() {
        for (receivers, senders, bits, width, buckets) in [
            (1, 1, 43, 48, 1),
            (0, 0, 43, 48, 1),
            (1000, 1, 53, 56, 1),
            (1, 1000, 53, 48, 1 << 5),
            (1 << 14, 1 << 14, 71, 64, 1 << 7),
            (1 << 20, 1 << 20, 83, 64, 1 << 19),
            ((1 << 20) + 1, 1 << 20, 84, 64, 1 << 20),
            (1 << 20, (1 << 20) - 1, 83, 64, 1 << 19),
            (1 << 24, 1 << 24, 91, 72, 1 << 19),
            (u32::MAX as usize, u32::MAX as usize, 107, 80, 1 << 27),
        ] {
            let split = Split::of(receivers, senders).unwrap();
            let seen = (split.bits(), split.row() * 8, split.buckets());
            assert_eq!(seen, (bits, width, buckets), "{receivers} x {senders}");
            assert_eq!(split.unary(), (senders + buckets).div_ceil(8));
        }
        assert!(Split::of(1, 1 << 32).is_err());
        assert!(Split::new(7, 1).is_err() && Split::new(129, 1).is_err());
        assert!(Sorted::of(vec![1], 129).is_err());
    }

    #[test]
    fn the_messages_tell_the_sorted_tags() {
        for count in SIZES {
            for bits in [8, 16, 43, 63, 64, 65, 71, 83, 91, 127, 128] {
                if count > 5000 && ![16, 83, 91].contains(&bits) {
                    continue;
                }
                let outputs = blocks(count, 1);
                let sorted = Sorted::of(outputs.clone(), bits).unwrap();
                let (split, unary, lows) =
                    (sorted.split(), sorted.unary(), lows(&sorted, 0, count));
                assert_eq!((split.bits(), split.tags()), (bits, count));
                assert_eq!(unary.len(), split.unary());
                assert_eq!(lows.len(), count * split.row());
                let mut tags: Vec<Block> =
                    outputs.iter().map(|output| tag(*output, bits)).collect();
                tags.sort_unstable();
                assert!(
                    decode(split, &unary, &lows) == tags,
                    "seed 1, {count} tags of {bits} bits"
                );
            }
        }
    }

    #[test]
    fn the_messages_do_not_depend_on_the_order_of_the_outputs() {
        let mut outputs = blocks(70_000, 2);
        let sorted = Sorted::of(outputs.clone(), 79).unwrap();
        outputs.reverse();
        let again = Sorted::of(outputs, 79).unwrap();
        assert!(
            sorted.unary() == again.unary() && lows(&sorted, 0, 70_000) == lows(&again, 0, 70_000)
        );
    }

    #[test]
    fn lows_may_be_taken_in_pieces_of_any_length() {
        for bits in [79, 91] {
            let sorted = Sorted::of(blocks(9000, 3), bits).unwrap();
            let row = sorted.split().row();
            let all = lows(&sorted, 0, usize::MAX);
            for (start, count) in [(0, 0), (0, 1), (1, 1), (1, 2), (2, 3), (1023, 5000), (8999, 1)]
            {
                let piece = &all[start * row..(start + count) * row];
                assert!(lows(&sorted, start, count) == piece, "{start}, {count}");
            }
            assert_eq!(lows(&sorted, 8999, 100).len(), row);
            assert!(lows(&sorted, 9000, 1).is_empty() && lows(&sorted, usize::MAX, 1).is_empty());
            for (start, length) in [(0, row - 1), (0, row + 1), (8999, 2 * row), (9000, row)] {
                assert!(sorted.lows(start, &mut vec![0; length]).is_err(), "{start}, {length}");
            }
        }
    }

    #[test]
    fn a_join_is_the_intersection_of_sets() {
        for receivers in [0, 1, 1000, 9000] {
            for senders in SIZES {
                let theirs = blocks(senders, 4);
                let least = receivers.min(senders);
                for common in BTreeSet::from([0, least / 2, least]) {
                    let (own, index) = own(receivers, &theirs, common, 5);
                    let bits = Split::of(receivers, senders).unwrap().bits();
                    let found = join(&own, &index, &theirs, bits, 1 << 17);
                    // Sets of different outputs share tags with probability below 2^-40.
                    let expected: Vec<u32> = (0..common as u32).collect();
                    assert!(
                        found == expected,
                        "seeds 4, 5: {receivers} x {senders}, {common} common"
                    );
                }
            }
        }
    }

    #[test]
    fn short_and_long_tags_join_as_well() {
        // Tags of 8 and 20 bits collide: within each side, and between outputs that differ.
        for bits in [8, 20, 40, 64, 72, 88, 96, 113, 120, 127, 128] {
            for senders in [1, 50, 200, 17_000] {
                let theirs = blocks(senders, 6);
                let (own, index) = own(4000, &theirs, senders.min(1500), 7);
                let found = join(&own, &index, &theirs, bits, 999);
                let expected = meet(&own, &index, &theirs, bits);
                assert!(found == expected, "seeds 6, 7: {senders} tags of {bits} bits");
            }
        }
    }

    #[test]
    fn equal_tags_on_either_side_count_each_own_row_once() {
        for bits in [75, 91] {
            let mut theirs = blocks(5000, 8);
            // The peer has one tag twice and one 1000 times; both are ours, and two outputs have the
            // second: the last bit of an output is none of its tag.
            theirs[1] = theirs[0];
            let many = theirs[2000];
            theirs[2000..3000].fill(many);
            let (mut own, mut index) = own(3000, &theirs, 1, 9);
            own.extend([many, many ^ 1, theirs[2], !theirs[2]]);
            index.extend([7000, 8000, 9000, 9001]);
            let found = join(&own, &index, &theirs, bits, 100);
            assert_eq!(found, [0, 7000, 8000, 9000], "seeds 8, 9, {bits} bits");
        }
    }

    #[test]
    fn tags_that_differ_in_one_bit_are_told_apart() {
        // As many in one cell as fit it, and more; half of them are the peer's.
        for bits in [43, 64, 75, 83, 91, 107, 128] {
            for senders in [1, 2000, 20_000] {
                let mut theirs = blocks(senders, 10);
                let near: Vec<Block> = (128 - bits..128).map(|bit| theirs[0] ^ 1 << bit).collect();
                theirs.extend(near.iter().step_by(2));
                let index: Vec<u32> = (0..bits as u32).collect();
                let found = join(&near, &index, &theirs, bits, usize::MAX);
                let expected: Vec<u32> = index.iter().copied().step_by(2).collect();
                assert_eq!(found, expected, "seed 10: {senders} tags of {bits} bits");
            }
        }
    }

    #[test]
    fn pieces_of_every_length_give_the_same_result() {
        for (senders, bits) in [(300, 61), (70_000, 79), (5000, 91)] {
            let theirs = blocks(senders, 11);
            let (own, index) = own(1000, &theirs, 200, 12);
            let expected: Vec<u32> = (0..200).collect();
            for piece in [1, 2, 3, 64, 100, 2047, 2048, 2049, 4096, 69_999, 70_000, usize::MAX] {
                let found = join(&own, &index, &theirs, bits, piece);
                assert!(found == expected, "seeds 11, 12: {senders} tags in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_vector_is_worked_on_like_a_slice() {
        let theirs = blocks(3000, 13);
        let (own, index) = own(2000, &theirs, 77, 14);
        let sorted = Sorted::of(theirs, 80).unwrap();
        let mut join = Join::of(own, index, 80, 3000, &sorted.unary()).unwrap();
        join.probe(&[]).unwrap();
        join.probe(&lows(&sorted, 0, 3000)).unwrap();
        join.probe(&[]).unwrap();
        assert_eq!(join.matched().unwrap(), (0..77).collect::<Vec<_>>(), "seeds 13, 14");
    }

    #[test]
    fn a_unary_vector_that_does_not_count_the_tags_is_refused() {
        for count in [1, 7, 300, 5000, 66_000] {
            let bits = Split::of(100, count).unwrap().bits();
            let sorted = Sorted::of(blocks(count, 15), bits).unwrap();
            let (split, unary) = (sorted.split(), sorted.unary());
            let end = count + split.buckets();
            let refused = |unary: &[u8]| Join::of([5; 9], [1; 9], bits, count, unary).err();
            assert_eq!(refused(&unary), None);
            let flipped = |positions: &[usize]| {
                let mut unary = unary.clone();
                positions.iter().for_each(|p| unary[p / 8] ^= 1 << (p % 8));
                refused(&unary)
            };
            let find = |wanted| (0..end).find(|p| unary[p / 8] >> (p % 8) & 1 == wanted).unwrap();
            let (one, zero) = (find(1), find(0));
            let wrong = Some(Error::Unary { argument: "unary" });
            assert_eq!(flipped(&[one]), wrong, "too few ones");
            assert_eq!(flipped(&[zero]), wrong, "too many ones");
            assert_eq!(flipped(&[one, end - 1]), wrong, "tags behind the last bucket");
            if end % 8 > 0 {
                assert_eq!(flipped(&[end]), wrong, "filled up with a one");
                assert_eq!(flipped(&[one, end]), wrong, "a tag in the padding");
            }
            for length in [0, unary.len() - 1, unary.len() + 1] {
                let mut other = unary.clone();
                other.resize(length, 0);
                let expected = split.unary();
                let wrong = Error::Length { argument: "unary", expected, actual: length };
                assert_eq!(refused(&other), Some(wrong));
            }
        }
        let index = Join::of([5; 9], [1; 8], 43, 1, &[1]).err();
        assert_eq!(index, Some(Error::Length { argument: "index", expected: 9, actual: 8 }));
    }

    #[test]
    fn any_unary_vector_of_the_right_counts_is_taken_without_a_panic() {
        // Shuffled bits are buckets of any sizes; the lows do not fit them, which must be said or searched.
        let mut entropy = Entropy::from_seed_for_tests([16; 32]);
        for bits in [43, 83, 91] {
            for count in [2, 300, 20_000] {
                let sorted = Sorted::of(blocks(count, 16), bits).unwrap();
                let (mut unary, end) = (sorted.unary(), count + sorted.split().buckets() - 1);
                let bit = |unary: &[u8], p: usize| unary[p / 8] >> (p % 8) & 1;
                for p in (1..end).rev() {
                    let other = entropy.below(p as u32 + 1) as usize;
                    if bit(&unary, p) != bit(&unary, other) {
                        unary[p / 8] ^= 1 << (p % 8);
                        unary[other / 8] ^= 1 << (other % 8);
                    }
                }
                let mut join = Join::of(blocks(500, 17), [3; 500], bits, count, &unary).unwrap();
                match join.probe(&lows(&sorted, 0, count)) {
                    Ok(()) => assert_eq!(join.matched(), Ok(vec![]), "seeds 16, 17"),
                    Err(error) => assert!(matches!(error, Error::Order { argument: "lows", .. })),
                }
            }
        }
    }

    #[test]
    fn lows_that_are_not_the_announced_ones_are_refused() {
        let sorted = Sorted::of(blocks(3000, 18), 80).unwrap();
        let row = sorted.split().row();
        let start = || Join::of([1; 5], [0; 5], 80, 3000, &sorted.unary()).unwrap();
        let lows = lows(&sorted, 0, 3000);
        let wrong = |expected, actual| Err(Error::Length { argument: "lows", expected, actual });
        assert_eq!(start().probe(&lows[1..]), wrong(row, 3000 * row - 1));
        assert_eq!(
            start().probe(&[lows.clone(), vec![0; row]].concat()),
            wrong(3000 * row, 3001 * row)
        );
        let mut late = start();
        late.probe(&lows[..2999 * row]).unwrap();
        assert_eq!(late.probe(&lows[..2 * row]), wrong(row, 2 * row));
        assert_eq!(late.matched().map(|_| ()), wrong(3000 * row, 2999 * row));
        assert!(start().matched().is_err());
        // One tag of 43 bits in 48: the bits above are none of a tag.
        for (high, expected) in [(0x07, Ok(())), (0x08, wrong(43, 44))] {
            let mut join = Join::of([1; 5], [0; 5], 43, 1, &[1]).unwrap();
            assert_eq!(join.probe(&[1, 2, 3, 4, 5, high]), expected);
        }
    }

    #[test]
    fn a_tag_below_the_one_before_it_is_refused_and_named() {
        for (bits, count) in [(43, 2), (80, 3000), (91, 3000), (79, 70_000)] {
            let sorted = Sorted::of(blocks(count, 19), bits).unwrap();
            let (row, unary, lows) =
                (sorted.split().row(), sorted.unary(), lows(&sorted, 0, count));
            let tags = decode(sorted.split(), &unary, &lows);
            // The last two tags of one bucket that are not the last two of all.
            let low = 8 * row.min(15) as u32;
            let at = (1..count).rev().find(|i| tags[*i] >> low == tags[i - 1] >> low).unwrap();
            let mut swapped = lows.clone();
            let (left, right) = swapped.split_at_mut(at * row);
            left[(at - 1) * row..].swap_with_slice(&mut right[..row]);
            for piece in [1, 100, count] {
                let mut join = Join::of([1; 5], [0; 5], bits, count, &unary).unwrap();
                let result = swapped.chunks(piece * row).try_for_each(|piece| join.probe(piece));
                assert_eq!(result, Err(Error::Order { argument: "lows", index: at }), "seed 19");
            }
        }
    }

    #[test]
    fn a_part_of_far_too_many_tags_comes_in_runs() {
        // All tags in one cell of 2^16: several runs of one part, whatever the pieces.
        for bits in [75, 91] {
            let theirs: Vec<Block> =
                blocks(66_000, 20).iter().map(|block| block >> 40 | 5 << 120).collect();
            let (own, index) = own(3000, &theirs, 1000, 21);
            let expected = meet(&own, &index, &theirs, bits);
            assert!(expected.len() >= 1000);
            for piece in [777, 16_384, 66_000] {
                let found = join(&own, &index, &theirs, bits, piece);
                assert!(found == expected, "seeds 20, 21, {bits} bits in pieces of {piece}");
            }
            // Across the end of a run the order is watched too.
            let sorted = Sorted::of(theirs, bits).unwrap();
            let row = sorted.split().row();
            let mut lows = lows(&sorted, 0, 66_000);
            let mut rows: Vec<Vec<u8>> = lows.chunks(row).map(<[u8]>::to_vec).collect();
            rows.rotate_left(66_000 - 3 * 16_384);
            lows = rows.concat();
            let mut join = Join::of(own, index, bits, 66_000, &sorted.unary()).unwrap();
            let index = 3 * 16_384;
            assert_eq!(join.probe(&lows), Err(Error::Order { argument: "lows", index }));
        }
    }

    #[test]
    fn equal_tags_take_no_longer_than_others() {
        // Comparing each with each would be 10^8 steps here and 10^11 there.
        for count in [10_000, 300_000] {
            let began = Instant::now();
            let index: Vec<u32> = (0..count as u32).collect();
            for bits in [83, 91] {
                for output in [0, 1 << 127 | 12_345 << 60, Block::MAX] {
                    let found =
                        join(&vec![output; count], &index, &vec![output; count], bits, 1 << 17);
                    assert!(found == index);
                    let none =
                        join(&vec![!output; count], &index, &vec![output; count], bits, 1000);
                    assert!(none.is_empty());
                }
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{count}: {:?}", began.elapsed());
        }
    }
}
