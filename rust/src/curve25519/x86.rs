//! The ladder and Elligator 2 on AVX2, four points side by side: the same coordinates as the portable
//! twin's, as `benches/curve25519.rs` shows in less time. As there, coordinates that pass through
//! registers, the stack and freed memory are not wiped.

use super::{A24, J_NUMBER, Point};
use crate::field25519::x86::{Fe, LANES, Mask, are_squares, invert_batch};

pub(super) use crate::field25519::x86::is_here;

/// Multiplies points by one scalar, as the portable twin does.
#[target_feature(enable = "avx2")]
pub(super) fn multiply(points: &[Point], scalar: &[u8; 32], out: &mut [Point]) {
    multiply_each(&read(points), scalar, out);
}

/// Maps field elements to the curve and multiplies.
#[target_feature(enable = "avx2")]
pub(super) fn map_and_multiply(field: &[[u8; 32]], scalar: &[u8; 32], out: &mut [Point]) {
    multiply_each(&elligator2(&read(field)), scalar, out);
}

/// Four by four, with zeros behind the last.
#[target_feature(enable = "avx2")]
fn read(elements: &[[u8; 32]]) -> Vec<Fe> {
    let mut groups = Vec::with_capacity(elements.len().div_ceil(LANES));
    for group in elements.chunks(LANES) {
        let mut lanes = [[0; 32]; LANES];
        lanes[..group.len()].copy_from_slice(group);
        groups.push(Fe::from_bytes(&lanes));
    }
    groups
}

#[target_feature(enable = "avx2")]
fn multiply_each(points: &[Fe], scalar: &[u8; 32], out: &mut [Point]) {
    let (mut xs, mut zs) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.len()));
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
#[target_feature(enable = "avx2")]
fn ladder(x1: Fe, scalar: &[u8; 32]) -> (Fe, Fe) {
    let (one, zero) = (Fe::small(1), Fe::small(0));
    let (mut x2, mut z2, mut x3, mut z3) = (one, zero, x1, one);
    let mut swapped = 0;
    for t in (0..255).rev() {
        let bit = scalar[t / 8] >> (t % 8) & 1;
        let swap = Mask::every(swapped ^ bit);
        (x2, x3) = (x2.or(x3, swap), x3.or(x2, swap));
        (z2, z3) = (z2.or(z3, swap), z3.or(z2, swap));
        swapped = bit;
        // Sums are of 2 units, differences of 3, which is what `times` takes second.
        let (a, b) = (x2.plus(z2), x2.minus(z2));
        let (aa, bb) = (a.square(), b.square());
        let e = aa.minus(bb);
        let (da, cb) = (x3.minus(z3).times(&a), x3.plus(z3).times(&b));
        x3 = da.plus(cb).square();
        z3 = da.minus(cb).square().times(&x1);
        x2 = aa.times(&bb);
        z2 = e.times(&e.times_small(A24).plus(aa));
    }
    let swap = Mask::every(swapped);
    (x2.or(x3, swap), z2.or(z3, swap))
}

/// Elligator 2 (RFC 9380, section 6.7.1), as the portable twin has it and explains.
#[target_feature(enable = "avx2")]
fn elligator2(field: &[Fe]) -> Vec<Fe> {
    let (zero, one, j) = (Fe::small(0), Fe::small(1), Fe::small(J_NUMBER));
    let mut inverses = Vec::with_capacity(field.len());
    for r in field {
        inverses.push(r.square().twice().plus(one).reduced());
    }
    invert_batch(&mut inverses);
    let mut points = Vec::with_capacity(field.len());
    for inverse in inverses {
        let x1 = inverse.times_small(J_NUMBER).negative().reduced();
        let x2 = zero.minus(x1).minus(j).reduced();
        let g = x1.times(&x1.times(&x1.plus(j)).plus(one));
        points.push(x2.or(x1, are_squares(g)));
    }
    points
}
