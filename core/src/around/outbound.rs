//! A call that a workflow is about to make, as interceptors see it.

use crate::history::{
    ActivityScheduled, ChildWorkflowScheduled, ExternalCancelRequested, ExternalSignalRequested,
};
use crate::vocabulary::{Headers, Payload, Timestamp, WorkflowType};

/// A call that a workflow is about to make: at its first poll, before it is recorded, or compared with what history
/// holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutboundCall<'a> {
    /// An activity, a local one or a step. Its options are recorded as they are left here, and its input compared;
    /// whether it is local is not for an interceptor to say.
    Activity(&'a mut ActivityScheduled),
    /// A sleep.
    Sleep {
        /// When it ends.
        until: Timestamp,
    },
    /// A side effect.
    SideEffect,
    /// A child workflow. Its options are recorded as they are left here, and its input compared; its run ID, and the
    /// workflow ID of one that the code gave none, are derived when it is recorded.
    Child(&'a mut ChildWorkflowScheduled),
    /// A signal to another run. Its argument is compared.
    ExternalSignal(&'a mut ExternalSignalRequested),
    /// A cancel request to another run.
    ExternalCancel(&'a ExternalCancelRequested),
    /// The end of the run, to go on as a new one.
    ContinueAsNew {
        /// The code of the new run.
        workflow: &'a WorkflowType,
        /// Its argument. Compared at replay.
        input: &'a mut Payload,
        /// What travels with all that it calls.
        headers: &'a mut Headers,
    },
}

impl OutboundCall<'_> {
    /// What travels with it; `None` for what stays here.
    pub fn headers_mut(&mut self) -> Option<&mut Headers> {
        match self {
            Self::Activity(call) => Some(&mut call.headers),
            Self::ContinueAsNew { headers, .. } => Some(headers),
            Self::Child(call) => Some(&mut call.headers),
            Self::ExternalSignal(signal) => Some(&mut signal.headers),
            Self::Sleep { .. } | Self::SideEffect | Self::ExternalCancel(_) => None,
        }
    }
}
