//! Filters by search keys, and attributes as such keys read them.

use super::read::{AttributeFilter, AttributeMatch, RunInfo};
use crate::vocabulary::{SearchKey, SearchValue};

impl<T: SearchValue> SearchKey<T> {
    /// Runs whose attribute is this.
    pub fn is(self, value: impl Into<T>) -> AttributeFilter {
        self.filter(AttributeMatch::Is(value.into().into_attribute()))
    }

    /// Runs whose attribute is this or greater. Texts compare by their bytes, `false` comes before `true`.
    pub fn at_least(self, value: impl Into<T>) -> AttributeFilter {
        self.filter(AttributeMatch::AtLeast(value.into().into_attribute()))
    }

    /// Runs whose attribute is this or less, as for [`at_least`](Self::at_least).
    pub fn at_most(self, value: impl Into<T>) -> AttributeFilter {
        self.filter(AttributeMatch::AtMost(value.into().into_attribute()))
    }

    fn filter(self, value: AttributeMatch) -> AttributeFilter {
        AttributeFilter { name: self.name().into(), value }
    }
}

impl RunInfo {
    /// An attribute of the run; `None` if it has none of this name and type.
    #[must_use]
    pub fn attribute<T: SearchValue>(&self, key: SearchKey<T>) -> Option<T> {
        self.attributes.get(key.name()).and_then(T::of_attribute)
    }
}
