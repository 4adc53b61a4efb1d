//! Attributes: what users attach to a run to find it by.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Payload, Timestamp};

/// The open attribute map of a run, in key order.
pub type Attributes = BTreeMap<Arc<str>, AttributeValue>;

/// Named payloads that a run shows beside its history, in the order of their names. Nothing is found by them.
pub type Memo = BTreeMap<Arc<str>, Payload>;

/// A typed value to list and filter by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AttributeValue {
    /// Exact text.
    Text(Arc<str>),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// An instant.
    Time(Timestamp),
}
