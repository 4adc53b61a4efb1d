//! Queries on their way to a run: to the shard that holds it live, or to a machine that is made for them and thrown away.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::history::{Event, HistoryError, PayloadCodec, Record, decode_record};
use crate::replay::{Definition, Machine, MachineOptions, QueryFault, TaskError, panics_of};
use crate::vocabulary::{Headers, Payload, QueryName, RunId, RunKey};

/// A query for a run that may be live here.
pub(crate) struct Question {
    pub(crate) run_id: RunId,
    pub(crate) query: QueryName,
    pub(crate) argument: Payload,
    pub(crate) headers: Headers,
    /// Dropped without an answer where the run is not live.
    pub(crate) answer: oneshot::Sender<Result<Payload, QueryFault>>,
}

impl Question {
    pub(super) fn ask(self, machine: &Machine) {
        // Whoever asked may have gone.
        let _ = self.answer.send(machine.query(&self.query, &self.argument, &self.headers));
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("run_id", &self.run_id)
            .field("query", &self.query)
            .finish_non_exhaustive()
    }
}

/// Why a history gives no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    Query(QueryFault),
    Replay(TaskError),
    History(HistoryError),
}

/// Whether today's code follows these events, from the first one on, and rests after the last.
pub(crate) fn replays(
    definition: Arc<dyn Definition>,
    run: RunKey,
    events: Vec<Event>,
) -> Result<(), TaskError> {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
        let options = MachineOptions { panics: panics_of(&events), alarm: None };
        let mut machine = Machine::new(definition, run, options);
        machine.replay(events).and_then(|()| machine.replayed())
    })
}

/// Tells a history to a machine, and asks that. It may be open or closed; nothing of it changes.
pub(crate) fn ask_history(
    definition: Arc<dyn Definition>,
    run: RunKey,
    records: &[Record],
    codec: &dyn PayloadCodec,
    (query, argument, headers): (&QueryName, &Payload, &Headers),
) -> Result<Payload, NoAnswer> {
    // What the code logs while its history is told again was logged before.
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
        let events: Result<Vec<_>, _> = records.iter().map(|record| decode_record(record, codec)).collect();
        let events: Vec<Event> = events.map_err(NoAnswer::History)?.into_iter().flatten().collect();
        let options = MachineOptions { panics: panics_of(&events), alarm: None };
        let mut machine = Machine::new(definition, run, options);
        machine.replay(events).and_then(|()| machine.replayed()).map_err(NoAnswer::Replay)?;
        machine.query(query, argument, headers).map_err(NoAnswer::Query)
    })
}
