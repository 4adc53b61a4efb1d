//! What a run can be found by, and its memo: changed by its own code.
//!
//! Persisted twice with the commit of the workflow task: as an event, and in the run's row, where whoever describes or
//! lists runs reads it without waking anybody. A run that continues as new, or is tried again, begins with both as they
//! are then.

use std::panic::Location;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CallError, WorkflowContext};
use crate::history::{AttributesUpserted, MemoUpserted};
use crate::vocabulary::{Attributes, Memo, NamesAttribute, Payload, SearchKey, SearchValue};

impl WorkflowContext {
    /// Sets an attribute that the run can be found by, whether it had one of this name or not.
    ///
    /// # Determinism
    /// Leaves an event. Replay compares the name, and takes the value from history.
    #[track_caller]
    pub fn upsert_attribute<V>(&self, key: impl NamesAttribute<V>, value: V) {
        let attributes = Attributes::from([key.with_value(value)]);
        self.world()
            .upsert_attributes(Location::caller(), AttributesUpserted { attributes, removed: Vec::new() });
    }

    /// Removes an attribute, if there is one of this name.
    ///
    /// # Determinism
    /// As for [`upsert_attribute`](Self::upsert_attribute).
    #[track_caller]
    pub fn remove_attribute<T>(&self, key: SearchKey<T>) {
        let removed = vec![key.name().into()];
        let body = AttributesUpserted { attributes: Attributes::new(), removed };
        self.world().upsert_attributes(Location::caller(), body);
    }

    /// An attribute as it is now; `None` if the run has none of this name and type.
    ///
    /// # Determinism
    /// From event 1 and what the code has set since: the same at each replay.
    #[must_use]
    pub fn attribute<T: SearchValue>(&self, key: SearchKey<T>) -> Option<T> {
        self.world().attribute(key.name()).and_then(|value| T::of_attribute(&value))
    }

    /// Sets a value of the run's memo, whether there was one of this name or not. It passes the codec.
    ///
    /// # Errors
    /// [`CallError::Payload`] if it does not encode, or is too large; the memo stays as it was.
    ///
    /// # Determinism
    /// As for [`upsert_attribute`](Self::upsert_attribute).
    #[track_caller]
    pub fn upsert_memo<T: Serialize + ?Sized>(
        &self,
        name: impl Into<Arc<str>>,
        value: &T,
    ) -> Result<(), CallError> {
        let location = Location::caller();
        let memo = Memo::from([(name.into(), Payload::encode(value)?)]);
        self.world().upsert_memo(location, MemoUpserted { memo, removed: Vec::new() });
        Ok(())
    }

    /// Removes a value of the memo, if there is one of this name.
    ///
    /// # Determinism
    /// As for [`upsert_attribute`](Self::upsert_attribute).
    #[track_caller]
    pub fn remove_memo(&self, name: impl Into<Arc<str>>) {
        let location = Location::caller();
        self.world().upsert_memo(location, MemoUpserted { memo: Memo::new(), removed: vec![name.into()] });
    }

    /// A value of the memo as it is now; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`CallError::Payload`] if it is no `T`.
    ///
    /// # Determinism
    /// As for [`attribute`](Self::attribute).
    pub fn memo<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, CallError> {
        Ok(self.world().memo(name).map(|value| value.decode()).transpose()?)
    }
}
