//! What the workloads run: workflows and activities that do as little as possible.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::Timestamp;
use retell::workflow::{WorkflowContext, WorkflowResult, try_all};

use super::tree::{fill, leaf, mid, root};
use crate::measure::Meter;

/// How often a [`long`] run leaves a mark, in steps.
pub(crate) const MARK_EVERY: u32 = 1_000;

/// When marked activities ran, shared by all of an engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(Arc<Mutex<Vec<Mark>>>);

/// When a marked activity ran, and what processor time the process had used by then.
pub(super) type Mark = (Instant, Duration);

impl Marks {
    fn set(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), Meter::cpu()));
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes the marks, in their order.
    pub(super) fn take(&self) -> Vec<Mark> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Registers all that the workloads run.
pub(crate) fn register(orchestrator: Orchestrator) -> Orchestrator {
    orchestrator
        .workflow(chain)
        .workflow(fan)
        .workflow(nap)
        .workflow(sleeper)
        .workflow(inline)
        .workflow(idle)
        .workflow(drain)
        .workflow(long)
        .workflow(root)
        .workflow(mid)
        .workflow(leaf)
        .activity(echo)
        .activity(marked)
        .activity(fill)
}

/// Gives back what it is given.
#[retell::activity]
pub(super) async fn echo(_cx: ActivityContext, payload: String) -> Result<String, ActivityError> {
    Ok(payload)
}

/// Gives back what it is given, and leaves a mark now and then.
#[retell::activity]
async fn marked(cx: ActivityContext, (step, payload): (u32, String)) -> Result<String, ActivityError> {
    if step % MARK_EVERY == 0 {
        cx.state::<Marks>()?.set();
    }
    Ok(payload)
}

/// Calls [`echo`] this many times, each with what the last one gave back.
#[retell::workflow]
pub(super) async fn chain(
    cx: WorkflowContext,
    (length, mut payload): (u32, String),
) -> WorkflowResult<String> {
    for _ in 0..length {
        payload = cx.activity(echo, &payload).await?;
    }
    Ok(payload)
}

/// Calls [`echo`] this many times, all at once.
#[retell::workflow]
pub(super) async fn fan(cx: WorkflowContext, (width, payload): (u32, String)) -> WorkflowResult<u32> {
    let answers = try_all((0..width).map(|_| cx.activity(echo, &payload))).await?;
    Ok(answers.len() as u32)
}

/// Sleeps for so many milliseconds.
#[retell::workflow]
pub(super) async fn nap(cx: WorkflowContext, milliseconds: u64) -> WorkflowResult<()> {
    Ok(cx.sleep(Duration::from_millis(milliseconds)).await?)
}

/// Sleeps until an instant.
#[retell::workflow]
pub(super) async fn sleeper(cx: WorkflowContext, due: Timestamp) -> WorkflowResult<()> {
    Ok(cx.sleep_until(due).await?)
}

/// Runs this many steps, each in its own process and without a queue.
#[retell::workflow]
pub(super) async fn inline(
    cx: WorkflowContext,
    (length, mut payload): (u32, String),
) -> WorkflowResult<String> {
    for _ in 0..length {
        payload = cx.step("echo", &payload, |_cx, payload: String| async move { Ok(payload) }).await?;
    }
    Ok(payload)
}

/// Waits for a signal that nobody sends.
#[retell::workflow]
pub(super) async fn idle(cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(cx.signal::<()>("end").await?)
}

/// Takes so many signals.
#[retell::workflow]
pub(super) async fn drain(cx: WorkflowContext, count: u32) -> WorkflowResult<u64> {
    let mut sum = 0;
    for _ in 0..count {
        sum += cx.signal::<u64>("tick").await?;
    }
    Ok(sum)
}

/// Calls so many marked activities, one after the other, and then waits for the signal `end`.
#[retell::workflow]
pub(super) async fn long(
    cx: WorkflowContext,
    (length, mut payload): (u32, String),
) -> WorkflowResult<String> {
    for step in 0..length {
        payload = cx.activity(marked, &(step, payload)).await?;
    }
    // One more at the end, so that the last thousand has its two marks.
    cx.activity(marked, &(0, String::new())).await?;
    cx.signal::<()>("end").map(|ended| ended.map(|()| payload)).await.map_err(Into::into)
}
