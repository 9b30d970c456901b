//! AES-128 on batches of blocks, and the hashes of a fixed key made from it.

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
pub(crate) mod lanes;
mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use ::aes::Aes128;

/// 16 bytes, little-endian, or an element of GF(2^128) (see [`crate::gf128`]).
pub type Block = u128;

/// AES-128 under one key (FIPS 197). Wiped on drop.
///
/// Secret: the key and the blocks; they decide no branch and no index.
#[derive(Clone)]
pub struct Aes(Cipher);

/// The key, as its twin wants it. Both kinds are wiped on drop.
#[derive(Clone)]
enum Cipher {
    Portable(Box<Aes128>),
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    X86(x86::Cipher),
}

impl Aes {
    /// Expands a key.
    #[must_use]
    pub fn new(key: Block) -> Self {
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        if let Some(aes) = x86::Path::ALL.into_iter().find_map(|path| Self::x86(key, path)) {
            return aes;
        }
        Self::portable(key)
    }

    fn portable(key: Block) -> Self {
        Self(Cipher::Portable(Box::new(portable::expand(key))))
    }

    /// Expands a key for a path, if this machine has it.
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    fn x86(key: Block, path: x86::Path) -> Option<Self> {
        x86::Cipher::expand(key, path).map(|cipher| Self(Cipher::X86(cipher)))
    }

    /// Replaces each block x by AES(x).
    pub fn encrypt_each(&self, blocks: &mut [Block]) {
        self.run(Job::Encrypt(blocks));
    }

    /// Replaces each block x by AES(x) ^ x, which is correlation robust under a fixed public key (Guo,
    /// Katz, Wang and Yu, "Efficient and secure multiparty computation from fixed-key block ciphers",
    /// S&P 2020, section 7.2).
    pub fn hash_each(&self, blocks: &mut [Block]) {
        self.run(Job::Hash(blocks));
    }

    /// `to[i] = AES(x) ^ x`, x = `from[i]`; as [`Aes::hash_each`].
    ///
    /// Shapes: `from` and `to` n blocks each.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn hash_into(&self, from: &[Block], to: &mut [Block]) {
        assert_eq!(from.len(), to.len(), "blocks in and blocks out");
        self.run(Job::HashInto(from, to));
    }

    /// Replaces each block x by AES(s) ^ s with s = sigma(x), sigma((hi, lo)) = (hi ^ lo, hi) on halves of
    /// 64 bits, which is circular correlation robust under a fixed public key (the same, section 7.3).
    pub fn circular_each(&self, blocks: &mut [Block]) {
        self.run(Job::Circular(blocks));
    }

    /// `to[i] = AES(s) ^ s`, s = sigma(`from[i]`); as [`Aes::circular_each`].
    ///
    /// Shapes: `from` and `to` n blocks each.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn circular_into(&self, from: &[Block], to: &mut [Block]) {
        assert_eq!(from.len(), to.len(), "blocks in and blocks out");
        self.run(Job::CircularInto(from, to));
    }

    /// `out[i] = AES(first + i)`, the sum modulo 2^128. What `out` held is lost.
    ///
    /// Secret: not `first`.
    pub fn stream(&self, first: Block, out: &mut [Block]) {
        self.run(Job::Stream(first, out));
    }

    /// The one way to all twins.
    fn run(&self, job: Job<'_>) {
        match &self.0 {
            Cipher::Portable(cipher) => portable::run(cipher, job),
            #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
            Cipher::X86(cipher) => cipher.run(job),
        }
    }
}

/// What a twin is asked to do. Blocks in and blocks out are equally many.
enum Job<'a> {
    Encrypt(&'a mut [Block]),
    Hash(&'a mut [Block]),
    HashInto(&'a [Block], &'a mut [Block]),
    Circular(&'a mut [Block]),
    CircularInto(&'a [Block], &'a mut [Block]),
    Stream(Block, &'a mut [Block]),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key under every twin that this machine has, the portable one first.
    fn twins(key: Block) -> Vec<(String, Aes)> {
        #[cfg_attr(
            any(not(target_arch = "x86_64"), feature = "portable"),
            expect(unused_mut, reason = "there are no others")
        )]
        let mut twins = vec![("portable".to_string(), Aes::portable(key))];
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        for path in x86::Path::ALL {
            match Aes::x86(key, path) {
                Some(aes) => twins.push((format!("{path:?}"), aes)),
                None => eprintln!("path {path:?} is not on this machine and not tested"),
            }
        }
        twins
    }

    /// Blocks that look random, by the definition.
    fn random(seed: Block, n: usize) -> Vec<Block> {
        let mut blocks: Vec<Block> = (0..n as Block).collect();
        Aes::portable(seed).encrypt_each(&mut blocks);
        blocks
    }

    /// (hi, lo) to (hi ^ lo, hi), from the text of the definition.
    fn sigma(block: Block) -> Block {
        let (hi, lo) = ((block >> 64) as u64, block as u64);
        Block::from(hi ^ lo) << 64 | Block::from(hi)
    }

    #[test]
    fn every_twin_gives_the_standards_example() {
        // FIPS 197, appendix C.1; 40 copies pass through every width.
        let key = u128::from_be_bytes(std::array::from_fn(|i| i as u8)).swap_bytes();
        let plain = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.swap_bytes();
        let cipher = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128.swap_bytes();
        for (twin, aes) in twins(key) {
            let mut blocks = [plain; 40];
            aes.encrypt_each(&mut blocks);
            assert_eq!(blocks, [cipher; 40], "{twin}");
        }
    }

    #[test]
    fn every_twin_agrees_with_the_definition_on_every_length() {
        for n in 0..=140 {
            let key = random(1, n + 1)[n];
            let (blocks, one_by_one) = (random(2, n), Aes::portable(key));
            let encrypt = |x: Block| {
                let mut block = [x];
                one_by_one.encrypt_each(&mut block);
                block[0]
            };
            let encrypted: Vec<_> = blocks.iter().map(|x| encrypt(*x)).collect();
            let hashed: Vec<_> = blocks.iter().map(|x| encrypt(*x) ^ x).collect();
            let circular: Vec<_> = blocks.iter().map(|x| encrypt(sigma(*x)) ^ sigma(*x)).collect();
            for (twin, aes) in twins(key) {
                let each = |job: fn(&Aes, &mut [Block])| {
                    let mut blocks = blocks.clone();
                    job(&aes, &mut blocks);
                    blocks
                };
                let into = |job: fn(&Aes, &[Block], &mut [Block])| {
                    let mut to = random(3, n);
                    job(&aes, &blocks, &mut to);
                    to
                };
                assert_eq!(each(Aes::encrypt_each), encrypted, "{twin}, {n} blocks");
                assert_eq!(each(Aes::hash_each), hashed, "{twin}, {n} blocks");
                assert_eq!(into(Aes::hash_into), hashed, "{twin}, {n} blocks");
                assert_eq!(each(Aes::circular_each), circular, "{twin}, {n} blocks");
                assert_eq!(into(Aes::circular_into), circular, "{twin}, {n} blocks");
            }
        }
    }

    #[test]
    fn a_stream_counts_across_both_halves() {
        let key = random(4, 1)[0];
        let half = Block::from(u64::MAX);
        for first in
            [0, 7 << 64, half - 20, half - 69, half - 70, (9 << 64) | half, Block::MAX - 20]
        {
            for n in 0..=70 {
                let mut wanted: Vec<_> = (0..n as Block).map(|i| first.wrapping_add(i)).collect();
                Aes::portable(key).encrypt_each(&mut wanted);
                for (twin, aes) in twins(key) {
                    let mut out = random(5, n);
                    aes.stream(first, &mut out);
                    assert_eq!(out, wanted, "{twin}, {n} blocks from {first:#x}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "blocks in and blocks out")]
    fn unequal_lengths_panic() {
        Aes::new(0).hash_into(&[0; 3], &mut [0; 2]);
    }
}
