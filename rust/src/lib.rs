//! The core of Greenlane: batches in, batches out; no I/O, no clock, no policy.

#![deny(missing_docs, unsafe_code, clippy::undocumented_unsafe_blocks)]

pub mod curve25519;
pub mod dh;
pub mod elements;
pub mod entries;
pub mod entropy;
pub mod error;
mod field25519;
pub mod identifiers;
pub mod labels;
#[cfg(feature = "python")]
mod python;
pub mod shuffle;
