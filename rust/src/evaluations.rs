//! What a party has evaluated of its own elements, so that each costs its multiplication once.
//!
//! Evaluations leave memory in sealed blocks, under a key that only the holder of the function's key
//! has, and come back from them. What the table of secrets leaves behind in memory when it grows is not
//! wiped; a holder has the records themselves beside it.

use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::elements::{Element, ElementMap};
use crate::entropy::Entropy;
use crate::error::Error;
use crate::sealed;
use crate::table::Secret;
use crate::voprf::{SecretKey, Suite};

const STORE: &[u8] = b"greenlane/table/1/store";
/// Bytes of an element and its secret in a block.
const ROW: usize = 64;

/// The key under which a holder keeps what belongs to a function: nobody else has it.
pub(crate) fn store_key(key: &SecretKey) -> Zeroizing<[u8; 32]> {
    let hash = Sha512::new_with_prefix(STORE).chain_update(*key.to_bytes()).finalize();
    let hash: Zeroizing<[u8; 64]> = Zeroizing::new(hash.into());
    Zeroizing::new(hash.as_chunks().0[0])
}

/// Secrets by their elements. Wiped on drop.
pub struct Evaluations {
    store: Zeroizing<[u8; 32]>,
    known: ElementMap<Secret>,
}

impl Evaluations {
    /// No evaluations of a key yet.
    pub fn new(key: &SecretKey) -> Self {
        Self { store: store_key(key), known: ElementMap::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes a block in again.
    ///
    /// # Errors
    /// [`Error::Check`] if it was not sealed by this key for this context.
    pub fn read(&mut self, block: &[u8], context: &[u8]) -> Result<(), Error> {
        let rows = sealed::open(&self.store, context, block)?;
        let (rows, rest) = rows.as_chunks::<ROW>();
        if !rest.is_empty() {
            return Err(Error::Check { argument: "sealed" });
        }
        self.known.extend(rows.iter().map(|row| {
            let [element, secret] = *row.as_chunks().0 else { unreachable!("two halves of a row") };
            (element, secret)
        }));
        Ok(())
    }

    /// Which elements are not known yet, in their order.
    pub fn missing(&self, elements: &[Element]) -> Vec<Element> {
        elements.iter().filter(|element| !self.known.contains_key(*element)).copied().collect()
    }

    /// Evaluates elements, and seals them in a block.
    ///
    /// # Errors
    /// As of [`SecretKey::evaluate_own`].
    pub fn evaluate(
        &mut self,
        key: &SecretKey,
        suite: &Suite,
        elements: &[Element],
        context: &[u8],
        entropy: &mut Entropy,
    ) -> Result<Vec<u8>, Error> {
        let outputs = key.evaluate_own(suite, elements)?;
        let mut block = Zeroizing::new(vec![0; ROW * elements.len()]);
        let rows = block.as_chunks_mut::<ROW>().0.iter_mut();
        for ((row, element), output) in rows.zip(elements).zip(outputs.rows()) {
            let secret: Secret = output.as_chunks().0[0];
            row[..32].copy_from_slice(element);
            row[32..].copy_from_slice(&secret);
            self.known.insert(*element, secret);
        }
        Ok(sealed::seal(&self.store, context, &block, entropy))
    }

    /// The secrets of elements, in their order.
    ///
    /// # Errors
    /// [`Error::Early`] with the number of the first element that is not known.
    pub fn secrets(&self, elements: &[Element]) -> Result<Zeroizing<Vec<Secret>>, Error> {
        let mut secrets = Zeroizing::new(Vec::with_capacity(elements.len()));
        for (bin, element) in elements.iter().enumerate() {
            secrets.push(*self.known.get(element).ok_or(Error::Early { bin })?);
        }
        Ok(secrets)
    }
}

impl Drop for Evaluations {
    fn drop(&mut self) {
        self.known.values_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_evaluated_is_known_again_to_the_holder_of_the_key_alone() {
        let mut entropy = Entropy::from_seed_for_tests([130; 32]);
        let (key, other) = (SecretKey::draw(&mut entropy), SecretKey::draw(&mut entropy));
        let suite = Suite::voprf().unwrap();
        let elements: Vec<Element> = (0..100).map(|i| [i; 32]).collect();
        let mut first = Evaluations::new(&key);
        assert!(first.is_empty());
        assert_eq!(first.secrets(&elements).err(), Some(Error::Early { bin: 0 }));
        let block =
            first.evaluate(&key, &suite, &elements[..60], b"block 0", &mut entropy).unwrap();
        assert_eq!(first.missing(&elements), elements[60..]);
        assert_eq!(first.secrets(&elements).err(), Some(Error::Early { bin: 60 }));
        let mut again = Evaluations::new(&key);
        again.read(&block, b"block 0").unwrap();
        assert_eq!((again.len(), again.missing(&elements).len()), (60, 40));
        again.evaluate(&key, &suite, &elements[60..], b"block 1", &mut entropy).unwrap();
        let outputs = key.evaluate_own(&suite, &elements).unwrap();
        let due: Vec<Secret> = outputs.rows().iter().map(|row| row.as_chunks().0[0]).collect();
        assert_eq!(*again.secrets(&elements).unwrap(), due, "seed 130");
        let refused = Err(Error::Check { argument: "sealed" });
        assert_eq!(again.read(&block, b"block 1"), refused);
        assert_eq!(Evaluations::new(&other).read(&block, b"block 0"), refused);
    }
}
