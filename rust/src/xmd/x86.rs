//! `expand_message_xmd` for eight messages side by side, with AVX-512: SHA-512 (FIPS 180-4, section 6.4) has
//! words of 64 bits, eight of which are a register, and its functions of three words are an instruction each.
//! All instructions take the same time for all values.

use std::arch::x86_64::{
    __m512i, _mm256_extract_epi64, _mm512_add_epi64, _mm512_extracti64x4_epi64, _mm512_ror_epi64,
    _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64,
    _mm512_ternarylogic_epi64,
};

use zeroize::Zeroizing;

use super::DIGEST;

/// Messages side by side.
const LANES: usize = 8;
/// Bytes and words of a block.
const BLOCK: usize = 128;
const WORDS: usize = BLOCK / 8;

/// Section 5.3.5.
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// Section 4.2.3, as many as a block has words to a row.
const K: [[u64; WORDS]; 5] = [
    [
        0x428a_2f98_d728_ae22,
        0x7137_4491_23ef_65cd,
        0xb5c0_fbcf_ec4d_3b2f,
        0xe9b5_dba5_8189_dbbc,
        0x3956_c25b_f348_b538,
        0x59f1_11f1_b605_d019,
        0x923f_82a4_af19_4f9b,
        0xab1c_5ed5_da6d_8118,
        0xd807_aa98_a303_0242,
        0x1283_5b01_4570_6fbe,
        0x2431_85be_4ee4_b28c,
        0x550c_7dc3_d5ff_b4e2,
        0x72be_5d74_f27b_896f,
        0x80de_b1fe_3b16_96b1,
        0x9bdc_06a7_25c7_1235,
        0xc19b_f174_cf69_2694,
    ],
    [
        0xe49b_69c1_9ef1_4ad2,
        0xefbe_4786_384f_25e3,
        0x0fc1_9dc6_8b8c_d5b5,
        0x240c_a1cc_77ac_9c65,
        0x2de9_2c6f_592b_0275,
        0x4a74_84aa_6ea6_e483,
        0x5cb0_a9dc_bd41_fbd4,
        0x76f9_88da_8311_53b5,
        0x983e_5152_ee66_dfab,
        0xa831_c66d_2db4_3210,
        0xb003_27c8_98fb_213f,
        0xbf59_7fc7_beef_0ee4,
        0xc6e0_0bf3_3da8_8fc2,
        0xd5a7_9147_930a_a725,
        0x06ca_6351_e003_826f,
        0x1429_2967_0a0e_6e70,
    ],
    [
        0x27b7_0a85_46d2_2ffc,
        0x2e1b_2138_5c26_c926,
        0x4d2c_6dfc_5ac4_2aed,
        0x5338_0d13_9d95_b3df,
        0x650a_7354_8baf_63de,
        0x766a_0abb_3c77_b2a8,
        0x81c2_c92e_47ed_aee6,
        0x9272_2c85_1482_353b,
        0xa2bf_e8a1_4cf1_0364,
        0xa81a_664b_bc42_3001,
        0xc24b_8b70_d0f8_9791,
        0xc76c_51a3_0654_be30,
        0xd192_e819_d6ef_5218,
        0xd699_0624_5565_a910,
        0xf40e_3585_5771_202a,
        0x106a_a070_32bb_d1b8,
    ],
    [
        0x19a4_c116_b8d2_d0c8,
        0x1e37_6c08_5141_ab53,
        0x2748_774c_df8e_eb99,
        0x34b0_bcb5_e19b_48a8,
        0x391c_0cb3_c5c9_5a63,
        0x4ed8_aa4a_e341_8acb,
        0x5b9c_ca4f_7763_e373,
        0x682e_6ff3_d6b2_b8a3,
        0x748f_82ee_5def_b2fc,
        0x78a5_636f_4317_2f60,
        0x84c8_7814_a1f0_ab72,
        0x8cc7_0208_1a64_39ec,
        0x90be_fffa_2363_1e28,
        0xa450_6ceb_de82_bde9,
        0xbef9_a3f7_b2c6_7915,
        0xc671_78f2_e372_532b,
    ],
    [
        0xca27_3ece_ea26_619c,
        0xd186_b8c7_21c0_c207,
        0xeada_7dd6_cde0_eb1e,
        0xf57d_4f7f_ee6e_d178,
        0x06f0_67aa_7217_6fba,
        0x0a63_7dc5_a2c8_98a6,
        0x113f_9804_bef9_0dae,
        0x1b71_0b35_131c_471b,
        0x28db_77f5_2304_7d84,
        0x32ca_ab7b_40c7_2493,
        0x3c9e_be0a_15c9_bebc,
        0x431d_67c4_9c10_0d4c,
        0x4cc5_d4be_cb3e_42b6,
        0x597f_299c_fc65_7e2a,
        0x5fcb_6fab_3ad6_faec,
        0x6c44_198c_4a47_5817,
    ],
];

/// What two hashes have in common, whatever the message.
pub(super) struct Lanes {
    /// The state of the first behind its block of zeros.
    begun: [u64; 8],
    /// What the second hashes behind the digest of the first, padded.
    rest: Vec<u8>,
}

impl Lanes {
    /// From what follows every message.
    #[target_feature(enable = "avx512f")]
    pub(super) fn new(suffix: &[u8]) -> Self {
        let mut state = INITIAL.map(|word| everywhere(word));
        compress(&mut state, [_mm512_setzero_si512(); WORDS]);
        // Of the suffix, the length that was asked for and the zero are not hashed again.
        let mut rest = vec![1];
        rest.extend_from_slice(&suffix[3..]);
        pad(&mut rest, DIGEST);
        Self { begun: state.map(|word| words_of(word)[0]), rest }
    }

    /// Expands messages, all of which have `length` bytes, between a prefix and a suffix.
    #[target_feature(enable = "avx512f")]
    pub(super) fn expand<T: AsRef<[u8]>>(
        &self,
        (prefix, length, suffix): (&[u8], usize, &[u8]),
        messages: &[T],
        out: &mut [[u8; DIGEST]],
    ) {
        let mut padded = [prefix, &vec![0; length], suffix].concat();
        pad(&mut padded, BLOCK);
        let mut lanes = Zeroizing::new([(); LANES].map(|()| padded.clone()));
        for (messages, out) in messages.chunks(LANES).zip(out.chunks_mut(LANES)) {
            for (lane, message) in lanes.iter_mut().zip(messages) {
                lane[prefix.len()..][..length].copy_from_slice(message.as_ref());
            }
            let mut state = self.begun.map(|word| everywhere(word));
            for block in 0..padded.len() / BLOCK {
                let mut words = [_mm512_setzero_si512(); WORDS];
                for (i, word) in words.iter_mut().enumerate() {
                    let at = block * BLOCK + 8 * i;
                    *word = of_words(lanes.each_ref().map(|lane| word_at(lane, at)));
                }
                compress(&mut state, words);
            }
            let digests = self.second(state).map(|word| words_of(word));
            for (lane, out) in out.iter_mut().enumerate() {
                for (bytes, words) in out.as_chunks_mut().0.iter_mut().zip(&digests) {
                    *bytes = words[lane].to_be_bytes();
                }
            }
        }
    }

    /// The second hash, of a digest and what follows it.
    #[target_feature(enable = "avx512f")]
    fn second(&self, digest: [__m512i; 8]) -> [__m512i; 8] {
        let mut state = INITIAL.map(|word| everywhere(word));
        let mut words = [_mm512_setzero_si512(); WORDS];
        words[..8].copy_from_slice(&digest);
        let mut filled = 8;
        for at in (0..self.rest.len()).step_by(8) {
            words[filled] = everywhere(word_at(&self.rest, at));
            filled += 1;
            if filled == WORDS {
                compress(&mut state, words);
                filled = 0;
            }
        }
        state
    }
}

/// Pads the end of a message before which so many bytes were hashed (section 5.1.2).
fn pad(end: &mut Vec<u8>, before: usize) {
    let length = before + end.len();
    end.push(0x80);
    end.resize((length + 1 + 16).next_multiple_of(BLOCK) - 8 - before, 0);
    end.extend_from_slice(&(8 * length as u64).to_be_bytes());
}

fn word_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_be_bytes(*word))
}

#[target_feature(enable = "avx512f")]
fn compress(state: &mut [__m512i; 8], mut words: [__m512i; WORDS]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (row, constants) in K.iter().enumerate() {
        for i in 0..WORDS {
            if row > 0 {
                let (before, behind) = (words[(i + 1) % WORDS], words[(i + 14) % WORDS]);
                let before = xor(
                    _mm512_ror_epi64::<1>(before),
                    _mm512_ror_epi64::<8>(before),
                    _mm512_srli_epi64::<7>(before),
                );
                let behind = xor(
                    _mm512_ror_epi64::<19>(behind),
                    _mm512_ror_epi64::<61>(behind),
                    _mm512_srli_epi64::<6>(behind),
                );
                let far = _mm512_add_epi64(words[i], words[(i + 9) % WORDS]);
                words[i] = _mm512_add_epi64(_mm512_add_epi64(before, behind), far);
            }
            let sum_e = xor(
                _mm512_ror_epi64::<14>(e),
                _mm512_ror_epi64::<18>(e),
                _mm512_ror_epi64::<41>(e),
            );
            let sum_a = xor(
                _mm512_ror_epi64::<28>(a),
                _mm512_ror_epi64::<34>(a),
                _mm512_ror_epi64::<39>(a),
            );
            // Ch: f where e is set, g elsewhere. Maj: what two of three say.
            let choice = _mm512_ternarylogic_epi64::<0b1100_1010>(e, f, g);
            let majority = _mm512_ternarylogic_epi64::<0b1110_1000>(a, b, c);
            let input = _mm512_add_epi64(words[i], everywhere(constants[i]));
            let first =
                _mm512_add_epi64(_mm512_add_epi64(h, input), _mm512_add_epi64(sum_e, choice));
            let second = _mm512_add_epi64(sum_a, majority);
            (h, g, f, e) = (g, f, e, _mm512_add_epi64(d, first));
            (d, c, b, a) = (c, b, a, _mm512_add_epi64(first, second));
        }
    }
    for (word, more) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = _mm512_add_epi64(*word, more);
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0b1001_0110>(x, y, z)
}

/// The same word in every lane.
#[target_feature(enable = "avx512f")]
#[inline]
fn everywhere(word: u64) -> __m512i {
    _mm512_set1_epi64(word as i64)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn of_words(words: [u64; LANES]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = words.map(|word| word as i64);
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

#[target_feature(enable = "avx512f")]
fn words_of(register: __m512i) -> [u64; LANES] {
    let halves =
        [_mm512_extracti64x4_epi64::<0>(register), _mm512_extracti64x4_epi64::<1>(register)];
    let mut words = [0; LANES];
    for (words, half) in words.as_chunks_mut().0.iter_mut().zip(halves) {
        *words = [
            _mm256_extract_epi64::<0>(half) as u64,
            _mm256_extract_epi64::<1>(half) as u64,
            _mm256_extract_epi64::<2>(half) as u64,
            _mm256_extract_epi64::<3>(half) as u64,
        ];
    }
    words
}
