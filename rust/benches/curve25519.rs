//! What a point of the DH match and of an inquiry costs, beside curve25519-dalek in the same run.
//!
//! One JSON object for each group. Microseconds a point are of one thread, the least of 100 runs over all points;
//! `--features portable` times the portable twin. Dalek multiplies one point at a time and clamps, in
//! constant time as ours does; it hashes nothing to this curve. In ristretto255, a point is derived or
//! decoded, multiplied and encoded by both.

mod timing;

use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use psi_core::curve25519::{clamp, hash_and_multiply, multiply};
use psi_core::ristretto255::{self, Scalars};
use sha2::{Digest, Sha512};
use timing::least;

/// A chunk or four of points in a run, and many runs: the least is of one that nothing else disturbed.
const POINTS: usize = 1 << 8;
const RUNS: u32 = 100;

fn main() {
    // One thread: what is told is what a core does.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    pool.install(|| {
        let scalar = clamp([7; 32]);
        let messages: Vec<[u8; 32]> = (0..POINTS as u64)
            .map(|number| {
                let mut message = [0; 32];
                message[..8].copy_from_slice(&number.to_le_bytes());
                message
            })
            .collect();
        let mut points = vec![[0; 32]; POINTS];
        let hashed = least(RUNS, || {
            hash_and_multiply(b"", &messages, b"bench", &scalar, &mut points).expect("lengths fit");
        });
        let mut out = points.clone();
        let multiplied = least(RUNS, || multiply(&points, &scalar, &mut out).expect("points are valid"));
        let mut theirs = Vec::new();
        let dalek = least(RUNS, || {
            let multiply = |point: &[u8; 32]| MontgomeryPoint(*point).mul_clamped(scalar).0;
            theirs = points.iter().map(multiply).collect();
        });
        assert!(theirs == out, "both multiply alike");
        let [hashed, multiplied, dalek] =
            [hashed, multiplied, dalek].map(|seconds| seconds / POINTS as f64 * 1e6);
        println!(
            "{{\"group\": \"curve25519\", \"points\": {POINTS}, \"multiply_us\": {multiplied:.2}, \"hash_and_multiply_us\": \
             {hashed:.2}, \"dalek_multiply_us\": {dalek:.2}, \"dalek_over_ours\": {:.2}}}",
            dalek / multiplied,
        );
        ristretto255();
    });
}

fn ristretto255() {
    let scalar = Scalar::from_bytes_mod_order([7; 32]);
    let uniform: Vec<[u8; 64]> =
        (0..POINTS as u64).map(|number| Sha512::digest(number.to_le_bytes()).into()).collect();
    let mut points = vec![[0; 32]; POINTS];
    let derived = least(RUNS, || {
        ristretto255::derive_and_multiply(&uniform, Scalars::Same(&scalar), &mut points)
            .expect("lengths fit");
    });
    let mut theirs = Vec::new();
    let dalek_derived = least(RUNS, || {
        let multiply =
            |uniform| (scalar * RistrettoPoint::from_uniform_bytes(uniform)).compress().0;
        theirs = uniform.iter().map(multiply).collect();
    });
    assert!(theirs == points, "both derive and multiply alike");
    let mut out = points.clone();
    let multiplied = least(RUNS, || {
        ristretto255::multiply(&points, Scalars::Same(&scalar), &mut out)
            .expect("points are valid");
    });
    let dalek = least(RUNS, || {
        let multiply = |point: &[u8; 32]| {
            let point = CompressedRistretto(*point).decompress().expect("points are valid");
            (scalar * point).compress().0
        };
        theirs = points.iter().map(multiply).collect();
    });
    assert!(theirs == out, "both multiply alike");
    let [derived, dalek_derived, multiplied, dalek] =
        [derived, dalek_derived, multiplied, dalek].map(|seconds| seconds / POINTS as f64 * 1e6);
    println!(
        "{{\"group\": \"ristretto255\", \"points\": {POINTS}, \"multiply_us\": {multiplied:.2}, \
         \"derive_and_multiply_us\": {derived:.2}, \"dalek_multiply_us\": {dalek:.2}, \
         \"dalek_derive_and_multiply_us\": {dalek_derived:.2}, \"dalek_over_ours\": {:.2}}}",
        dalek / multiplied,
    );
}
