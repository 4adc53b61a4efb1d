//! History: the append-only log of a run, its events, their encoding and their one text form.
//!
//! Knows nobody but the vocabulary. A store keeps [`Record`]s and never looks inside one.

mod activity;
mod child;
mod codec;
mod encoding;
mod event;
mod external;
mod payloads;
mod record;
mod runs;
mod started;
mod text;
mod update;

pub use activity::{
    ActivityCancelRequested, ActivityCancellation, ActivityCancelled, ActivityCompleted, ActivityFailed,
    ActivityScheduled,
};
pub use child::{
    ChildCancellation, ChildIdConflict, ChildWorkflowCancelRequested, ChildWorkflowCancelled,
    ChildWorkflowCompleted, ChildWorkflowContinued, ChildWorkflowDropped, ChildWorkflowFailed,
    ChildWorkflowRefused, ChildWorkflowScheduled, ChildWorkflowStarted, ChildWorkflowTerminated,
    ChildWorkflowTimedOut, ParentClosePolicy, ParentLink,
};
pub use codec::{CodecChain, CodecError, PayloadCodec, Plain};
pub use encoding::{FORMAT_VERSION, HistoryError, decode_kind, decode_record, encode_kind, encode_record};
pub use event::{
    Event, EventKind, PatchRecorded, SideEffectRecorded, SideEffectScheduled, SignalReceived, SignalSetAside,
    TimerCancelled, TimerFired, TimerStarted, WorkflowCancelRequested, WorkflowCancelled, WorkflowCompleted,
    WorkflowContinuedAsNew, WorkflowFailed, WorkflowTerminated,
};
pub use external::{ExternalCancelRequested, ExternalDelivered, ExternalRefused, ExternalSignalRequested};
pub use record::Record;
pub use runs::{
    AttributesUpserted, MemoUpserted, WorkflowPaused, WorkflowReset, WorkflowResumed, WorkflowTimedOut,
};
pub use started::WorkflowStarted;
pub use text::{PayloadText, Text, TextError, from_text, to_text};
pub use update::{
    UpdateAccepted, UpdateCompleted, UpdateFailed, UpdateRefusal, UpdateRejected, UpdateRequested,
};
