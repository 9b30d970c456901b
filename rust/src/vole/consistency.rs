//! The sums over all leaves and noise by which the receiver finds out whether its leaves are those
//! of the sender, plus noise times Delta.
//!
//! Each side weighs its leaves, W_R and W_S, and the receiver its noise e, with powers of weights
//! that are hashed from the corrections. If `W_R = W_S ^ e * Delta` then `A_R = A_S ^ xi * Delta`
//! for the sums A and xi. If not, the difference is a polynomial in the weights that is not zero,
//! and it vanishes with 2^-120 for each session that a sender tries at home. After Yang, Weng, Lan,
//! Zhang and Wang (Ferret, CCS 2020, section 4.2) and Weng, Yang, Katz and Wang (Wolverine, S&P
//! 2021, section 5.2), made non-interactive.
//!
//! Weights come in three layers, so that leaves need not be kept and yet no sum can be made to
//! cancel another:
//!
//! - A group's correction gives chi and psi: the leaf in row p and lane l counts
//!   `chi^(p+1) psi^(l+1)` times. This is all that is done to leaves.
//! - All corrections of a chunk give eta: the sum of group g counts `eta^(g+1)` times. With chi and
//!   psi
//!   alone a sender could try corrections of each group by itself, and by Wagner's generalised birthday
//!   (CRYPTO 2002) find some for all 102 groups whose errors cancel.
//! - The same hash gives omega, how often the sum of the chunk counts, for the same reason.
//!
//! Hashes are chained: each contains the digest of all chunks before. So whatever an error depends
//! on is fixed when its weights are drawn: the corrections themselves, and the values of the noise,
//! which are made of the chunk before.

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{BYTES, Block};
use crate::gf128;
use crate::trees::{CORRECTION, GROUPS, LANES, LEAVES, Leaves, Row};

/// What a session's identifier, a group's correction and a chunk's corrections are hashed after.
const SESSION: &[u8] = b"greenlane/vole/1/leaves";
const GROUP: &[u8] = b"greenlane/vole/1/leaves/group";
const CHUNK: &[u8] = b"greenlane/vole/1/leaves/chunk";
/// What the sender's sum is hashed after.
const PROOF: &[u8] = b"greenlane/vole/1/leaves/proof";

/// Bytes of the sender's proof.
pub const PROOF_BYTES: usize = 32;

const _: () = assert!(LANES == gf128::ABREAST, "rows of leaves are weighed as they stand");

/// A sum over leaves, and the same over noise.
#[derive(Clone, Copy, Default, Zeroize)]
pub(super) struct Sums {
    pub(super) leaves: Block,
    pub(super) noise: Block,
}

/// The sums of one side over all chunks so far. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Tally {
    /// The digest of all corrections before this chunk.
    chain: [u8; 32],
    /// The hash of this chunk's corrections, by their groups' digests.
    #[zeroize(skip)] // public
    chunk: Sha256,
    /// Of the groups of this chunk, `done` of them.
    groups: [Sums; GROUPS],
    done: usize,
    total: Sums,
}

impl Tally {
    pub(super) fn new(sid: &[u8; 32]) -> Self {
        let chain: [u8; 32] = Sha256::new_with_prefix(SESSION).chain_update(sid).finalize().into();
        let chunk = begin(&chain);
        Self { chain, chunk, groups: [Sums::default(); GROUPS], done: 0, total: Sums::default() }
    }

    /// Adds the next group of the chunk: all leaves, and at the receiver the noise, `values[l]` in
    /// row `places[l]` of lane l.
    ///
    /// Secret: all but the correction. Places index memory, at the receiver only, whose own they
    /// are.
    ///
    /// # Panics
    /// If the chunk has all its groups.
    pub(super) fn group(
        &mut self,
        leaves: &Leaves,
        noise: Option<(&[u8; LANES], &Row)>,
        correction: &[u8; CORRECTION],
    ) {
        let digest = Sha256::new_with_prefix(GROUP)
            .chain_update(self.chain)
            .chain_update((self.done as u32).to_le_bytes())
            .chain_update(correction)
            .finalize();
        self.chunk.update(digest);
        let [chi, psi] = halves(&digest.into());
        let powers = powers(chi);
        let mut sums = Zeroizing::new([0; LANES]);
        gf128::weigh(&mut sums, leaves, &powers);
        let group = &mut self.groups[self.done];
        group.leaves = horner(&*sums, psi);
        if let Some((places, values)) = noise {
            for (sum, (place, value)) in sums.iter_mut().zip(places.iter().zip(values)) {
                *sum = gf128::multiply(*value, powers[usize::from(*place)]);
            }
            group.noise = horner(&*sums, psi);
        }
        self.done += 1;
    }

    /// Ends a chunk.
    pub(super) fn close(&mut self) {
        self.chain = std::mem::replace(&mut self.chunk, Sha256::new()).finalize().into();
        self.chunk = begin(&self.chain);
        let [eta, omega] = halves(&self.chain);
        let groups = &self.groups[..self.done];
        for (total, part) in [
            (&mut self.total.leaves, horner(groups.iter().map(|sums| &sums.leaves), eta)),
            (&mut self.total.noise, horner(groups.iter().map(|sums| &sums.noise), eta)),
        ] {
            *total ^= gf128::multiply(part, omega);
        }
        self.groups.zeroize();
        self.done = 0;
    }

    /// The sums over all chunks that have ended.
    pub(super) fn total(&self) -> Zeroizing<Sums> {
        self.total.into()
    }
}

/// The digest of a sum V, which both sides must have.
pub(super) fn proof(sid: &[u8; 32], sum: Block) -> [u8; PROOF_BYTES] {
    let context = Sha256::new_with_prefix(PROOF).chain_update(sid);
    context.chain_update(sum.to_le_bytes()).finalize().into()
}

fn begin(chain: &[u8; 32]) -> Sha256 {
    Sha256::new_with_prefix(CHUNK).chain_update(chain)
}

fn halves(digest: &[u8; 32]) -> [Block; 2] {
    let (halves, _) = digest.as_chunks::<BYTES>();
    [halves[0], halves[1]].map(Block::from_le_bytes)
}

/// `base^1` to `base^128`, each time twice as many.
fn powers(base: Block) -> [Block; LEAVES] {
    let mut powers = [0; LEAVES];
    powers[0] = base;
    for level in 0..LEAVES.ilog2() {
        let (before, rest) = powers.split_at_mut(1 << level);
        gf128::accumulate(&mut rest[..1 << level], before, before[before.len() - 1]);
    }
    powers
}

/// `terms[0] * by + terms[1] * by^2 + ...`
fn horner<'a>(
    terms: impl IntoIterator<Item = &'a Block, IntoIter: DoubleEndedIterator>,
    by: Block,
) -> Block {
    terms.into_iter().rev().fold(0, |sum, term| gf128::multiply(sum ^ term, by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    #[test]
    fn powers_are_one_product_more_each() {
        let base = 0x1234_5678_9abc_def0_0fed_cba9_8765_4321;
        let mut power = 1;
        for each in powers(base) {
            power = gf128::multiply(power, base);
            assert_eq!(each, power);
        }
        assert_eq!(
            horner(&[3, 5], base),
            gf128::multiply(3, base) ^ gf128::multiply(5, powers(base)[1])
        );
    }

    /// Sums by the text of the module, leaf by leaf.
    fn slow(
        sid: &[u8; 32],
        leaves: &[Vec<Leaves>],
        corrections: &[Vec<[u8; CORRECTION]>],
    ) -> Block {
        let power = |base, n| (0..n).fold(1, |power, _| gf128::multiply(power, base));
        let mut chain: [u8; 32] = Sha256::digest([SESSION, sid].concat()).into();
        let mut total = 0;
        for (leaves, corrections) in leaves.iter().zip(corrections) {
            let mut digests = Vec::new();
            let mut groups = Vec::new();
            for (g, (leaves, correction)) in (0u32..).zip(leaves.iter().zip(corrections)) {
                let said = [GROUP, &chain, &g.to_le_bytes(), correction].concat();
                let digest: [u8; 32] = Sha256::digest(said).into();
                let [chi, psi] = halves(&digest);
                let mut sum = 0;
                for (p, row) in leaves.iter().enumerate() {
                    for (l, leaf) in row.iter().enumerate() {
                        let weight = gf128::multiply(power(chi, p + 1), power(psi, l + 1));
                        sum ^= gf128::multiply(weight, *leaf);
                    }
                }
                groups.push(sum);
                digests.extend(digest);
            }
            chain = Sha256::digest([CHUNK, &chain, &digests].concat()).into();
            let [eta, omega] = halves(&chain);
            for (g, sum) in groups.iter().enumerate() {
                total ^= gf128::multiply(omega, gf128::multiply(power(eta, g + 1), *sum));
            }
        }
        total
    }

    #[test]
    fn the_sums_of_both_sides_differ_by_that_of_the_noise_times_delta() {
        let mut entropy = Entropy::from_seed_for_tests([51; 32]);
        let mut block = || {
            let mut bytes = [0; BYTES];
            entropy.fill(&mut bytes);
            Block::from_le_bytes(bytes)
        };
        let (sid, delta) = ([5; 32], block());
        let (mut sender, mut receiver) = (Tally::new(&sid), Tally::new(&sid));
        let (mut all, mut said) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (mut chunk, mut corrections) = (Vec::new(), Vec::new());
            for _ in 0..3 {
                let ours: Leaves = std::array::from_fn(|_| std::array::from_fn(|_| block()));
                let places = std::array::from_fn(|_| block() as u8 % LEAVES as u8);
                let values: Row = std::array::from_fn(|_| block());
                let mut theirs = ours;
                for (lane, (place, value)) in places.iter().zip(values).enumerate() {
                    theirs[usize::from(*place)][lane] ^= gf128::multiply(value, delta);
                }
                let correction = std::array::from_fn(|_| block() as u8);
                sender.group(&ours, None, &correction);
                receiver.group(&theirs, Some((&places, &values)), &correction);
                chunk.push(ours);
                corrections.push(correction);
            }
            sender.close();
            receiver.close();
            all.push(chunk);
            said.push(corrections);
        }
        let (ours, theirs) = (sender.total(), receiver.total());
        assert_eq!(ours.noise, 0);
        assert_ne!(theirs.noise, 0, "seed 51");
        assert_eq!(theirs.leaves ^ ours.leaves, gf128::multiply(theirs.noise, delta), "seed 51");
        assert_eq!(ours.leaves, slow(&sid, &all, &said), "seed 51");
    }
}
