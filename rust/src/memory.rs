//! Memory of large vectors, in huge pages.
//!
//! A match of 2^20 elements fills some 60 MB on each side, and its code writes to 128 places in
//! turn. With pages of 4 KiB that is 15,000 page faults and more places than a core keeps
//! translations for. So vectors from 2 MiB on are mapped by themselves, aligned to huge pages, and
//! the kernel is asked for these (`madvise(2)`, `MADV_HUGEPAGE`). Where it has none to give, small
//! ones serve. All other memory is the system's.
//!
//! Memory that nothing has used yet is dear: the kernel clears it, and where the machine is a guest,
//! its host may have to find it first. A process that runs matches can [`keep`] some of what it
//! frees for what it allocates next, cut to that or made longer.

use std::alloc::{GlobalAlloc, Layout, System};

/// A huge page, and the least size of what is mapped.
const HUGE: usize = 2 << 20;

/// The allocator of this library.
pub struct Memory;

/// Whether memory is mapped by itself.
fn is_large(layout: Layout) -> bool {
    cfg!(target_os = "linux") && layout.size() >= HUGE && layout.align() <= HUGE
}

// SAFETY: small memory is the system allocator's, with the same layouts. Large memory is a mapping
// of its own, that starts at a multiple of HUGE, is as long as the layout at least, and is unmapped
// with the same length. Which of the two it is follows from the layout alone, which callers give
// unchanged to `dealloc` and `realloc`.
#[expect(unsafe_code, reason = "what an allocator is")]
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return large::map(layout.size());
        }
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return large::zeroed(layout.size());
        }
        // SAFETY: the caller's promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises: `at` came from `alloc` with this layout.
        unsafe {
            if is_large(layout) {
                return large::unmap(at, layout.size());
            }
            System.dealloc(at, layout);
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises: `size` is not 0 and fits a layout of this alignment.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            if !is_large(layout) && !is_large(new) {
                return System.realloc(at, layout, size);
            }
            if is_large(layout)
                && is_large(new)
                && let Some(resized) = large::resize(at, layout.size(), size)
            {
                return resized;
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(at, moved, layout.size().min(size));
                self.dealloc(at, layout);
            }
            moved
        }
    }
}

/// Keeps up to `most` bytes of freed large vectors for those that are allocated next, instead of
/// giving them back to the system; and has the system's allocator keep as much of smaller things,
/// for example messages of 1 MiB, each of which would be mapped and cleared anew, in one place for
/// all threads that begin later: messages wander from those that receive to those that compute. What was kept before
/// goes back.
///
/// For a program; a library does not decide this for a process that is not its own. What is kept is
/// as secret as what stood there: who must wipe, wipes before it frees.
#[cfg(feature = "python")]
pub fn keep(most: usize) {
    #[cfg(target_os = "linux")]
    large::keep(most);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the door to the system's allocator")]
    // SAFETY: numbers of options that this allocator has; it takes a lock of its own.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, (2 * HUGE) as libc::c_int);
        libc::mallopt(
            libc::M_TRIM_THRESHOLD,
            libc::c_int::try_from(most).unwrap_or(libc::c_int::MAX),
        );
        libc::malloc_trim(0);
    }
}

/// Asks the machine for the line of an element before its turn, of any element or none.
#[inline(always)]
pub fn prefetch<T>(elements: &[T], element: usize) {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "a hint to the machine")]
    // SAFETY: a prefetch is no access; any address is allowed.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(elements.as_ptr().wrapping_add(element).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (elements, element);
}

/// Asks for huge pages behind large memory of somebody else, which nothing has been written to yet.
///
/// # Safety
/// `size` bytes from `at` on are mapped.
#[cfg(all(feature = "python", target_os = "linux"))]
#[expect(unsafe_code, reason = "the door to the kernel")]
pub unsafe fn advise(at: *mut u8, size: usize) {
    const PAGE: usize = 4096;
    if size >= 2 * HUGE {
        let before = at.addr() % PAGE;
        // SAFETY: pages on which the memory stands, at its ends maybe with other memory, are
        // mapped. Advice changes no contents, and nothing if it is refused.
        unsafe {
            libc::madvise(at.sub(before).cast(), before + size, libc::MADV_HUGEPAGE);
        }
    }
}

/// Elsewhere memory is as it is.
///
/// # Safety
/// None; it is that of the other one.
#[cfg(all(feature = "python", not(target_os = "linux")))]
#[expect(unsafe_code, reason = "the other one has it")]
pub unsafe fn advise(_: *mut u8, _: usize) {}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the door to the kernel")]
mod large {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::HUGE;

    /// Mappings that were freed: where, and how long; at most so many bytes of them.
    ///
    /// A match has fewer than 16 large vectors; what finds no place is given back.
    pub(super) struct Freed {
        pub(super) most: usize,
        mappings: [(usize, usize); 16],
    }

    static FREED: Mutex<Freed> = Mutex::new(Freed::new());

    /// What is kept. Nothing fails while it is held, so that it is whole whoever held it.
    fn freed() -> MutexGuard<'static, Freed> {
        FREED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Freed {
        pub(super) const fn new() -> Self {
            Self { most: 0, mappings: [(0, 0); 16] }
        }

        /// Takes so much of the smallest mapping that has it; what is left of that stays.
        pub(super) fn take(&mut self, length: usize) -> Option<usize> {
            let fitting = self.mappings.iter_mut().filter(|(_, kept)| *kept >= length);
            let (start, kept) = fitting.min_by_key(|(_, kept)| *kept)?;
            *kept -= length;
            Some(*start + *kept)
        }

        /// Takes the largest mapping, if it has half of so much.
        pub(super) fn take_largest(&mut self, length: usize) -> Option<(usize, usize)> {
            let largest = self.mappings.iter_mut().max_by_key(|(_, kept)| *kept)?;
            (2 * largest.1 >= length).then(|| std::mem::take(largest))
        }

        /// Keeps a mapping, unless that would be too much.
        pub(super) fn put(&mut self, start: usize, length: usize) -> bool {
            let total: usize = self.mappings.iter().map(|(_, kept)| kept).sum();
            let free = self.mappings.iter_mut().find(|(_, kept)| *kept == 0);
            match free {
                Some(place) if total + length <= self.most => {
                    *place = (start, length);
                    true
                }
                _ => false,
            }
        }
    }

    /// Gives back what is kept, and keeps at most so much from now on.
    #[cfg(feature = "python")]
    pub(super) fn keep(most: usize) {
        let kept = Freed { most, ..Freed::new() };
        let before = std::mem::replace(&mut *freed(), kept);
        for (start, length) in before.mappings.into_iter().filter(|(_, length)| *length > 0) {
            // SAFETY: a mapping of this length, which nobody has.
            unsafe { libc::munmap(std::ptr::with_exposed_provenance_mut(start), length) };
        }
    }

    /// A mapping of `size` bytes, rounded up to huge pages; null if there is none. What stands in
    /// it is anything.
    pub(super) fn map(size: usize) -> *mut u8 {
        used(size).map_or_else(|| fresh(size), |(mapping, _)| mapping)
    }

    /// The same, and zeros stand in it.
    pub(super) fn zeroed(size: usize) -> *mut u8 {
        let Some((mapping, used)) = used(size) else { return fresh(size) };
        // SAFETY: a mapping of at least so many bytes, which nobody else has.
        unsafe { mapping.write_bytes(0, size.min(used)) };
        mapping
    }

    /// A mapping that was freed, and how much of it was: the rest is new, and zero.
    fn used(size: usize) -> Option<(*mut u8, usize)> {
        let length = size.checked_next_multiple_of(HUGE)?;
        let at = std::ptr::with_exposed_provenance_mut;
        let mut freed = freed();
        if let Some(start) = freed.take(length) {
            return Some((at(start), length));
        }
        let (start, kept) = freed.take_largest(length)?;
        drop(freed);
        // SAFETY: a mapping of this length, which nobody has.
        unsafe {
            let grown = resize(at(start), kept, length);
            if grown.is_none() {
                libc::munmap(at(start).cast(), kept);
            }
            Some((grown?, kept))
        }
    }

    /// A new mapping, which is zero.
    fn fresh(size: usize) -> *mut u8 {
        let Some(length) = size.checked_next_multiple_of(HUGE) else {
            return std::ptr::null_mut();
        };
        let Some(room) = length.checked_add(HUGE) else { return std::ptr::null_mut() };
        let (protection, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping wherever the kernel likes; then parts of it before and behind the
        // aligned middle are given back, to which nobody has a pointer yet.
        unsafe {
            let start = libc::mmap(std::ptr::null_mut(), room, protection, kind, -1, 0);
            if start == libc::MAP_FAILED {
                return std::ptr::null_mut();
            }
            let before = start.align_offset(HUGE);
            let middle = start.add(before);
            for (part, length) in [(start, before), (middle.add(length), HUGE - before)] {
                if length > 0 {
                    libc::munmap(part, length);
                }
            }
            libc::madvise(middle, length, libc::MADV_HUGEPAGE);
            middle.cast()
        }
    }

    /// Lets a mapping have another size: where it is, or else elsewhere, to where its pages are moved
    /// and not copied. A vector that grows to 32 MiB would otherwise fill as much besides.
    ///
    /// # Safety
    /// `at` came from `map` with size `before`; nobody uses it any more if there is a result.
    pub(super) unsafe fn resize(at: *mut u8, before: usize, after: usize) -> Option<*mut u8> {
        let length = after.checked_next_multiple_of(HUGE)?;
        let before = before.next_multiple_of(HUGE);
        // SAFETY: the mapping has the first length; without MREMAP_MAYMOVE it stays where it is.
        if unsafe { libc::mremap(at.cast(), before, length, 0) } != libc::MAP_FAILED {
            return Some(at);
        }
        let room = fresh(length);
        if room.is_null() {
            return None;
        }
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: it goes to a mapping of the new length that nobody has, which it replaces.
        unsafe {
            if libc::mremap(at.cast(), before, length, flags, room) != libc::MAP_FAILED {
                return Some(room);
            }
            libc::munmap(room.cast(), length);
        }
        None
    }

    /// Ends a mapping, or keeps it.
    ///
    /// # Safety
    /// `at` came from `map` with this size, and nobody uses it any more.
    pub(super) unsafe fn unmap(at: *mut u8, size: usize) {
        let length = size.next_multiple_of(HUGE);
        if freed().put(at.expose_provenance(), length) {
            return;
        }
        // SAFETY: the mapping has this length, which `map` could round up.
        unsafe {
            libc::munmap(at.cast(), length);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod large {
    //! Nothing is large here.

    pub(super) fn map(_: usize) -> *mut u8 {
        std::ptr::null_mut()
    }

    pub(super) fn zeroed(_: usize) -> *mut u8 {
        std::ptr::null_mut()
    }

    pub(super) fn resize(_: *mut u8, _: usize, _: usize) -> Option<*mut u8> {
        None
    }

    pub(super) fn unmap(_: *mut u8, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::HUGE;

    #[test]
    fn large_vectors_start_at_a_huge_page_are_zero_and_keep_what_they_hold() {
        let mut vector = vec![0_u8; HUGE];
        assert_eq!(vector.as_ptr().align_offset(HUGE), 0);
        assert!(vector.iter().all(|byte| *byte == 0));
        for (i, byte) in vector.iter_mut().enumerate() {
            *byte = i as u8;
        }
        // Up and down over the edge: large to large, to small, and back.
        for size in [3 * HUGE + 5, HUGE, HUGE - 1, 100, HUGE + 1] {
            let kept = vector.len().min(size);
            vector.resize(size, 7);
            vector.shrink_to_fit();
            assert!(vector[..kept.min(100)].iter().enumerate().all(|(i, byte)| *byte == i as u8));
            assert!(vector[kept..].iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn a_vector_that_grows_among_others_keeps_what_it_holds() {
        let mut vectors = [const { Vec::<u64>::new() }; 3];
        for number in 0..3 * HUGE as u64 {
            for (vector, k) in vectors.iter_mut().zip(1..) {
                vector.push(k * number);
            }
        }
        for (vector, k) in vectors.iter().zip(1..) {
            assert_eq!(vector.as_ptr().align_offset(HUGE), 0);
            assert!(vector.iter().zip(0..).all(|(held, number)| *held == k * number));
        }
    }

    #[test]
    fn many_large_vectors_come_and_go() {
        for round in 0..200 {
            let vectors: Vec<_> = (1..5).map(|k| vec![k + round; k as usize * HUGE / 4]).collect();
            assert!(vectors.iter().zip(1..).all(|(vector, k)| vector.last() == Some(&(k + round))));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_freed_is_cut_to_what_is_asked_for_and_never_given_twice() {
        use super::large::Freed;
        let mut freed = Freed::new();
        assert!(!freed.put(HUGE, HUGE), "nothing is kept before it is asked for");
        freed.most = 20 * HUGE;
        assert!(freed.put(100 * HUGE, 8 * HUGE) && freed.put(10 * HUGE, 3 * HUGE));
        assert!(!freed.put(200 * HUGE, 10 * HUGE), "more than is kept");
        // The smallest that fits, from its end.
        assert_eq!(freed.take(2 * HUGE), Some(11 * HUGE));
        assert_eq!(freed.take(2 * HUGE), Some(106 * HUGE));
        assert_eq!(freed.take(HUGE), Some(10 * HUGE));
        assert_eq!(freed.take(7 * HUGE), None);
        assert_eq!(freed.take(6 * HUGE), Some(100 * HUGE));
        assert_eq!(freed.take(HUGE), None);
        // The largest, if the rest of what is asked for would not be more than it has.
        assert!(freed.put(30 * HUGE, 3 * HUGE) && freed.put(40 * HUGE, 5 * HUGE));
        assert_eq!(freed.take_largest(11 * HUGE), None);
        assert_eq!(freed.take_largest(10 * HUGE), Some((40 * HUGE, 5 * HUGE)));
        assert_eq!(freed.take_largest(HUGE), Some((30 * HUGE, 3 * HUGE)));
        assert_eq!(freed.take_largest(HUGE), None);
        // As many as there are places.
        assert_eq!((1..20).filter(|at| freed.put(*at * HUGE, HUGE)).count(), 16);
    }

    #[test]
    fn what_no_machine_has_is_refused() {
        let mut vector = Vec::<u8>::new();
        assert!(vector.try_reserve_exact(1 << 60).is_err());
    }
}
