//! How benches time.

use std::time::Instant;

/// The least seconds of five runs.
pub fn least(mut run: impl FnMut()) -> f64 {
    let timed = |()| {
        let began = Instant::now();
        run();
        began.elapsed().as_secs_f64()
    };
    [(); 5].map(timed).into_iter().fold(f64::INFINITY, f64::min)
}
