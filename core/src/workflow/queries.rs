//! Queries: what a run tells of itself to whoever asks, live or closed.
//!
//! Nothing is persisted, and nothing happens to the run: a query needs neither its lease nor an event. Replay registers
//! the handlers again, which is how a run that is not in memory answers.

use std::panic::Location;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::names::NamesQuery;
use super::shared::Shared;
use crate::replay::QueryFault;
use crate::vocabulary::Payload;

impl<S: Send + 'static> Shared<S> {
    /// Answers queries of a [type](super::QueryType), or of a name, from the shared value, which it only reads.
    ///
    /// It is called while the code rests, at any time from now on, also after the run has closed. It sees every event
    /// whose commit was acknowledged before it was asked. What it panics with, or cannot decode, is the error of that
    /// query alone.
    ///
    /// # Panics
    /// If the name has a handler already, or is none.
    ///
    /// # Determinism
    /// Nothing is persisted. What it does leaves no trace: calls of the context in here do nothing.
    #[track_caller]
    pub fn handle_query<I, O>(
        &self,
        query: impl NamesQuery<I, O>,
        handler: impl Fn(&S, I) -> O + Send + Sync + 'static,
    ) where
        I: DeserializeOwned,
        O: Serialize,
    {
        let name = query.query_name().unwrap_or_else(|error| panic!("{error}"));
        let cell = self.cell.clone();
        let answer = move |argument: &Payload| {
            let argument = argument.decode::<I>().map_err(QueryFault::Argument)?;
            let answer = handler(&cell.lock(), argument);
            Payload::encode(&answer).map_err(QueryFault::Answer)
        };
        let first = self.cx.world().handle_query(Location::caller(), name.clone(), Arc::new(answer));
        assert!(first, "query {name:?} has two handlers");
    }
}
