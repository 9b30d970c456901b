//! The core of Greenlane: batches in, batches out; no I/O, no clock, no policy.

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
pub mod sha256;
pub mod shuffle;
