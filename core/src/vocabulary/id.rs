//! A newtype for every ID, so that no two of them can be mistaken for each other.
//!
//! Text IDs are chosen by users and shared cheaply; UUIDs are version 7, so that rows keyed by
//! them are written in key order; counters are the store's and the history's own.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest text ID in bytes; every backend can index this many.
pub const TEXT_ID_BYTES_MAX: usize = 255;

/// A text ID that is empty, too long, or holds a control character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{kind} {text:?} is not valid: {reason}; use 1 to {TEXT_ID_BYTES_MAX} bytes without control characters"
)]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    reason: &'static str,
}

impl From<std::convert::Infallible> for InvalidId {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

fn check_text(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > TEXT_ID_BYTES_MAX {
        "it is too long"
    } else if text.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    let shown: String = text.chars().take(64).collect();
    Err(InvalidId { kind, text: shown, reason })
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a text.
            ///
            /// # Errors
            /// [`InvalidId`] if it is empty, longer than [`TEXT_ID_BYTES_MAX`] or holds a control character.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                check_text($kind, text.as_ref())?;
                Ok(Self(Arc::from(text.as_ref())))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;
            fn try_from(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<&$name> for $name {
            type Error = InvalidId;
            fn try_from(id: &$name) -> Result<Self, InvalidId> {
                Ok(id.clone())
            }
        }
    };
}

text_id!(
    /// The isolation of one tenant's workflow IDs, queues, schedules and retention.
    Namespace,
    "namespace"
);
text_id!(
    /// The user's key of a workflow, unique among the open runs of a namespace.
    WorkflowId,
    "workflow ID"
);
text_id!(
    /// The name under which a workflow is registered.
    WorkflowName,
    "workflow name"
);
text_id!(
    /// The name under which an activity is registered.
    ActivityName,
    "activity name"
);
text_id!(
    /// The name under which workers pick tasks up.
    TaskQueue,
    "task queue"
);
text_id!(
    /// The name of a signal.
    SignalName,
    "signal name"
);

text_id!(
    /// The ID of a change to a workflow's code; histories hold it.
    PatchId,
    "patch ID"
);

text_id!(
    /// The name of a query.
    QueryName,
    "query name"
);

text_id!(
    /// The name of an update.
    UpdateName,
    "update name"
);

impl Default for Namespace {
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}

impl Default for TaskQueue {
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one: a UUIDv7, later than every earlier one of this process.
            #[must_use]
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Ok(Self(Uuid::parse_str(text)?))
            }
        }
    };
}

uuid_id!(
    /// One execution of a workflow ID.
    RunId
);
uuid_id!(
    /// One life of one worker. A worker whose lease was lost takes a new one.
    WorkerId
);
uuid_id!(
    /// The identity of one client request or message: applying it again returns its first outcome.
    RequestId
);

impl RequestId {
    /// The request ID that belongs to a caller's own idempotency key, the same for the same key.
    ///
    /// A UUIDv8 of the key's 128-bit FNV-1a hash, stable for ever.
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let hash = key.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
        Self(uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid())
    }
}

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The next one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// The sequence number of an event in its run's history: 1, 2, 3 ... without a gap; 0 stands before the first.
    EventId(u64)
);
counter!(
    /// The place of a message in its run's inbox: 1, 2, 3 ..., given under the run's lock; 0 stands before the first.
    Position(u64)
);
counter!(
    /// The fencing token of a run's lease: each new holder has a greater one.
    FencingToken(u64)
);
counter!(
    /// The try of an activity, from 1.
    Attempt(u32)
);
counter!(
    /// The version of a workflow's code, chosen by the user; 1 unless said otherwise.
    WorkflowVersion(u32)
);
counter!(
    /// The version of the engine's own semantics that a history was written under (promise H15).
    SemanticsVersion(u32)
);

impl SemanticsVersion {
    /// What this engine writes. It replays this and every earlier one.
    pub const CURRENT: Self = Self(1);
}

/// A workflow's name and version: what a run is started as and what a worker serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkflowType {
    /// The registered name.
    pub name: WorkflowName,
    /// The version of its code.
    pub version: WorkflowVersion,
}

impl fmt::Display for WorkflowType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// Where a run stands: namespace, workflow ID and run ID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunKey {
    /// The tenant.
    pub namespace: Namespace,
    /// The user's key.
    pub workflow_id: WorkflowId,
    /// The execution.
    pub run_id: RunId,
}

/// By its run ID alone, which no other run has but by a caller's mistake.
impl Hash for RunKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.run_id.hash(state);
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.workflow_id, self.run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ids_refuse_what_no_store_could_index() {
        assert!(WorkflowId::new("").is_err());
        assert!(WorkflowId::new("a\nb").is_err());
        assert!(WorkflowId::new("x".repeat(256)).is_err());
        assert_eq!(WorkflowId::new("order-42").unwrap().as_str(), "order-42");
    }

    #[test]
    fn a_request_key_has_one_id_for_ever() {
        assert_eq!(RequestId::from_key("order-42").to_string(), RequestId::from_key("order-42").to_string());
        assert_ne!(RequestId::from_key("order-42"), RequestId::from_key("order-43"));
    }
}
