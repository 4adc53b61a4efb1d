//! Group commit: while calls of a partition are under way what comes for it gathers, and the next call takes it all.
//!
//! Two calls at a time, so that the server has the next one at hand while the sync of the first goes on. Fewer and larger
//! calls are what a server has time for: each costs it a script's beginning, and each round of its loop a sync.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::channel::oneshot;
use redis::Value;
use retell::backend::{StoreError, StoreErrorKind};

use crate::Store;
use crate::fault::unreadable;
use crate::reply::Reply;
use crate::script::APPLY;

/// How many calls of a partition are under way at most.
const UNDER_WAY_MAX: usize = 2;
/// The most members, and about the most bytes, of one call: it holds its server up for so long.
const MEMBERS_MAX: usize = 256;
const BYTES_MAX: usize = 8 << 20;

/// Packed writes that wait, and where their replies go.
struct Job {
    packed: Vec<Bytes>,
    reply: oneshot::Sender<Result<Vec<Value>, StoreError>>,
}

/// What waits for a partition.
#[derive(Default)]
pub(crate) struct Lane(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    under_way: usize,
}

/// Applies packed writes in one partition, with whatever waits beside them; answers each one's reply.
pub(crate) async fn call(
    store: &Arc<Store>,
    partition: u16,
    packed: Vec<Bytes>,
) -> Result<Vec<Value>, StoreError> {
    let (reply, answer) = oneshot::channel();
    let may_go = {
        let mut waiting = store.lanes[usize::from(partition)].waiting();
        waiting.jobs.push_back(Job { packed, reply });
        let may_go = waiting.under_way < UNDER_WAY_MAX;
        waiting.under_way += usize::from(may_go);
        may_go
    };
    if may_go {
        // Others wait for this call's end, though its caller may not.
        tokio::spawn(drive(Arc::clone(store), partition));
    }
    answer.await.map_err(|_| StoreError::new(StoreErrorKind::Closed, "apply"))?
}

/// Makes one call after another, until nothing waits.
async fn drive(store: Arc<Store>, partition: u16) {
    while let Some(jobs) = store.lanes[usize::from(partition)].gather() {
        let (packed, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.packed, job.reply)).unzip();
        let counts: Vec<usize> = packed.iter().map(Vec::len).collect();
        let mut answered = send(&store, partition, &packed.concat()).await;
        if let Err(error) = &answered
            && error.kind != StoreErrorKind::Unavailable
            && packed.len() > 1
        {
            // Whose fault it is shows when each goes alone.
            for (packed, reply) in packed.iter().zip(replies) {
                // A caller that is gone no longer wants to know.
                let _ = reply.send(send(&store, partition, packed).await);
            }
            continue;
        }
        for (count, reply) in counts.into_iter().zip(replies) {
            let own = match &mut answered {
                Ok(answered) => Ok(answered.drain(..count).collect()),
                Err(error) => Err(error.clone()),
            };
            let _ = reply.send(own);
        }
    }
}

/// Calls the script for so many members as fit, until all have their replies.
async fn send(store: &Store, partition: u16, packed: &[Bytes]) -> Result<Vec<Value>, StoreError> {
    let mut replies = Vec::with_capacity(packed.len());
    let mut rest = packed;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest));
        let [heard, outcomes] = store.link.call("apply", partition, APPLY, now).await?.fields("apply")?;
        store.notices.announce(&heard.bytes("apply")?);
        replies.extend(outcomes.list("apply")?);
        rest = later;
    }
    if replies.len() != packed.len() {
        return Err(unreadable("apply", "not every write was answered"));
    }
    Ok(replies)
}

/// How many of the first writes go in one call.
fn fitting(packed: &[Bytes]) -> usize {
    let mut bytes = 0;
    let fits = |write: &&Bytes| {
        bytes += write.len();
        bytes <= BYTES_MAX
    };
    packed.iter().take(MEMBERS_MAX).take_while(fits).count().max(1)
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what waits, up to about the limits; of nothing, says that the call is over.
    fn gather(&self) -> Option<Vec<Job>> {
        let mut waiting = self.waiting();
        let (mut members, mut bytes) = (0, 0);
        let fits = |job: &&Job| {
            let fits = members < MEMBERS_MAX && bytes < BYTES_MAX;
            members += job.packed.len();
            bytes += job.packed.iter().map(Bytes::len).sum::<usize>();
            fits
        };
        let count = waiting.jobs.iter().take_while(fits).count();
        if count == 0 {
            waiting.under_way -= 1;
            return None;
        }
        Some(waiting.jobs.drain(..count).collect())
    }
}
