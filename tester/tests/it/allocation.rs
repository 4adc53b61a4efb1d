//! Counts what the engine asks of the allocator. A tester runs it whole on one thread, so that nothing else is counted, and
//! the same figure comes out on every machine, and cannot creep.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use retell::prelude::*;
use retell::workflow::try_all;
use retell_tester::Tester;

struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count() {
    // The thread may be past the life of its locals; nobody counts then.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[retell::activity]
async fn echo(_cx: ActivityContext, text: String) -> Result<String, ActivityError> {
    Ok(text)
}

#[retell::workflow]
async fn chain(cx: WorkflowContext, length: u32) -> WorkflowResult<()> {
    let mut text = "a hundred bytes ".repeat(6);
    for _ in 0..length {
        text = cx.activity(echo, &text).await?;
    }
    Ok(())
}

#[retell::workflow]
async fn steps(cx: WorkflowContext, length: u32) -> WorkflowResult<()> {
    let mut text = "a hundred bytes ".repeat(6);
    for _ in 0..length {
        text = cx.step("echo", &text, |_cx, text: String| async move { Ok(text) }).await?;
    }
    Ok(())
}

#[retell::workflow]
async fn fan(cx: WorkflowContext, width: u32) -> WorkflowResult<()> {
    let text = "a hundred bytes ".repeat(6);
    try_all((0..width).map(|_| cx.activity(echo, &text))).await?;
    Ok(())
}

/// What one more of a workflow's calls costs.
fn each<W: Workflow<Input = u32, Output = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> f64 {
    let cost = |calls: u32| {
        let tester = Tester::new().workflow(chain).workflow(steps).workflow(fan).activity(echo);
        tester.start(workflow, "warm", 10).result().unwrap();
        let before = ASKED.get();
        tester.start(workflow, "run", calls).result().unwrap();
        ASKED.get() - before
    };
    (cost(600) - cost(100)) as f64 / 500.0
}

/// The engine's own share is about a third: the rest is what virtual time and a thread of one's own take here.
#[test]
fn a_call_asks_for_memory_seldom() {
    let costs = [each(chain), each(steps), each(fan)];
    let bounds = [82.0, 92.0, 47.0];
    assert!(costs.iter().zip(bounds).all(|(cost, bound)| *cost <= bound), "{costs:?} of {bounds:?}");
}
