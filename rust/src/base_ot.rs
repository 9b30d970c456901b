//! Base oblivious transfers: 128 pairs of keys, of each of which the other side learns one.
//!
//! The endemic transfer of Masny and Rindal, CCS 2019 ("endemic" in their taxonomy: both sides have a
//! hand in the keys), from Diffie-Hellman in the random oracle model, over ristretto255 (RFC 9496).
//! The receiver of the match gives (`Offer`), the sender of the match chooses (`choose`), with the
//! bits of its Delta.
//!
//! - Offer: `B = b*G`.
//! - Choice, for transfer i and bit d: `r_(1-d)` uniform, `r_d = x_i*G - H(i, r_(1-d))`.
//! - Keys: `key_(i,c)` is the hash of `Z = b*(r_c + H(i, r_(1-c)))`; who chose knows
//!   `Z = x_i*B` for c = d only.
//!
//! What a dishonest party can do here. Both points of a choice are uniform for either d, so whoever
//! gives learns nothing of Delta, whatever it sends as B: the group has prime order and the identity
//! is refused. Whoever chooses fixes at most one of the two sums `r_c + H(i, r_(1-c))`: the other one
//! is a point out of the random oracle, and its multiple by b is a Diffie-Hellman problem. So each
//! side, semi-honest or malicious, is held to one key a transfer. Either can draw again until a key of
//! its own has some bits that it likes, and either can make the keys of the two sides differ, which
//! shows as a match that fails. Nothing here says who the peer is: that is the channel's part.
//!
//! `portable` is the definition; `x86` computes four or eight transfers at a time and must agree with it on every
//! input. Neither wipes the coordinates that pass through registers and the stack.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use curve25519_dalek::{RistrettoPoint, Scalar};
use rayon::prelude::*;
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::aes::Block;
use crate::entropy::Entropy;
use crate::error::Error;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
use crate::field25519::x86::Path;
use crate::ristretto255::{Encoded, Uniform};

/// How many transfers: one a bit of Delta.
pub const TRANSFERS: usize = 128;
/// Bytes of an offer: a point.
pub const OFFER: usize = 32;
/// Bytes of a choice: two points a transfer.
pub const CHOICE: usize = TRANSFERS * 2 * OFFER;

/// The domains of the two hashes.
const POINT: &[u8] = b"greenlane/vole/1/base-ot/point";
const KEY: &[u8] = b"greenlane/vole/1/base-ot/key";

/// Transfers to a task: what the fast twin takes at a time. 16 tasks are left to share out among cores.
const TASK: usize = 8;

/// Both keys of each transfer, first for c = 0. Wiped on drop.
pub type Pairs = Box<Zeroizing<[[Block; 2]; TRANSFERS]>>;
/// The chosen key of each transfer. Wiped on drop.
pub type Chosen = Box<Zeroizing<[Block; TRANSFERS]>>;

/// The secret of the side that gives, good for one session. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Offer {
    scalar: Scalar,
    message: Encoded,
}

impl Offer {
    /// Draws an offer.
    pub fn draw(entropy: &mut Entropy) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        entropy.fill(&mut *wide);
        let scalar = Scalar::from_bytes_mod_order_wide(&wide);
        Self { message: RistrettoPoint::mul_base(&scalar).compress().0, scalar }
    }

    /// What to tell the other side: the encoding of a point.
    pub fn message(&self) -> [u8; OFFER] {
        self.message
    }

    /// Computes both keys of each transfer.
    ///
    /// Shapes: `choice` 128 pairs of points, 8192 bytes, as [`choose`] returns them; the result 128
    /// pairs of keys. `sid` is the session's identifier.
    /// Secret: the offer and the result; no branch and no index depends on them.
    ///
    /// # Errors
    /// [`Error::Length`] if `choice` has another length; [`Error::Point`] for a point that does not
    /// decode or is the identity, which no honest party sends. Point 2i + c is `r_c` of transfer i.
    pub fn keys(&self, sid: &[u8; 32], choice: &[u8]) -> Result<Pairs, Error> {
        self.keys_by(Twin::fastest(), sid, choice)
    }

    fn keys_by(&self, twin: Twin, sid: &[u8; 32], choice: &[u8]) -> Result<Pairs, Error> {
        check("choice", choice, CHOICE)?;
        let choice = choice.as_chunks().0.as_chunks().0.as_chunks().0;
        let mut pairs = Pairs::new(Zeroizing::new([[0; 2]; TRANSFERS]));
        let tasks = pairs.as_chunks_mut().0.par_iter_mut().zip(choice).enumerate();
        let bad = tasks.filter_map(|(task, (pairs, points))| {
            let first = task * TASK;
            self.keys_of(twin, sid, first, points, pairs).err().map(|bad| 2 * first + bad)
        });
        match bad.min() {
            Some(index) => Err(Error::Point { argument: "choice", index }),
            None => Ok(pairs),
        }
    }

    /// The keys of the transfers from `first` on, or the number of the first point that is none.
    fn keys_of(
        &self,
        twin: Twin,
        sid: &[u8; 32],
        first: usize,
        points: &[[Encoded; 2]; TASK],
        pairs: &mut [[Block; 2]; TASK],
    ) -> Result<(), usize> {
        let uniform = std::array::from_fn(|lane| {
            points[lane].each_ref().map(|r| hash_to_uniform(sid, first + lane, r))
        });
        let shared = Zeroizing::new(twin.multiply_sums(&self.scalar, points, &uniform)?);
        for (lane, pair) in pairs.iter_mut().enumerate() {
            for (c, key) in pair.iter_mut().enumerate() {
                let (points, shared) = (&points[lane], &shared[lane][c]);
                *key = hash_to_key(sid, first + lane, c as u8, &self.message, points, shared);
            }
        }
        Ok(())
    }
}

/// Chooses: for each transfer the key with the number that the bit of `delta` says.
///
/// Shapes: `offer` 32 bytes, as [`Offer::message`] returns it; the result is what to tell the other
/// side, 8192 bytes, and 128 keys. `sid` is the session's identifier. Of `entropy`, transfer i
/// takes 64 bytes for `x_i`, then 64 for `r_(1-d)`, in the order of i.
/// Secret: `delta`, what is drawn, and the keys; no branch and no index depends on them.
///
/// # Errors
/// [`Error::Length`] if `offer` has another length; [`Error::Point`] if it does not decode or is the
/// identity, which no honest party sends.
pub fn choose(
    sid: &[u8; 32],
    delta: Block,
    offer: &[u8],
    entropy: &mut Entropy,
) -> Result<(Vec<u8>, Chosen), Error> {
    choose_by(Twin::fastest(), sid, delta, offer, entropy)
}

fn choose_by(
    twin: Twin,
    sid: &[u8; 32],
    delta: Block,
    offer: &[u8],
    entropy: &mut Entropy,
) -> Result<(Vec<u8>, Chosen), Error> {
    check("offer", offer, OFFER)?;
    let offer = &offer.as_chunks().0[0];
    let base = twin.base(offer).ok_or(Error::Point { argument: "offer", index: 0 })?;
    let chooser = Chooser { sid, delta: Zeroizing::new(delta), offer, twin, base };
    let mut draws = Zeroizing::new(vec![[[[0; 64]; 2]; TASK]; TRANSFERS / TASK]);
    entropy.fill(draws.as_flattened_mut().as_flattened_mut().as_flattened_mut());
    let mut message = vec![[[[0; 32]; 2]; TASK]; TRANSFERS / TASK];
    let mut keys = Chosen::new(Zeroizing::new([0; TRANSFERS]));
    let tasks = keys.as_chunks_mut().0.par_iter_mut().zip(&mut message).zip(&*draws).enumerate();
    tasks.for_each(|(task, ((keys, points), draws))| {
        chooser.choose(task * TASK, draws, points, keys);
    });
    Ok((message.into_flattened().into_flattened().into_flattened(), keys))
}

/// What all transfers of one choice share.
struct Chooser<'a> {
    sid: &'a [u8; 32],
    delta: Zeroizing<Block>,
    offer: &'a Encoded,
    twin: Twin,
    base: Base,
}

impl Chooser<'_> {
    /// The transfers from `first` on.
    ///
    /// Both points are made in the same way for either bit; the bit selects which stands first.
    fn choose(
        &self,
        first: usize,
        draws: &[[Uniform; 2]; TASK],
        points: &mut [[Encoded; 2]; TASK],
        keys: &mut [Block; TASK],
    ) {
        let x = draws.each_ref().map(|[x, _]| Scalar::from_bytes_mod_order_wide(x));
        let x = Zeroizing::new(x);
        let drawn = Zeroizing::new(draws.each_ref().map(|[_, r]| *r));
        let others = self.twin.derive(&drawn);
        let uniform =
            std::array::from_fn(|lane| hash_to_uniform(self.sid, first + lane, &others[lane]));
        let products = Zeroizing::new(self.base.multiply(&x, &uniform));
        for (lane, key) in keys.iter_mut().enumerate() {
            let (i, other, [own, shared]) = (first + lane, &others[lane], &products[lane]);
            let d = Choice::from((*self.delta >> i) as u8 & 1);
            points[lane] = [select(own, other, d), select(other, own, d)];
            *key = hash_to_key(self.sid, i, d.unwrap_u8(), self.offer, &points[lane], shared);
        }
    }
}

/// Who computes in the group.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Twin {
    Portable,
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    X86(Path),
}

/// The point of an offer, ready for products with many scalars.
enum Base {
    Portable(portable::Base),
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    X86(x86::Base),
}

impl Twin {
    /// All of this machine, the fastest first.
    fn all() -> impl Iterator<Item = Self> {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        let fast = Path::all().map(Self::X86);
        #[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
        let fast = std::iter::empty();
        fast.chain([Self::Portable])
    }

    fn fastest() -> Self {
        Self::all().next().unwrap_or(Self::Portable)
    }

    /// Encodes points derived from uniform bytes.
    fn derive(self, uniform: &[Uniform; TASK]) -> [Encoded; TASK] {
        match self {
            Self::Portable => portable::derive(uniform),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Self::X86(path) => x86::derive(path, uniform),
        }
    }

    /// Encodes `scalar * (points[i][c] + H[i][1 - c])`, H derived from `uniform`; or gives the number
    /// 2i + c of the first of `points` that does not decode or is the identity.
    fn multiply_sums(
        self,
        scalar: &Scalar,
        points: &[[Encoded; 2]; TASK],
        uniform: &[[Uniform; 2]; TASK],
    ) -> Result<[[Encoded; 2]; TASK], usize> {
        match self {
            Self::Portable => portable::multiply_sums(scalar, points, uniform),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Self::X86(path) => x86::multiply_sums(path, scalar, points, uniform),
        }
    }

    /// Prepares an offer; nothing if it does not decode or is the identity.
    fn base(self, offer: &Encoded) -> Option<Base> {
        match self {
            Self::Portable => portable::Base::of(offer).map(Base::Portable),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Self::X86(path) => x86::Base::of(path, offer).map(Base::X86),
        }
    }
}

impl Base {
    /// Encodes `scalars[i] * G - H[i]`, H derived from `uniform`, and `scalars[i]` times the offer.
    fn multiply(
        &self,
        scalars: &[Scalar; TASK],
        uniform: &[Uniform; TASK],
    ) -> [[Encoded; 2]; TASK] {
        match self {
            Self::Portable(base) => base.multiply(scalars, uniform),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Self::X86(base) => base.multiply(scalars, uniform),
        }
    }
}

fn check(argument: &'static str, bytes: &[u8], expected: usize) -> Result<(), Error> {
    if bytes.len() == expected {
        return Ok(());
    }
    Err(Error::Length { argument, expected, actual: bytes.len() })
}

/// `first` for choice 0, `second` for choice 1.
fn select(first: &Encoded, second: &Encoded, choice: Choice) -> Encoded {
    std::array::from_fn(|i| u8::conditional_select(&first[i], &second[i], choice))
}

/// Of what H of the module's formulas is derived. `i` is below 128.
fn hash_to_uniform(sid: &[u8; 32], i: usize, encoded: &Encoded) -> Uniform {
    let hash = Sha512::new_with_prefix(POINT).chain_update(sid).chain_update([i as u8]);
    hash.chain_update(encoded).finalize().into()
}

/// The key with number `c` of transfer `i`, which is below 128. All that was said goes in, so that a
/// key belongs to one session, one offer and one choice.
fn hash_to_key(
    sid: &[u8; 32],
    i: usize,
    c: u8,
    offer: &Encoded,
    [r_0, r_1]: &[Encoded; 2],
    shared: &Encoded,
) -> Block {
    let hash = Sha256::new_with_prefix(KEY).chain_update(sid).chain_update([i as u8, c]);
    let hash = hash.chain_update(offer).chain_update(r_0).chain_update(r_1).chain_update(shared);
    let digest = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
    Block::from_le_bytes(digest.as_chunks().0[0])
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::ristretto::CompressedRistretto;

    use super::*;

    const SID: [u8; 32] = [0x51; 32];

    /// An offer, a choice for it, the keys of who chose.
    fn transfers(seed: u8, delta: Block) -> (Offer, Vec<u8>, Chosen) {
        let mut entropy = Entropy::from_seed_for_tests([seed; 32]);
        let offer = Offer::draw(&mut entropy);
        let (message, keys) = choose(&SID, delta, &offer.message(), &mut entropy).unwrap();
        (offer, message, keys)
    }

    /// The same offer again, since `keys` takes one.
    fn again(offer: &Offer) -> Offer {
        Offer { scalar: offer.scalar, message: offer.message }
    }

    #[test]
    fn who_chooses_gets_one_key_of_each_pair_and_not_the_other() {
        let pattern = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978;
        for (seed, delta) in (1..).zip([0, Block::MAX, 1, 1 << 127, pattern, !pattern]) {
            let (offer, message, keys) = transfers(seed, delta);
            assert_eq!(message.len(), CHOICE);
            let pairs = offer.keys(&SID, &message).unwrap();
            for i in 0..TRANSFERS {
                let d = (delta >> i & 1) as usize;
                assert!(pairs[i][d] == keys[i], "seed {seed}, transfer {i}");
                assert!(pairs[i][1 - d] != keys[i], "seed {seed}, transfer {i}");
            }
            let mut all: Vec<_> = pairs.as_flattened().to_vec();
            all.sort_unstable();
            assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}");
        }
    }

    #[test]
    fn every_twin_says_and_finds_the_same() {
        for (seed, delta) in (40..44).zip([0, Block::MAX, 0x5a5a << 60, 0x1234_5678]) {
            let mut results = Vec::new();
            for twin in Twin::all() {
                let mut entropy = Entropy::from_seed_for_tests([seed; 32]);
                let offer = Offer::draw(&mut entropy);
                let message = offer.message();
                let (choice, keys) = choose_by(twin, &SID, delta, &message, &mut entropy).unwrap();
                let pairs = offer.keys_by(twin, &SID, &choice).unwrap();
                results.push((choice, keys.to_vec(), pairs.to_vec()));
            }
            assert!(results.windows(2).all(|two| two[0] == two[1]), "seed {seed}");
        }
    }

    #[test]
    fn every_twin_agrees_at_the_edges() {
        let mut entropy = Entropy::from_seed_for_tests([50; 32]);
        let mut draw = || {
            let mut bytes = [0; 64];
            entropy.fill(&mut bytes);
            bytes
        };
        // Uniform bytes: 0, p, what is above p, the highest bits; then random ones.
        let p_and = |low: u8| -> [u8; 32] {
            std::array::from_fn(|i| [low, 0xff, 0x7f][usize::from(i > 0) + usize::from(i > 30)])
        };
        let halves = [[0; 32], p_and(0xed), p_and(0xec), p_and(0xee), p_and(0xff), [0xff; 32]];
        let edge = |i: usize| [halves[i % 6], halves[i / 6 % 6]].as_flattened().try_into().unwrap();
        // Scalars: the smallest, the largest, and digits of 8, which carry.
        let l_minus = |n: u8| -Scalar::from(n);
        let eights = Scalar::from_bytes_mod_order([0x88; 32]);
        let scalars = [0_u8, 1, 2, 8].map(Scalar::from).into_iter().chain([1, 2].map(l_minus));
        let scalars: Vec<_> = scalars.chain([eights, -eights]).collect();
        let scalars: &[Scalar; TASK] = scalars.as_slice().try_into().unwrap();
        let offer = (RistrettoPoint::mul_base(&eights)).compress().0;
        let slow = Twin::Portable;
        let bases: Vec<_> = Twin::all().map(|twin| twin.base(&offer).unwrap()).collect();
        for round in 0..10 {
            let uniform: [Uniform; TASK] =
                std::array::from_fn(|lane| if round < 5 { edge(8 * round + lane) } else { draw() });
            let derived = slow.derive(&uniform);
            for twin in Twin::all() {
                assert_eq!(derived, twin.derive(&uniform), "seed 50, round {round}, {twin:?}");
            }
            let products: Vec<_> =
                bases.iter().map(|base| base.multiply(scalars, &uniform)).collect();
            assert!(products.windows(2).all(|two| two[0] == two[1]), "seed 50, round {round}");
            let points = derived.map(|encoded| [encoded, offer]);
            // Points that are the identity are refused by both.
            for scalar in scalars {
                let pairs = uniform.map(|bytes| [bytes, draw()]);
                let sums = slow.multiply_sums(scalar, &points, &pairs);
                for twin in Twin::all() {
                    let others = twin.multiply_sums(scalar, &points, &pairs);
                    assert_eq!(sums, others, "seed 50, round {round}, {twin:?}");
                }
            }
        }
    }

    #[test]
    fn every_twin_refuses_the_same_encodings() {
        let mut entropy = Entropy::from_seed_for_tests([51; 32]);
        let mut refused = 0;
        for round in 0..250_u8 {
            let mut bytes = [0; 32];
            entropy.fill(&mut bytes);
            match round {
                // p - 1 has y = 0; p and above are not smallest forms.
                0..20 => {
                    bytes = [0xff; 32];
                    (bytes[0], bytes[31]) = (0xec + round, 0x7f);
                }
                20..30 => {
                    bytes = [0; 32];
                    bytes[0] = round - 20;
                }
                30..40 => (),
                // Even and without the highest bit, so that the rest of the rules decide.
                _ => (bytes[0], bytes[31]) = (bytes[0] & 0xfe, bytes[31] & 0x7f),
            }
            let honest = RistrettoPoint::mul_base(&Scalar::from(7_u8)).compress().0;
            let mut points = [[honest; 2]; TASK];
            points[usize::from(round) % TASK][usize::from(round) / TASK % 2] = bytes;
            let uniform = [[[7; 64]; 2]; TASK];
            let results = |twin: Twin| {
                let sums = twin.multiply_sums(&Scalar::ONE, &points, &uniform);
                (twin.base(&bytes).is_some(), sums)
            };
            let slow = results(Twin::Portable);
            for twin in Twin::all() {
                assert!(slow == results(twin), "seed 51, round {round}, {twin:?}");
            }
            assert_eq!(slow.0, slow.1.is_ok(), "seed 51, round {round}");
            refused += u32::from(!slow.0);
        }
        // Of the 210 even ones a quarter decode: a root must exist and t be even.
        assert!((170..220).contains(&refused), "seed 51: {refused}");
    }

    #[test]
    fn the_keys_are_those_of_the_formulas() {
        let (seed, delta) = (7, 0xa5a5_0000_ffff_1234_8000_0000_0000_0001);
        let (offer, message, keys) = transfers(seed, delta);
        let pairs = again(&offer).keys(&SID, &message).unwrap();
        assert!(
            offer.message == (offer.scalar * RistrettoPoint::mul_base(&Scalar::ONE)).compress().0
        );
        for i in 0..TRANSFERS {
            let r: [&[u8; 32]; 2] =
                std::array::from_fn(|c| message[64 * i + 32 * c..][..32].try_into().unwrap());
            for c in 0..2 {
                let label = b"greenlane/vole/1/base-ot/point";
                let hashed = Sha512::digest([&label[..], &SID, &[i as u8], r[1 - c]].concat());
                let sum = CompressedRistretto(*r[c]).decompress().unwrap()
                    + RistrettoPoint::from_uniform_bytes(&hashed.into());
                let shared = (offer.scalar * sum).compress();
                let label = b"greenlane/vole/1/base-ot/key";
                let parts: [&[u8]; 8] = [
                    label,
                    &SID,
                    &[i as u8],
                    &[c as u8],
                    &offer.message,
                    r[0],
                    r[1],
                    shared.as_bytes(),
                ];
                let key = Sha256::digest(parts.concat());
                assert_eq!(pairs[i][c].to_le_bytes()[..], key[..16], "seed {seed}, transfer {i}");
            }
            assert!(keys[i] == pairs[i][(delta >> i & 1) as usize], "seed {seed}, transfer {i}");
        }
    }

    #[test]
    fn a_changed_byte_of_the_choice_is_refused_or_changes_both_keys_of_its_transfer_alone() {
        let (offer, message, _) = transfers(8, 0x5555);
        let pairs = again(&offer).keys(&SID, &message).unwrap();
        let (mut refused, mut changed) = (0, 0);
        for at in (0..CHOICE).step_by(331) {
            let mut forged = message.clone();
            forged[at] ^= 2;
            match again(&offer).keys(&SID, &forged) {
                Err(error) => {
                    assert_eq!(error, Error::Point { argument: "choice", index: at / 32 });
                    refused += 1;
                }
                Ok(other) => {
                    for i in 0..TRANSFERS {
                        for c in 0..2 {
                            assert_eq!(
                                other[i][c] == pairs[i][c],
                                i != at / 64,
                                "seed 8, byte {at}"
                            );
                        }
                    }
                    changed += 1;
                }
            }
        }
        assert!(refused > 0 && changed > 0, "seed 8: {refused} refused, {changed} changed");
    }

    #[test]
    fn what_no_honest_party_sends_is_refused() {
        let (offer, message, _) = transfers(9, 3);
        // p itself stands for 0 but is not its smallest form; 1 is odd, hence negative.
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        let mut one = [0; 32];
        one[0] = 1;
        for bytes in [[0; 32], [0xff; 32], p, one] {
            let error = Error::Point { argument: "offer", index: 0 };
            let mut entropy = Entropy::from_seed_for_tests([9; 32]);
            assert_eq!(choose(&SID, 3, &bytes, &mut entropy).err(), Some(error));
            // Two bad points in two tasks: the first is told.
            let mut forged = message.clone();
            for index in [255, 20] {
                forged[32 * index..][..32].copy_from_slice(&bytes);
                let error = Error::Point { argument: "choice", index };
                assert_eq!(again(&offer).keys(&SID, &forged).err(), Some(error));
            }
        }
        for length in [0, 31, 33, 64] {
            let error = Error::Length { argument: "offer", expected: 32, actual: length };
            let mut entropy = Entropy::from_seed_for_tests([9; 32]);
            assert_eq!(choose(&SID, 3, &vec![0; length], &mut entropy).err(), Some(error));
        }
        for length in [0, CHOICE - 1, CHOICE + 1, 2 * CHOICE] {
            let mut forged = message.clone();
            forged.resize(length, 0);
            let error = Error::Length { argument: "choice", expected: 8192, actual: length };
            assert_eq!(again(&offer).keys(&SID, &forged).err(), Some(error));
        }
    }

    #[test]
    fn a_sum_that_is_the_identity_spoils_no_other_key() {
        // Who chooses can make r_0 = -H(0, r_1), so that Z is the identity and key 0 known to it; that
        // must not make a key of the same task known, too.
        let (offer, message, _) = transfers(10, 0);
        let pairs = again(&offer).keys(&SID, &message).unwrap();
        let mut forged = message.clone();
        let r_1 = message[32..64].try_into().unwrap();
        let hashed = RistrettoPoint::from_uniform_bytes(&hash_to_uniform(&SID, 0, r_1));
        forged[..32].copy_from_slice((-hashed).compress().as_bytes());
        let other = again(&offer).keys(&SID, &forged).unwrap();
        let points = forged[..64].as_chunks().0.try_into().unwrap();
        let known = hash_to_key(&SID, 0, 0, &offer.message, &points, &[0; 32]);
        assert!(other[0][0] == known, "seed 10");
        assert!(other[0][1] != pairs[0][1], "seed 10");
        assert!(other[1..] == pairs[1..], "seed 10");
    }

    #[test]
    fn another_session_or_another_offer_gives_other_keys() {
        let (offer, message, keys) = transfers(11, 0);
        let pairs = again(&offer).keys(&[0x52; 32], &message).unwrap();
        assert!((0..TRANSFERS).all(|i| !pairs[i].contains(&keys[i])), "seed 11");
        let other = Offer::draw(&mut Entropy::from_seed_for_tests([12; 32]));
        let pairs = other.keys(&SID, &message).unwrap();
        assert!((0..TRANSFERS).all(|i| !pairs[i].contains(&keys[i])), "seeds 11 and 12");
    }
}
