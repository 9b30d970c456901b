//! A secret order.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::entropy::Entropy;
use crate::error::Error;

/// A random permutation of n rows. Wiped on drop.
///
/// Secret: all of it; where rows are read and written depends on it, at home only.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Shuffle {
    slots: Vec<u32>,
}

impl Shuffle {
    /// Draws a permutation of `rows` rows (Fisher and Yates, as in Knuth, TAOCP 2, algorithm P).
    ///
    /// # Errors
    /// [`Error::TooLarge`] from 2^32 rows.
    pub fn draw(rows: usize, entropy: &mut Entropy) -> Result<Self, Error> {
        let bound = u32::MAX as usize;
        if rows > bound {
            return Err(Error::TooLarge { argument: "rows", bound, actual: rows });
        }
        let mut slots: Vec<u32> = (0..rows as u32).collect();
        for i in (1..rows).rev() {
            slots.swap(i, entropy.below(i as u32 + 1) as usize);
        }
        Ok(Self { slots })
    }

    /// Puts row i into slot `slots[i]`.
    ///
    /// Shapes: `rows` and the result n rows of `width` bytes.
    ///
    /// # Errors
    /// [`Error::Length`] if `rows` is not n rows.
    pub fn apply(&self, rows: &[u8], width: usize) -> Result<Vec<u8>, Error> {
        self.check(rows, width)?;
        let mut out = vec![0; rows.len()];
        for (row, slot) in rows.chunks_exact(width).zip(&self.slots) {
            out[*slot as usize * width..][..width].copy_from_slice(row);
        }
        Ok(out)
    }

    /// Puts what stands in slot `slots[i]` back to row i.
    ///
    /// Shapes and errors as in [`Shuffle::apply`].
    ///
    /// # Errors
    /// [`Error::Length`] if `rows` is not n rows.
    pub fn undo(&self, rows: &[u8], width: usize) -> Result<Vec<u8>, Error> {
        self.check(rows, width)?;
        let mut out = Vec::with_capacity(rows.len());
        for slot in &self.slots {
            out.extend_from_slice(&rows[*slot as usize * width..][..width]);
        }
        Ok(out)
    }

    /// The slot of each row.
    pub fn slots(&self) -> &[u32] {
        &self.slots
    }

    fn check(&self, rows: &[u8], width: usize) -> Result<(), Error> {
        let expected = self.slots.len().checked_mul(width);
        if width > 0 && Some(rows.len()) == expected {
            return Ok(());
        }
        let expected = expected.unwrap_or(usize::MAX);
        Err(Error::Length { argument: "rows", expected, actual: rows.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoing_gives_the_rows_back_and_every_slot_is_filled() {
        let mut entropy = Entropy::from_seed_for_tests([8; 32]);
        for n in [0, 1, 2, 255] {
            let rows: Vec<u8> = (0..n).flat_map(|i| [i as u8, !(i as u8)]).collect();
            let shuffle = Shuffle::draw(n, &mut entropy).unwrap();
            let shuffled = shuffle.apply(&rows, 2).unwrap();
            assert_eq!(shuffle.undo(&shuffled, 2).unwrap(), rows);
            let mut slots = shuffle.slots().to_vec();
            slots.sort_unstable();
            assert_eq!(slots, (0..n as u32).collect::<Vec<_>>());
            assert!(shuffle.apply(&rows, 3).is_err() || n == 0);
        }
    }

    #[test]
    fn every_order_of_three_rows_comes_equally_often() {
        let mut entropy = Entropy::from_seed_for_tests([8; 32]);
        let mut seen = std::collections::HashMap::new();
        for _ in 0..6000 {
            let shuffle = Shuffle::draw(3, &mut entropy).unwrap();
            *seen.entry(shuffle.slots().to_vec()).or_insert(0) += 1;
        }
        // Each of 6 orders is expected 1000 times with a deviation of 29; 6 deviations are 174.
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (826..1174).contains(count)), "seed 8: {seen:?}");
    }
}
