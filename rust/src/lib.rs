//! The core of Greenlane: batches in, batches out; no I/O, no clock, no policy.

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
#[macro_use]
mod processor;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
#[macro_use]
mod compression;

pub mod aes;
pub mod base_ot;
pub mod bits;
pub mod chacha20;
pub mod code;
pub mod contents;
pub mod cot;
pub mod curve25519;
pub mod delimited;
mod deriving;
pub mod dh;
pub mod elements;
pub mod entries;
pub mod entropy;
pub mod error;
pub mod evaluations;
mod field25519;
pub mod fuse;
pub mod gf128;
pub mod identifiers;
pub mod joining;
pub mod labels;
mod memory;
pub mod okvs;
mod one_time;
pub mod oprf;
pub mod poly1305;
#[cfg(feature = "python")]
mod python;
pub mod ristretto255;
pub mod rows;
pub mod sealed;
pub mod session;
pub mod sha256;
pub mod sha512;
pub mod shuffle;
pub mod table;
pub mod tags;
pub mod texts;
#[cfg(feature = "python")]
mod threads;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod transposed;
pub mod trees;
pub mod vole;
pub mod voprf;
mod xmd;

#[global_allocator]
static MEMORY: memory::Memory = memory::Memory;
