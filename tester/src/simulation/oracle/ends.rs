//! What must hold when all is over: every run has ended, every history replays, nothing was lost or left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use retell::backend::{Backend, RunInfo, RunStatus};
use retell::client::ResultError;
use retell::history::{EventKind, Plain, Text, decode_kind};
use retell::replay::{Definition, Machine, MachineOptions};
use retell::vocabulary::{EventId, Namespace, Payload, RequestId, RunId, RunKey, WorkflowId, WorkflowType};
use retell::write::{CloseStatus, Target};

use super::super::program::{Interpreter, News, Program, SIGNAL};
use super::super::report::{Broken, ensure};
use super::Oracle;
use super::run::{Run, request_id};
use crate::world::World;

/// What a client was told, and must find to be so.
#[derive(Debug, Clone)]
pub(in super::super) enum Told {
    /// A run is started.
    Started(RunKey),
    /// A message is accepted.
    Sent(WorkflowId, RequestId),
    /// The runs of this workflow ID, from this one on, have come to this end.
    Result(RunKey, Result<Payload, ResultError>),
}

/// The code of all workflows.
pub(in super::super) type Code = BTreeMap<WorkflowType, Arc<dyn Definition>>;

impl Oracle {
    /// Keeps what a client was told.
    pub(in super::super) fn told(&mut self, told: Told) -> Result<(), Broken> {
        match &told {
            Told::Started(run) => {
                ensure!(self.runs.contains_key(run), "H6", "a client was told that {run} is started");
            }
            Told::Sent(id, request) => {
                let known = self.requests.contains_key(request);
                ensure!(known, "H6", "a client was told that {request} is sent to {id:?}");
            }
            Told::Result(..) => {}
        }
        self.told.push(told);
        Ok(())
    }

    /// Checks everything that holds at the end.
    pub(in super::super) fn ends(&mut self, store: &dyn Backend, code: &Code) -> Result<(), Broken> {
        let mut carried: BTreeMap<RunId, Vec<RequestId>> = BTreeMap::new();
        for key in &self.order {
            let run = &self.runs[key];
            ensure!(!run.is_open(), "H6", "{key} can end, and is still open at event {}", run.head());
            ensure!(!run.unsettled, "H6", "{key} was terminated, and nobody has told those who depend on it");
            self.check_stored(store, run)?;
            self.check_children(run)?;
            let machine = replay(run, code)?;
            check_program(run, self.lost_a_child(run))?;
            let inherited = run.continued_from.and_then(|from| carried.remove(&from)).unwrap_or_default();
            let (unread, rest) = self.check_messages(run, &machine, inherited)?;
            if let Some(successor) = self.successor(run)? {
                ensure!(
                    successor.inherited == unread,
                    "H4",
                    "{key} left {unread:?} unread, and {:?} were passed on",
                    successor.inherited
                );
                carried.insert(key.run_id, unread.into_iter().chain(rest).collect());
            }
        }
        self.check_order_of_senders()?;
        self.told.iter().try_for_each(|told| self.check_told(told))?;
        let stats = World::read(store.stats(&Namespace::default()));
        ensure!(stats.queued == 0, "H10", "{} activities of closed runs are still queued", stats.queued);
        ensure!(stats.messages == 0, "H4", "{} messages lie in inboxes of closed runs", stats.messages);
        ensure!(stats.open == 0, "H6", "{} runs are open that nobody has opened", stats.open);
        Ok(())
    }

    /// The run that follows one that has continued as new, or is tried again.
    fn successor(&self, run: &Run) -> Result<Option<&Run>, Broken> {
        let Some(run_id) = run.events.last().and_then(|event| event.kind.goes_on_as()) else {
            return Ok(None);
        };
        let found = self.runs.get(&RunKey { run_id, ..run.key.clone() });
        let missing = || Broken::new("H3", format!("{} goes on as a run that was not opened", run.key));
        found.map(Some).ok_or_else(missing)
    }

    /// The store has what was written, to the byte.
    fn check_stored(&self, store: &dyn Backend, run: &Run) -> Result<(), Broken> {
        let stored = World::read(store.history(&run.key, EventId(0), usize::MAX));
        let same = stored.iter().eq(run.records.iter().map(|(_, record)| record));
        ensure!(same, "H1", "the store's history of {} is not what was written to it", run.key);
        let info = World::read(store.describe(&[Target::from(run.key.clone())]));
        let Some(RunInfo { status, outcome, .. }) = info.into_iter().next().flatten() else {
            return Err(Broken::new("H6", format!("the store does not know {}", run.key)));
        };
        let closed = run.closed.map(RunStatus::Closed);
        ensure!(Some(status) == closed, "H6", "{} is {status:?}, and was closed as {closed:?}", run.key);
        let told = outcome.and_then(|bytes| decode_kind(&bytes, &Plain).ok());
        let last = run.events.last().map(|event| &event.kind);
        ensure!(told.as_ref() == last, "H3", "the outcome of {} is not its last event: {told:?}", run.key);
        Ok(())
    }

    /// A history takes in exactly what its run was sent by clients, once and in order, and what it was sent by runs once at
    /// most. Answers what was unread and what came too late.
    fn check_messages(
        &self,
        run: &Run,
        machine: &Machine,
        inherited: Vec<RequestId>,
    ) -> Result<(Vec<RequestId>, Vec<RequestId>), Broken> {
        let by_client = |request: &RequestId| !self.errands.contains(request);
        let sent = inherited.into_iter().chain(run.accepted.iter().copied()).filter(by_client);
        let sent: Vec<RequestId> = sent.collect();
        let all = run.messages();
        let once: BTreeSet<&RequestId> = all.iter().collect();
        ensure!(once.len() == all.len(), "H4", "{} has taken a message in twice: {all:?}", run.key);
        let taken: Vec<RequestId> = all.into_iter().filter(by_client).collect();
        let Some(rest) = sent.strip_prefix(taken.as_slice()) else {
            let what = format!("{} was sent {sent:?}, in this order, and has taken in {taken:?}", run.key);
            return Err(Broken::new("H4", what));
        };
        let may_leave = matches!(run.closed, Some(CloseStatus::Terminated | CloseStatus::ContinuedAsNew));
        ensure!(
            rest.is_empty() || may_leave,
            "H4",
            "{} has closed without {rest:?}, which it was sent",
            run.key
        );
        Ok((machine.unread().iter().filter_map(request_id).collect(), rest.to_vec()))
    }

    fn check_told(&self, told: &Told) -> Result<(), Broken> {
        let Told::Result(run, result) = told else { return Ok(()) };
        let mut last = self.runs.get(run);
        while let Some(run) = last
            && let Some(next) = self.successor(run)?
        {
            last = Some(next);
        }
        let kind = last.and_then(|run| run.events.last()).map(|event| &event.kind);
        let right = match (kind, result) {
            (Some(EventKind::WorkflowCompleted(body)), Ok(value)) => body.result == *value,
            (Some(EventKind::WorkflowFailed(body)), Err(ResultError::Failed(failure))) => {
                body.failure == *failure
            }
            (Some(EventKind::WorkflowCancelled(_)), Err(ResultError::Cancelled)) => true,
            (Some(EventKind::WorkflowTerminated(_)), Err(ResultError::Terminated(_))) => true,
            (Some(EventKind::WorkflowTimedOut(body)), Err(ResultError::TimedOut(limit))) => {
                body.limit == *limit
            }
            // The store was silent until the client's deadline.
            (_, Err(ResultError::Read(_))) => true,
            _ => false,
        };
        ensure!(right, "H13", "a client was told that {run} ends with {result:?}, and it ends with {kind:?}");
        Ok(())
    }

    /// What one sender sent after another was acknowledged comes after it.
    fn check_order_of_senders(&self) -> Result<(), Broken> {
        let mut last: BTreeMap<(RunId, u32), u32> = BTreeMap::new();
        for run in self.order.iter().map(|key| &self.runs[key]) {
            for event in &run.events {
                let EventKind::SignalReceived(signal) = &event.kind else { continue };
                if signal.signal.as_str() != SIGNAL {
                    continue;
                }
                let Ok(news) = signal.input.decode::<News>() else { continue };
                let before = last.insert((run.key.run_id, news.sender), news.number);
                ensure!(
                    before.is_none_or(|before| before < news.number),
                    "H4",
                    "{} heard {news:?} of sender {} after {before:?}",
                    run.key,
                    news.sender
                );
            }
        }
        Ok(())
    }

    /// All histories in their text form, in the order in which the runs were opened.
    pub(in super::super) fn histories(&self) -> String {
        let runs = self.order.iter().map(|key| &self.runs[key]);
        runs.map(|run| format!("# {}\n{}\n", run.key, Text(&run.events))).collect()
    }

    /// A hash of all histories.
    pub(in super::super) fn course(&self) -> u64 {
        let records = self.order.iter().flat_map(|key| &self.runs[key].records);
        let bytes = records.flat_map(|(_, record)| {
            record.at.as_micros().to_le_bytes().into_iter().chain(record.bytes.iter().copied())
        });
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
    }
}

/// A fresh machine comes to the end that the history tells of.
fn replay(run: &Run, code: &Code) -> Result<Machine, Broken> {
    let Some(definition) = code.get(&run.workflow) else {
        return Err(Broken::new("H10", format!("{} belongs to code that nobody has", run.key)));
    };
    let mut machine = Machine::new(definition.clone(), run.key.clone(), MachineOptions::default());
    let replayed = machine.replay(run.events.clone()).and_then(|()| machine.replayed());
    replayed.map_err(|error| Broken::new("H13", format!("{} does not replay: {error}", run.key)))?;
    ensure!(machine.is_closed(), "H13", "a replay of {} does not end", run.key);
    Ok(machine)
}

/// A run of a random program returns what the program says, if nobody cancelled it or a child of it.
fn check_program(run: &Run, lost_a_child: bool) -> Result<(), Broken> {
    let Some(EventKind::WorkflowStarted(started)) = run.event(EventId(1)) else {
        return Err(Broken::new("H1", format!("{} does not begin with its start", run.key)));
    };
    let own = started.workflow.name.as_str() == <Interpreter as retell::workflow::Workflow>::NAME;
    let cancelled = |kind: &EventKind| matches!(kind, EventKind::WorkflowCancelRequested(_));
    if !own || lost_a_child || run.events.iter().any(|event| cancelled(&event.kind)) {
        return Ok(());
    }
    let Ok(program) = started.input.decode::<Program>() else {
        return Err(Broken::new("H1", format!("the program of {} does not decode", run.key)));
    };
    let sum = program.sum();
    let right = match run.events.last().map(|event| &event.kind) {
        Some(EventKind::WorkflowCompleted(body)) => {
            !program.fails()
                && !program.continues()
                && body.result.decode::<u64>().is_ok_and(|value| value == sum)
        }
        Some(EventKind::WorkflowFailed(body)) => program.fails() && *body.failure.message == *sum.to_string(),
        Some(EventKind::WorkflowContinuedAsNew(body)) => {
            program.continues() && body.input.decode::<Program>().is_ok_and(|next| next.so_far == sum)
        }
        Some(EventKind::WorkflowTerminated(_)) => true,
        _ => false,
    };
    ensure!(right, "H13", "the program of {} adds up to {sum}, and its run ended otherwise", run.key);
    Ok(())
}
