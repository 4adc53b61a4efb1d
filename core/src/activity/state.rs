//! What activities share: pools, clients, settings, found by their type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// One value of each type, given to a worker at its start and read by its activities.
#[derive(Clone, Default)]
pub struct SharedState {
    values: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
}

impl SharedState {
    /// Puts a value in; one of the same type that was there before is replaced.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        self.insert_shared(Arc::new(value));
    }

    /// Puts a value in that its owner goes on sharing.
    pub fn insert_shared<T: Any + Send + Sync>(&mut self, value: Arc<T>) {
        self.values.insert(TypeId::of::<T>(), (std::any::type_name::<T>(), value));
    }

    /// The value of this type.
    #[must_use]
    pub fn find<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let (_, value) = self.values.get(&TypeId::of::<T>())?;
        value.clone().downcast().ok()
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.values.values().map(|(name, _)| name).collect();
        names.sort_unstable();
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_value() {
        let mut state = SharedState::default();
        state.insert(1_u32);
        state.insert(2_u32);
        state.insert_shared(Arc::new("url"));
        assert_eq!(state.find::<u32>().as_deref(), Some(&2));
        assert_eq!(state.find::<&str>().as_deref(), Some(&"url"));
        assert_eq!(state.find::<u64>(), None);
        assert_eq!(format!("{state:?}"), r#"{"&str", "u32"}"#);
    }
}
