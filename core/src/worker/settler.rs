//! The settler: tells those who depended on a run that was ended from outside. No code of the user runs for it.

use std::sync::Arc;
use std::time::Duration;

use super::committer::apply_until_known;
use super::context::{Context, Life};
use crate::backend::{ClaimedRun, StoreError, StoreErrorKind};
use crate::commit::{self, Holder};
use crate::history::{EventKind, HistoryError, decode_record};
use crate::replay::Family;
use crate::vocabulary::{EventId, Purpose, RequestId, RunId, Timestamp};
use crate::write::{Errand, Outgoing, Refusal, Target, Terminate};

/// How many bytes of history are read at a time.
const PAGE_BYTES: usize = 1024 * 1024;
/// The wait before a read is tried again after a store's fault.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Reads the history of a run that is not settled, and settles it with one commit. What cannot be read stays unsettled
/// and held by this worker, so that it is tried once a worker.
pub(super) async fn settle(cx: Arc<Context>, life: Arc<Life>, claimed: ClaimedRun) {
    match farewell(&cx, &claimed).await {
        Ok(outgoing) => {
            let Ok(outgoing) = end_children(&cx, outgoing).await else { return };
            let holder = Holder { run: claimed.run.clone(), worker: life.worker, token: claimed.token };
            let request_id = RequestId(claimed.run.run_id.derive(claimed.head, Purpose::Farewell));
            let commit = commit::settled(&holder, claimed.head, claimed.taken_in, request_id, outgoing);
            let Ok(outcomes) = apply_until_known(&cx, Arc::from([commit.into()])).await else { return };
            for refusal in outcomes.into_iter().filter_map(Result::err) {
                tracing::debug!(run = %claimed.run, %refusal, "a terminated run is settled by another worker");
            }
        }
        Err(error) => {
            tracing::error!(run = %claimed.run, %error, "those who depend on a terminated run cannot be told");
        }
    }
}

/// Ends the children that are to be ended by the run that they were started as, and gives back what else there is to do.
///
/// A child may have gone on as another run without its parent's history saying so: the word of that lay in an inbox that a
/// termination drops, or came too late. So each is followed to the run that is open now. Done again it changes nothing.
async fn end_children(cx: &Context, outgoing: Vec<Outgoing>) -> Result<Vec<Outgoing>, StoreError> {
    let mut rest = Vec::with_capacity(outgoing.len());
    for outgoing in outgoing {
        match outgoing.errand {
            Errand::Terminate(terminate) if terminate.target.run_id.is_some() => {
                end_chain(cx, terminate).await?;
            }
            _ => rest.push(outgoing),
        }
    }
    Ok(rest)
}

/// Ends a run, or the one that it goes on as.
async fn end_chain(cx: &Context, mut terminate: Terminate) -> Result<(), StoreError> {
    let request_id = terminate.request_id;
    loop {
        let outcomes = apply_until_known(cx, Arc::from([terminate.clone().into()])).await?;
        let Some(Err(Refusal::RunClosed(_))) = outcomes.first() else { return Ok(()) };
        let Some(next) = goes_on_as(cx, &terminate.target).await? else { return Ok(()) };
        terminate.target.run_id = Some(next);
        terminate.request_id = RequestId::from_key(&format!("{request_id}/{next}"));
    }
}

async fn goes_on_as(cx: &Context, target: &Target) -> Result<Option<RunId>, StoreError> {
    loop {
        match cx.backend.describe(std::slice::from_ref(target)).await {
            Ok(found) => return Ok(found.into_iter().next().flatten().and_then(|run| run.continued_as)),
            Err(error) if cx.is_stopped() || matches!(error.kind, StoreErrorKind::Damaged(_)) => {
                return Err(error);
            }
            Err(error) => {
                cx.store_failed(&error);
                cx.nap(AGAIN_AFTER).await;
            }
        }
    }
}

/// What the run owes, by all of its history.
async fn farewell(cx: &Context, claimed: &ClaimedRun) -> Result<Vec<Outgoing>, HistoryError> {
    let (mut family, mut after) = (Family::default(), EventId(0));
    let mut last: Option<(Timestamp, EventKind)> = None;
    loop {
        match cx.backend.history(&claimed.run, after, PAGE_BYTES).await {
            Ok(records) if records.is_empty() => break,
            Ok(records) => {
                for record in &records {
                    after = record.last();
                    for event in decode_record(record, cx.codec.as_ref())? {
                        // A store gives the closing event its place; inside of it, it has another.
                        family.take(event.id, &event.kind);
                        last = Some((event.at, event.kind));
                    }
                }
            }
            Err(error) if cx.is_stopped() || matches!(error.kind, StoreErrorKind::Damaged(_)) => {
                return Err(HistoryError::Damaged(error.to_string()));
            }
            Err(error) => {
                cx.store_failed(&error);
                cx.nap(AGAIN_AFTER).await;
            }
        }
    }
    match last {
        Some((at, kind)) if kind.closes() => {
            commit::farewell(&claimed.run, &family, &kind, at, cx.codec.as_ref())
        }
        _ => Err(HistoryError::Damaged("a run that is not settled has no closing event".to_owned())),
    }
}
