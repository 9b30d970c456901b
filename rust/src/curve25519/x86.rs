//! The ladder and Elligator 2 on x86-64, four or eight points side by side: the same coordinates as the
//! portable twin's, as `benches/curve25519.rs` shows in less time. As there, coordinates that pass
//! through registers, the stack and freed memory are not wiped.

use super::Point;
use crate::field25519::x86::{Lanes, Path};

/// A step of the ladder with many registers, in an order in which little waits for what comes right before it,
/// and little lives long.
///
/// Swapped or not, the products da and cb are the same two, and only the sign of their difference changes,
/// which is squared: so only what is doubled is selected.
macro_rules! apart {
    ($x1:ident, $swap:ident, $sum_2:ident, $difference_2:ident, $sum_3:ident, $difference_3:ident) => {
        let (sum, difference) = ($sum_2.or($sum_3, $swap), $difference_2.or($difference_3, $swap));
        let (aa, bb) = (sum.square_raised(), difference.square_wide());
        let reduced_aa = aa.carried();
        let da = $difference_3.times_raised(&$sum_2);
        let e = aa.minus(bb).carried();
        let reduced_bb = bb.carried();
        let more = e.times_small_plus(A24, aa).carried();
        let cb = $sum_3.times_wide(&$difference_2);
        let minus = da.minus(cb).carried();
        let z2 = e.times_wide(&more);
        let x2 = reduced_aa.times_raised(&reduced_bb);
        let plus = da.plus(cb).carried();
        let minus = minus.square();
        let (x3, z3) = (plus.square_raised(), $x1.times_wide(&minus));
        ($sum_2, $difference_2) = (x2.plus(z2).carried(), x2.minus(z2).carried());
        ($sum_3, $difference_3) = (x3.plus(z3).carried(), x3.minus(z3).carried());
    };
}

/// The same with few registers: the two points after each other, which keeps the least at a time.
macro_rules! in_a_row {
    ($x1:ident, $swap:ident, $sum_2:ident, $difference_2:ident, $sum_3:ident, $difference_3:ident) => {
        ($sum_2, $sum_3) = ($sum_2.or($sum_3, $swap), $sum_3.or($sum_2, $swap));
        ($difference_2, $difference_3) =
            ($difference_2.or($difference_3, $swap), $difference_3.or($difference_2, $swap));
        let (da, cb) = ($difference_3.times_raised(&$sum_2), $sum_3.times_wide(&$difference_2));
        let x3 = da.plus(cb).carried().square_raised();
        let z3 = $x1.times_wide(&da.minus(cb).carried().square());
        let (aa, bb) = ($sum_2.square_raised(), $difference_2.square_wide());
        let e = aa.minus(bb).carried();
        let x2 = aa.carried().times_raised(&bb.carried());
        let z2 = e.times_wide(&e.times_small_plus(A24, aa).carried());
        ($sum_2, $difference_2) = (x2.plus(z2).carried(), x2.minus(z2).carried());
        ($sum_3, $difference_3) = (x3.plus(z3).carried(), x3.minus(z3).carried());
    };
}

/// Both of so many lanes.
macro_rules! batches {
    (mod $lanes:ident on $features:literal, steps $step:ident) => {
        mod $lanes {
            use crate::curve25519::{A24, J_NUMBER, Point};
            use crate::field25519::x86::$lanes::{
                Factor, Fe, LANES, Mask, are_squares, invert_batch,
            };

            /// Groups of lanes whose squares are told in turn, so that one does not wait for the other.
            const GROUPS: usize = 2;

            /// Multiplies points by one scalar, as the portable twin does.
            #[target_feature(enable = $features)]
            pub(super) fn multiply(points: &[Point], scalar: &[u8; 32], out: &mut [Point]) {
                multiply_each(&read(points), scalar, out);
            }

            /// Maps field elements to the curve and multiplies.
            #[target_feature(enable = $features)]
            pub(super) fn map_and_multiply(
                field: &[[u8; 32]],
                scalar: &[u8; 32],
                out: &mut [Point],
            ) {
                multiply_each(&elligator2(&read(field)), scalar, out);
            }

            /// By groups of lanes, with zeros behind the last.
            #[target_feature(enable = $features)]
            fn read(elements: &[[u8; 32]]) -> Vec<Fe> {
                let mut groups = Vec::with_capacity(elements.len().div_ceil(LANES));
                for group in elements.chunks(LANES) {
                    let mut lanes = [[0; 32]; LANES];
                    lanes[..group.len()].copy_from_slice(group);
                    groups.push(Fe::from_bytes(&lanes));
                }
                groups
            }

            #[target_feature(enable = $features)]
            fn multiply_each(points: &[Fe], scalar: &[u8; 32], out: &mut [Point]) {
                let (mut xs, mut zs) =
                    (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
                for u in points {
                    let (x, z) = ladder(*u, scalar);
                    xs.push(x);
                    zs.push(z);
                }
                invert_batch(&mut zs);
                for (out, (x, inverse)) in out.chunks_mut(LANES).zip(xs.iter().zip(&zs)) {
                    out.copy_from_slice(&x.times(inverse).to_bytes()[..out.len()]);
                }
            }

            /// The Montgomery ladder (RFC 7748, section 5), to X : Z, both reduced.
            #[target_feature(enable = $features)]
            fn ladder(x1: Fe, scalar: &[u8; 32]) -> (Fe, Fe) {
                // Of each point X : Z, the sum X + Z and the difference X - Z.
                let one = Fe::small(1);
                let (mut sum_2, mut difference_2) = (one, one);
                let (mut sum_3, mut difference_3) =
                    (x1.plus(one).reduced(), x1.minus(one).reduced());
                let factor = Factor::of(x1);
                let mut swapped = 0;
                for t in (0..255).rev() {
                    let bit = scalar[t / 8] >> (t % 8) & 1;
                    let swap = Mask::every(swapped ^ bit);
                    swapped = bit;
                    $step!(factor, swap, sum_2, difference_2, sum_3, difference_3);
                }
                let swap = Mask::every(swapped);
                let (sum, difference) =
                    (sum_2.or(sum_3, swap), difference_2.or(difference_3, swap));
                // Twice both, which is the same fraction.
                (sum.plus(difference).reduced(), sum.minus(difference).reduced())
            }

            /// Elligator 2 (RFC 9380, section 6.7.1), as the portable twin has it and explains.
            #[target_feature(enable = $features)]
            fn elligator2(field: &[Fe]) -> Vec<Fe> {
                let (one, j) = (Fe::small(1), Fe::small(J_NUMBER));
                let mut inverses = Vec::with_capacity(field.len());
                for r in field {
                    inverses.push(r.square().twice().plus(one).reduced());
                }
                invert_batch(&mut inverses);
                let mut points = Vec::with_capacity(field.len());
                for inverses in inverses.chunks(GROUPS) {
                    let mut x1 = [one; GROUPS];
                    let mut g = x1;
                    for (n, inverse) in inverses.iter().enumerate() {
                        x1[n] = inverse.times_small(J_NUMBER).negative();
                        g[n] = x1[n].times(&x1[n].times(&x1[n].plus(j)).plus(one));
                    }
                    let squares = are_squares(&g);
                    for n in 0..inverses.len() {
                        let x2 = x1[n].plus(j).negative().reduced();
                        points.push(x2.or(x1[n], squares[n]));
                    }
                }
                points
            }
        }
    };
}

batches!(mod eight on "avx512dq,avx512f,avx512ifma", steps apart);
batches!(mod four on "avx2,fma", steps in_a_row);

pub(super) fn multiply(path: Path, points: &[Point], scalar: &[u8; 32], out: &mut [Point]) {
    // SAFETY: a path is of this machine.
    #[expect(unsafe_code, reason = "a door to x86")]
    unsafe {
        match path.lanes() {
            Lanes::Eight => eight::multiply(points, scalar, out),
            Lanes::Four => four::multiply(points, scalar, out),
        }
    }
}

pub(super) fn map_and_multiply(
    path: Path,
    field: &[[u8; 32]],
    scalar: &[u8; 32],
    out: &mut [Point],
) {
    // SAFETY: a path is of this machine.
    #[expect(unsafe_code, reason = "a door to x86")]
    unsafe {
        match path.lanes() {
            Lanes::Eight => eight::map_and_multiply(field, scalar, out),
            Lanes::Four => four::map_and_multiply(field, scalar, out),
        }
    }
}
