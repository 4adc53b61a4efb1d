//! Watches the allocator, for tests of what hostile bytes may cost.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static WATCHING: Watching = Watching;

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // The thread may be past the life of its locals; nobody watches it then.
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(layout.size())));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs something and says how large the largest piece of memory was that this thread asked for.
pub(crate) fn largest_during<T>(run: impl FnOnce() -> T) -> (usize, T) {
    LARGEST.set(0);
    let result = run();
    (LARGEST.get(), result)
}
