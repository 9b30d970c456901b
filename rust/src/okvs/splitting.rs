//! How rare large cores are where none can be counted: multilevel splitting, for a study of failures.
//!
//! Keys come one by one. A core of the first k of them is one of any more as well, so "the first k
//! have a large core" are nested events, the rarer the smaller k is. The probability of the last one
//! is the product of each one's share in the one before (Kahn, Harris, 1951; Au, Beck, Probabilistic
//! Eng. Mech. 16, 2001, as subset simulation; Botev, Kroese, Stat. Comput. 22, 2012). A population of
//! bins goes from level to level: those without a large core are replaced by copies of others, and
//! then each bin is moved by steps that keep the law of bins with a large core: some keys are drawn
//! anew, and it is undone if the core is lost.
//!
//! Levels and steps are fixed beforehand, so the product of shares has the probability as its mean,
//! however well or badly the steps mix (Del Moral, Feynman-Kac Formulae, 2004, theorem 7.4.2). How
//! far it scatters about its mean is seen from repeated runs.

use rayon::prelude::*;

use crate::aes::{Aes, Block};
use crate::error::Error;

use super::peel::Peel;
use super::row::{DENSE, LONGEST_THIRD, MOST_KEYS, bin};

/// Steps go through drawing so many keys anew, half of them, a quarter, an eighth, and around again.
const SIZES: u64 = 4;

/// One of the nested events.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// The first keys of a bin, which have a large core.
    pub keys: usize,
    /// The most keys that a step draws anew.
    pub redrawn: usize,
}

/// Takes `population` bins through all levels, with `steps` steps each at every level but the last,
/// and gives for each level how many of them had a core of more than [`DENSE`] keys. Where none had,
/// this is 0, and so is all that would follow.
///
/// Steps are judged by the peeling of the program. The same seed gives the same result, with any
/// number of threads.
///
/// # Errors
/// [`Error::TooLarge`] if a level has more keys than the one before or than [`MOST_KEYS`], or `third`
/// is above [`LONGEST_THIRD`] or 0, or the population does not fit 32 bits.
pub fn large_cores(
    levels: &[Level],
    third: usize,
    seed: u64,
    population: usize,
    steps: u64,
) -> Result<Vec<usize>, Error> {
    check(levels, third, population)?;
    let aes = Aes::new(seed.into());
    let bins = Bins { third: third as u32, aes: &aes };
    let mut found = Vec::with_capacity(levels.len());
    let mut all = vec![Vec::new(); population];
    for (number, level) in levels.iter().enumerate() {
        let large: Vec<_> = all
            .par_iter_mut()
            .enumerate()
            .map_init(Peel::new, |peel, (index, keys)| {
                let mut draws = bins.draws(Use::First, number, index);
                if number == 0 {
                    keys.resize(level.keys, 0);
                    draws.fill(keys);
                } else {
                    shorten(keys, level.keys, &mut draws);
                }
                bins.has_large_core(peel, keys)
            })
            .collect();
        let parents: Vec<_> = (0..population).filter(|index| large[*index]).collect();
        found.push(parents.len());
        if parents.is_empty() || number + 1 == levels.len() {
            break;
        }
        // Each has as many copies as each other, or one more; which have that is drawn.
        let turn = bin(bins.draws(Use::Turn, number, 0).one(), parents.len() as u32) as usize;
        all = (0..population)
            .into_par_iter()
            .map_init(Peel::new, |peel, index| {
                let mut keys = all[parents[(index + turn) % parents.len()]].clone();
                let mut draws = bins.draws(Use::Steps, number, index);
                for step in 0..steps {
                    let count = (level.redrawn >> (step % SIZES)).clamp(1, level.keys);
                    bins.step(peel, &mut keys, count, &mut draws);
                }
                keys
            })
            .collect();
    }
    found.resize(levels.len(), 0);
    Ok(found)
}

fn check(levels: &[Level], third: usize, population: usize) -> Result<(), Error> {
    let mut bound = MOST_KEYS;
    for level in levels {
        if level.keys > bound {
            return Err(Error::TooLarge { argument: "levels", bound, actual: level.keys });
        }
        bound = level.keys;
    }
    if third == 0 || third > LONGEST_THIRD {
        return Err(Error::TooLarge { argument: "third", bound: LONGEST_THIRD, actual: third });
    }
    if population > u32::MAX as usize {
        let bound = u32::MAX as usize;
        return Err(Error::TooLarge { argument: "population", bound, actual: population });
    }
    Ok(())
}

/// What blocks are drawn for: no two uses have a block in common.
#[derive(Clone, Copy)]
enum Use {
    First,
    Turn,
    Steps,
}

/// Bins of one size, and where their keys come from.
struct Bins<'a> {
    third: u32,
    aes: &'a Aes,
}

impl<'a> Bins<'a> {
    fn draws(&self, purpose: Use, level: usize, index: usize) -> Draws<'a> {
        let next = (purpose as Block) << 112 | (level as Block) << 80 | (index as Block) << 48;
        Draws { aes: self.aes, next }
    }

    fn has_large_core(&self, peel: &mut Peel, keys: &[Block]) -> bool {
        let taken = peel.run(keys, self.third).map_or(0, |taken| taken.len());
        keys.len() - taken > DENSE
    }

    /// Draws `count` keys anew, unless the large core would be lost.
    fn step(&self, peel: &mut Peel, keys: &mut [Block], count: usize, draws: &mut Draws<'_>) {
        let mut fresh = vec![0; count];
        draws.fill(&mut fresh);
        // The first word of a hash says its bin elsewhere, and here where it goes.
        let at: Vec<_> = fresh.iter().map(|hash| bin(*hash, keys.len() as u32) as usize).collect();
        let swap = |keys: &mut [Block], fresh: &mut Block, at: usize| {
            std::mem::swap(&mut keys[at], fresh);
        };
        fresh.iter_mut().zip(&at).for_each(|(fresh, at)| swap(keys, fresh, *at));
        if !self.has_large_core(peel, keys) {
            // Backwards, as a place may have been drawn twice.
            fresh.iter_mut().zip(&at).rev().for_each(|(fresh, at)| swap(keys, fresh, *at));
        }
    }
}

/// Blocks that nobody else draws.
struct Draws<'a> {
    aes: &'a Aes,
    next: Block,
}

impl Draws<'_> {
    fn fill(&mut self, out: &mut [Block]) {
        self.aes.stream(self.next, out);
        self.next += out.len() as Block;
    }

    fn one(&mut self) -> Block {
        let mut block = [0];
        self.fill(&mut block);
        block[0]
    }
}

/// Takes keys away at random, until `left` are left.
fn shorten(keys: &mut Vec<Block>, left: usize, draws: &mut Draws<'_>) {
    while keys.len() > left {
        let at = bin(draws.one(), keys.len() as u32);
        keys.swap_remove(at as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okvs::core_sizes;

    /// Levels of a bin that is to have `keys` keys.
    fn levels(keys: usize, apart: usize, count: usize) -> Vec<Level> {
        let level = |above| Level { keys: keys + apart * above, redrawn: 32 };
        (0..count).rev().map(level).collect()
    }

    #[test]
    fn levels_come_to_what_plain_counting_finds() {
        // A few in a hundred of these bins have a large core.
        let (keys, third, runs, population) = (1000, 428, 1 << 14, 1 << 11);
        let counts = core_sizes(keys, third, 5, runs).unwrap();
        let large: u64 = counts.range(DENSE + 1..).map(|(_, count)| count).sum();
        let counted = large as f64 / runs as f64;
        let found = large_cores(&levels(keys, 10, 5), third, 6, population, 20).unwrap();
        let product: f64 = found.iter().map(|large| *large as f64 / population as f64).product();
        // A fifth is more than six deviations of both together.
        assert!((product / counted - 1.0).abs() < 0.2, "{product} {counted}, seeds 5 and 6");
        assert!(found.iter().all(|large| *large > population / 4), "{found:?}, seed 6");
    }

    #[test]
    fn a_step_keeps_a_large_core_and_otherwise_changes_nothing() {
        let aes = Aes::new(7);
        let bins = Bins { third: 428, aes: &aes };
        let (mut peel, mut keys) = (Peel::new(), vec![0; 1060]);
        let mut draws = bins.draws(Use::First, 0, 0);
        draws.fill(&mut keys);
        assert!(bins.has_large_core(&mut peel, &keys), "seed 7");
        let mut kept = 0;
        for _ in 0..200 {
            let before = keys.clone();
            bins.step(&mut peel, &mut keys, 100, &mut draws);
            assert!(bins.has_large_core(&mut peel, &keys), "seed 7");
            let changed = keys.iter().zip(&before).filter(|(now, then)| now != then).count();
            // A hundred draws of a place meet some places twice.
            assert!(changed == 0 || (80..=100).contains(&changed), "seed 7: {changed}");
            kept += usize::from(changed > 0);
        }
        assert!((1..200).contains(&kept), "seed 7: {kept}");
    }

    #[test]
    fn a_shorter_bin_has_some_of_the_keys_each_once() {
        let aes = Aes::new(8);
        let mut draws = Bins { third: 1, aes: &aes }.draws(Use::First, 3, 5);
        let mut keys: Vec<Block> = (0..1000).collect();
        shorten(&mut keys, 400, &mut draws);
        keys.sort_unstable();
        keys.dedup();
        assert!(keys.len() == 400 && keys.iter().all(|key| *key < 1000), "seed 8");
        // About as many of the first half as of the second; six deviations.
        let first = keys.iter().filter(|key| **key < 500).count();
        assert!((first as f64 - 200.0).abs() < 6.0 * 7.8, "seed 8: {first}");
    }

    #[test]
    fn what_never_happens_is_zero_and_what_always_does_is_all() {
        let never = large_cores(&levels(DENSE, 1, 3), 400, 1, 16, 1).unwrap();
        assert_eq!(never, [0, 0, 0]);
        let always = large_cores(&levels(1000, 10, 3), 200, 1, 16, 1).unwrap();
        assert_eq!(always, [16, 16, 16]);
        assert!(large_cores(&[], 200, 1, 16, 1).unwrap().is_empty());
    }

    #[test]
    fn levels_descend_and_have_bounds() {
        let run = |levels: &[Level], third| large_cores(levels, third, 1, 1, 1);
        assert!(run(&levels(10, 0, 2), 5).is_ok());
        let (less, more) = (Level { keys: 10, redrawn: 1 }, Level { keys: 11, redrawn: 1 });
        assert!(run(&[less, more], 5).is_err());
        assert!(run(&levels(MOST_KEYS + 1, 0, 1), 5).is_err());
        assert!(run(&[less], 0).is_err() && run(&[less], LONGEST_THIRD + 1).is_err());
    }
}
