//! What a cell holds: a word, or a block where 64 bits are not enough.

use std::ops::{BitXor, BitXorAssign};
use std::sync::Mutex;

use zeroize::DefaultIsZeroes;

use crate::aes::Block;

use super::{Encoder, Encoders};

/// A cell's value in a session: `u64` for values of 64 bits, which moves half the bytes, or [`Block`].
pub trait Lane:
    DefaultIsZeroes + PartialEq + Send + Sync + BitXor<Output = Self> + BitXorAssign
{
    /// The low bits of a block.
    fn low(block: Block) -> Self;

    /// The lane as a block, its upper bits 0.
    fn block(self) -> Block;

    /// The encoders that are at rest.
    #[doc(hidden)]
    fn at_rest(encoders: &Encoders) -> &Mutex<Vec<Encoder<Self>>>;
}

impl Lane for u64 {
    #[inline]
    fn low(block: Block) -> Self {
        block as Self
    }

    #[inline]
    fn block(self) -> Block {
        self.into()
    }

    fn at_rest(encoders: &Encoders) -> &Mutex<Vec<Encoder<Self>>> {
        &encoders.words
    }
}

impl Lane for Block {
    #[inline]
    fn low(block: Block) -> Self {
        block
    }

    #[inline]
    fn block(self) -> Block {
        self
    }

    fn at_rest(encoders: &Encoders) -> &Mutex<Vec<Encoder<Self>>> {
        &encoders.blocks
    }
}
