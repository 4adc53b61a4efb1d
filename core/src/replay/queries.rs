//! Queries: asking the code what it knows, at rest. No event, no command, no poll.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use super::machine::Machine;
use super::presence::{self, Doing};
use super::step::panic_message;
use super::world::World;
use crate::vocabulary::{Failure, Headers, Payload, PayloadError, QueryName};

/// Answers a query from what the code shares.
pub(crate) type QueryHandler = Arc<dyn Fn(&Payload) -> Result<Payload, QueryFault> + Send + Sync>;

/// A query that has no answer. It hurts nothing but itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryFault {
    /// The code handles no query of this name, at least not yet.
    Unknown {
        /// Those that it handles, in order.
        known: Vec<QueryName>,
    },
    /// The argument is not what the handler takes.
    Argument(PayloadError),
    /// What the handler returned cannot be passed.
    Answer(PayloadError),
    /// An interceptor has refused it.
    Intercepted(Box<Failure>),
    /// The handler panicked, with this message.
    Panicked(String),
}

impl fmt::Display for QueryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { known } => write!(f, "the workflow handles no such query; it handles {known:?}"),
            Self::Argument(error) => write!(f, "the query's argument is of another type: {error}"),
            Self::Answer(error) => write!(f, "the query's answer cannot be passed: {error}"),
            Self::Intercepted(failure) => write!(f, "an interceptor refused the query: {failure}"),
            Self::Panicked(message) => write!(f, "the query's handler panicked: {message}"),
        }
    }
}

impl std::error::Error for QueryFault {}

impl World {
    /// Registers what answers a query. Whether none did before.
    pub(crate) fn handle_query(
        &self,
        location: &'static Location<'static>,
        name: QueryName,
        handler: QueryHandler,
    ) -> bool {
        if !self.is_polled_here(location) {
            return true;
        }
        let replaced = self.state().queries.insert(name, handler);
        replaced.is_none()
    }
}

impl Machine {
    /// Asks the code, as it rests after the last event; also after its end. Nothing changes by it. The headers are for
    /// interceptors.
    ///
    /// # Errors
    /// [`QueryFault`].
    pub fn query(
        &self,
        name: &QueryName,
        argument: &Payload,
        headers: &Headers,
    ) -> Result<Payload, QueryFault> {
        let around = self.world.around();
        let handler = {
            let state = self.world.state();
            let unknown = || QueryFault::Unknown { known: state.queries.keys().cloned().collect() };
            state.queries.get(name).cloned().ok_or_else(unknown)?
        };
        let _inside = presence::enter(self.id, Doing::Querying);
        let ask = || {
            let admitted = around.map_or(Ok(()), |around| around.admit_query(name, argument, headers));
            admitted.map_err(QueryFault::Intercepted).and_then(|()| handler(argument))
        };
        catch_unwind(AssertUnwindSafe(ask))
            .unwrap_or_else(|panic| Err(QueryFault::Panicked(panic_message(panic.as_ref()))))
    }

    /// Lets go of the handlers, which may hold the run's world, which holds them.
    pub(super) fn drop_queries(&mut self) {
        let queries = std::mem::take(&mut self.world.state().queries);
        let _inside = presence::enter(self.id, Doing::Dropping);
        let _ = catch_unwind(AssertUnwindSafe(|| drop(queries)));
    }
}
