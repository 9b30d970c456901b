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
//! What a dishonest party can do here. A receiver's choices are checked (see [`crate::cot`]). A sender
//! can send a correction that spoils leaves for some places of the noise only, and learn from whether
//! the match fails whether it has guessed one, unless both sides are checked ones
//! ([`Receiver::new_checked`], [`Sender::new_checked`]): then the receiver says [`Receiver::mask`] after
//! the last chunk, which the sender answers with [`Sender::prove`], and a sender that has guessed wrong
//! once fails [`Receiver::verify`].

mod consistency;

use std::collections::VecDeque;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::aes::Block;
use crate::code::{Code, Encoder, Noise, OUTPUTS, Pair, Value};
use crate::cot;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::gf128;
use crate::trees::{CORRECTION, DEPTH, GROUPS, LANES, LEAVES, Nursery, Row, TREES};

use consistency::Tally;

const BYTES: usize = size_of::<Block>();
const BITS: usize = 8 * BYTES;
/// Transfers of a chunk: one a tree and level, and 48 more, as they come in multiples of 128.
const TRANSFERS: usize = (TREES * DEPTH).next_multiple_of(BITS);
/// What a chunk gives to take; the rest of its outputs goes into the next one.
pub const TAKEN: usize = OUTPUTS - TREES;

/// Bytes of an answer.
pub const ANSWER: usize = GROUPS * CORRECTION;

/// Bytes of a masked sum of noise.
pub const MASKED: usize = BYTES;
/// Bytes of a proof.
pub const PROOF: usize = consistency::PROOF_BYTES;

/// One Block a tree, group after group.
type OfTrees = Zeroizing<Vec<Row>>;

/// Values a. Wiped on drop.
///
/// Secret: all of it.
pub enum Values {
    /// Of 64 bits.
    Short(Vec<u64>),
    /// Of more bits; those above the width are 0.
    Wide(Vec<Block>),
}

impl Drop for Values {
    fn drop(&mut self) {
        match self {
            Self::Short(values) => values.zeroize(),
            Self::Wide(values) => values.zeroize(),
        }
    }
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
    verifying: Verifying,
}

/// How far the receiver is with the check of the sender's trees.
enum Verifying {
    /// There is none.
    No,
    /// Chunks are still to come; a and c hide the sum of the noise.
    Open { tally: Box<Tally>, mask: Zeroizing<[Block; 2]> },
    /// The sum was said, and this is what the sender has to prove.
    Masked { due: [u8; PROOF] },
    /// The proof was seen.
    Over,
}

/// How far the sender is with its part of the check.
enum Proving {
    /// There is none.
    No,
    /// Chunks are still to come; b goes with the mask.
    Open { tally: Box<Tally>, mask: Zeroizing<Block> },
    /// The proof was made.
    Over,
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
        Self::begin(sid, width, code, cot, false, entropy)
    }

    /// As [`Receiver::new`], for a session in which the sender's trees are checked.
    ///
    /// It draws one more value of 128 bits, which hides the sum of the noise: 16 more bytes of
    /// `entropy`, and 128 more transfers in front of the first request.
    ///
    /// # Errors
    /// As [`Receiver::new`].
    pub fn new_checked(
        sid: &[u8; 32],
        width: usize,
        code: Code,
        cot: cot::Receiver,
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        Self::begin(sid, width, code, cot, true, entropy)
    }

    fn begin(
        sid: &[u8; 32],
        width: usize,
        code: Code,
        cot: cot::Receiver,
        checked: bool,
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        let transfers = base_transfers(width)?;
        let mut bits = Zeroizing::new(vec![0; (transfers + masking(checked)) / 8]);
        entropy.fill(&mut bits);
        let (base, keys) = cot.extend_checked(0, &blocks(&bits), entropy);
        let verifying = match checked {
            false => Verifying::No,
            true => Verifying::Open {
                tally: Box::new(Tally::new(sid)),
                mask: [blocks(&bits[transfers / 8..])[0], product(&keys[transfers..])].into(),
            },
        };
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
            verifying,
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
    /// [`Error::Length`] if there is no such request or the answer has another length than [`ANSWER`],
    /// [`Error::Used`] once the chunks are checked.
    /// Any other bytes make pairs; if they are not the sender's, the law does not hold.
    pub fn absorb(&mut self, correction: &[u8]) -> Result<(), Error> {
        let expected = if self.pending.is_empty() { 0 } else { ANSWER };
        check("correction", correction, expected)?;
        let mut tally = match &mut self.verifying {
            Verifying::No => None,
            Verifying::Open { tally, .. } => Some(tally),
            _ => return Err(Error::Used { argument: "check" }),
        };
        let Some(chunk) = self.pending.pop_front() else { return Ok(()) };
        self.nursery.turn_to(&self.sid, self.absorbed);
        self.absorbed += 1;
        let (corrections, _) = correction.as_chunks();
        let (keys, _) = chunk.keys.as_chunks();
        for (g, (correction, keys)) in corrections.iter().zip(keys).enumerate() {
            let places = &chunk.places[g];
            self.noise.set(places, &self.values[g]);
            let leaves = self.nursery.regrow(places, keys, &self.sums[g], correction);
            if let Some(tally) = &mut tally {
                tally.group(leaves, Some((places, &self.values[g])), correction);
            }
            self.encoder.push(&self.code, leaves, &self.noise);
        }
        if let Some(tally) = tally {
            tally.close();
        }
        let mut sums = self.pool.unused();
        match &mut self.pool_of_values {
            PoolOfValues::Short(pool) => {
                let mut values = pool.unused();
                self.encoder.finish(&self.code, &mut sums, &mut values);
                pool.put(values, &mut self.values);
            }
            PoolOfValues::Wide(pool) => {
                let mut values = pool.unused();
                self.encoder.finish(&self.code, &mut sums, &mut values);
                pool.put(values, &mut self.values);
            }
        }
        self.pool.put(sums, &mut self.sums);
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
    /// Secret: all of them; the caller wipes c, or gives both back with [`Receiver::give_back`].
    ///
    /// # Errors
    /// [`Error::Spent`] if there are less.
    pub fn take(&mut self, m: usize) -> Result<(Values, Vec<Block>), Error> {
        let sums = self.pool.take(m)?;
        let values = match &mut self.pool_of_values {
            PoolOfValues::Short(pool) => Values::Short(pool.take(m)?),
            PoolOfValues::Wide(pool) => Values::Wide(pool.take(m)?),
        };
        Ok((values, sums))
    }

    /// Gives back the memory of what was taken, for the next take; what stands in it is used up.
    ///
    /// To map fresh memory and wipe it in the end costs more than a nanosecond each (a, c).
    pub fn give_back(&mut self, mut values: Values, sums: Vec<Block>) {
        match (&mut self.pool_of_values, &mut values) {
            (PoolOfValues::Short(pool), Values::Short(values)) => {
                pool.give_back(std::mem::take(values))
            }
            (PoolOfValues::Wide(pool), Values::Wide(values)) => {
                pool.give_back(std::mem::take(values))
            }
            _ => {}
        }
        self.pool.give_back(sums);
    }
}

impl Receiver {
    /// Ends the chunks and says the weighed sum of all their noise, masked.
    ///
    /// # Errors
    /// [`Error::Used`] if it was said before, or if this is no checked session.
    pub fn mask(&mut self) -> Result<[u8; MASKED], Error> {
        let Verifying::Open { tally, mask } = &self.verifying else {
            return Err(Error::Used { argument: "check" });
        };
        let sums = tally.total();
        let [value, sum] = **mask;
        let masked = (sums.noise ^ value).to_le_bytes();
        // At the sender: its leaves, plus b, plus what is masked times Delta.
        let due = consistency::proof(&self.sid, sums.leaves ^ sum);
        self.verifying = Verifying::Masked { due };
        Ok(masked)
    }

    /// Looks whether all corrections were those of an honest sender.
    ///
    /// # Errors
    /// [`Error::Length`] if the proof is not [`PROOF`] bytes, [`Error::Check`] if it is not that of an
    /// honest sender, [`Error::Used`] without a sum that was said before, or the second time.
    pub fn verify(&mut self, proof: &[u8]) -> Result<(), Error> {
        check("proof", proof, PROOF)?;
        let Verifying::Masked { due } = &self.verifying else {
            return Err(Error::Used { argument: "check" });
        };
        let same = bool::from(due[..].ct_eq(proof));
        self.verifying = Verifying::Over;
        if same { Ok(()) } else { Err(Error::Check { argument: "proof" }) }
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
    proving: Proving,
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
        Self::begin(sid, width, code, delta, cot, Proving::No)
    }

    /// As [`Sender::new`], for a session in which its trees are checked.
    ///
    /// # Errors
    /// As [`Sender::new`].
    pub fn new_checked(
        sid: &[u8; 32],
        width: usize,
        code: Code,
        delta: Block,
        cot: cot::Sender,
    ) -> Result<Self, Error> {
        let tally = Box::new(Tally::new(sid));
        Self::begin(sid, width, code, delta, cot, Proving::Open { tally, mask: 0.into() })
    }

    fn begin(
        sid: &[u8; 32],
        width: usize,
        code: Code,
        delta: Block,
        cot: cot::Sender,
        proving: Proving,
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
            proving,
        })
    }

    /// Answers a request, which makes [`TAKEN`] more b to take.
    ///
    /// Shapes: `request` as [`Receiver::request`] returns them, in the same order; the answer
    /// [`ANSWER`] bytes. Of `entropy` it takes 13056 bytes, the roots of the trees.
    ///
    /// # Errors
    /// [`Error::Length`] if `request` has another length than this one must have, [`Error::Check`] if
    /// its choices differ between groups, [`Error::Used`] once the chunks are proven.
    pub fn answer(&mut self, request: &[u8], entropy: &mut Entropy) -> Result<Vec<u8>, Error> {
        let (mut tally, mask) = match &mut self.proving {
            Proving::No => (None, None),
            Proving::Open { tally, mask } => (Some(tally), Some(mask)),
            Proving::Over => return Err(Error::Used { argument: "check" }),
        };
        let values = base_transfers(self.width)?;
        let transfers = if self.answers == 0 { values + masking(mask.is_some()) } else { 0 };
        let base = if transfers > 0 { cot::checked_length(transfers) } else { 0 };
        check("request", request, base + cot::checked_length(TRANSFERS))?;
        let (base, d) = request.split_at(base);
        if transfers > 0 {
            let rows = self.cot.extend_checked(0, base, transfers)?;
            self.sums = products(&rows, self.width);
            if let Some(mask) = mask {
                **mask = product(&rows[values..]);
            }
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
            if let Some(tally) = &mut tally {
                tally.group(leaves, None, correction);
            }
            self.encoder.push(&self.code, leaves);
        }
        if let Some(tally) = tally {
            tally.close();
        }
        let mut sums = self.pool.unused();
        self.encoder.finish(&self.code, &mut sums);
        self.pool.put(sums, &mut self.sums);
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

    /// Takes the next m b, which no one gets again.
    ///
    /// Secret: all of them; the caller wipes them, or gives them back with [`Sender::give_back`].
    ///
    /// # Errors
    /// [`Error::Spent`] if there are less.
    pub fn take(&mut self, m: usize) -> Result<Vec<Block>, Error> {
        self.pool.take(m)
    }

    /// Gives back the memory of what was taken, as [`Receiver::give_back`] does.
    pub fn give_back(&mut self, sums: Vec<Block>) {
        self.pool.give_back(sums);
    }

    /// Delta.
    pub fn delta(&self) -> Block {
        *self.delta
    }

    /// Ends the chunks and proves that all corrections were made as they should, from what
    /// [`Receiver::mask`] says.
    ///
    /// # Errors
    /// [`Error::Length`] if `masked` is not [`MASKED`] bytes, [`Error::Used`] if it was proven before, or
    /// if this is no checked session. For other bytes the proof is that of another sum.
    pub fn prove(&mut self, masked: &[u8]) -> Result<[u8; PROOF], Error> {
        check("masked", masked, MASKED)?;
        let Proving::Open { tally, mask } = &self.proving else {
            return Err(Error::Used { argument: "check" });
        };
        let noise = gf128::multiply(blocks(masked)[0], *self.delta);
        let proof = consistency::proof(&self.sid, tally.total().leaves ^ **mask ^ noise);
        self.proving = Proving::Over;
        Ok(proof)
    }
}

/// Transfers of the value that masks the sum of the noise.
const fn masking(checked: bool) -> usize {
    if checked { BITS } else { 0 }
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
    for (each, rows) in products.as_flattened_mut().iter_mut().zip(rows.chunks_exact(width)) {
        *each = product(rows);
    }
    products
}

/// The sum of row k times x^k.
fn product(rows: &[Block]) -> Block {
    rows.iter().rev().fold(0, |sum, row| gf128::double(sum) ^ row)
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

/// Outputs of chunks, in order. Wiped on drop.
///
/// A chunk of which all was taken serves again: to map fresh memory would take longer than to fill it.
struct Pool<T: Value> {
    /// Chunks of `OUTPUTS`. Of each the first `TREES` are no one's.
    chunks: VecDeque<Vec<T>>,
    /// How many were taken of the first one.
    taken: usize,
    spare: Option<Vec<T>>,
    /// What was given back.
    returned: Vec<Vec<T>>,
}

impl<T: Value> Pool<T> {
    fn new() -> Self {
        Self { chunks: VecDeque::new(), taken: 0, spare: None, returned: Vec::new() }
    }

    /// A chunk to fill.
    fn unused(&mut self) -> Vec<T> {
        self.spare.take().unwrap_or_else(|| vec![T::default(); OUTPUTS])
    }

    /// Puts a chunk behind the others, but for what goes to the trees of the next one.
    fn put(&mut self, chunk: Vec<T>, next: &mut [Row]) {
        for (next, output) in next.as_flattened_mut().iter_mut().zip(&chunk) {
            *next = (*output).into();
        }
        self.chunks.push_back(chunk);
    }

    fn available(&self) -> usize {
        self.chunks.len() * TAKEN - self.taken
    }

    fn give_back(&mut self, taken: Vec<T>) {
        self.returned.push(taken);
    }

    fn take(&mut self, m: usize) -> Result<Vec<T>, Error> {
        if m > self.available() {
            return Err(Error::Spent { available: self.available(), wanted: m });
        }
        let mut taken = self.returned.pop().unwrap_or_default();
        taken.clear();
        if taken.capacity() < m {
            taken.zeroize();
            taken = Vec::with_capacity(m);
        }
        while let Some(chunk) = self.chunks.front() {
            let rest = &chunk[TREES + self.taken..];
            let part = &rest[..rest.len().min(m - taken.len())];
            taken.extend_from_slice(part);
            self.taken += part.len();
            if self.taken < TAKEN {
                break;
            }
            self.taken = 0;
            let spent = self.chunks.pop_front();
            if let Some(mut unused) = std::mem::replace(&mut self.spare, spent) {
                unused.zeroize();
            }
        }
        Ok(taken)
    }
}

impl<T: Value> Drop for Pool<T> {
    fn drop(&mut self) {
        self.chunks.iter_mut().chain(&mut self.spare).for_each(Zeroize::zeroize);
        self.returned.zeroize();
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
        let copy: Vec<Block> = match &values {
            Values::Short(values) => values.iter().map(|value| Block::from(*value)).collect(),
            Values::Wide(values) => values.clone(),
        };
        assert_eq!((copy.len(), c.len(), b.len()), (m, m, m));
        let mut sums = b.clone();
        gf128::accumulate(&mut sums, &copy, DELTA);
        let wrong = sums.iter().zip(&c).filter(|(sum, c)| sum != c).count();
        receiver.give_back(values, c);
        sender.give_back(b);
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

    /// Both halves of a checked session.
    fn checked(width: usize, delta: Block, entropy: &mut Entropy) -> (Receiver, Sender) {
        let sid = [width as u8; 32];
        let mut bytes = [0; 2 * BITS * BYTES];
        entropy.fill(&mut bytes);
        let pairs: [[Block; 2]; BITS] = *blocks(&bytes).as_chunks().0.first_chunk().unwrap();
        let keys = std::array::from_fn(|i| pairs[i][(delta >> i & 1) as usize]);
        let (receiver, trees) = cot::Receiver::plant_checked(&sid, &pairs, entropy);
        let sender = cot::Sender::grow_checked(&sid, delta, &keys, &trees).unwrap();
        let code = || Code::draw(&sid);
        (
            Receiver::new_checked(&sid, width, code(), receiver, entropy).unwrap(),
            Sender::new_checked(&sid, width, code(), delta, sender).unwrap(),
        )
    }

    /// Runs so many chunks, of which `tamper` changes corrections, and gives how the check ends.
    fn run(
        receiver: &mut Receiver,
        sender: &mut Sender,
        chunks: usize,
        entropy: &mut Entropy,
        mut tamper: impl FnMut(usize, &mut [u8]),
    ) -> Result<(), Error> {
        let requests: Vec<_> = (0..chunks).map(|_| receiver.request(entropy)).collect();
        for (chunk, request) in requests.iter().enumerate() {
            let mut answer = sender.answer(request, entropy)?;
            tamper(chunk, &mut answer);
            receiver.absorb(&answer)?;
        }
        let masked = receiver.mask()?;
        receiver.verify(&sender.prove(&masked)?)
    }

    #[test]
    fn a_checked_session_has_the_law_and_its_check_passes_once() {
        for (width, delta) in [(64, DELTA), (128, DELTA), (128, 0), (128, Block::MAX)] {
            let mut entropy = Entropy::from_seed_for_tests([45; 32]);
            let (mut receiver, mut sender) = checked(width, delta, &mut entropy);
            let first = receiver.request(&mut entropy);
            assert_eq!(first.len(), 4 * (816 * width + 128 + 5760) + 2112);
            receiver.absorb(&sender.answer(&first, &mut entropy).unwrap()).unwrap();
            run(&mut receiver, &mut sender, 2, &mut entropy, |_, _| ()).unwrap();
            let used = Error::Used { argument: "check" };
            assert_eq!(receiver.mask(), Err(used.clone()));
            assert_eq!(receiver.verify(&[0; PROOF]), Err(used.clone()));
            assert_eq!(sender.prove(&[0; MASKED]), Err(used.clone()));
            let request = receiver.request(&mut entropy);
            assert_eq!(sender.answer(&request, &mut entropy).err(), Some(used.clone()));
            assert_eq!(receiver.absorb(&[0; ANSWER]), Err(used));
            if delta == DELTA {
                assert_eq!(take(&mut receiver, &mut sender, 3 * TAKEN).1, 0, "seed 45");
            }
        }
    }

    #[test]
    fn any_changed_correction_fails_the_check_unless_no_leaf_depends_on_it() {
        let mut entropy = Entropy::from_seed_for_tests([46; 32]);
        let (mut receiver, mut sender) = checked(128, DELTA, &mut entropy);
        let failed = Err(Error::Check { argument: "proof" });
        for (chunk, at) in [(0, 0), (0, ANSWER - 1), (1, ANSWER / 2), (2, 16 * 8)] {
            let (mut receiver, mut sender) = checked(128, DELTA, &mut entropy);
            let ended = run(&mut receiver, &mut sender, 3, &mut entropy, |now, answer| {
                answer[at] ^= u8::from(now == chunk);
            });
            assert_eq!(ended, failed, "seed 46, byte {at} of chunk {chunk}");
        }
        // Two changed totals, each of a tree's missing leaf: they do not cancel.
        let ended = run(&mut receiver, &mut sender, 2, &mut entropy, |_, answer| {
            for tree in 0..2 {
                answer[(tree * (DEPTH + 2) + DEPTH + 1) * BYTES] ^= 1;
            }
        });
        assert_eq!(ended, failed, "seed 46");
    }

    /// Answers the first request as a dishonest sender, who changes corrections and hashes what it says.
    fn cheat(
        sender: &mut Sender,
        request: &[u8],
        entropy: &mut Entropy,
        mut change: impl FnMut(usize, &mut [u8; CORRECTION]),
    ) -> Vec<u8> {
        let Proving::Open { tally, mask } = &mut sender.proving else { panic!() };
        let values = base_transfers(sender.width).unwrap();
        let (base, d) = request.split_at(cot::checked_length(values + BITS));
        let rows = sender.cot.extend_checked(0, base, values + BITS).unwrap();
        let sums = products(&rows, sender.width);
        **mask = product(&rows[values..]);
        let keys = sender.cot.extend_checked(1, d, TRANSFERS).unwrap();
        let mut answer = vec![0; ANSWER];
        let groups = keys.as_chunks().0.iter().zip(sums.iter()).enumerate();
        for ((g, (keys, base)), correction) in groups.zip(answer.as_chunks_mut().0) {
            let mut roots = [[0; BYTES]; LANES];
            entropy.fill(roots.as_flattened_mut());
            let roots = roots.map(Block::from_le_bytes);
            let leaves = sender.nursery.grow(*sender.delta, &roots, keys, base, correction);
            change(g, correction);
            tally.group(leaves, None, correction);
        }
        tally.close();
        answer
    }

    #[test]
    fn a_sender_that_guesses_a_bit_of_a_place_passes_if_it_is_right() {
        let failed = Err(Error::Check { argument: "proof" });
        let mut passed = 0;
        for seed in 0..40 {
            let mut entropy = Entropy::from_seed_for_tests([seed; 32]);
            let (mut receiver, mut sender) = checked(128, DELTA, &mut entropy);
            let request = receiver.request(&mut entropy);
            // Of the last level each side has a sum of its own; that of the right one is used by who
            // lacks a left leaf. Tree 3 of group 5.
            let answer = cheat(&mut sender, &request, &mut entropy, |g, correction| {
                correction[(3 * (DEPTH + 2) + DEPTH) * BYTES] ^= u8::from(g == 5);
            });
            let lacks_left = receiver.pending[0].places[5][3] as usize >= LEAVES / 2;
            receiver.absorb(&answer).unwrap();
            let masked = receiver.mask().unwrap();
            let ended = receiver.verify(&sender.prove(&masked).unwrap());
            assert_eq!(ended, if lacks_left { failed.clone() } else { Ok(()) }, "seed {seed}");
            passed += u32::from(ended.is_ok());
        }
        assert!((8..=32).contains(&passed), "seeds 0 to 39: {passed}");
    }

    #[test]
    fn a_sender_that_spoils_what_every_receiver_uses_fails() {
        for block in [0, DEPTH - 2, DEPTH + 1] {
            let mut entropy = Entropy::from_seed_for_tests([48; 32]);
            let (mut receiver, mut sender) = checked(128, DELTA, &mut entropy);
            let request = receiver.request(&mut entropy);
            // In two groups, with the same difference: they do not cancel.
            let answer = cheat(&mut sender, &request, &mut entropy, |g, correction| {
                correction[block * BYTES] ^= u8::from(g == 0 || g == 101);
            });
            receiver.absorb(&answer).unwrap();
            let masked = receiver.mask().unwrap();
            let ended = receiver.verify(&sender.prove(&masked).unwrap());
            assert_eq!(ended, Err(Error::Check { argument: "proof" }), "seed 48, block {block}");
        }
    }

    #[test]
    fn a_false_sum_of_noise_or_proof_fails_and_others_are_refused() {
        let mut entropy = Entropy::from_seed_for_tests([47; 32]);
        for at in [0, MASKED - 1] {
            let (mut receiver, mut sender) = checked(72, DELTA, &mut entropy);
            let request = receiver.request(&mut entropy);
            receiver.absorb(&sender.answer(&request, &mut entropy).unwrap()).unwrap();
            let mut masked = receiver.mask().unwrap();
            assert!(sender.prove(&masked[1..]).is_err());
            masked[at] ^= 1;
            let proof = sender.prove(&masked).unwrap();
            assert!(matches!(receiver.verify(&proof[1..]), Err(Error::Length { .. })));
            assert_eq!(receiver.verify(&proof), Err(Error::Check { argument: "proof" }));
        }
        let (mut receiver, mut sender) = session(72, &mut entropy);
        assert!(receiver.mask().is_err() && sender.prove(&[0; MASKED]).is_err());
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
