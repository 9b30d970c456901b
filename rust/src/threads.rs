//! Who computes: threads that all callers share, or each caller itself.
//!
//! Where kernels have one thread it is the caller's. If they had one of their own, it and the caller
//! would wait for each other to wake at each step, and what a step leaves in the second cache would be
//! on another core when the next one reads it.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// Whether each caller computes itself.
static ALONE: AtomicBool = AtomicBool::new(false);

/// Fixes how many threads the kernels have; works once, before the first kernel runs.
///
/// # Errors
/// If it is fixed already.
pub fn fix(count: usize) -> Result<(), ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(count).build_global()?;
    ALONE.store(count == 1, Ordering::Relaxed);
    Ok(())
}

/// Makes the calling thread one that computes itself, if each caller does.
///
/// What rayon keeps for a thread, some kilobytes, is never given back, so threads that call kernels
/// are to be few. If it cannot be had, the shared thread computes.
pub fn enter() {
    if ALONE.load(Ordering::Relaxed) && rayon::current_thread_index().is_none() {
        std::mem::forget(ThreadPoolBuilder::new().num_threads(1).use_current_thread().build());
    }
}
