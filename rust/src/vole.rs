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
//! Messages: the receiver asks for a batch of chunks with [`Receiver::request`], and for more ahead
//! of answers if it likes; the sender answers each batch, in order, with [`Sender::answer`], and
//! answers go to [`Receiver::absorb`].
//!
//! What a dishonest party can do here. A receiver's choices are checked (see [`crate::cot`]). A
//! sender can send a correction that spoils leaves for some places of the noise only, and learn
//! from whether the match fails whether it has guessed one, unless the session is a
//! [`Profile::Checked`] one: then the receiver says [`Receiver::mask`] after the last chunk, which
//! the sender answers with [`Sender::prove`], and a sender that has guessed wrong once fails
//! [`Receiver::verify`].

mod consistency;

mod pool;
mod stationary;

use std::collections::VecDeque;
use std::ops::Range;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::aes::Block;
use crate::code::{Code, Encoder, Noise, Pair};
use crate::cot;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::gf128;
use crate::trees::{CORRECTION, DEPTH, GROUPS, LANES, LEAVES, Nursery, PLACES, Row, TREES};

use pool::Pool;

use consistency::Tally;

const BYTES: usize = size_of::<Block>();
const BITS: usize = 8 * BYTES;
/// Transfers of a chunk: one a tree and level, and 48 more, as they come in multiples of 128.
const TRANSFERS: usize = (TREES * DEPTH).next_multiple_of(BITS);
/// Bytes of an answer that tells new trees.
const ANSWER: usize = GROUPS * CORRECTION;

/// Where the noise of a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// At new places in each chunk.
    Fresh,
    /// The same, and what the sender says of its trees is checked ([`consistency`]).
    Checked,
    /// At the same places in all chunks ([`stationary`]).
    Stationary,
}

impl Profile {
    /// Leaves of a tree that serve.
    #[must_use]
    pub const fn leaves(self) -> usize {
        match self {
            Self::Fresh | Self::Checked => LEAVES,
            Self::Stationary => stationary::LEAVES,
        }
    }

    /// What a chunk gives to take; the rest of its outputs goes into the next one.
    #[must_use]
    pub const fn taken(self) -> usize {
        TREES * self.leaves() / 2 - TREES
    }

    /// The code of a session.
    #[must_use]
    pub fn code(self, sid: &[u8; 32]) -> Code {
        Code::draw(sid, self.leaves())
    }

    /// Whether chunk `number` needs new trees, and so transfers.
    const fn plants(self, number: usize) -> bool {
        !matches!(self, Self::Stationary) || number == 0
    }

    /// Bytes of the request for chunk `number`: of its part for the first values, and of that for
    /// its trees.
    const fn request(self, number: usize, width: usize) -> (usize, usize) {
        let base = if number == 0 { cot::checked_length(TREES * width + masking(self)) } else { 0 };
        let trees = if self.plants(number) { cot::checked_length(TRANSFERS) } else { 0 };
        (base, trees)
    }

    /// Bytes of the answer for chunk `number`.
    #[must_use]
    pub const fn answer(self, number: usize) -> usize {
        match self {
            Self::Fresh | Self::Checked => ANSWER,
            Self::Stationary if number == 0 => stationary::PLANTED + stationary::SUMS,
            Self::Stationary => stationary::SUMS,
        }
    }
}

/// Bytes of a masked sum of noise.
pub const MASKED: usize = BYTES;
/// Bytes of a proof.
pub const PROOF: usize = consistency::PROOF_BYTES;

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
    profile: Profile,
    width: usize,
    cot: cot::Receiver,
    code: Code,
    nursery: Nursery,
    /// The trees of all chunks, if they are the same.
    kept: Option<stationary::Punctured>,
    noise: Noise,
    encoder: Encoder<Pair>,
    /// d of the base values, until the first request takes it along.
    base: Vec<u8>,
    /// How many chunks were asked for; of those that are still to come, how many each request asked
    /// for, and what is new at them.
    requests: u32,
    batches: VecDeque<u8>,
    /// In boxes, so that nothing of them stays behind where they stood in the queue.
    pending: VecDeque<Box<Pending>>,
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
    /// `width` is the bits of an a. Both parties give the same `sid`, `width` and `profile`, whose
    /// `code` it is. Of `entropy` it takes `102 * width` bytes, the values of the trees one after
    /// the other.
    ///
    /// # Errors
    /// [`Error::Length`] if `width` is no multiple of 8 from 64 to 128, or the code is that of
    /// another profile.
    pub fn new(
        sid: &[u8; 32],
        width: usize,
        profile: Profile,
        code: Code,
        cot: cot::Receiver,
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        let outputs = outputs(profile, &code)?;
        let transfers = base_transfers(width)?;
        let mut bits = Zeroizing::new(vec![0; (transfers + masking(profile)) / 8]);
        entropy.fill(&mut bits);
        let (base, keys) = cot.extend_checked(0, &blocks(&bits), entropy);
        let verifying = match profile {
            Profile::Fresh | Profile::Stationary => Verifying::No,
            Profile::Checked => Verifying::Open {
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
            sid: *sid,
            profile,
            nursery: Nursery::new(sid),
            kept: (profile == Profile::Stationary).then(stationary::Punctured::new),
            noise: Noise::new(),
            encoder: Encoder::new(&code),
            code,
            base,
            requests: 0,
            batches: VecDeque::new(),
            pending: VecDeque::new(),
            absorbed: 0,
            values,
            sums: products(&keys, width),
            pool: Pool::new(outputs),
            pool_of_values: match width {
                64 => PoolOfValues::Short(Pool::new(outputs)),
                _ => PoolOfValues::Wide(Pool::new(outputs)),
            },
            verifying,
        })
    }

    /// Draws the places of the noise of so many more chunks and asks the sender for the chunks; the
    /// answer goes to [`Receiver::absorb`]. Requests may run ahead of answers.
    ///
    /// Shapes: for each chunk d of 5760 transfers and its check, 24096 bytes; in front of the first
    /// one also d of the base values, `816 * width` transfers. Of `entropy` it takes 720 bytes a
    /// chunk, all choices. Where places stay, chunks after the first one add nothing.
    pub fn request(&mut self, chunks: u8, entropy: &mut Entropy) -> Vec<u8> {
        self.batches.push_back(chunks);
        let mut request = Vec::new();
        for _ in 0..chunks {
            let number = self.requests as usize;
            self.requests += 1;
            if self.profile.plants(number) {
                request.append(&mut self.base);
                request.extend(self.choose(entropy));
            }
        }
        request
    }

    /// Draws the places of the chunk that was asked for last; gives d and its check.
    fn choose(&mut self, entropy: &mut Entropy) -> Vec<u8> {
        // The choices of a tree are the place of its noise: uniform, as they must be.
        let mut bits = Zeroizing::new([0; TRANSFERS / 8]);
        entropy.fill(&mut *bits);
        let mut places = Zeroizing::new([[0; LANES]; GROUPS]);
        for (i, place) in places.as_flattened_mut().iter_mut().enumerate() {
            let at = i * DEPTH;
            let pair = u16::from_le_bytes([bits[at / 8], bits[at / 8 + 1]]);
            *place = (pair >> (at % 8)) as u8 % LEAVES as u8;
        }
        let (d, mut keys) = self.cot.extend_checked(self.requests, &blocks(&*bits), entropy);
        if self.kept.is_some() {
            stationary::force(places.as_flattened_mut(), &mut keys);
        }
        self.pending.push_back(Box::new(Pending { places, keys }));
        d
    }

    /// Takes the answer to the oldest request that has none, which makes [`Profile::taken`] more
    /// (a, c) to take for each of its chunks.
    ///
    /// # Errors
    /// [`Error::Length`] if the answer has another length than [`Profile::answer`] over the chunks
    /// of the request, or than 0 if there is no such request, which is [`Error::Spent`] then;
    /// [`Error::Used`] once the chunks are checked. Any other bytes make pairs; if they are not the
    /// sender's, the law does not hold.
    pub fn absorb(&mut self, correction: &[u8]) -> Result<(), Error> {
        let chunks = self.batches.front().copied();
        let lengths =
            numbers(self.absorbed, chunks.unwrap_or(0)).map(|number| self.profile.answer(number));
        check("correction", correction, lengths.sum())?;
        if matches!(self.verifying, Verifying::Masked { .. } | Verifying::Over) {
            return Err(Error::Used { argument: "check" });
        }
        let chunks = chunks.ok_or(Error::Spent { available: 0, wanted: 1 })?;
        self.batches.pop_front();
        self.pool.reserve(chunks);
        match &mut self.pool_of_values {
            PoolOfValues::Short(pool) => pool.reserve(chunks),
            PoolOfValues::Wide(pool) => pool.reserve(chunks),
        }
        let mut rest = correction;
        for number in numbers(self.absorbed, chunks) {
            let (correction, others) = rest.split_at(self.profile.answer(number));
            self.complete(number, correction);
            rest = others;
        }
        self.absorbed += usize::from(chunks);
        Ok(())
    }

    /// Completes the trees of chunk `number`, and makes its outputs.
    fn complete(&mut self, number: usize, correction: &[u8]) {
        let trees = self.pending.pop_front();
        match &mut self.kept {
            Some(kept) => {
                let (told, sums) = correction.split_at(correction.len() - stationary::SUMS);
                if let Some(trees) = trees {
                    kept.plant(&mut self.nursery, &trees.places[..], &trees.keys, told);
                }
                let chunk = stationary::Chunk::draw(&self.sid, number);
                for (g, sums) in sums.chunks_exact(stationary::SUMS / GROUPS).enumerate() {
                    let (leaves, places) = kept.grow(&chunk, g, sums, &self.sums[g]);
                    self.noise.set(&places, &self.values[g]);
                    self.encoder.push(&self.code, leaves, &self.noise, &stationary::ORDER);
                }
            }
            None => {
                let Some(trees) = trees else { return };
                let mut tally = match &mut self.verifying {
                    Verifying::Open { tally, .. } => Some(tally),
                    _ => None,
                };
                self.nursery.turn_to(&self.sid, number);
                let told = correction.as_chunks().0.iter();
                for (g, (told, keys)) in told.zip(trees.keys.as_chunks().0).enumerate() {
                    let places = &trees.places[g];
                    self.noise.set(places, &self.values[g]);
                    let leaves = self.nursery.regrow(places, keys, &self.sums[g], told);
                    if let Some(tally) = &mut tally {
                        tally.group(leaves, Some((places, &self.values[g])), told);
                    }
                    self.encoder.push(&self.code, leaves, &self.noise, &PLACES);
                }
                if let Some(tally) = tally {
                    tally.close();
                }
            }
        }
        self.compress();
    }

    /// Ends a chunk.
    fn compress(&mut self) {
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
    /// [`Error::Length`] if the proof is not [`PROOF`] bytes, [`Error::Check`] if it is not that of
    /// an honest sender, [`Error::Used`] without a sum that was said before, or the second time.
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
    profile: Profile,
    width: usize,
    delta: Zeroizing<Block>,
    cot: cot::Sender,
    code: Code,
    nursery: Nursery,
    /// The trees of all chunks, if they are the same.
    kept: Option<stationary::Seeds>,
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
    /// `delta` is that of `cot`. Both parties give the same `sid`, `width` and `profile`, whose
    /// `code` it is.
    ///
    /// # Errors
    /// [`Error::Length`] if `width` is no multiple of 8 from 64 to 128, or the code is that of
    /// another profile.
    pub fn new(
        sid: &[u8; 32],
        width: usize,
        profile: Profile,
        code: Code,
        delta: Block,
        cot: cot::Sender,
    ) -> Result<Self, Error> {
        let proving = match profile {
            Profile::Fresh | Profile::Stationary => Proving::No,
            Profile::Checked => Proving::Open { tally: Box::new(Tally::new(sid)), mask: 0.into() },
        };
        base_transfers(width)?;
        let outputs = outputs(profile, &code)?;
        Ok(Self {
            width,
            delta: delta.into(),
            cot,
            sid: *sid,
            profile,
            nursery: Nursery::new(sid),
            kept: (profile == Profile::Stationary).then(stationary::Seeds::new),
            encoder: Encoder::new(&code),
            code,
            answers: 0,
            sums: vec![[0; LANES]; GROUPS].into(),
            pool: Pool::new(outputs),
            proving,
        })
    }

    /// Answers a request for so many chunks, which makes [`Profile::taken`] more b to take for each.
    ///
    /// Shapes: `request` as [`Receiver::request`] returns them, in the same order and for as many
    /// chunks; the answer [`Profile::answer`] bytes a chunk. Of `entropy` it takes 13056 bytes a
    /// chunk, the roots of the trees, if it plants any.
    ///
    /// # Errors
    /// [`Error::Length`] if `request` has another length than this one must have, and nothing has
    /// changed; [`Error::Check`] if its choices differ between groups, [`Error::Used`] once the
    /// chunks are proven.
    pub fn answer(
        &mut self,
        request: &[u8],
        chunks: u8,
        entropy: &mut Entropy,
    ) -> Result<Vec<u8>, Error> {
        if matches!(self.proving, Proving::Over) {
            return Err(Error::Used { argument: "check" });
        }
        let (profile, first) = (self.profile, self.answers as usize);
        let asked = |number| {
            let (base, trees) = profile.request(number, self.width);
            base + trees
        };
        check("request", request, numbers(first, chunks).map(asked).sum())?;
        let lengths = numbers(first, chunks).map(|number| profile.answer(number));
        let mut answer = vec![0; lengths.sum()];
        self.pool.reserve(chunks);
        let (mut requests, mut answers) = (request, &mut answer[..]);
        for number in numbers(first, chunks) {
            let (base, trees) = profile.request(number, self.width);
            let (request, other_requests) = requests.split_at(base + trees);
            let (answer, other_answers) = answers.split_at_mut(profile.answer(number));
            self.make(number, request.split_at(base), answer, entropy)?;
            (requests, answers) = (other_requests, other_answers);
        }
        Ok(answer)
    }

    /// Makes chunk `number` from the two parts of its request, and writes its answer.
    fn make(
        &mut self,
        number: usize,
        (base, d): (&[u8], &[u8]),
        answer: &mut [u8],
        entropy: &mut Entropy,
    ) -> Result<(), Error> {
        let (mut tally, mask) = match &mut self.proving {
            Proving::Open { tally, mask } => (Some(tally), Some(mask)),
            _ => (None, None),
        };
        if number == 0 {
            let values = TREES * self.width;
            let rows = self.cot.extend_checked(0, base, values + masking(self.profile))?;
            self.sums = products(&rows, self.width);
            if let Some(mask) = mask {
                **mask = product(&rows[values..]);
            }
        }
        let mut keys = match d {
            [] => Zeroizing::default(),
            _ => self.cot.extend_checked(self.answers + 1, d, TRANSFERS)?,
        };
        if self.kept.is_some() {
            stationary::force(&mut [], &mut keys);
        }
        self.answers += 1;
        match &mut self.kept {
            None => {
                let roots = draw_roots(entropy);
                self.nursery.turn_to(&self.sid, number);
                let told = answer.as_chunks_mut().0.iter_mut();
                for (g, (told, keys)) in told.zip(keys.as_chunks().0).enumerate() {
                    let (roots, base) = (&roots[g], &self.sums[g]);
                    let leaves = self.nursery.grow(*self.delta, roots, keys, base, told);
                    if let Some(tally) = &mut tally {
                        tally.group(leaves, None, told);
                    }
                    self.encoder.push(&self.code, leaves, &PLACES);
                }
                if let Some(tally) = tally {
                    tally.close();
                }
            }
            Some(kept) => {
                let (told, sums) = answer.split_at_mut(answer.len() - stationary::SUMS);
                if !told.is_empty() {
                    kept.plant(&mut self.nursery, *self.delta, &draw_roots(entropy), &keys, told);
                }
                let chunk = stationary::Chunk::draw(&self.sid, number);
                let sums = sums.as_chunks_mut::<BYTES>().0.as_chunks_mut::<LANES>().0;
                for (g, sums) in sums.iter_mut().enumerate() {
                    let (leaves, totals) = kept.grow(&chunk, g);
                    self.encoder.push(&self.code, leaves, &stationary::ORDER);
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        *sum = (totals[lane] ^ self.sums[g][lane]).to_le_bytes();
                    }
                }
            }
        }
        self.encoder.finish(&self.code, self.pool.next());
        self.pool.put(&mut self.sums);
        Ok(())
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

    /// Ends the chunks and proves that all corrections were made as they should, from what
    /// [`Receiver::mask`] says.
    ///
    /// # Errors
    /// [`Error::Length`] if `masked` is not [`MASKED`] bytes, [`Error::Used`] if it was proven
    /// before, or if this is no checked session. For other bytes the proof is that of another sum.
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

/// The numbers of so many chunks from the first one on.
fn numbers(first: usize, chunks: u8) -> Range<usize> {
    first..first + usize::from(chunks)
}

/// Transfers of the value that masks the sum of the noise.
const fn masking(profile: Profile) -> usize {
    if matches!(profile, Profile::Checked) { BITS } else { 0 }
}

/// The roots of a chunk's trees.
fn draw_roots(entropy: &mut Entropy) -> OfTrees {
    let mut bytes = Zeroizing::new([0; TREES * BYTES]);
    entropy.fill(&mut *bytes);
    let roots = blocks(&*bytes);
    OfTrees::new(roots.as_chunks().0.to_vec())
}

/// The outputs of a code, if it is that of a profile.
///
/// # Errors
/// [`Error::Length`] if not.
fn outputs(profile: Profile, code: &Code) -> Result<usize, Error> {
    let (expected, actual) = (TREES * profile.leaves(), code.length());
    if actual != expected {
        return Err(Error::Length { argument: "code", expected, actual });
    }
    Ok(code.outputs())
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

#[cfg(test)]
mod tests {
    use super::*;

    use Profile::{Checked, Fresh, Stationary};

    const TAKEN: usize = Fresh.taken();
    const DELTA: Block = 0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f1;

    /// Both halves of a session.
    fn session(profile: Profile, width: usize, entropy: &mut Entropy) -> (Receiver, Sender) {
        let sid = [width as u8; 32];
        let mut bytes = [0; 2 * BITS * BYTES];
        entropy.fill(&mut bytes);
        let pairs: [[Block; 2]; BITS] = *blocks(&bytes).as_chunks().0.first_chunk().unwrap();
        let keys = std::array::from_fn(|i| pairs[i][(DELTA >> i & 1) as usize]);
        let (receiver, trees) = cot::Receiver::plant(&sid, &pairs, entropy);
        let sender = cot::Sender::grow(&sid, DELTA, &keys, &trees).unwrap();
        let code = || profile.code(&sid);
        (
            Receiver::new(&sid, width, profile, code(), receiver, entropy).unwrap(),
            Sender::new(&sid, width, profile, code(), DELTA, sender).unwrap(),
        )
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
        for (profile, width) in [Fresh, Stationary]
            .into_iter()
            .flat_map(|profile| [64, 72, 128].map(|width| (profile, width)))
        {
            let taken = profile.taken();
            let mut entropy = Entropy::from_seed_for_tests([41; 32]);
            let (mut receiver, mut sender) = session(profile, width, &mut entropy);
            // Two requests run ahead.
            let mut requests: VecDeque<_> =
                (0..3).map(|_| receiver.request(1, &mut entropy)).collect();
            let (mut seen, mut left) = (Vec::new(), 0);
            for chunk in 0..4 {
                let request = requests.pop_front().unwrap();
                let answer = sender.answer(&request, 1, &mut entropy).unwrap();
                receiver.absorb(&answer).unwrap();
                if chunk == 0 {
                    requests.push_back(receiver.request(1, &mut entropy));
                }
                left += taken;
                assert_eq!((receiver.available(), sender.available()), (left, left));
                // Pieces end before, on and behind the end of a chunk.
                for m in [[0, taken], [taken - 1, 0], [2, 7], [taken - 8, taken]][chunk] {
                    let (values, wrong) = take(&mut receiver, &mut sender, m);
                    assert_eq!(
                        wrong, 0,
                        "seed 41, {profile:?}, width {width}, chunk {chunk}, {m} pairs"
                    );
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
            assert_eq!(seen.len(), 4 * taken, "seed 41: no value comes twice");
        }
    }

    #[test]
    fn one_changed_bit_of_an_answer_breaks_the_law() {
        let mut entropy = Entropy::from_seed_for_tests([42; 32]);
        let (mut receiver, mut sender) = session(Fresh, 64, &mut entropy);
        let request = receiver.request(1, &mut entropy);
        let mut answer = sender.answer(&request, 1, &mut entropy).unwrap();
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
            let (mut receiver, mut sender) = session(Fresh, 64, &mut entropy);
            let mut request = receiver.request(1, &mut entropy);
            request[at] ^= 1; // the first group, whose bits of Delta are not all zero
            let refused = sender.answer(&request, 1, &mut entropy).err();
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
        let code = || Checked.code(&sid);
        (
            Receiver::new(&sid, width, Checked, code(), receiver, entropy).unwrap(),
            Sender::new(&sid, width, Checked, code(), delta, sender).unwrap(),
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
        let requests: Vec<_> = (0..chunks).map(|_| receiver.request(1, entropy)).collect();
        for (chunk, request) in requests.iter().enumerate() {
            let mut answer = sender.answer(request, 1, entropy)?;
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
            let first = receiver.request(1, &mut entropy);
            assert_eq!(first.len(), 4 * (816 * width + 128 + 5760) + 2112);
            receiver.absorb(&sender.answer(&first, 1, &mut entropy).unwrap()).unwrap();
            run(&mut receiver, &mut sender, 2, &mut entropy, |_, _| ()).unwrap();
            let used = Error::Used { argument: "check" };
            assert_eq!(receiver.mask(), Err(used.clone()));
            assert_eq!(receiver.verify(&[0; PROOF]), Err(used.clone()));
            assert_eq!(sender.prove(&[0; MASKED]), Err(used.clone()));
            let request = receiver.request(1, &mut entropy);
            assert_eq!(sender.answer(&request, 1, &mut entropy).err(), Some(used.clone()));
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

    /// Answers the first request as a dishonest sender, who changes corrections and hashes what it
    /// says.
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
            let request = receiver.request(1, &mut entropy);
            // Of the last level each side has a sum of its own; that of the right one is used by
            // who lacks a left leaf. Tree 3 of group 5.
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
            let request = receiver.request(1, &mut entropy);
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
            let request = receiver.request(1, &mut entropy);
            receiver.absorb(&sender.answer(&request, 1, &mut entropy).unwrap()).unwrap();
            let mut masked = receiver.mask().unwrap();
            assert!(sender.prove(&masked[1..]).is_err());
            masked[at] ^= 1;
            let proof = sender.prove(&masked).unwrap();
            assert!(matches!(receiver.verify(&proof[1..]), Err(Error::Length { .. })));
            assert_eq!(receiver.verify(&proof), Err(Error::Check { argument: "proof" }));
        }
        let (mut receiver, mut sender) = session(Fresh, 72, &mut entropy);
        assert!(receiver.mask().is_err() && sender.prove(&[0; MASKED]).is_err());
    }

    #[test]
    fn wrong_lengths_are_refused_and_change_nothing() {
        let mut entropy = Entropy::from_seed_for_tests([44; 32]);
        let (mut receiver, mut sender) = session(Fresh, 72, &mut entropy);
        assert_eq!(receiver.absorb(&[]), Err(Error::Spent { available: 0, wanted: 1 }));
        let unasked = receiver.absorb(&[0; ANSWER]);
        assert_eq!(
            unasked,
            Err(Error::Length { argument: "correction", expected: 0, actual: ANSWER })
        );
        let first = receiver.request(1, &mut entropy);
        let second = receiver.request(1, &mut entropy);
        assert_eq!((first.len(), second.len()), (4 * (816 * 72 + 5760) + 2112, 4 * 5760 + 1056));
        for wrong in [&[][..], &second, &first[1..], &[&first[..], &[0]].concat()] {
            assert!(matches!(
                sender.answer(wrong, 1, &mut entropy),
                Err(Error::Length { argument: "request", .. })
            ));
        }
        let answer = sender.answer(&first, 1, &mut entropy).unwrap();
        assert!(sender.answer(&first, 1, &mut entropy).is_err());
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
    fn chunks_of_kept_trees_have_noise_at_other_columns_and_the_same_trees() {
        let mut entropy = Entropy::from_seed_for_tests([45; 32]);
        let (mut receiver, mut sender) = session(Stationary, 64, &mut entropy);
        let lengths: Vec<_> = (0..3)
            .map(|_| {
                let request = receiver.request(1, &mut entropy);
                let answer = sender.answer(&request, 1, &mut entropy).unwrap();
                receiver.absorb(&answer).unwrap();
                (request.len(), answer.len())
            })
            .collect();
        let first = 4 * (TREES * 64 + TRANSFERS) + 2 * 1056;
        assert_eq!(lengths, [(first, ANSWER), (0, 13056), (0, 13056)]);
        assert_eq!([0, 1].map(|number| Stationary.answer(number)), [ANSWER, 13056]);
        let columns = |number: usize| {
            let chunk = stationary::Chunk::draw(&receiver.sid, number);
            let missing = &receiver.kept.as_ref().unwrap().missing;
            let all = (0..GROUPS).flat_map(|g| chunk.group(g).collect::<Vec<_>>());
            all.map(|(tree, turn)| usize::from(missing[tree]) ^ turn).collect::<Vec<_>>()
        };
        let same = columns(0).iter().zip(columns(1)).filter(|(one, other)| *one == other).count();
        // One in 32 of 816 by chance: 25, with a deviation of 5.
        assert!((5..50).contains(&same), "seed 45: {same}");
    }

    #[test]
    fn one_changed_bit_of_a_later_chunk_breaks_the_law_from_there_on() {
        let mut entropy = Entropy::from_seed_for_tests([46; 32]);
        let (mut receiver, mut sender) = session(Stationary, 64, &mut entropy);
        let request = receiver.request(2, &mut entropy);
        let mut answer = sender.answer(&request, 2, &mut entropy).unwrap();
        answer[Stationary.answer(0)] ^= 1;
        receiver.absorb(&answer).unwrap();
        assert_eq!(take(&mut receiver, &mut sender, Stationary.taken()).1, 0);
        // A leaf is in about half of the sums; of 12240 that is 6120 with a deviation of 55.
        let (_, wrong) = take(&mut receiver, &mut sender, Stationary.taken());
        assert!((5_790..6_450).contains(&wrong), "seed 46: {wrong}");
    }

    #[test]
    fn a_batch_is_its_chunks_one_after_the_other() {
        for profile in [Fresh, Stationary] {
            let run = |batches: &[u8]| {
                let [mut both, mut ours, mut theirs] =
                    [49, 50, 51].map(|seed| Entropy::from_seed_for_tests([seed; 32]));
                let (mut receiver, mut sender) = session(profile, 64, &mut both);
                let (mut requests, mut answers) = (Vec::new(), Vec::new());
                for chunks in batches {
                    let request = receiver.request(*chunks, &mut ours);
                    let answer = sender.answer(&request, *chunks, &mut theirs).unwrap();
                    receiver.absorb(&answer).unwrap();
                    requests.extend(request);
                    answers.extend(answer);
                }
                let (values, wrong) = take(&mut receiver, &mut sender, 5 * profile.taken());
                assert_eq!(wrong, 0, "seeds 49 to 51, {profile:?}, {batches:?}");
                (requests, answers, values)
            };
            let one_by_one = run(&[1; 5]);
            for batches in [&[5][..], &[2, 3], &[4, 0, 1]] {
                assert!(run(batches) == one_by_one, "seeds 49 to 51, {profile:?}, {batches:?}");
            }
        }
    }

    #[test]
    fn a_batch_cut_short_or_too_long_is_refused_and_changes_nothing() {
        for profile in [Fresh, Stationary] {
            let mut entropy = Entropy::from_seed_for_tests([52; 32]);
            let (mut receiver, mut sender) = session(profile, 64, &mut entropy);
            let request = receiver.request(3, &mut entropy);
            let longer = [&request[..], &[0]].concat();
            for wrong in [&[][..], &request[1..], &longer] {
                let refused = sender.answer(wrong, 3, &mut entropy).err();
                let (expected, actual) = (request.len(), wrong.len());
                assert_eq!(refused, Some(Error::Length { argument: "request", expected, actual }));
            }
            let answer = sender.answer(&request, 3, &mut entropy).unwrap();
            let chunk = profile.answer(2);
            let longer = [&answer[..], &vec![0; chunk]].concat();
            for wrong in [&[][..], &answer[1..], &answer[chunk..], &longer] {
                let (expected, actual) = (answer.len(), wrong.len());
                let due = Error::Length { argument: "correction", expected, actual };
                assert_eq!(receiver.absorb(wrong), Err(due));
            }
            assert_eq!((receiver.available(), sender.available()), (0, 3 * profile.taken()));
            receiver.absorb(&answer).unwrap();
            let (_, wrong) = take(&mut receiver, &mut sender, 3 * profile.taken());
            assert_eq!(wrong, 0, "seed 52, {profile:?}");
        }
    }

    #[test]
    fn the_code_of_another_profile_is_refused() {
        let code = Fresh.code(&[0; 32]);
        let due = Error::Length { argument: "code", expected: 26112, actual: 104_448 };
        assert_eq!(outputs(Stationary, &code), Err(due));
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
