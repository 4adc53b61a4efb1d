//! The loader: reads a run's history for a shard, page by page, and what of it stands in the queue.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::exchange::{Input, Load};
use super::run::{Loaded, Trouble};
use super::thread::Shards;
use crate::backend::{StoreError, StoreErrorKind};
use crate::vocabulary::EventId;

/// How many bytes of history are read at a time.
const PAGE_BYTES: usize = 1024 * 1024;
/// The wait before a read is tried again after a store's fault.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Reads what `load` asks for and sends it to the run's shard.
pub(super) async fn load(cx: Arc<Context>, shards: Arc<Shards>, load: Load) {
    let tell = |loaded| {
        shards.send_to(load.run.run_id, Input::Loaded(load.run.run_id, (load.token, load.number), loaded))
    };
    let mut after = EventId(0);
    while after < load.head {
        match cx.backend.history(&load.run, after, PAGE_BYTES).await {
            Ok(records) => {
                let Some(last) = records.last() else { break };
                after = last.last();
                tell(Ok(Loaded::Page(records)));
            }
            Err(error) => match passing(&cx, error).await {
                Ok(()) => {}
                Err(trouble) => return tell(Err(trouble)),
            },
        }
    }
    loop {
        if !load.find_queued {
            return tell(Ok(Loaded::End { queued: HashSet::new(), inbox: 0 }));
        }
        match queue_and_inbox(&cx, &load).await {
            Ok((queued, inbox)) => return tell(Ok(Loaded::End { queued, inbox })),
            Err(error) => match passing(&cx, error).await {
                Ok(()) => {}
                Err(trouble) => return tell(Err(trouble)),
            },
        }
    }
}

/// What stands in the queue, and then how much lies in the inbox: a row that goes in between leaves its outcome there.
async fn queue_and_inbox(cx: &Context, load: &Load) -> Result<(HashSet<EventId>, u64), StoreError> {
    let rows = cx.backend.queued(&load.run).await?;
    let queued = rows.into_iter().map(|row| row.scheduled).collect();
    let described = cx.backend.describe(&[load.run.clone().into()]).await?;
    let inbox = described.into_iter().flatten().next().map_or(0, |info| info.inbox);
    Ok((queued, inbox))
}

/// Waits if the fault is the store's; damage is the run's, which is parked for it.
async fn passing(cx: &Context, error: StoreError) -> Result<(), Trouble> {
    if matches!(error.kind, StoreErrorKind::Damaged(_)) || cx.is_stopped() {
        return Err(Trouble::Refused(error.to_string()));
    }
    cx.store_failed(&error);
    cx.nap(AGAIN_AFTER).await;
    Ok(())
}
