//! How many keys peeling leaves, of random ones: what a study of failures counts.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::aes::{Aes, Block};
use crate::error::Error;

use super::peel::Peel;
use super::row::{LONGEST_THIRD, MOST_KEYS};

/// Bins that a task draws and peels: some 10 ms of work.
const CHUNK: u64 = 64;

/// Peels `runs` bins of `keys` random keys in thirds of `third` cells each, and counts by size what
/// is left. Bins that are given up for a cell of 64 keys count with all their keys.
///
/// # Errors
/// [`Error::TooLarge`] if `keys` is above [`MOST_KEYS`], or `third` above [`LONGEST_THIRD`] or 0.
pub fn core_sizes(
    keys: usize,
    third: usize,
    seed: u64,
    runs: u64,
) -> Result<BTreeMap<usize, u64>, Error> {
    if keys > MOST_KEYS {
        return Err(Error::TooLarge { argument: "keys", bound: MOST_KEYS, actual: keys });
    }
    if third == 0 || third > LONGEST_THIRD {
        return Err(Error::TooLarge { argument: "third", bound: LONGEST_THIRD, actual: third });
    }
    let hash = Aes::new(seed.into());
    let chunk = |chunk: u64| {
        let (mut peel, mut hashes) = (Peel::new(), vec![0; keys]);
        let mut counts = BTreeMap::new();
        for run in chunk * CHUNK..runs.min((chunk + 1) * CHUNK) {
            hash.stream(Block::from(run) << 64, &mut hashes);
            let taken = peel.run(&hashes, third as u32).map_or(0, |taken| taken.len());
            *counts.entry(keys - taken).or_insert(0) += 1;
        }
        counts
    };
    let add = |mut all: BTreeMap<usize, u64>, counts| {
        for (size, count) in counts {
            *all.entry(size).or_insert(0) += count;
        }
        all
    };
    Ok((0..runs.div_ceil(CHUNK)).into_par_iter().map(chunk).reduce(BTreeMap::new, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_with_equal_places_come_as_often_as_they_should() {
        // With c keys and thirds of s cells, c (c - 1) / (2 s^3) pairs are expected in a bin.
        let (keys, third, runs) = (1000, 430, 4000);
        let counts = core_sizes(keys, third, 5, runs).unwrap();
        let pairs = runs as f64 * 1000.0 * 999.0 / 2.0 / 430_f64.powi(3);
        assert_eq!(counts.values().sum::<u64>(), runs);
        // Six deviations of a count near Poisson's law.
        assert!((counts[&2] as f64 - pairs).abs() < 6.0 * pairs.sqrt(), "seed 5: {counts:?}");
        assert!(!counts.contains_key(&1));
    }

    #[test]
    fn too_few_cells_leave_large_cores() {
        // Peeling breaks down below 1.222 cells a key (Molloy, Random Struct. Algorithms 27, 2005).
        let counts = core_sizes(4000, 1500, 5, 20).unwrap();
        assert!(counts.keys().all(|size| *size > 2000), "seed 5: {counts:?}");
        assert!(core_sizes(MOST_KEYS + 1, 1, 0, 1).is_err() && core_sizes(1, 0, 0, 1).is_err());
    }
}
