//! Whether noise is expanded in chunks or at once: what the code costs an output, by its length.
//!
//! One JSON object a length: the code of the profile with stationary noise, that of the others, and
//! lengths up to all cells of a match of 2^20 elements in one expansion. Seconds are of this
//! thread, the least of five runs; what is compared is one length with another in one run.

mod timing;

use psi_core::aes::Block;
use psi_core::code::{Code, Encoder, Noise, Pair};
use psi_core::trees::{GROUPS, LANES, Row, TREES};
use timing::least;

/// Leaves of a tree. The cells of 2^20 elements are 1.42 million, outputs of 816 trees of 3,488
/// leaves.
const LEAVES: [usize; 7] = [32, 64, 128, 256, 512, 1024, 3488];
/// Rows that are pushed at once, as leaves of a group of trees are made.
const ROWS: usize = 32;

fn main() {
    let order: [u8; ROWS] = std::array::from_fn(|row| row as u8);
    let leaves: [Row; ROWS] =
        std::array::from_fn(|row| std::array::from_fn(|lane| (row * LANES + lane) as Block));
    let noise = Noise::new();
    for per_tree in LEAVES {
        let code = Code::draw(&[7; 32], per_tree);
        let outputs = code.outputs();
        let pushes = GROUPS * per_tree / ROWS;
        let mut sums = vec![0; outputs];
        let mut sender = Encoder::<Block>::new(&code);
        let sender = least(5, || {
            (0..pushes).for_each(|_| sender.push(&code, &leaves, &order));
            sender.finish(&code, &mut sums);
        });
        let mut values = vec![0_u64; outputs];
        let mut receiver = Encoder::<Pair>::new(&code);
        let receiver = least(5, || {
            (0..pushes).for_each(|_| receiver.push(&code, &leaves, &noise, &order));
            receiver.finish(&code, &mut sums, &mut values);
        });
        let each = |seconds: f64| seconds / outputs as f64 * 1e9;
        println!(
            "{{\"trees\": {TREES}, \"length\": {}, \"outputs\": {outputs}, \"sender_ns\": {:.2}, \
             \"receiver_ns\": {:.2}}}",
            code.length(),
            each(sender),
            each(receiver),
        );
    }
}
