//! What holds for elements side by side, whatever their number: all functions obey the portable twin.

use super::LIMBS;
use crate::entropy::Entropy;
use crate::field25519::Fe as Slow;

/// An element of which limbs are given, by the portable twin.
pub(super) fn slow(limbs: &[i64; LIMBS]) -> Slow {
    limbs.iter().rev().fold(Slow::ZERO, |sum, limb| {
        let shifted = sum.mul_small(1 << 26).mul_small(1 << 25);
        let size = limb.unsigned_abs();
        let size = Slow::from_u32((size >> 32) as u32).mul_small(1 << 31).mul_small(2)
            + Slow::from_u32(size as u32);
        let next = if *limb < 0 { shifted - size.carried() } else { shifted + size.carried() };
        next.carried()
    })
}

/// Limbs from `least` to `most`: the extremes, the edges of the field, and random ones.
pub(super) fn numbers(least: i64, most: i64, entropy: &mut Entropy) -> Vec<[i64; LIMBS]> {
    let p = [(1 << 51) - 19, (1 << 51) - 1, (1 << 51) - 1, (1 << 51) - 1, (1 << 51) - 1];
    let near = [-1, 0, 1].map(|more| [p[0] + more, p[1], p[2], p[3], p[4]]);
    let mut numbers = vec![[most; LIMBS], [least; LIMBS], [0; LIMBS]];
    let clamped = near.map(|limbs| limbs.map(|limb| limb.clamp(least, most)));
    // The same numbers with limbs around 0: p has 2^255 - 19 as -19 and a last limb of 2^51.
    let around = [[-19, 0, 0, 0, 0], [-20, 0, 0, 0, 0], [-18, 0, 0, 0, 0], [19, 0, 0, 0, 0]];
    numbers.extend(clamped.into_iter().chain(around.map(|limbs| limbs.map(|l: i64| l.max(least)))));
    let alternating = std::array::from_fn(|i| if i % 2 == 0 { most } else { least });
    numbers.push(alternating);
    while numbers.len() < 40 {
        let width = (most - least) as u64 + 1;
        numbers.push(std::array::from_fn(|_| {
            let bits = u64::from(entropy.below(1 << 31)) << 31 | u64::from(entropy.below(1 << 31));
            least + (bits % width) as i64
        }));
    }
    numbers
}

/// The tests of a module that has `fe`, `limbs`, `UNIT`, `LEAST` and `MOST`.
macro_rules! laws {
    ($features:literal) => {
        use crate::entropy::Entropy;
        use crate::field25519::Fe as Slow;
        use crate::field25519::x86::tests::{numbers, slow};

        type Both = (Fe, [Slow; LANES]);

        /// Elements of so many units with what they are by the portable twin.
        #[target_feature(enable = $features)]
        fn elements(units: i64, entropy: &mut Entropy) -> Vec<Both> {
            let (least, most) = (units * LEAST, units * UNIT);
            let mut limbs = numbers(least, most, entropy);
            // Every lane at an end, for each end to meet the other.
            limbs.extend([[most; LIMBS]; LANES].into_iter().chain([[least; LIMBS]; LANES]));
            let groups = limbs.chunks_exact(LANES).map(|group| {
                let lanes: [[i64; LIMBS]; LANES] = std::array::from_fn(|lane| group[lane]);
                (fe(&lanes), lanes.each_ref().map(slow))
            });
            groups.collect()
        }

        #[target_feature(enable = $features)]
        fn check(fast: Fe, slow: [Slow; LANES], what: &str) {
            let bytes = fast.to_bytes();
            assert_eq!(bytes, slow.map(Slow::to_bytes), "seed 60, {what}");
            let bounds = LEAST..=UNIT;
            assert!(
                limbs(fast).as_flattened().iter().all(|limb| bounds.contains(limb)),
                "seed 60, {what} is not reduced"
            );
            let (negative, zero) = (fast.is_negative().lanes(), fast.is_zero().lanes());
            for lane in 0..LANES {
                assert_eq!(negative[lane], bytes[lane][0] & 1 == 1, "seed 60, {what}");
                assert_eq!(zero[lane], bytes[lane] == [0; 32], "seed 60, {what}");
            }
        }

        #[target_feature(enable = $features)]
        fn all_laws() {
            let mut entropy = Entropy::from_seed_for_tests([60; 32]);
            let (one, most) = (elements(1, &mut entropy), elements(MOST[0], &mut entropy));
            for (x, slow_x) in &most {
                check(x.reduced(), *slow_x, "a reduced element");
                for number in [0, 19, 486_662, u32::MAX] {
                    let product = slow_x.map(|x| x.mul_small(number));
                    check(x.times_small(number), product, "a product with a small number");
                }
                for (y, slow_y) in &one {
                    let product = std::array::from_fn(|i| slow_x[i] * slow_y[i]);
                    check(x.times(y), product, "a product");
                    check(y.times(x), product, "a product");
                    let sum = std::array::from_fn(|i| (slow_x[i] + slow_y[i]).carried());
                    check(x.plus(*y).reduced(), sum, "a sum");
                    let difference = std::array::from_fn(|i| (slow_x[i] - slow_y[i]).carried());
                    check(x.minus(*y).reduced(), difference, "a difference");
                }
            }
            let most = elements(MOST[1], &mut entropy);
            for (x, slow_x) in &most {
                check(x.reduced(), *slow_x, "a reduced element");
            }
            for (x, slow_x) in &one {
                check(*x, *slow_x, "an element");
                check(x.square(), slow_x.map(Slow::square), "a square");
                check(Fe::from_bytes(&x.to_bytes()), *slow_x, "an element read and written");
                let mut filled = Fe::small(0);
                filled.fill(x, Mask::every(1));
                check(filled, *slow_x, "an element that was filled in");
                let first = Fe::spread(&x.lanes()[0]);
                check(first, [slow_x[0]; LANES], "an element in every lane");
                let negative = slow_x.map(|x| (Slow::ZERO - x).carried());
                check(x.negative(), negative, "a negative");
                check(inverted(*x), slow_x.map(Slow::invert), "an inverse");
                let squares = slow_x.map(|x| x.chi().to_bytes() == Slow::ONE.to_bytes());
                let two = are_squares(&[*x, x.negative()]);
                assert_eq!(two.map(|mask| mask.lanes()), [squares; 2], "seed 60");
                let absolute = std::array::from_fn(|i| {
                    if slow_x[i].to_bytes()[0] & 1 == 1 { negative[i] } else { slow_x[i] }
                });
                check(x.absolute(), absolute, "an absolute value");
                let masked: [bool; LANES] = std::array::from_fn(|lane| lane % 3 == 0);
                let mask = Mask::of(masked);
                for (y, slow_y) in &one {
                    let mixed = |other: [Slow; LANES]| {
                        std::array::from_fn(|i| if masked[i] { other[i] } else { slow_x[i] })
                    };
                    check(x.or(*y, mask), mixed(*slow_y), "a selection");
                    check(x.negative_if(mask), mixed(negative), "negatives in some lanes");
                    let (xy, yy) = (x.times_wide(y), y.square_wide());
                    let slow_xy: [_; LANES] = std::array::from_fn(|i| slow_x[i] * slow_y[i]);
                    let slow_yy = slow_y.map(Slow::square);
                    let two = |one: [Slow; LANES], other: [Slow; LANES]| {
                        std::array::from_fn(|i| (one[i] + other[i]).carried())
                    };
                    check(xy.plus(yy).carried(), two(slow_xy, slow_yy), "a sum of products");
                    check(
                        Factor::of(*x).times_wide(y).plus(xy).carried(),
                        two(slow_xy, slow_xy),
                        "a product with a factor",
                    );
                    let (raised_xy, raised_yy) = (x.times_raised(y), y.square_raised());
                    let less = |one: [Slow; LANES], other: [Slow; LANES]| {
                        std::array::from_fn(|i| (one[i] - other[i].carried()).carried())
                    };
                    let difference = less(slow_xy, slow_yy);
                    check(raised_xy.minus(yy).carried(), difference, "a difference of products");
                    let difference = less(slow_yy, slow_xy);
                    check(raised_yy.minus(xy).carried(), difference, "a difference of products");
                    // What a doubling has of a raised product, and the most: five, three of them raised.
                    let most = raised_xy.plus(raised_xy).minus(raised_yy.minus(xy));
                    let difference = less(two(slow_xy, two(slow_xy, slow_xy)), slow_yy);
                    check(most.carried(), difference, "a difference of a difference");
                    let most = most.plus(raised_yy).plus(raised_yy);
                    let sum = two(difference, two(slow_yy, slow_yy));
                    check(most.carried(), sum, "most products");
                    let small = x.times_small_plus(u32::MAX, raised_yy).plus(xy).carried();
                    let sum = two(two(slow_x.map(|x| x.mul_small(u32::MAX)), slow_yy), slow_xy);
                    check(small, sum, "a product with a small number and others");
                }
            }
        }

        #[target_feature(enable = $features)]
        fn inverses() {
            let mut entropy = Entropy::from_seed_for_tests([61; 32]);
            for count in 0..6 {
                // Zeros in front, behind, and among others in one group.
                let some = elements(1, &mut entropy).into_iter().take(count);
                let zero = (Fe::small(0), [Slow::ZERO; LANES]);
                let all: Vec<_> = some.clone().chain([zero]).chain(some.rev()).collect();
                let (mut batch, slow): (Vec<_>, Vec<_>) = all.into_iter().unzip();
                invert_batch(&mut batch);
                for (inverse, slow) in batch.into_iter().zip(slow) {
                    check(inverse, slow.map(Slow::invert), "an inverse in a batch");
                }
            }
        }

        #[test]
        fn elements_of_as_many_units_as_allowed_obey_the_portable_twin() {
            if !is_here() {
                return eprintln!("there is no {} on this machine", $features);
            }
            // SAFETY: what these need was just detected.
            #[expect(unsafe_code, reason = "a door to x86")]
            unsafe {
                all_laws();
                inverses();
            }
        }
    };
}
