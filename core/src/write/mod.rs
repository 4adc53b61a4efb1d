//! The writes: every change that a store can be asked for, as plain values.
//!
//! Six kinds go through one door, [`Backend::apply`](crate::backend::Backend::apply). The engine decides what a write
//! says; a store checks its conditions and applies it whole or not at all. Each has an identity, under which applying
//! it again returns its first outcome for at least [`IDENTITY_KEPT`]. A request ID is unique in its namespace, across all
//! kinds. Only what was [`Applied`] is remembered, `Existing` included; what was refused may be tried again.

mod activity;
mod commit;
mod message;
mod outcome;
mod remove;
mod start;

use std::sync::Arc;
use std::time::Duration;

pub use crate::vocabulary::IdReusePolicy;
pub use activity::{ActivityReport, ActivityVerdict, NewActivityTask};
pub use commit::{Commit, Hold, NewRecord, Next, OpenRun, Shown, TaskFailure, TaskFailureKind};
pub use message::{Answer, ClosingEvent, Errand, NewMessage, Outgoing, Send, Target, Terminate};
pub use outcome::{Applied, Outcome, Refusal};
pub use remove::Remove;
pub use start::{CloseStatus, ExistingId, IdConflictPolicy, Replacement, Start};

/// How long a store remembers the identity of an applied write.
pub const IDENTITY_KEPT: Duration = Duration::from_secs(24 * 3_600);

/// Writes that are applied in order; later ones see earlier ones, and a refused one spares the rest.
pub type Batch = Arc<[Write]>;

/// One change to a store.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Opens a run. Identity: its request ID.
    Start(Box<Start>),
    /// Puts a message into a run's inbox. Identity: its request ID.
    Send(Send),
    /// Ends a run without its code. Identity: its request ID.
    Terminate(Terminate),
    /// Commits a workflow task, or gives up its run. Identity: run, token and expected head, or its request ID.
    Commit(Box<Commit>),
    /// Removes a closed run. Applied again, it changes nothing.
    Remove(Remove),
    /// Says how an attempt of a queued activity stands or ended. Identity: its request ID; fence: run, event, attempt.
    Activity(Box<ActivityReport>),
}

macro_rules! into_write {
    ($($kind:ident => |$body:ident| $write:expr;)+) => {
        $(impl From<$kind> for Write {
            fn from($body: $kind) -> Self {
                $write
            }
        })+
    };
}

into_write! {
    Start => |start| Self::Start(Box::new(start));
    Send => |send| Self::Send(send);
    Terminate => |terminate| Self::Terminate(terminate);
    Commit => |commit| Self::Commit(Box::new(commit));
    Remove => |remove| Self::Remove(remove);
    ActivityReport => |report| Self::Activity(Box::new(report));
}
