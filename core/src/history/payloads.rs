//! The payloads of an event: what codecs change on the way to a store and back, and what makes a history large.
//!
//! A payload that is not visited here is stored as the user gave it. Imports events only.

use std::sync::Arc;

use super::event::EventKind;
use crate::vocabulary::Payload;

/// What an event takes beside its payloads, roughly.
const EVENT_BYTES: usize = 64;

/// Calls `$visit` with each payload of a kind, in an order that never changes. `$borrow` is how, `$each` how to walk what
/// may be there, `$headers` how to visit headers, `$shared` how to get at a body that is shared.
macro_rules! visit_payloads {
    ($kind:expr, $visit:ident, $each:ident, $values:ident, $headers:ident, $shared:path, $($borrow:tt)+) => {
        match $kind {
            EventKind::WorkflowStarted(body) => {
                let body = $shared(body);
                $visit($($borrow)+ body.input)?;
                body.memo.$values().try_for_each(&mut $visit)?;
                body.headers.$headers(&mut $visit)?;
                let last = body.last_failure.$each();
                last.flat_map(|failure| failure.details.$each()).try_for_each($visit)
            }
            EventKind::WorkflowCompleted(body) => $visit($($borrow)+ body.result),
            EventKind::WorkflowContinuedAsNew(body) => {
                let body = $shared(body);
                $visit($($borrow)+ body.input)?;
                body.headers.$headers($visit)
            }
            EventKind::SignalReceived(body) => {
                $visit($($borrow)+ body.input)?;
                body.headers.$headers($visit)
            }
            EventKind::UpdateRequested(body) => {
                $visit($($borrow)+ body.input)?;
                body.headers.$headers($visit)
            }
            EventKind::UpdateCompleted(body) => $visit($($borrow)+ body.result),
            EventKind::UpdateRejected(body) => $shared(body).failure.details.$each().try_for_each($visit),
            EventKind::UpdateFailed(body) => $shared(body).failure.details.$each().try_for_each($visit),
            EventKind::ActivityScheduled(body) => {
                let body = $shared(body);
                $visit($($borrow)+ body.input)?;
                body.headers.$headers($visit)
            }
            EventKind::ActivityCompleted(body) => $visit($($borrow)+ body.result),
            EventKind::SideEffectRecorded(body) => $visit($($borrow)+ body.value),
            EventKind::WorkflowFailed(body) => $shared(body).failure.details.$each().try_for_each($visit),
            EventKind::ActivityFailed(body) => $shared(body).failure.details.$each().try_for_each($visit),
            EventKind::ChildWorkflowCompleted(body) => $visit($($borrow)+ body.result),
            EventKind::ChildWorkflowFailed(body) => $shared(body).failure.details.$each().try_for_each($visit),
            EventKind::ChildWorkflowScheduled(body) => {
                let body = $shared(body);
                $visit($($borrow)+ body.input)?;
                body.memo.$values().try_for_each(&mut $visit)?;
                body.headers.$headers($visit)
            }
            EventKind::ExternalSignalRequested(body) => {
                let body = $shared(body);
                $visit($($borrow)+ body.input)?;
                body.headers.$headers($visit)
            }
            EventKind::MemoUpserted(body) => $shared(body).memo.$values().try_for_each($visit),
            EventKind::WorkflowCancelled(_)
            | EventKind::WorkflowTerminated(_)
            | EventKind::WorkflowCancelRequested(_)
            | EventKind::SignalSetAside(_)
            | EventKind::UpdateAccepted(_)
            | EventKind::ActivityCancelled(_)
            | EventKind::ActivityCancelRequested(_)
            | EventKind::TimerStarted(_)
            | EventKind::TimerFired(_)
            | EventKind::TimerCancelled(_)
            | EventKind::SideEffectScheduled(_)
            | EventKind::PatchRecorded(_)
            | EventKind::WorkflowTimedOut(_)
            | EventKind::WorkflowPaused(_)
            | EventKind::WorkflowResumed(_)
            | EventKind::WorkflowReset(_)
            | EventKind::ChildWorkflowCancelRequested(_)
            | EventKind::ChildWorkflowDropped(_)
            | EventKind::ChildWorkflowStarted(_)
            | EventKind::ChildWorkflowRefused(_)
            | EventKind::ChildWorkflowContinued(_)
            | EventKind::ChildWorkflowCancelled(_)
            | EventKind::ChildWorkflowTerminated(_)
            | EventKind::ChildWorkflowTimedOut(_)
            | EventKind::ExternalCancelRequested(_)
            | EventKind::ExternalDelivered(_)
            | EventKind::ExternalRefused(_)
            | EventKind::AttributesUpserted(_) => Ok(()),
        }
    };
}

impl EventKind {
    /// Changes each payload that this kind holds; the first error ends it.
    pub(super) fn change_payloads<E>(
        &mut self,
        mut change: impl FnMut(&mut Payload) -> Result<(), E>,
    ) -> Result<(), E> {
        visit_payloads!(self, change, iter_mut, values_mut, change_payloads, Arc::make_mut, &mut)
    }

    fn each_payload<E>(&self, mut see: impl FnMut(&Payload) -> Result<(), E>) -> Result<(), E> {
        visit_payloads!(self, see, iter, values, each_payload, Arc::as_ref, &)
    }

    /// About how many bytes this takes, whatever codec it passes and however it is grouped with others: what a run's
    /// code is told of the size of its history. Part of the engine's semantics.
    #[must_use]
    pub fn size(&self) -> u64 {
        let mut bytes = EVENT_BYTES;
        let counted: Result<(), std::convert::Infallible> = self.each_payload(|payload| {
            bytes += payload.data.len();
            Ok(())
        });
        let Ok(()) = counted;
        bytes as u64
    }
}
