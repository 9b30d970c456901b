//! What a point of the DH match costs, beside a multiplication of curve25519-dalek in the same run.
//!
//! One JSON object. Microseconds a point are of one thread, the least of five runs over all points;
//! `--features portable` times the portable twin. Dalek multiplies one point at a time and clamps, in
//! constant time as ours does; it hashes nothing to this curve.

mod timing;

use curve25519_dalek::MontgomeryPoint;
use psi_core::curve25519::{clamp, hash_and_multiply, multiply};
use timing::least;

const POINTS: usize = 1 << 12;

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
        let hashed = least(|| {
            hash_and_multiply(b"", &messages, b"bench", &scalar, &mut points).expect("lengths fit");
        });
        let mut out = points.clone();
        let multiplied = least(|| multiply(&points, &scalar, &mut out).expect("points are valid"));
        let mut theirs = Vec::new();
        let dalek = least(|| {
            let multiply = |point: &[u8; 32]| MontgomeryPoint(*point).mul_clamped(scalar).0;
            theirs = points.iter().map(multiply).collect();
        });
        assert!(theirs == out, "both multiply alike");
        let [hashed, multiplied, dalek] =
            [hashed, multiplied, dalek].map(|seconds| seconds / POINTS as f64 * 1e6);
        println!(
            "{{\"points\": {POINTS}, \"multiply_us\": {multiplied:.2}, \"hash_and_multiply_us\": \
             {hashed:.2}, \"dalek_multiply_us\": {dalek:.2}, \"dalek_over_ours\": {:.2}}}",
            dalek / multiplied,
        );
    });
}
