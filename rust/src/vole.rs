//! Vector oblivious linear evaluation: pairs (a, c) at the receiver and b at the sender, as many as
//! are asked for, with `c = b ^ a * Delta` in GF(2^128).
//!
//! A silent generator from a dual form of learning parity with noise (Boyle, Couteau, Gilboa,
//! Ishai, Kohl, Rindal, Scholl, CCS 2019), in chunks. The receiver draws noise: 816 values v, each
//! at a place of its own in a tree of 128 leaves ([`crate::trees`]). Both sides expand the trees to
//! vectors W with `W_R = W_S ^ e * Delta`, e being the noise, and compress all three by a public
//! code ([`crate::code`]) to c, b and a. Places and trees are new in each chunk. That
//! `c = b ^ v * Delta` holds for the values v of a chunk comes out of the chunk before, whose first
//! 816 outputs are kept for it; for the first chunk it is made of correlated transfers, one a bit
//! of v (Gilboa, CRYPTO 1999).
//!
//! Messages: the receiver asks for chunks with [`Receiver::request`], for several at once if it
//! likes; the sender answers each, in order, with [`Sender::answer`], and answers go to
//! [`Receiver::absorb`].
//!
//! What a dishonest party can do here. A sender can send a correction that spoils leaves for some
//! places of the noise only, and learn from whether the match fails whether it has guessed one: no check
//! is made of trees. A receiver's choices are checked (see [`crate::cot`]).

mod pool;

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::aes::Block;
use crate::code::{Code, Encoder, Noise, OUTPUTS, Pair};
use crate::cot;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::gf128;
use crate::trees::{CORRECTION, DEPTH, GROUPS, LANES, LEAVES, Nursery, Row, TREES};

use pool::Pool;

const BYTES: usize = size_of::<Block>();
const BITS: usize = 8 * BYTES;
/// Transfers of a chunk: one a tree and level, and 48 more, as they come in multiples of 128.
const TRANSFERS: usize = (TREES * DEPTH).next_multiple_of(BITS);
/// What a chunk gives to take; the rest of its outputs goes into the next one.
pub const TAKEN: usize = OUTPUTS - TREES;

/// Bytes of an answer.
pub const ANSWER: usize = GROUPS * CORRECTION;

/// One Block a tree, group after group.
type OfTrees = Zeroizing<Vec<Row>>;

/// Values a.
///
/// Secret: all of it.
pub enum Values<'a> {
    /// Of 64 bits.
    Short(&'a [u64]),
    /// Of more bits; those above the width are 0.
    Wide(&'a [Block]),
}

/// The receiver's half. Wiped on drop.
pub struct Receiver {
    sid: [u8; 32],
    width: usize,
    cot: cot::Receiver,
    code: Code,
    nursery: Nursery,
    noise: Noise,
    encoder: Encoder<Pair>,
    /// d of the base values, until the first request takes it along.
    base: Vec<u8>,
    /// How many chunks were asked for, and those of them that are still to come.
    requests: u32,
    pending: VecDeque<Pending>,
    absorbed: usize,
    /// v and c of the trees of the next chunk.
    values: OfTrees,
    sums: OfTrees,
    pool: Pool<Block>,
    pool_of_values: PoolOfValues,
}

/// A chunk that was asked for: the places of its noise, and its transfers.
struct Pending {
    places: Zeroizing<[[u8; LANES]; GROUPS]>,
    keys: Zeroizing<Vec<Block>>,
}

enum PoolOfValues {
    Short(Pool<u64>),
    Wide(Pool<Block>),
}

impl Receiver {
    /// Begins a session and draws the values of its first chunk.
    ///
    /// `width` is the bits of an a. Both parties give the same `sid` and `width`. Of `entropy` it
    /// takes `102 * width` bytes, the values of the trees one after the other.
    ///
    /// # Errors
    /// [`Error::Length`] if `width` is no multiple of 8 from 64 to 128.
    pub fn new(
        sid: &[u8; 32],
        width: usize,
        code: Code,
        cot: cot::Receiver,
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        let mut bits = Zeroizing::new(vec![0; base_transfers(width)? / 8]);
        entropy.fill(&mut bits);
        let (base, keys) = cot.extend_checked(0, &blocks(&bits), entropy);
        let mut values = OfTrees::new(vec![[0; LANES]; GROUPS]);
        for (value, bits) in values.as_flattened_mut().iter_mut().zip(bits.chunks_exact(width / 8))
        {
            *value = bits.iter().rev().fold(0, |value, byte| value << 8 | Block::from(*byte));
        }
        Ok(Self {
            width,
            cot,
            code,
            sid: *sid,
            nursery: Nursery::new(sid),
            noise: Noise::new(),
            encoder: Encoder::new(),
            base,
            requests: 0,
            pending: VecDeque::new(),
            absorbed: 0,
            values,
            sums: products(&keys, width),
            pool: Pool::new(),
            pool_of_values: match width {
                64 => PoolOfValues::Short(Pool::new()),
                _ => PoolOfValues::Wide(Pool::new()),
            },
        })
    }

    /// Draws the places of one more chunk's noise and asks the sender for the chunk; the answer
    /// goes to [`Receiver::absorb`]. Requests may run ahead of answers.
    ///
    /// Shapes: d of 5760 transfers and its check, 24096 bytes; in front of the first one also d of the base values,
    /// `816 * width` transfers. Of `entropy` it takes 720 bytes, all choices.
    pub fn request(&mut self, entropy: &mut Entropy) -> Vec<u8> {
        // The choices of a tree are the place of its noise: uniform, as they must be.
        let mut bits = Zeroizing::new([0; TRANSFERS / 8]);
        entropy.fill(&mut *bits);
        let mut places = Zeroizing::new([[0; LANES]; GROUPS]);
        for (i, place) in places.as_flattened_mut().iter_mut().enumerate() {
            let at = i * DEPTH;
            let pair = u16::from_le_bytes([bits[at / 8], bits[at / 8 + 1]]);
            *place = (pair >> (at % 8)) as u8 % LEAVES as u8;
        }
        self.requests += 1;
        let (d, keys) = self.cot.extend_checked(self.requests, &blocks(&*bits), entropy);
        self.pending.push_back(Pending { places, keys });
        let mut request = std::mem::take(&mut self.base);
        request.extend(d);
        request
    }

    /// Takes the answer to the oldest request that has none, which makes [`TAKEN`] more (a, c) to
    /// take.
    ///
    /// # Errors
    /// [`Error::Length`] if there is no such request or the answer has another length than [`ANSWER`].
    /// Any other bytes make pairs; if they are not the sender's, the law does not hold.
    pub fn absorb(&mut self, correction: &[u8]) -> Result<(), Error> {
        let expected = if self.pending.is_empty() { 0 } else { ANSWER };
        check("correction", correction, expected)?;
        let Some(chunk) = self.pending.pop_front() else { return Ok(()) };
        self.nursery.turn_to(&self.sid, self.absorbed);
        self.absorbed += 1;
        let (corrections, _) = correction.as_chunks();
        let (keys, _) = chunk.keys.as_chunks();
        for (g, (correction, keys)) in corrections.iter().zip(keys).enumerate() {
            let places = &chunk.places[g];
            self.noise.set(places, &self.values[g]);
            let leaves = self.nursery.regrow(places, keys, &self.sums[g], correction);
            self.encoder.push(&self.code, leaves, &self.noise);
        }
        let sums = self.pool.next();
        match &mut self.pool_of_values {
            PoolOfValues::Short(pool) => {
                self.encoder.finish(&self.code, sums, pool.next());
                pool.put(&mut self.values);
            }
            PoolOfValues::Wide(pool) => {
                self.encoder.finish(&self.code, sums, pool.next());
                pool.put(&mut self.values);
            }
        }
        self.pool.put(&mut self.sums);
        Ok(())
    }

    /// The bits of an a.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many (a, c) there are to take.
    pub fn available(&self) -> usize {
        self.pool.available()
    }

    /// Takes the next m (a, c), which no one gets again.
    ///
    /// Secret: all of them.
    ///
    /// # Errors
    /// [`Error::Spent`] if there are less.
    pub fn take(&mut self, m: usize) -> Result<(Values<'_>, &[Block]), Error> {
        let sums = self.pool.take(m)?;
        let values = match &mut self.pool_of_values {
            PoolOfValues::Short(pool) => Values::Short(pool.take(m)?),
            PoolOfValues::Wide(pool) => Values::Wide(pool.take(m)?),
        };
        Ok((values, sums))
    }
}

/// The sender's half. Wiped on drop.
pub struct Sender {
    sid: [u8; 32],
    width: usize,
    delta: Zeroizing<Block>,
    cot: cot::Sender,
    code: Code,
    nursery: Nursery,
    encoder: Encoder<Block>,
    /// How many requests were answered.
    answers: u32,
    /// b of the trees of the next chunk.
    sums: OfTrees,
    pool: Pool<Block>,
}

impl Sender {
    /// Begins a session.
    ///
    /// `delta` is that of `cot`. Both parties give the same `sid` and `width`.
    ///
    /// # Errors
    /// [`Error::Length`] if `width` is no multiple of 8 from 64 to 128.
    pub fn new(
        sid: &[u8; 32],
        width: usize,
        code: Code,
        delta: Block,
        cot: cot::Sender,
    ) -> Result<Self, Error> {
        base_transfers(width)?;
        Ok(Self {
            width,
            delta: delta.into(),
            cot,
            code,
            sid: *sid,
            nursery: Nursery::new(sid),
            encoder: Encoder::new(),
            answers: 0,
            sums: vec![[0; LANES]; GROUPS].into(),
            pool: Pool::new(),
        })
    }

    /// Answers a request, which makes [`TAKEN`] more b to take.
    ///
    /// Shapes: `request` as [`Receiver::request`] returns them, in the same order; the answer
    /// [`ANSWER`] bytes. Of `entropy` it takes 13056 bytes, the roots of the trees.
    ///
    /// # Errors
    /// [`Error::Length`] if `request` has another length than this one must have. Any other bytes
    /// make an answer; if they are not the receiver's, the law does not hold.
    pub fn answer(&mut self, request: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, Error> {
        let transfers = if self.answers == 0 { base_transfers(self.width)? } else { 0 };
        let base = if transfers > 0 { cot::checked_length(transfers) } else { 0 };
        check("request", request, base + cot::checked_length(TRANSFERS))?;
        let (base, d) = request.split_at(base);
        if transfers > 0 {
            self.sums = products(&self.cot.extend_checked(0, base, transfers)?, self.width);
        }
        let keys = self.cot.extend_checked(self.answers + 1, d, TRANSFERS)?;
        self.nursery.turn_to(&self.sid, self.answers as usize);
        self.answers += 1;
        let mut bytes = Zeroizing::new([0; TREES * BYTES]);
        entropy.fill(&mut *bytes);
        let roots = blocks(&*bytes);
        let mut answer = vec![0; ANSWER];
        let (corrections, _) = answer.as_chunks_mut();
        let groups = roots.as_chunks().0.iter().zip(keys.as_chunks().0).zip(self.sums.iter());
        for (((roots, keys), base), correction) in groups.zip(corrections) {
            let leaves = self.nursery.grow(*self.delta, roots, keys, base, correction);
            self.encoder.push(&self.code, leaves);
        }
        self.encoder.finish(&self.code, self.pool.next());
        self.pool.put(&mut self.sums);
        Ok(answer)
    }

    /// The bits of an a.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many b there are to take.
    pub fn available(&self) -> usize {
        self.pool.available()
    }

    /// Takes the next m b, which no one gets again; the caller may write over them.
    ///
    /// Secret: all of them.
    ///
    /// # Errors
    /// [`Error::Spent`] if there are less.
    pub fn take(&mut self, m: usize) -> Result<&mut [Block], Error> {
        self.pool.take(m)
    }

    /// Delta.
    pub fn delta(&self) -> Block {
        *self.delta
    }
}

/// How many transfers make the base values of this many bits each.
///
/// # Errors
/// [`Error::Length`] if `width` is no multiple of 8 from 64 to 128.
fn base_transfers(width: usize) -> Result<usize, Error> {
    if width.is_multiple_of(8) && (64..=BITS).contains(&width) {
        return Ok(TREES * width);
    }
    Err(Error::Length { argument: "width", expected: 64, actual: width })
}

/// For each value the sum over its bits k of row k times x^k.
fn products(rows: &[Block], width: usize) -> OfTrees {
    let mut products = OfTrees::new(vec![[0; LANES]; GROUPS]);
    for (product, rows) in products.as_flattened_mut().iter_mut().zip(rows.chunks_exact(width)) {
        *product = rows.iter().rev().fold(0, |sum, row| gf128::double(sum) ^ row);
    }
    products
}

/// Bytes as Blocks.
fn blocks(bytes: &[u8]) -> Zeroizing<Vec<Block>> {
    let (blocks, _) = bytes.as_chunks();
    Zeroizing::new(blocks.iter().map(|block| Block::from_le_bytes(*block)).collect())
}

fn check(argument: &'static str, bytes: &[u8], expected: usize) -> Result<(), Error> {
    match bytes.len() {
        actual if actual == expected => Ok(()),
        actual => Err(Error::Length { argument, expected, actual }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: Block = 0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f1;

    /// Both halves of a session.
    fn session(width: usize, entropy: &mut Entropy) -> (Receiver, Sender) {
        let sid = [width as u8; 32];
        let mut bytes = [0; 2 * BITS * BYTES];
        entropy.fill(&mut bytes);
        let pairs: [[Block; 2]; BITS] = *blocks(&bytes).as_chunks().0.first_chunk().unwrap();
        let keys = std::array::from_fn(|i| pairs[i][(DELTA >> i & 1) as usize]);
        let (receiver, trees) = cot::Receiver::plant(&sid, &pairs, entropy);
        let sender = cot::Sender::grow(&sid, DELTA, &keys, &trees).unwrap();
        {
            let code = || Code::draw(&sid);
            (
                Receiver::new(&sid, width, code(), receiver, entropy).unwrap(),
                Sender::new(&sid, width, code(), DELTA, sender).unwrap(),
            )
        }
    }

    /// Takes m from both, and returns the values and how many of them break the law.
    fn take(receiver: &mut Receiver, sender: &mut Sender, m: usize) -> (Vec<Block>, usize) {
        let ((values, c), b) = (receiver.take(m).unwrap(), sender.take(m).unwrap());
        let copy: Vec<Block> = match values {
            Values::Short(values) => values.iter().map(|value| Block::from(*value)).collect(),
            Values::Wide(values) => values.to_vec(),
        };
        assert_eq!((copy.len(), c.len(), b.len()), (m, m, m));
        gf128::accumulate(b, &copy, DELTA);
        let wrong = b.iter().zip(c).filter(|(sum, c)| sum != c).count();
        (copy, wrong)
    }

    #[test]
    fn the_law_holds_over_chunks_for_every_width() {
        for width in [64, 72, 128] {
            let mut entropy = Entropy::from_seed_for_tests([41; 32]);
            let (mut receiver, mut sender) = session(width, &mut entropy);
            // Two requests run ahead.
            let mut requests: VecDeque<_> =
                (0..3).map(|_| receiver.request(&mut entropy)).collect();
            let (mut seen, mut left) = (Vec::new(), 0);
            for chunk in 0..4 {
                let request = requests.pop_front().unwrap();
                let answer = sender.answer(&request, &mut entropy).unwrap();
                receiver.absorb(&answer).unwrap();
                if chunk == 0 {
                    requests.push_back(receiver.request(&mut entropy));
                }
                left += TAKEN;
                assert_eq!((receiver.available(), sender.available()), (left, left));
                // Pieces end before, on and behind the end of a chunk.
                for m in [[0, TAKEN], [TAKEN - 1, 0], [2, 7], [TAKEN - 8, TAKEN]][chunk] {
                    let (values, wrong) = take(&mut receiver, &mut sender, m);
                    assert_eq!(wrong, 0, "seed 41, width {width}, chunk {chunk}, {m} pairs");
                    seen.extend(values);
                    left -= m;
                }
            }
            assert_eq!(left, 0);
            let used = seen.iter().fold(0, |used, value| used | value);
            assert_eq!(
                used,
                Block::MAX >> (BITS - width),
                "seed 41, all bits of the width and no more"
            );
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 4 * TAKEN, "seed 41: no value comes twice");
        }
    }

    #[test]
    fn one_changed_bit_of_an_answer_breaks_the_law() {
        let mut entropy = Entropy::from_seed_for_tests([42; 32]);
        let (mut receiver, mut sender) = session(64, &mut entropy);
        let request = receiver.request(&mut entropy);
        let mut answer = sender.answer(&request, &mut entropy).unwrap();
        answer[CORRECTION - 1] ^= 0x80; // of the sum of all leaves of a tree: one leaf gets it
        receiver.absorb(&answer).unwrap();
        let (_, wrong) = take(&mut receiver, &mut sender, TAKEN);
        // A leaf is in about half of the sums; of 51408 that is 25704 with a deviation of 113.
        assert!((25_000..26_400).contains(&wrong), "seed 42: {wrong}");
    }

    #[test]
    fn one_changed_bit_of_a_request_is_found_out() {
        for at in [0, cot::checked_length(TREES * 64)] {
            let mut entropy = Entropy::from_seed_for_tests([43; 32]);
            let (mut receiver, mut sender) = session(64, &mut entropy);
            let mut request = receiver.request(&mut entropy);
            request[at] ^= 1; // the first group, whose bits of Delta are not all zero
            let refused = sender.answer(&request, &mut entropy).err();
            assert_eq!(refused, Some(Error::Check { argument: "d" }), "seed 43, byte {at}");
        }
    }

    #[test]
    fn wrong_lengths_are_refused_and_change_nothing() {
        let mut entropy = Entropy::from_seed_for_tests([44; 32]);
        let (mut receiver, mut sender) = session(72, &mut entropy);
        let unasked = receiver.absorb(&[0; ANSWER]);
        assert_eq!(
            unasked,
            Err(Error::Length { argument: "correction", expected: 0, actual: ANSWER })
        );
        let first = receiver.request(&mut entropy);
        let second = receiver.request(&mut entropy);
        assert_eq!((first.len(), second.len()), (4 * (816 * 72 + 5760) + 2112, 4 * 5760 + 1056));
        for wrong in [&[][..], &second, &first[1..], &[&first[..], &[0]].concat()] {
            assert!(matches!(
                sender.answer(wrong, &mut entropy),
                Err(Error::Length { argument: "request", .. })
            ));
        }
        let answer = sender.answer(&first, &mut entropy).unwrap();
        assert!(sender.answer(&first, &mut entropy).is_err());
        for wrong in [&[][..], &answer[1..], &[&answer[..], &[0]].concat()] {
            assert!(receiver.absorb(wrong).is_err());
        }
        receiver.absorb(&answer).unwrap();
        let spent = Error::Spent { available: TAKEN, wanted: TAKEN + 1 };
        assert_eq!(receiver.take(TAKEN + 1).err(), Some(spent.clone()));
        assert_eq!(sender.take(TAKEN + 1).err(), Some(spent));
        assert_eq!(take(&mut receiver, &mut sender, TAKEN).1, 0);
        assert!(receiver.take(1).is_err() && sender.take(1).is_err());
    }

    #[test]
    fn a_width_out_of_range_is_refused() {
        for width in [0, 56, 65, 136] {
            let actual = width;
            let due = Err(Error::Length { argument: "width", expected: 64, actual });
            assert_eq!(base_transfers(width), due);
        }
    }
}
