//! How benches time.

use std::time::Instant;

/// The least seconds of so many runs.
pub fn least(runs: u32, mut run: impl FnMut()) -> f64 {
    let timed = |_| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64()
    };
    (0..runs).map(timed).fold(f64::INFINITY, f64::min)
}
