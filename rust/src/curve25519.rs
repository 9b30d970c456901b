//! x-only Curve25519: hashing to the curve and the ladder, in batches.
//!
//! Sources: RFC 7748 (the ladder, section 5; clamped scalars), RFC 9380 (hashing: section 5.3.1
//! `expand_message_xmd` with SHA-512, section 5.2 `hash_to_field`, section 6.7.1 Elligator 2; suite
//! `curve25519_XMD:SHA-512_ELL2_NU_`). Only the coordinate u of a point is computed: the ladder needs
//! no other, and u is the same for P and -P.
//!
//! The non-uniform map is enough here. A protocol multiplies every hashed point by a secret scalar
//! before anyone sees it, and the reduction to Diffie-Hellman programs the random oracle with points
//! drawn from the map's image; `docs/protocols.md`, "DH match", has the argument. The cofactor is
//! cleared by the scalars, which are multiples of 8.

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
mod x86;

use rayon::prelude::*;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::error::Error;
#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
use crate::field25519::x86::Path;
use crate::field25519::{Fe, invert_batch, words};
use crate::xmd::{DIGEST, Expander};

/// The coordinate u of a point, little-endian.
pub type Point = [u8; 32];

/// The coefficient of the curve v^2 = u^3 + J u^2 + u.
const J: Fe = Fe::from_u32(J_NUMBER);
const J_NUMBER: u32 = 486_662;
/// What the ladder multiplies by (RFC 7748, section 5).
const A24: u32 = (J_NUMBER - 2) / 4;

/// How many points share one inversion. At 128 its cost, some 265 products, is 2 a point beside the
/// ladder's 2,300 (eight side by side, 17 for each eight), and a task, half a millisecond there and
/// some ten where there are no lanes, is small enough to share out among cores.
const CHUNK: usize = 128;

/// Hashes to the curve and multiplies: `out[i] = u([scalar] H(prefix || messages[i]))`.
///
/// Shapes: `messages` and `out` n rows each. `scalar` is little-endian, below 2^255 and a multiple
/// of 8, so that the result lies in the subgroup of prime order.
/// Secret: `scalar` and `messages`; neither decides a branch or an index.
///
/// # Errors
/// [`Error::Length`] if `out` is not as long as `messages`, or `dst` is longer than 255 bytes.
pub fn hash_and_multiply(
    prefix: &[u8],
    messages: &[[u8; 32]],
    dst: &[u8],
    scalar: &[u8; 32],
    out: &mut [Point],
) -> Result<(), Error> {
    same_length(messages.len(), out.len())?;
    let to_field = HashToField::new(dst)?;
    out.par_chunks_mut(CHUNK).zip(messages.par_chunks(CHUNK)).for_each(|(out, messages)| {
        map_and_multiply_chunk(&to_field.hash_each(prefix, messages), scalar, out);
    });
    Ok(())
}

/// Multiplies points that a peer sent: `out[i] = u([scalar] points[i])`.
///
/// Shapes: `points` and `out` n rows each. `scalar` as in [`hash_and_multiply`].
/// Secret: `scalar`; it decides no branch and no index.
///
/// # Errors
/// [`Error::Length`] if `out` is not as long as `points`; [`Error::Point`] if a point is not in its
/// smallest form or of low order, which no honest party sends (RFC 7748, section 6.1).
pub fn multiply(points: &[Point], scalar: &[u8; 32], out: &mut [Point]) -> Result<(), Error> {
    same_length(points.len(), out.len())?;
    let invalid = out
        .par_chunks_mut(CHUNK)
        .zip(points.par_chunks(CHUNK))
        .enumerate()
        .filter_map(|(chunk, (out, points))| {
            multiply_chunk(points, scalar, out);
            let bad = points
                .iter()
                .zip(out)
                .position(|(point, out)| !is_reduced(point) | is_zero(out))?;
            Some(chunk * CHUNK + bad)
        })
        .min();
    match invalid {
        Some(index) => Err(Error::Point { argument: "points", index }),
        None => Ok(()),
    }
}

/// X25519 of RFC 7748, section 5: clamps the scalar, ignores bit 255 of the point.
pub fn x25519(scalar: &[u8; 32], point: &Point) -> Point {
    let mut out = [[0; 32]];
    portable(&[Fe::from_bytes(point)], &clamp(*scalar), &mut out);
    out[0]
}

/// Clamps a scalar (RFC 7748, section 5): a multiple of 8 in [2^254, 2^255).
pub fn clamp(mut scalar: [u8; 32]) -> [u8; 32] {
    scalar[0] &= 248;
    scalar[31] &= 127;
    scalar[31] |= 64;
    scalar
}

/// The coordinate u of `map_to_curve` of `hash_to_field(message)`, before the cofactor is cleared
/// (RFC 9380, section 3, `encode_to_curve`).
///
/// # Errors
/// [`Error::Length`] if `dst` is longer than 255 bytes.
pub fn map_message(message: &[u8], dst: &[u8]) -> Result<Point, Error> {
    let u = HashToField::new(dst)?.hash(&[message]);
    Ok(elligator2(&[u])[0].to_bytes())
}

fn same_length(expected: usize, actual: usize) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Length { argument: "out", expected, actual })
}

/// `hash_to_field` with count 1 (RFC 9380, section 5.2) under one domain separation tag.
struct HashToField(Expander);

impl HashToField {
    /// L = 48 bytes (p has 255 bits, k = 128).
    const LENGTH: usize = 48;

    fn new(dst: &[u8]) -> Result<Self, Error> {
        Expander::new(dst, Self::LENGTH).map(Self)
    }

    /// Expands to L bytes and reduces them modulo p.
    fn hash(&self, message: &[&[u8]]) -> Fe {
        Self::reduce(&self.0.expand(message))
    }

    /// The same of messages behind a prefix.
    fn hash_each(&self, prefix: &[u8], messages: &[[u8; 32]]) -> Vec<Fe> {
        let mut expanded = vec![[0; DIGEST]; messages.len()];
        self.0.expand_each(prefix, messages, &mut expanded);
        expanded.iter().map(Self::reduce).collect()
    }

    fn reduce(expanded: &[u8; DIGEST]) -> Fe {
        let mut wide = [0; Self::LENGTH];
        wide.copy_from_slice(&expanded[..Self::LENGTH]);
        Fe::from_wide_be(&wide)
    }
}

/// Elligator 2 (RFC 9380, section 6.7.1) with Z = 2, coordinate u only.
///
/// With x1 = -J / (1 + 2 r^2): the result is x1 if g(x1) is a square, else -x1 - J. The denominator
/// is never 0, as -1/2 is not a square modulo p.
fn elligator2(field: &[Fe]) -> Vec<Fe> {
    let mut denominators: Vec<_> =
        field.iter().map(|r| Fe::ONE + r.square().mul_small(2)).collect();
    invert_batch(&mut denominators);
    denominators
        .iter()
        .map(|inverse| {
            let x1 = (Fe::ZERO - J * *inverse).carried();
            let x2 = (Fe::ZERO - x1 - J).carried();
            let g = x1 * (x1 * (x1 + J) + Fe::ONE);
            // g(x1) is never 0 for x1 other than 0: J^2 - 4 is not a square.
            Fe::conditional_select(&x2, &x1, g.chi().to_bytes().ct_eq(&Fe::ONE.to_bytes()))
        })
        .collect()
}

/// Multiplies points, some of which may be none.
fn multiply_chunk(points: &[Point], scalar: &[u8; 32], out: &mut [Point]) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if let Some(path) = Path::fastest() {
        return x86::multiply(path, points, scalar, out);
    }
    portable(&points.iter().map(Fe::from_bytes).collect::<Vec<_>>(), scalar, out);
}

/// Whether a coordinate that a peer sent is in its smallest form, below p = 2^255 - 19.
fn is_reduced(point: &Point) -> bool {
    let [low, middle @ .., high] = words(point);
    let largest = u64::MAX >> 1;
    high < largest || high == largest && (middle != [u64::MAX; 2] || low < u64::MAX - 18)
}

/// Whether a product is 0, by no branch for any of its bytes.
fn is_zero(point: &Point) -> bool {
    words(point).into_iter().fold(0, |any, word| any | word) == 0
}

/// Maps field elements to the curve and multiplies.
fn map_and_multiply_chunk(field: &[Fe], scalar: &[u8; 32], out: &mut [Point]) {
    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    if let Some(path) = Path::fastest() {
        let field: zeroize::Zeroizing<Vec<_>> =
            field.iter().map(|element| element.to_bytes()).collect::<Vec<_>>().into();
        return x86::map_and_multiply(path, &field, scalar, out);
    }
    portable(&elligator2(field), scalar, out);
}

/// Multiplies points.
fn portable(points: &[Fe], scalar: &[u8; 32], out: &mut [Point]) {
    let (xs, mut zs): (Vec<_>, Vec<_>) = points.iter().map(|u| ladder(*u, scalar)).unzip();
    invert_batch(&mut zs);
    for ((out, x), z) in out.iter_mut().zip(xs).zip(zs) {
        *out = (x * z).to_bytes();
    }
}

/// The Montgomery ladder over the 255 low bits of the scalar (RFC 7748, section 5), to X : Z.
fn ladder(x1: Fe, scalar: &[u8; 32]) -> (Fe, Fe) {
    let (mut x2, mut z2, mut x3, mut z3) = (Fe::ONE, Fe::ZERO, x1, Fe::ONE);
    let mut swap = Choice::from(0);
    for t in (0..255).rev() {
        let bit = Choice::from((scalar[t / 8] >> (t % 8)) & 1);
        Fe::conditional_swap(&mut x2, &mut x3, swap ^ bit);
        Fe::conditional_swap(&mut z2, &mut z3, swap ^ bit);
        swap = bit;
        let (a, b) = (x2 + z2, x2 - z2);
        let (aa, bb) = (a.square(), b.square());
        let e = aa - bb;
        let (da, cb) = ((x3 - z3) * a, (x3 + z3) * b);
        x3 = (da + cb).square();
        z3 = x1 * (da - cb).square();
        x2 = aa * bb;
        z2 = e * (aa + e.mul_small(A24));
    }
    Fe::conditional_swap(&mut x2, &mut x3, swap);
    Fe::conditional_swap(&mut z2, &mut z3, swap);
    (x2, z2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    }

    fn point(text: &Value) -> Point {
        hex(text.as_str().unwrap()).try_into().unwrap()
    }

    /// Vectors of RFC 9380 are numbers: big-endian.
    fn number(text: &Value) -> Point {
        let mut bytes = point(&Value::from(text.as_str().unwrap().trim_start_matches("0x")));
        bytes.reverse();
        bytes
    }

    #[test]
    fn x25519_is_that_of_rfc_7748() {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/vectors/rfc7748.json")).unwrap();
        for vector in file["x25519"].as_array().unwrap() {
            let out = x25519(&point(&vector["scalar"]), &point(&vector["u"]));
            assert_eq!(out, point(&vector["output"]));
        }
        let (mut k, mut u) = (point(&file["iterated"]["start"]), point(&file["iterated"]["start"]));
        for step in 1..=1000 {
            (k, u) = (x25519(&k, &u), k);
            if step == 1 {
                assert_eq!(k, point(&file["iterated"]["after_1"]));
            }
        }
        assert_eq!(k, point(&file["iterated"]["after_1000"]));
    }

    #[test]
    fn hashing_to_the_curve_is_that_of_rfc_9380() {
        let file: Value =
            serde_json::from_str(include_str!("../../tests/vectors/rfc9380_curve25519_nu.json"))
                .unwrap();
        let dst = file["dst"].as_str().unwrap().as_bytes();
        let mut eight = [0; 32];
        eight[0] = 8;
        for vector in file["vectors"].as_array().unwrap() {
            let message = vector["message"].as_str().unwrap().as_bytes();
            let field = HashToField::new(dst).unwrap().hash(&[message]);
            assert_eq!(field.to_bytes(), number(&vector["field"]));
            let mapped = map_message(message, dst).unwrap();
            assert_eq!(mapped, number(&vector["mapped_u"]));
            let mut cleared = [[0; 32]];
            multiply(&[mapped], &eight, &mut cleared).unwrap();
            assert_eq!(cleared[0], number(&vector["point_u"]));
        }
    }

    #[test]
    fn points_of_low_order_and_unreduced_points_are_refused() {
        let scalar = clamp([7; 32]);
        let mut p_plus_nine = [0xff; 32];
        (p_plus_nine[0], p_plus_nine[31]) = (0xf6, 0x7f);
        let mut high_bit = [9; 32];
        high_bit[31] = 0x89;
        let mut one = [0; 32];
        one[0] = 1;
        for bad in [[0; 32], one, p_plus_nine, high_bit] {
            let mut points = [[9; 32]; CHUNK + 6];
            points.iter_mut().for_each(|point| point[31] = 0);
            points[CHUNK + 2] = bad;
            let refused = multiply(&points, &scalar, &mut [[0; 32]; CHUNK + 6]);
            assert_eq!(refused, Err(Error::Point { argument: "points", index: CHUNK + 2 }));
        }
    }

    #[test]
    fn coordinates_are_reduced_if_they_are_written_as_they_were_read() {
        for high in [0, 0x7e, 0x7f, 0x80, 0xff] {
            for (low, fill) in [(0, 0), (0xec, 0xff), (0xed, 0xff), (0xff, 0xff), (0xff, 0xfe)] {
                for at in 1..31 {
                    // Another byte in between is what decides, or there is none.
                    let mut point = [fill; 32];
                    (point[0], point[31]) = (low, high);
                    for other in [fill, 0x7f] {
                        point[at] = other;
                        let written = Fe::from_bytes(&point).to_bytes();
                        assert_eq!(is_reduced(&point), written == point, "{point:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn lengths_are_checked() {
        assert!(multiply(&[[9; 32]], &[0; 32], &mut []).is_err());
        assert!(hash_and_multiply(b"", &[], &[0; 256], &[8; 32], &mut []).is_err());
        assert_eq!(multiply(&[], &[0; 32], &mut []), Ok(()));
    }

    #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
    #[test]
    fn the_fast_twin_agrees_with_the_portable_one() {
        if Path::fastest().is_none() {
            return eprintln!("there are no lanes on this machine");
        }
        let mut entropy = crate::entropy::Entropy::from_seed_for_tests([62; 32]);
        let mut draw = |count: usize| {
            let mut rows = vec![[0; 32]; count];
            entropy.fill(rows.as_flattened_mut());
            rows
        };
        let mut edges = vec![[0; 32], [0xff; 32]];
        for low in [0_u8, 1, 2, 0xec, 0xed, 0xee, 0xff] {
            // Small numbers, p and its neighbours, with and without bit 255.
            let fill = if low < 3 { 0 } else { 0xff };
            for top in [fill & 0x7f, 0x80 | fill] {
                let mut edge = [fill; 32];
                (edge[0], edge[31]) = (low, top);
                edges.push(edge);
            }
        }
        for count in [0, 1, 3, 4, 5, CHUNK - 1, CHUNK] {
            let points: Vec<_> =
                edges.iter().copied().chain(draw(CHUNK)).cycle().take(count).collect();
            for scalar in [[0; 32], [8; 32], clamp(draw(1)[0]), [0xff; 32]] {
                let field: Vec<_> = points.iter().map(Fe::from_bytes).collect();
                let (mut multiplied, mut mapped) = (points.clone(), points.clone());
                portable(&field, &scalar, &mut multiplied);
                portable(&elligator2(&field), &scalar, &mut mapped);
                for path in Path::all() {
                    let mut out = vec![[0; 32]; count];
                    x86::multiply(path, &points, &scalar, &mut out);
                    assert_eq!(out, multiplied, "seed 62, {path:?}, {count} points");
                    x86::map_and_multiply(path, &points, &scalar, &mut out);
                    assert_eq!(out, mapped, "seed 62, {path:?}, {count} mapped points");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_ladder_agrees_with_dalek(scalar: [u8; 32], u: [u8; 32]) {
            let theirs = curve25519_dalek::MontgomeryPoint(u).mul_clamped(scalar);
            prop_assert_eq!(x25519(&scalar, &u), theirs.to_bytes());
        }

        #[test]
        fn points_in_batches_agree_with_dalek(
            scalar: [u8; 32], points in proptest::collection::vec(any::<[u8; 32]>(), 1..9)
        ) {
            let mut out = vec![[0; 32]; points.len()];
            multiply_chunk(&points, &clamp(scalar), &mut out);
            for (point, out) in points.iter().zip(out) {
                let theirs = curve25519_dalek::MontgomeryPoint(*point).mul_clamped(scalar);
                prop_assert_eq!(out, theirs.to_bytes());
            }
        }

        #[test]
        fn hashed_points_lie_on_the_curve_and_not_on_its_twist(message: Vec<u8>) {
            let u = map_message(&message, b"test").unwrap();
            prop_assert!(curve25519_dalek::MontgomeryPoint(u).to_edwards(0).is_some());
        }
    }
}
