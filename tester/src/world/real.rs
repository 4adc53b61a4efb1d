//! Real code that runs, which time stands still for.

use std::sync::{Arc, Mutex, PoisonError};

/// Counts the bodies that run real code, by name. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct RealCode(Arc<Mutex<Vec<String>>>);

/// A body of real code that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    all: RealCode,
}

impl RealCode {
    /// Notes that a body begins.
    pub(crate) fn begin(&self, name: impl Into<String>) -> Running {
        let name = name.into();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        Running { name, all: self.clone() }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = all.iter().position(|name| *name == self.name) {
            all.swap_remove(index);
        }
    }
}
