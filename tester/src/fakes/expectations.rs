//! The order in which calls are expected.

use std::panic::Location;

use super::calls::CallLog;

/// Calls that are to be made in an order.
pub(crate) struct Expected {
    names: Vec<String>,
    place: &'static Location<'static>,
}

impl Expected {
    pub(crate) fn new(names: Vec<String>, place: &'static Location<'static>) -> Self {
        Self { names, place }
    }

    /// What was called instead: of the calls of these activities, these and no others, in this order.
    pub(super) fn unmet(&self, log: &CallLog) -> Option<String> {
        let made: Vec<&str> = log
            .first_attempts()
            .map(|name| name.as_str())
            .filter(|made| self.names.iter().any(|name| name == made))
            .collect();
        if made == self.names {
            return None;
        }
        Some(format!("the calls were to be {:?}, as {} says, but were {made:?}", self.names, self.place))
    }
}
