//! Who computes: threads that all callers share, or each caller itself, one at a time.
//!
//! Where kernels have one thread it is the caller's. If they had one of their own, it and the caller
//! would wait for each other to wake at each step, and what a step leaves in the second cache would be
//! on another core when the next one reads it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// Whether each caller computes itself.
static ALONE: AtomicBool = AtomicBool::new(false);
/// Held by the caller that computes, so that all of them take one core and no more.
static TURN: Mutex<()> = Mutex::new(());

/// Fixes how many threads the kernels have; works once, before the first kernel runs.
///
/// # Errors
/// If it is fixed already.
pub fn fix(count: usize) -> Result<(), ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(count).build_global()?;
    ALONE.store(count == 1, Ordering::Relaxed);
    Ok(())
}

/// Waits for the calling thread's turn, if each caller computes itself; it ends with what is returned.
///
/// What rayon keeps for a thread is never given back, so threads that call kernels are to be few. If
/// it cannot be had, the shared thread computes.
pub fn enter() -> Option<MutexGuard<'static, ()>> {
    if !ALONE.load(Ordering::Relaxed) {
        return None;
    }
    if rayon::current_thread_index().is_none() {
        std::mem::forget(ThreadPoolBuilder::new().num_threads(1).use_current_thread().build());
    }
    // A kernel that failed leaves nothing half done here.
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}
