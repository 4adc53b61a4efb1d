//! The timekeeper: one sleep for all timers of a worker, until the next is due.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::context::Context;
use super::thread::Shards;

/// The longest sleep: a jump of the wall clock is noticed after so long.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Wakes the shards when their timers are due.
pub(super) async fn keep(cx: Arc<Context>, shards: Arc<Shards>) {
    loop {
        let earlier = std::pin::pin!(shards.due_earlier.notified());
        let Some(due) = shards.next_due() else {
            earlier.await;
            continue;
        };
        let now = cx.now();
        if due <= now {
            shards.tick(now);
            continue;
        }
        let sleep = cx.clock.sleep(due.since(now).min(SLEEP_MAX));
        match select(earlier, sleep).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}
