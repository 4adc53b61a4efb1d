//! The look: reads where the calls of a run stand, when the time of some may be over.

use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::exchange::{Input, Look};
use super::run::Standing;
use super::running::Running;
use super::thread::Shards;
use crate::backend::StoreErrorKind;

/// The wait before a read is tried again after a store's fault.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Reads until the store answers, and tells the run's shard. What cannot be read at all is read again with the next
/// load of the run.
pub(super) async fn look(cx: Arc<Context>, shards: Arc<Shards>, running: Arc<Running>, look: Look) {
    let run_id = look.run.run_id;
    loop {
        // Read first: what stands in line and goes to the queue meanwhile is found there.
        let in_line = running.in_line(run_id);
        match cx.backend.queued(&look.run).await {
            Ok(queued) => {
                let standing = Standing { queued, in_line };
                return shards.send_to(run_id, Input::Looked(run_id, look.token, standing));
            }
            Err(error) if cx.is_stopped() || matches!(error.kind, StoreErrorKind::Damaged(_)) => {
                tracing::error!(run = %look.run, %error, "the queued activities of a run cannot be read");
                return;
            }
            Err(error) => {
                cx.store_failed(&error);
                cx.nap(AGAIN_AFTER).await;
            }
        }
    }
}
