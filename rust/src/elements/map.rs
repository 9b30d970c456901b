//! Maps by element. An element is a hash already, so its first bytes serve as one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::Element;

/// Values by their elements.
pub type ElementMap<V> = HashMap<Element, V, BuildHasherDefault<FirstBytes>>;

/// Takes the first eight bytes of an element for its hash.
///
/// Whoever wants two elements in one place must find identifiers whose SHA-256 begin alike; a few more
/// than there are by chance cost a few comparisons.
#[derive(Default)]
pub struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length of an element is no part of it.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
