//! The timekeeper: one sleep for all timers of a worker, until the next is due.

use std::sync::Arc;

use futures::future::{Either, select};

use super::context::Context;
use super::thread::Shards;

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
        match select(earlier, cx.sleep_until(due)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}
