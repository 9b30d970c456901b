//! Registers of x86 that hold one, two or four Blocks: the one place where they meet memory.
//!
//! A Block lies in memory as its 16 little-endian bytes, so a register holds its Blocks as they lie.

/// One Block to a register.
pub(crate) mod one {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_setzero_si128, _mm_storeu_si128};

    use super::super::Block;

    /// A register.
    pub(crate) type Lanes = __m128i;
    /// Blocks to a register.
    pub(crate) const LANES: usize = 1;

    /// Reads a register.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(crate) fn load(blocks: &[Block; LANES]) -> Lanes {
        // SAFETY: the reference makes 16 bytes readable; no alignment is asked for.
        #[expect(unsafe_code, reason = "loads take pointers")]
        unsafe {
            _mm_loadu_si128(blocks.as_ptr().cast())
        }
    }

    /// Writes a register.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(crate) fn store(blocks: &mut [Block; LANES], lanes: Lanes) {
        // SAFETY: the reference makes 16 bytes writable; no alignment is asked for.
        #[expect(unsafe_code, reason = "stores take pointers")]
        unsafe {
            _mm_storeu_si128(blocks.as_mut_ptr().cast(), lanes);
        }
    }

    /// The same Block in every lane.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(crate) fn spread(block: Block) -> Lanes {
        load(&[block])
    }

    /// Fewer Blocks than lanes, which is none.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(crate) fn load_part(_: &[Block]) -> Lanes {
        _mm_setzero_si128()
    }

    /// Fewer Blocks than lanes, which is none.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(crate) fn store_part(_: &mut [Block], _: Lanes) {}
}

/// Two Blocks to a register.
pub(crate) mod two {
    use std::arch::x86_64::{
        __m256i, _mm256_broadcastsi128_si256, _mm256_castsi128_si256, _mm256_castsi256_si128,
        _mm256_loadu_si256, _mm256_setzero_si256, _mm256_storeu_si256,
    };

    use super::super::Block;
    use super::one;

    /// A register.
    pub(crate) type Lanes = __m256i;
    /// Blocks to a register.
    pub(crate) const LANES: usize = 2;

    /// Reads a register.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn load(blocks: &[Block; LANES]) -> Lanes {
        // SAFETY: the reference makes 32 bytes readable; no alignment is asked for.
        #[expect(unsafe_code, reason = "loads take pointers")]
        unsafe {
            _mm256_loadu_si256(blocks.as_ptr().cast())
        }
    }

    /// Writes a register.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn store(blocks: &mut [Block; LANES], lanes: Lanes) {
        // SAFETY: the reference makes 32 bytes writable; no alignment is asked for.
        #[expect(unsafe_code, reason = "stores take pointers")]
        unsafe {
            _mm256_storeu_si256(blocks.as_mut_ptr().cast(), lanes);
        }
    }

    /// The same Block in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn spread(block: Block) -> Lanes {
        _mm256_broadcastsi128_si256(one::spread(block))
    }

    /// Reads fewer Blocks than lanes; what the other lanes hold does not matter.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn load_part(blocks: &[Block]) -> Lanes {
        match blocks.first_chunk() {
            Some(block) => _mm256_castsi128_si256(one::load(block)),
            None => _mm256_setzero_si256(),
        }
    }

    /// Writes fewer Blocks than lanes.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn store_part(blocks: &mut [Block], lanes: Lanes) {
        if let Some(block) = blocks.first_chunk_mut() {
            one::store(block, _mm256_castsi256_si128(lanes));
        }
    }
}

/// Four Blocks to a register.
pub(crate) mod four {
    use std::arch::x86_64::{
        __m512i, _mm512_broadcast_i32x4, _mm512_loadu_si512, _mm512_mask_storeu_epi64,
        _mm512_maskz_loadu_epi64, _mm512_storeu_si512,
    };

    use super::super::Block;
    use super::one;

    /// A register.
    pub(crate) type Lanes = __m512i;
    /// Blocks to a register.
    pub(crate) const LANES: usize = 4;

    /// Reads a register.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn load(blocks: &[Block; LANES]) -> Lanes {
        // SAFETY: the reference makes 64 bytes readable; no alignment is asked for.
        #[expect(unsafe_code, reason = "loads take pointers")]
        unsafe {
            _mm512_loadu_si512(blocks.as_ptr().cast())
        }
    }

    /// Writes a register.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn store(blocks: &mut [Block; LANES], lanes: Lanes) {
        // SAFETY: the reference makes 64 bytes writable; no alignment is asked for.
        #[expect(unsafe_code, reason = "stores take pointers")]
        unsafe {
            _mm512_storeu_si512(blocks.as_mut_ptr().cast(), lanes);
        }
    }

    /// The same Block in every lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn spread(block: Block) -> Lanes {
        _mm512_broadcast_i32x4(one::spread(block))
    }

    /// Reads fewer Blocks than lanes; what the other lanes hold does not matter.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn load_part(blocks: &[Block]) -> Lanes {
        // SAFETY: the mask names only the halves of Blocks behind the reference, at most all lanes.
        #[expect(unsafe_code, reason = "loads take pointers")]
        unsafe {
            _mm512_maskz_loadu_epi64(halves(blocks.len()), blocks.as_ptr().cast())
        }
    }

    /// Writes fewer Blocks than lanes.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(crate) fn store_part(blocks: &mut [Block], lanes: Lanes) {
        // SAFETY: the mask names only the halves of Blocks behind the reference, at most all lanes.
        #[expect(unsafe_code, reason = "stores take pointers")]
        unsafe {
            _mm512_mask_storeu_epi64(blocks.as_mut_ptr().cast(), halves(blocks.len()), lanes);
        }
    }

    /// The mask of the 64-bit halves of the first `blocks` Blocks, at most all.
    #[inline]
    fn halves(blocks: usize) -> u8 {
        [0x00, 0x03, 0x0f, 0x3f, 0xff][blocks.min(LANES)]
    }
}
