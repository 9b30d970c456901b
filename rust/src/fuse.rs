//! Binary fuse maps: from keys to values of one width, in 1.125 to 1.25 places a key, so that what is
//! not in the map looks like what is.
//!
//! A key's value is the sum (XOR) of the three places that its hash names, in three neighbouring
//! segments of the map (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters",
//! ACM JEA 27, 2022; as a map, after Dietzfelbinger and Pagh, ICALP 2008). Whoever has no key of the
//! map finds a random value. Places that no key needs are random as well, and a map of one capacity
//! has one size however many keys it holds.
//!
//! Keys are 16 pseudorandom bytes. Building takes a time and a memory access that depend on them; it
//! happens at home.

use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::error::Error;

/// A pseudorandom key.
pub type Key = [u8; 16];

/// The longest segment: beyond it, the three places of a key are too far apart for the caches.
const LONGEST_SEGMENT: u32 = 1 << 18;
/// Seeds tried before a map is given up. Of the smallest maps three in four work at the first seed
/// (`tests` count them) and of large ones nearly all, so that 2^-128 of maps are given up by chance.
const ATTEMPTS: usize = 64;
/// The most keys of a map, so that places have numbers below 2^32.
pub const MOST: usize = 1 << 31;

/// How the places of a map are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Places of a segment, a power of two.
    segment: u32,
    /// In how many segments the first of three places may be; there are two more behind.
    starts: u32,
}

impl Shape {
    /// The layout for up to `capacity` keys.
    ///
    /// Lengths of segments and the number of places are those of the paper (section 4 and its
    /// reference implementation), found by experiment there; `tests` here build maps of all sizes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more keys than [`MOST`].
    pub fn of(capacity: usize) -> Result<Self, Error> {
        if capacity > MOST {
            return Err(Error::TooLarge { argument: "capacity", bound: MOST, actual: capacity });
        }
        let n = (capacity.max(2)) as f64;
        let exponent = (n.ln() / 3.33_f64.ln() + 2.25).floor() as u32;
        let segment = (1 << exponent.min(31)).min(LONGEST_SEGMENT);
        let factor = (0.875 + 0.25 * 1e6_f64.ln() / n.ln()).max(1.125);
        let places = (n * factor).round() as u64;
        let segments = places.div_ceil(segment.into()) as u32;
        Ok(Self { segment, starts: segments.saturating_sub(2).max(1) })
    }

    /// The layout that somebody else has written down.
    ///
    /// # Errors
    /// [`Error::Check`] if there is no such layout.
    pub fn read(segment: u32, starts: u32) -> Result<Self, Error> {
        let shape = Self { segment, starts };
        let fits = segment.is_power_of_two() && segment <= LONGEST_SEGMENT && starts > 0;
        if fits && shape.wide() <= u32::MAX.into() {
            return Ok(shape);
        }
        Err(Error::Check { argument: "shape" })
    }

    /// Places of a segment, and in how many of them the first of three places may be.
    pub fn written(&self) -> (u32, u32) {
        (self.segment, self.starts)
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.wide() as usize
    }

    fn wide(&self) -> u64 {
        u64::from(self.segment) * (u64::from(self.starts) + 2)
    }

    /// The three places of a key, which differ.
    pub fn places_of(&self, key: &Key, seed: u64) -> [u32; 3] {
        let word = |half: usize| u64::from_le_bytes(key.as_chunks().0[half]);
        let product = u128::from(word(0) ^ seed) * u128::from(word(1) ^ seed.rotate_left(32));
        let hash = (product >> 64) as u64 ^ product as u64;
        let starts = u128::from(self.segment) * u128::from(self.starts);
        let first = ((u128::from(hash) * starts) >> 64) as u32;
        let within = self.segment - 1;
        let second = (first + self.segment) ^ (hash >> 18) as u32 & within;
        let third = (first + 2 * self.segment) ^ hash as u32 & within;
        [first, second, third]
    }
}

/// Builds a map: for each key, the sum of its three places is its value.
///
/// Shapes: n distinct keys, n rows of `width` bytes; the result is the seed and one row a place.
/// Secret: keys and values until the map is given away.
///
/// # Errors
/// [`Error::Length`] if there is not one row a key, [`Error::Solve`] if no seed works, because there
/// are more keys than the shape is for or two are the same.
pub fn build(
    keys: &[Key],
    values: &[u8],
    width: usize,
    shape: Shape,
    entropy: &mut Entropy,
) -> Result<(u64, Vec<u8>), Error> {
    if values.len() != keys.len() * width {
        let expected = keys.len() * width;
        return Err(Error::Length { argument: "values", expected, actual: values.len() });
    }
    if keys.len() > shape.places() {
        return Err(Error::Solve { bin: 0 });
    }
    for _ in 0..ATTEMPTS {
        let mut seed = [0; 8];
        entropy.fill(&mut seed);
        let seed = u64::from_le_bytes(seed);
        let Some(order) = peel(keys, shape, seed) else { continue };
        let mut rows = vec![0; shape.places() * width];
        entropy.fill(&mut rows);
        // Each key in its turn is the only one left that names this place.
        let mut row = Zeroizing::new(vec![0; width]);
        for (place, index) in order.into_iter().rev() {
            let (place, index) = (place as usize, index as usize);
            row.copy_from_slice(&values[index * width..][..width]);
            for other in shape.places_of(&keys[index], seed).map(|other| other as usize) {
                if other != place {
                    add(&mut row, &rows[other * width..][..width]);
                }
            }
            rows[place * width..][..width].copy_from_slice(&row);
        }
        return Ok((seed, rows));
    }
    Err(Error::Solve { bin: 0 })
}

/// Adds (XOR) a row to another.
pub fn add(row: &mut [u8], other: &[u8]) {
    row.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
}

/// An order in which each key names a place that no later one does, with these places; none if there
/// is no such order.
fn peel(keys: &[Key], shape: Shape, seed: u64) -> Option<Vec<(u32, u32)>> {
    // Of each place, how many keys name it, and the sum of their numbers.
    let mut named = vec![(0_u32, 0_u32); shape.places()];
    for (index, key) in keys.iter().enumerate() {
        for place in shape.places_of(key, seed) {
            let (count, sum) = &mut named[place as usize];
            *count += 1;
            *sum ^= index as u32;
        }
    }
    let mut order = Vec::with_capacity(keys.len());
    let mut alone: Vec<u32> = Vec::new();
    for start in 0..shape.places() as u32 {
        alone.push(start);
        while let Some(place) = alone.pop() {
            let (1, index) = named[place as usize] else { continue };
            order.push((place, index));
            for other in shape.places_of(&keys[index as usize], seed) {
                let (count, sum) = &mut named[other as usize];
                *count -= 1;
                *sum ^= index;
                if *count == 1 {
                    alone.push(other);
                }
            }
        }
    }
    (order.len() == keys.len()).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(count: usize, entropy: &mut Entropy) -> Vec<Key> {
        let mut keys = vec![[0; 16]; count];
        entropy.fill(keys.as_flattened_mut());
        keys
    }

    fn value(rows: &[u8], width: usize, shape: Shape, seed: u64, key: &Key) -> Vec<u8> {
        let mut sum = vec![0; width];
        for place in shape.places_of(key, seed) {
            add(&mut sum, &rows[place as usize * width..][..width]);
        }
        sum
    }

    #[test]
    fn a_map_of_any_size_gives_each_key_its_value() {
        let mut entropy = Entropy::from_seed_for_tests([100; 32]);
        let small = (0..70).chain([100, 128, 255, 1000, 4096, 10_000, 100_000]);
        for count in small {
            for width in [1, 5, 21] {
                let (keys, shape) = (draw(count, &mut entropy), Shape::of(count).unwrap());
                let mut values = vec![0; count * width];
                entropy.fill(&mut values);
                let (seed, rows) = build(&keys, &values, width, shape, &mut entropy).unwrap();
                assert_eq!(rows.len(), shape.places() * width);
                for (key, value_due) in keys.iter().zip(values.chunks_exact(width)) {
                    let found = value(&rows, width, shape, seed, key);
                    assert_eq!(found, value_due, "seed 100, {count} keys of {width}");
                }
            }
        }
    }

    #[test]
    fn three_in_four_seeds_work_at_every_size() {
        let mut entropy = Entropy::from_seed_for_tests([105; 32]);
        for count in (1..40).chain([60, 100, 200, 500, 1000, 5000, 20_000]) {
            let (keys, shape) = (draw(count, &mut entropy), Shape::of(count).unwrap());
            let works = (0..100).filter(|seed| peel(&keys, shape, *seed).is_some()).count();
            assert!(works >= 75, "seed 105: {works} of 100 for {count} keys");
        }
    }

    #[test]
    fn a_map_of_a_million_takes_an_eighth_more_places_than_keys() {
        let places = Shape::of(1 << 20).unwrap().places() as f64;
        assert!((1.125 - places / f64::from(1 << 20)).abs() < 1e-6, "{places}");
    }

    #[test]
    fn the_three_places_of_a_key_differ_and_exist() {
        let mut entropy = Entropy::from_seed_for_tests([101; 32]);
        for capacity in [0, 1, 2, 3, 10, 1000, 1 << 20] {
            let shape = Shape::of(capacity).unwrap();
            for key in draw(2000, &mut entropy) {
                let [a, b, c] = shape.places_of(&key, 7);
                assert!(a < b && b < c && (c as usize) < shape.places(), "seed 101");
                let segment = shape.segment;
                assert!([1, 2].contains(&(b / segment - a / segment).max(1)), "seed 101");
            }
        }
    }

    #[test]
    fn a_map_with_room_to_spare_has_the_size_of_its_capacity_and_no_empty_place() {
        let mut entropy = Entropy::from_seed_for_tests([102; 32]);
        let shape = Shape::of(5000).unwrap();
        for count in [0, 1, 100, 4000] {
            let keys = draw(count, &mut entropy);
            let (_, rows) = build(&keys, &vec![0; 8 * count], 8, shape, &mut entropy).unwrap();
            assert_eq!(rows.len(), 8 * shape.places());
            let zeros = rows.chunks_exact(8).filter(|row| **row == [0; 8]).count();
            assert_eq!(zeros, 0, "seed 102: values of 0 are sums of places that are not");
        }
    }

    #[test]
    fn strangers_find_a_value_by_chance_alone() {
        let mut entropy = Entropy::from_seed_for_tests([103; 32]);
        let (keys, shape) = (draw(20_000, &mut entropy), Shape::of(20_000).unwrap());
        let (seed, rows) = build(&keys, &[7; 20_000], 1, shape, &mut entropy).unwrap();
        let strangers = draw(256_000, &mut entropy);
        let by_chance =
            strangers.iter().filter(|key| value(&rows, 1, shape, seed, key) == [7]).count();
        // 1000 are due; 32 is one standard deviation.
        assert!((850..1150).contains(&by_chance), "seed 103: {by_chance}");
    }

    #[test]
    fn what_cannot_be_solved_is_told() {
        let mut entropy = Entropy::from_seed_for_tests([104; 32]);
        let shape = Shape::of(10).unwrap();
        let solve = Err(Error::Solve { bin: 0 });
        assert_eq!(build(&[[1; 16]; 2], &[0; 2], 1, shape, &mut entropy), solve);
        let many = draw(shape.places() + 1, &mut entropy);
        assert_eq!(build(&many, &vec![0; many.len()], 1, shape, &mut entropy), solve);
        assert!(build(&many, &[0; 3], 1, shape, &mut entropy).is_err());
        assert!(Shape::of(MOST + 1).is_err());
        for (segment, starts) in [(0, 1), (3, 1), (1 << 19, 1), (4, 0), (1 << 18, 1 << 20)] {
            let refused = Shape::read(segment, starts);
            assert_eq!(refused, Err(Error::Check { argument: "shape" }));
        }
        let (segment, starts) = shape.written();
        assert_eq!(Shape::read(segment, starts), Ok(shape));
    }
}
