//! The words that everything else is said in: IDs, time, payloads, failures, retry policies, places.
//!
//! Plain values without behaviour of their own. Imports nothing of this crate; every other layer
//! imports this one.

mod attribute;
mod buffer;
mod derived;
mod failure;
mod headers;
mod id;
mod jitter;
mod payload;
mod place;
mod predicate;
mod retry;
mod reuse;
mod search;
mod spread;
mod timeout;
mod timestamp;
mod value;

pub use attribute::{AttributeValue, Attributes, Memo};
pub(crate) use buffer::encoded;
pub use derived::Purpose;
pub use failure::{Cause, Failure, FailureKind};
pub use headers::{Headers, Propagated};
pub use id::{
    ActivityName, Attempt, EventId, FencingToken, InvalidId, Namespace, PatchId, Position, QueryName,
    RequestId, RunId, RunKey, SemanticsVersion, SignalName, TEXT_ID_BYTES_MAX, TaskQueue, UpdateName,
    WorkerId, WorkflowId, WorkflowName, WorkflowType, WorkflowVersion,
};
pub use payload::{Encoding, PAYLOAD_BYTES_MAX, Payload, PayloadError};
pub use place::Place;
pub use predicate::FailurePredicate;
pub use retry::RetryPolicy;
pub use reuse::IdReusePolicy;
pub use search::{NamesAttribute, SearchKey, SearchValue};
pub use spread::{Spread, SpreadIds};
pub use timeout::TimeoutKind;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub(crate) use value::Value;
