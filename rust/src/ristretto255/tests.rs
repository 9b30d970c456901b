use super::*;
use crate::entropy::Entropy;
use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED as GENERATOR;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::traits::IsIdentity;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/rfc9496.json")).unwrap()
}

fn bytes<const N: usize>(hex: &Value) -> [u8; N] {
    let hex = hex.as_str().unwrap();
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}

#[test]
fn multiples_and_derived_points_are_those_of_rfc_9496() {
    let file = vectors();
    let multiples: Vec<Encoded> = file["multiples"].as_array().unwrap().iter().map(bytes).collect();
    let scalars: Vec<_> = (0..16_u8).map(Scalar::from).collect();
    let mut out = [[1; 32]; 16];
    multiply(&[GENERATOR.0; 16], Scalars::Each(&scalars), &mut out).unwrap();
    assert_eq!(out.to_vec(), multiples);
    let derived = file["derived"].as_array().unwrap();
    let uniform: Vec<Uniform> = derived.iter().map(|each| bytes(&each["uniform"])).collect();
    let mut out = vec![[0; 32]; uniform.len()];
    derive_and_multiply(&uniform, Scalars::Same(&Scalar::ONE), &mut out).unwrap();
    let due: Vec<Encoded> = derived.iter().map(|each| bytes(&each["encoding"])).collect();
    assert_eq!(out, due);
}

#[test]
fn what_rfc_9496_calls_invalid_is_refused_wherever_it_stands() {
    let file = vectors();
    let kinds = file["invalid"].as_array().unwrap().iter();
    let mut invalid: Vec<Encoded> =
        kinds.flat_map(|kind| kind["encodings"].as_array().unwrap()).map(bytes).collect();
    assert_eq!(invalid.len(), 29);
    invalid.push([0; 32]); // the identity, which decodes but which nobody may send
    for (at, bad) in invalid.into_iter().enumerate() {
        let at = 7 * at % (2 * CHUNK + 3);
        let mut points = [GENERATOR.0; 2 * CHUNK + 3];
        points[at] = bad;
        let mut out = [[0; 32]; 2 * CHUNK + 3];
        let refused = multiply(&points, Scalars::Same(&Scalar::ONE), &mut out);
        assert_eq!(refused, Err(Error::Point { argument: "points", index: at }));
        let (halves, chunk) = ([Scalar::ONE; CHUNK], at / CHUNK * CHUNK);
        let points = &points[chunk..points.len().min(chunk + CHUNK)];
        let refused = portable::multiply(points, &halves, &mut out[..points.len()]);
        assert_eq!(refused, Err(at - chunk));
    }
}

#[test]
fn the_first_of_several_bad_points_is_told() {
    let mut points = [GENERATOR.0; 200];
    (points[3], points[199], points[130]) = ([0; 32], [1; 32], [0xff; 32]);
    for first in [3, 130] {
        let refused = multiply(&points, Scalars::Same(&Scalar::ONE), &mut [[0; 32]; 200]);
        assert_eq!(refused, Err(Error::Point { argument: "points", index: first }));
        points[first] = GENERATOR.0;
    }
}

#[test]
fn lengths_are_checked() {
    let one = [Scalar::ONE];
    let points = [GENERATOR.0; 2];
    assert!(multiply(&points, Scalars::Each(&one), &mut [[0; 32]; 2]).is_err());
    assert!(multiply(&points, Scalars::Same(&one[0]), &mut [[0; 32]; 1]).is_err());
    assert!(derive_and_multiply(&[[0; 64]], Scalars::Each(&[]), &mut [[0; 32]]).is_err());
    assert!(derive_and_multiply(&[[0; 64]], Scalars::Same(&one[0]), &mut []).is_err());
    assert_eq!(multiply(&[], Scalars::Each(&[]), &mut []), Ok(()));
}

/// Bytes whose halves are 0, p and its neighbours, or all ones; then random ones.
fn uniform(number: usize, entropy: &mut Entropy) -> Uniform {
    let p_and = |low: u8| -> [u8; 32] {
        std::array::from_fn(|i| [low, 0xff, 0x7f][usize::from(i > 0) + usize::from(i > 30)])
    };
    let halves = [[0; 32], p_and(0xed), p_and(0xec), p_and(0xee), p_and(0xff), [0xff; 32]];
    let mut bytes = [0; 64];
    if number < 36 {
        bytes[..32].copy_from_slice(&halves[number % 6]);
        bytes[32..].copy_from_slice(&halves[number / 6]);
    } else {
        entropy.fill(&mut bytes);
    }
    bytes
}

#[test]
fn every_twin_gives_what_dalek_gives_point_by_point() {
    let mut entropy = Entropy::from_seed_for_tests([70; 32]);
    let eights = Scalar::from_bytes_mod_order([0x88; 32]);
    let mut wide = [0; 64];
    entropy.fill(&mut wide);
    let drawn = Scalar::from_bytes_mod_order_wide(&wide);
    let some = [Scalar::ONE, -Scalar::ONE, Scalar::from(2_u8), eights, -eights, drawn];
    for count in [0, 1, 3, 4, 5, 8, 9, CHUNK - 1, CHUNK] {
        let uniform: Vec<_> = (0..count).map(|number| uniform(number, &mut entropy)).collect();
        let scalars: Vec<_> = some.iter().copied().cycle().take(count).collect();
        let halves: Vec<_> = scalars.iter().map(Scalar::div_by_2).collect();
        let points: Vec<_> = uniform.iter().map(RistrettoPoint::from_uniform_bytes).collect();
        let encoded = |point: RistrettoPoint| point.compress().0;
        let due: Vec<_> = points.iter().zip(&scalars).map(|(p, k)| encoded(k * p)).collect();
        let (mut fast, mut slow) = (vec![[1; 32]; count], vec![[1; 32]; count]);
        derive_and_multiply_chunk(&uniform, &halves, &mut fast);
        portable::derive_and_multiply(&uniform, &halves, &mut slow);
        assert_eq!((&fast, &slow), (&due, &due), "seed 70, {count} derived points");
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        for path in Path::all() {
            x86::derive_and_multiply(path, &uniform, &halves, &mut fast);
            assert_eq!(fast, due, "seed 70, {path:?}, {count} derived points");
        }
        // Some of the edges derive the identity, which nobody may send: the generator stands in for it.
        let points: Vec<_> = points
            .into_iter()
            .map(|point| if point.is_identity() { RISTRETTO_BASEPOINT_POINT } else { point })
            .collect();
        let due: Vec<_> = points.iter().zip(&scalars).map(|(p, k)| encoded(k * p)).collect();
        let points: Vec<_> = points.into_iter().map(encoded).collect();
        assert_eq!(multiply_chunk(&points, &halves, &mut fast), Ok(()));
        assert_eq!(portable::multiply(&points, &halves, &mut slow), Ok(()));
        assert_eq!((&fast, &slow), (&due, &due), "seed 70, {count} points");
        #[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
        for path in Path::all() {
            assert_eq!(x86::multiply(path, &points, &halves, &mut fast), Ok(()));
            assert_eq!(fast, due, "seed 70, {path:?}, {count} points");
        }
    }
    // The scalar 0 is never drawn; what it makes is encoded all the same.
    let zeros = [Scalar::ZERO; 5];
    let mut out = [[1; 32]; 5];
    multiply_chunk(&[GENERATOR.0; 5], &zeros, &mut out).unwrap();
    assert_eq!(out, [[0; 32]; 5]);
}
