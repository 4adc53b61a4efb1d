//! The payloads of an event: what codecs change on the way to a store and back.
//!
//! A payload that is not visited here is stored as the user gave it. Imports events only.

use super::event::EventKind;
use crate::vocabulary::{Failure, Payload};

impl EventKind {
    /// Changes each payload that this kind holds, in an order that never changes; the first error ends it.
    pub(super) fn change_payloads<E>(
        &mut self,
        mut change: impl FnMut(&mut Payload) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::WorkflowStarted(body) => change(&mut body.input),
            Self::WorkflowCompleted(body) => change(&mut body.result),
            Self::WorkflowContinuedAsNew(body) => change(&mut body.input),
            Self::SignalReceived(body) => change(&mut body.input),
            Self::UpdateRequested(body) => change(&mut body.input),
            Self::UpdateCompleted(body) => change(&mut body.result),
            Self::UpdateRejected(body) => details(&mut body.failure, change),
            Self::UpdateFailed(body) => details(&mut body.failure, change),
            Self::ActivityScheduled(body) => change(&mut body.input),
            Self::ActivityCompleted(body) => change(&mut body.result),
            Self::SideEffectRecorded(body) => change(&mut body.value),
            Self::WorkflowFailed(body) => details(&mut body.failure, change),
            Self::ActivityFailed(body) => details(&mut body.failure, change),
            Self::WorkflowCancelled(_)
            | Self::WorkflowTerminated(_)
            | Self::WorkflowCancelRequested(_)
            | Self::SignalSetAside(_)
            | Self::UpdateAccepted(_)
            | Self::ActivityCancelled(_)
            | Self::ActivityCancelRequested(_)
            | Self::TimerStarted(_)
            | Self::TimerFired(_)
            | Self::TimerCancelled(_)
            | Self::SideEffectScheduled(_)
            | Self::PatchRecorded(_) => Ok(()),
        }
    }
}

/// The only payload of a failure.
fn details<E>(failure: &mut Failure, change: impl FnMut(&mut Payload) -> Result<(), E>) -> Result<(), E> {
    failure.details.iter_mut().try_for_each(change)
}
