//! GF(2^128): bit i of a [`Block`] is the coefficient of x^i, modulus x^128 + x^7 + x^2 + x + 1.

mod portable;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use crate::aes::Block;

/// x^128, reduced: x^7 + x^2 + x + 1.
const TAIL: u8 = 0x87;
/// Sums that [`weigh`] makes side by side.
pub const ABREAST: usize = 8;

/// The product of two elements.
///
/// Secret: both; they decide no branch and no index.
#[must_use]
pub fn multiply(a: Block, b: Block) -> Block {
    let mut product = 0;
    accumulate(std::slice::from_mut(&mut product), &[a], b);
    product
}

/// The product with x.
///
/// Secret: the element; it decides no branch and no index.
#[must_use]
pub fn double(a: Block) -> Block {
    let carry = (a >> 127).wrapping_neg();
    (a << 1) ^ (carry & Block::from(TAIL))
}

/// `acc[i] += factors[i] * by`, sums being xors.
///
/// Shapes: n elements each.
/// Secret: all; they decide no branch and no index.
///
/// # Panics
/// If the lengths differ.
pub fn accumulate(acc: &mut [Block], factors: &[Block], by: Block) {
    assert_eq!(acc.len(), factors.len(), "sums and factors");
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if x86::Path::ALL.into_iter().any(|path| path.accumulate(acc, factors, by)) {
        return;
    }
    portable::accumulate(acc, factors, by);
}

/// As [`accumulate`], for factors of degree below 64.
///
/// # Panics
/// If the lengths differ.
pub fn accumulate_short(acc: &mut [Block], factors: &[u64], by: Block) {
    assert_eq!(acc.len(), factors.len(), "sums and factors");
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if x86::Path::ALL.into_iter().any(|path| path.accumulate_short(acc, factors, by)) {
        return;
    }
    portable::accumulate_short(acc, factors, by);
}

/// `sums[l] += rows[0][l] * weights[0] + rows[1][l] * weights[1] + ...`, products being reduced once a
/// sum.
///
/// Shapes: n rows, n weights.
/// Secret: all; they decide no branch and no index.
///
/// # Panics
/// If the lengths differ.
pub fn weigh(sums: &mut [Block; ABREAST], rows: &[[Block; ABREAST]], weights: &[Block]) {
    assert_eq!(rows.len(), weights.len(), "rows and weights");
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if x86::Path::ALL.into_iter().any(|path| path.weigh(sums, rows, weights)) {
        return;
    }
    portable::weigh(sums, rows, weights);
}

/// low + middle x^64 + high x^128, reduced.
fn reduce(low: Block, middle: Block, high: Block) -> Block {
    let (low, high) = (low ^ (middle << 64), high ^ (middle >> 64));
    // The upper 7 bits of `high` times x^7 + x^2 + x + 1 reach beyond x^128 once more.
    let beyond = (high >> 121) ^ (high >> 126) ^ (high >> 127);
    low ^ fold(high) ^ fold(beyond)
}

/// a x^128, reduced but for what the upper 7 bits of a make beyond x^128, which is lost.
fn fold(a: Block) -> Block {
    a ^ (a << 1) ^ (a << 2) ^ (a << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aes::Aes;

    type Accumulate<F> = Box<dyn Fn(&mut [Block], &[F], Block)>;

    /// Every twin that this machine has, the portable one first.
    fn twins() -> Vec<(String, Accumulate<Block>, Accumulate<u64>)> {
        #[cfg_attr(
            any(not(target_arch = "x86_64"), feature = "portable"),
            expect(unused_mut, reason = "there are no others")
        )]
        let mut twins: Vec<(String, Accumulate<Block>, Accumulate<u64>)> = vec![
            ("door".to_string(), Box::new(accumulate), Box::new(accumulate_short)),
            (
                "portable".to_string(),
                Box::new(portable::accumulate),
                Box::new(portable::accumulate_short),
            ),
        ];
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        for path in x86::Path::ALL {
            if path.accumulate(&mut [], &[], 0) {
                twins.push((
                    format!("{path:?}"),
                    Box::new(move |acc, factors, by| {
                        assert!(path.accumulate(acc, factors, by));
                    }),
                    Box::new(move |acc, factors, by| {
                        assert!(path.accumulate_short(acc, factors, by));
                    }),
                ));
            } else {
                eprintln!("path {path:?} is not on this machine and not tested");
            }
        }
        twins
    }

    /// Elements that look random.
    fn random(seed: Block, n: usize) -> Vec<Block> {
        let mut elements = vec![0; n];
        Aes::new(seed).stream(0, &mut elements);
        elements
    }

    /// Bit by bit, from the text of the definition.
    fn slow(a: Block, b: Block) -> Block {
        let mut product = 0;
        for i in (0..128).rev() {
            let overflows = product >> 127 == 1;
            product <<= 1;
            if overflows {
                // x^128 = x^7 + x^2 + x + 1
                product ^= 1 << 7 | 1 << 2 | 1 << 1 | 1;
            }
            if a >> i & 1 == 1 {
                product ^= b;
            }
        }
        product
    }

    #[test]
    fn every_twin_agrees_with_the_slow_product_on_every_length() {
        for n in 0..=70 {
            let (acc, factors, by) = (random(1, n), random(2, n), random(3, n + 1)[n]);
            let short: Vec<_> = factors.iter().map(|f| *f as u64).collect();
            let wanted: Vec<_> = (0..n).map(|i| acc[i] ^ slow(factors[i], by)).collect();
            let wanted_short: Vec<_> = (0..n).map(|i| acc[i] ^ slow(short[i].into(), by)).collect();
            for (twin, accumulate, accumulate_short) in twins() {
                let (mut sums, mut short_sums) = (acc.clone(), acc.clone());
                accumulate(&mut sums, &factors, by);
                accumulate_short(&mut short_sums, &short, by);
                assert_eq!(sums, wanted, "{twin}, {n} elements, seeds 1 to 3");
                assert_eq!(short_sums, wanted_short, "{twin}, {n} short elements, seeds 1 to 3");
            }
        }
    }

    #[test]
    fn every_twin_agrees_on_every_power_of_x_and_on_full_words() {
        let mut factors: Vec<Block> = (0..128).map(|i| 1 << i).collect();
        factors.extend([0, Block::MAX, u64::MAX.into(), Block::from(u64::MAX) << 64]);
        let short: Vec<_> = factors.iter().map(|f| *f as u64).collect();
        for by in factors.clone() {
            let wanted: Vec<_> = factors.iter().map(|f| slow(*f, by)).collect();
            let wanted_short: Vec<_> = short.iter().map(|f| slow((*f).into(), by)).collect();
            for (twin, accumulate, accumulate_short) in twins() {
                let (mut sums, mut short_sums) = (vec![0; factors.len()], vec![0; factors.len()]);
                accumulate(&mut sums, &factors, by);
                accumulate_short(&mut short_sums, &short, by);
                assert_eq!(sums, wanted, "{twin}, times {by:#x}");
                assert_eq!(short_sums, wanted_short, "{twin}, short, times {by:#x}");
            }
        }
    }

    #[test]
    fn every_twin_weighs_as_the_slow_product_does() {
        type Weigh = Box<dyn Fn(&mut [Block; ABREAST], &[[Block; ABREAST]], &[Block])>;
        #[cfg_attr(
            any(not(target_arch = "x86_64"), feature = "portable"),
            expect(unused_mut, reason = "there are no others")
        )]
        let mut twins: Vec<Weigh> = vec![Box::new(weigh), Box::new(portable::weigh)];
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        for path in x86::Path::ALL {
            if path.weigh(&mut [0; ABREAST], &[], &[]) {
                twins.push(Box::new(move |sums, rows, weights| {
                    assert!(path.weigh(sums, rows, weights));
                }));
            }
        }
        for n in [0, 1, 2, 7, 128] {
            let (rows, mut weights) = (random(5, ABREAST * (n + 1)), random(6, n));
            let (rows, _) = rows.as_chunks::<ABREAST>();
            if let Some(last) = weights.last_mut() {
                *last = Block::MAX;
            }
            let mut wanted = rows[n];
            for (row, weight) in rows.iter().zip(&weights) {
                for (sum, block) in wanted.iter_mut().zip(row) {
                    *sum ^= slow(*block, *weight);
                }
            }
            for weigh in &twins {
                let mut sums = rows[n];
                weigh(&mut sums, &rows[..n], &weights);
                assert_eq!(sums, wanted, "{n} rows, seeds 5 and 6");
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows and weights")]
    fn rows_without_weights_panic() {
        weigh(&mut [0; ABREAST], &[[0; ABREAST]], &[]);
    }

    #[test]
    fn products_obey_the_laws_of_a_field() {
        for abc in random(4, 300).chunks_exact(3) {
            let [a, b, c] = abc.try_into().unwrap();
            assert_eq!(multiply(a, b), multiply(b, a), "seed 4");
            assert_eq!(multiply(multiply(a, b), c), multiply(a, multiply(b, c)), "seed 4");
            assert_eq!(multiply(a, b ^ c), multiply(a, b) ^ multiply(a, c), "seed 4");
            assert_eq!(multiply(a, 1), a, "seed 4");
            assert_eq!(multiply(a, 2), double(a), "seed 4");
            // a^(2^128) = a in a field of 2^128 elements.
            assert_eq!((0..128).fold(a, |power, _| multiply(power, power)), a, "seed 4");
        }
    }

    #[test]
    fn the_highest_power_times_x_is_the_rest_of_the_modulus() {
        assert_eq!(multiply(1 << 127, 2), 0x87);
        assert_eq!(double(1 << 127), 0x87);
    }

    #[test]
    #[should_panic(expected = "sums and factors")]
    fn unequal_lengths_panic() {
        accumulate(&mut [0; 2], &[0; 3], 1);
    }
}
