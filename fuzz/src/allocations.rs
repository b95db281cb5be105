//! A counting allocator, with which a target measures the memory of decoding.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// The allocations during a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// The peak of live bytes, beyond those that were live at the start.
    pub peak: usize,
    /// The bytes of all allocations, including freed ones.
    pub total: usize,
}

/// Runs `work` and measures its allocations. Counts the whole process, so no other work may run concurrently.
pub fn measure<R>(work: impl FnOnce() -> R) -> (R, Allocated) {
    let (live, total) = (LIVE.load(Relaxed), TOTAL.load(Relaxed));
    PEAK.store(live, Relaxed);
    let result = work();
    let peak = PEAK.load(Relaxed).saturating_sub(live);
    (result, Allocated { peak, total: TOTAL.load(Relaxed).saturating_sub(total) })
}

struct Counting;

fn add(bytes: usize) {
    TOTAL.fetch_add(bytes, Relaxed);
    PEAK.fetch_max(LIVE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; every call goes on to the system's allocator as it came"
)]
// SAFETY: every call goes on to `System` unchanged, and counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Counted as if the allocation always moved: old and new memory are live together for a moment.
        add(new_size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from `System`, with this layout.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
