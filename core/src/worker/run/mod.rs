//! A run that this worker holds: its machine, what waits to be taken in, and the commit under way.
//!
//! Pure: a shard feeds it and carries its commits away. One commit is under way at most; what arrives meanwhile waits,
//! and nothing that was taken in is forgotten before the commit that holds it is acknowledged.

mod group;
mod incoming;
mod length;
mod limits;
mod load;
mod others;
mod overtime;
mod park;
mod places;
mod questions;
mod rows;
mod settle;
mod task;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::activities::{EndedActivity, EndedSideEffect};
use super::committer::Ticket;
use super::queries::Question;
use crate::backend::{ClaimedRun, InboxMessage};
use crate::commit::{Holder, Progress};
use crate::history::WorkflowStarted;
use crate::replay::{Definition, Machine};
use crate::vocabulary::{EventId, Failure, FencingToken, Position, RunKey, TimeoutKind, Timestamp, WorkerId};
use crate::worker::activities::Job;
use crate::write::{Commit, NewActivityTask, Refusal, TaskFailure};

use group::Held;
use incoming::Incoming;
use limits::OverdueCalls;
use places::Places;

pub(super) use limits::Standing;
pub(super) use load::Loaded;
pub(super) use park::Trouble;

/// A run that this worker holds.
pub(super) struct Run {
    pub(super) key: RunKey,
    pub(super) token: FencingToken,
    definition: Arc<dyn Definition>,
    phase: Phase,
    /// The run's first event, once it is known.
    started: Option<Arc<WorkflowStarted>>,
    /// The time of the first event, while its commands are not committed.
    begin_at: Option<Timestamp>,
    /// The last acknowledged event.
    pub(super) head: EventId,
    /// The last acknowledged inbox position.
    taken_in: Position,
    incoming: VecDeque<Incoming>,
    /// Where its open calls are; `None` until a takeover has found out.
    places: Option<Places>,
    /// Whether the holder before left running activities that have no row in the queue.
    left_rowless: bool,
    /// Rows for what a lost worker ran, until they are committed.
    lost: Vec<NewActivityTask>,
    /// When it must have ended, and by which limit.
    limit: Option<(Timestamp, TimeoutKind)>,
    /// Whether it begins as a copy of another run, and has committed nothing of its own.
    fresh_copy: bool,
    /// Whether its code rests, as far as is known here.
    paused: bool,
    /// Calls whose time may be over.
    overdue: OverdueCalls,
    /// What steps have come to that share a commit, which is still to be made.
    held: Option<Held>,
    /// Bodies to be stopped of steps that history knows nothing of.
    strays: Vec<EventId>,
    in_flight: Option<InFlight>,
    /// A closing task that the store sent back because messages had come.
    closing: Option<Closing>,
    /// Why its last task failed, if it did.
    failure: Option<TaskFailure>,
    /// Whether a task has failed here: then no steps share a commit, and each is repeated once at most.
    was_parked: bool,
    /// Whether others may have to be told if it is ended from outside. Exact while it is in memory and at rest.
    dependents: bool,
    /// How often it was loaded, or its live code thrown away: what an earlier loader still sends is not for the machine of a later one.
    pub(super) loads: u32,
    /// The end of its history, when messages that the store has are still to come.
    loaded_until: Option<(HashSet<EventId>, Position)>,
    /// What was asked while a commit was under way.
    questions: Vec<Question>,
    /// What the shard notes of it.
    pub(super) notes: Notes,
}

/// What a shard notes of a run, to find it again.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// While it is idle, whether its activities run here, and its place in the order of idle runs of that sort.
    pub(super) idle: Option<(bool, u64)>,
    /// The due time under which a timer stands for it.
    pub(super) timer: Option<Timestamp>,
    /// The bytes that it is counted with.
    pub(super) counted: usize,
    /// Whether it is counted as parked.
    pub(super) parked: bool,
}

enum Phase {
    /// Not in memory.
    Cold {
        /// When it is to be loaded, if nothing comes before.
        until: Option<Timestamp>,
        /// Its task failed: whatever comes, it waits until then.
        parked: bool,
    },
    /// History is being read; the machine has replayed what came so far.
    Loading(Option<Box<Machine>>),
    /// In memory, at rest.
    Live(Box<Machine>),
}

/// A commit on its way to the store.
struct InFlight {
    head: EventId,
    taken_in: Position,
    /// How many of `incoming` it holds.
    taken: usize,
    aborts: Vec<EventId>,
    asks: Vec<EventId>,
    closing: Option<Box<Closing>>,
    /// Calls whose outcome it hands to the store instead of history.
    deposited: HashSet<EventId>,
    /// Calls that asked for a row and have one by then, and who holds it.
    rows: Option<(WorkerId, HashSet<EventId>)>,
    then: Then,
}

/// What the acknowledgement of a commit means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The task went well; the run goes on.
    GoOn,
    /// The task failed; the run waits for its next try.
    Parked,
    /// The run leaves this worker.
    Leave(Leave),
}

/// Why a run leaves its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Its code has closed it, and let go of what was open.
    Closed,
    /// It was ended from outside: nothing of it runs on.
    Ended,
    /// It was given back: what stands in the queue runs on.
    Released,
    /// Another worker has it: what stands in the queue runs on, what has no row is no longer this worker's.
    Lost,
}

/// What a closing task holds, kept until it is acknowledged.
#[derive(Clone)]
struct Closing {
    progress: Progress,
    taken: usize,
    aborts: Vec<EventId>,
    /// The inbox position that must be taken in first.
    door: Position,
}

/// What a task asks of the shard.
#[derive(Default)]
pub(super) struct Stepped {
    pub(super) submission: Option<Submission>,
    /// Steps that begin at once, since they share a commit with what comes after them.
    pub(super) jobs: Vec<Job>,
}

/// A commit for the store and what follows its acknowledgement.
pub(super) struct Submission {
    pub(super) commit: Box<Commit>,
    pub(super) ticket: Ticket,
}

/// What the outcome of a commit asks of the shard.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Activities whose bodies are to be stopped.
    pub(super) aborts: Vec<EventId>,
    /// Activities whose bodies are asked to stop.
    pub(super) asks: Vec<EventId>,
    /// Why the run leaves this worker, if it does.
    pub(super) leaves: Option<Leave>,
    /// Outcomes of queued activities that are to be reported to the store.
    pub(super) unreported: Vec<EndedActivity>,
    /// The store can never hold the commit; the run is to be parked with this reason.
    pub(super) trouble: Option<String>,
}

impl Run {
    /// A run that was started here a moment ago: its first event is known and not yet polled.
    pub(super) fn begun(
        key: RunKey,
        token: FencingToken,
        definition: Arc<dyn Definition>,
        started: Arc<WorkflowStarted>,
        at: Timestamp,
        machine: Machine,
    ) -> Self {
        Self {
            phase: Phase::Live(Box::new(machine)),
            begin_at: Some(started.begins(at)),
            limit: started.limit(at),
            started: Some(started),
            places: Some(Places::default()),
            ..Self::cold(key, token, definition, EventId(1), Position(0))
        }
    }

    /// A run that was claimed: its history is still to be read.
    pub(super) fn claimed(claimed: ClaimedRun, definition: Arc<dyn Definition>) -> Self {
        let incoming = claimed.inbox.into_iter().map(Incoming::Message).collect();
        Self {
            incoming,
            left_rowless: claimed.rowless,
            was_parked: claimed.failure.is_some(),
            failure: claimed.failure,
            ..Self::cold(claimed.run, claimed.token, definition, claimed.head, claimed.taken_in)
        }
    }

    fn cold(
        key: RunKey,
        token: FencingToken,
        definition: Arc<dyn Definition>,
        head: EventId,
        taken_in: Position,
    ) -> Self {
        Self {
            key,
            token,
            definition,
            phase: Phase::Cold { until: Some(Timestamp::EPOCH), parked: false },
            started: None,
            begin_at: None,
            head,
            taken_in,
            incoming: VecDeque::new(),
            places: None,
            left_rowless: false,
            lost: Vec::new(),
            limit: None,
            fresh_copy: false,
            paused: false,
            overdue: OverdueCalls::default(),
            held: None,
            strays: Vec::new(),
            in_flight: None,
            closing: None,
            failure: None,
            was_parked: false,
            dependents: true,
            loads: 0,
            loaded_until: None,
            questions: Vec::new(),
            notes: Notes::default(),
        }
    }

    pub(super) fn offer_messages(&mut self, messages: Vec<InboxMessage>) {
        self.incoming.extend(messages.into_iter().map(Incoming::Message));
    }

    pub(super) fn offer_activity(&mut self, mut ended: Box<EndedActivity>) {
        // What was claimed has its row, and may end before this worker hears of the commit that wrote that.
        if ended.queued.is_none() && ended.info.scheduled > self.head && ended.load != self.loads {
            // It belongs to code that was thrown away before anything of the step was stored.
            return;
        }
        if ended.deferred.take().is_some() {
            let message = "the body left its ending to a token, but took none";
            ended.result = Err(Failure::new("NoToken", message).non_retryable());
        }
        self.incoming.push_back(Incoming::Activity(ended));
    }

    pub(super) fn offer_side_effect(&mut self, ended: EndedSideEffect) {
        self.incoming.push_back(Incoming::SideEffect(ended));
    }

    /// When it next has something to do by itself: a timer, or the next try of a failed task. Nothing is due while a
    /// commit is under way: its outcome comes first, and a timer that is due would only be looked at again and again.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        // A closing task that the store sent back waits for messages, whatever the time.
        if self.is_committing() || self.closing.is_some() { None } else { self.due() }
    }

    fn due(&self) -> Option<Timestamp> {
        let (next, limit) = match &self.phase {
            Phase::Live(machine) => (machine.next_due().or(self.begin_at), self.limit),
            Phase::Cold { until, .. } => (*until, self.limit),
            Phase::Loading(_) => (None, None),
        };
        next.into_iter().chain(limit.map(|(due, _)| due)).min()
    }

    /// Whether it must be read from the store to go on.
    pub(super) fn needs_loading(&self, now: Timestamp) -> bool {
        let Phase::Cold { until, parked } = &self.phase else { return false };
        let due = until.is_some_and(|until| until <= now);
        let goes = self.in_flight.is_none() && !self.is_ending_parked();
        goes && (due || (!parked && !self.incoming.is_empty()))
    }

    /// Whether its last task failed and its next try lies ahead.
    pub(super) fn is_parked(&self) -> bool {
        matches!(self.phase, Phase::Cold { parked: true, .. })
    }

    /// Whether it is in memory, has nothing to do, and nothing under way but activities.
    pub(super) fn is_idle(&self) -> bool {
        let live = matches!(self.phase, Phase::Live(_));
        live && self.in_flight.is_none()
            && self.incoming.is_empty()
            && self.held.is_none()
            && self.begin_at.is_none()
            && self.closing.is_none()
            && self.overdue.is_empty()
    }

    /// Whether it could be given back now.
    pub(super) fn can_leave(&self) -> bool {
        let waits = self.is_parked() || (self.begin_at.is_some() && matches!(self.phase, Phase::Live(_)));
        self.is_idle() || (waits && self.in_flight.is_none())
    }

    /// Whether it is on its way out: closed or given back, once that is acknowledged.
    pub(super) fn is_leaving(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| matches!(in_flight.then, Then::Leave(_)))
    }

    /// Whether something of it runs that no row in the queue stands for: here, or on the worker that was lost.
    pub(super) fn is_rowless(&self) -> bool {
        self.places.as_ref().map_or(self.left_rowless, Places::any_rowless)
    }

    /// Whether this call is open, so that its outcome is wanted.
    pub(super) fn wants(&self, scheduled: EventId) -> bool {
        self.places.as_ref().is_none_or(|places| places.contains(scheduled))
    }

    /// Whether a commit is under way.
    pub(super) fn is_committing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The estimated bytes of its live future and what belongs to it; 0 while it is not in memory.
    pub(super) fn live_bytes(&self) -> usize {
        match &self.phase {
            Phase::Live(machine) => machine.bytes_estimate(),
            Phase::Cold { .. } | Phase::Loading(_) => 0,
        }
    }

    /// Drops the live future and keeps the ownership: the next thing that comes, or falls due, loads it again.
    pub(super) fn evict(&mut self) {
        self.phase = Phase::Cold { until: self.due(), parked: false };
    }

    /// Asks whether something foreign woke the code while it was at rest.
    pub(super) fn check(&mut self) -> Result<(), Trouble> {
        match &mut self.phase {
            Phase::Live(machine) => Ok(machine.check()?),
            Phase::Cold { .. } | Phase::Loading(_) => Ok(()),
        }
    }

    /// The outcomes of queued activities that wait here, to be reported to the store instead.
    pub(super) fn into_unreported(self) -> impl Iterator<Item = EndedActivity> {
        self.incoming.into_iter().filter_map(|incoming| match incoming {
            Incoming::Activity(ended) if ended.queued.is_some() => Some(*ended),
            _ => None,
        })
    }

    fn holder(&self, worker: WorkerId) -> Holder {
        Holder { run: self.key.clone(), worker, token: self.token }
    }

    /// Takes the acknowledgement of the commit under way.
    pub(super) fn committed(&mut self) -> Verdict {
        let Some(in_flight) = self.in_flight.take() else { return Verdict::default() };
        self.head = in_flight.head;
        self.taken_in = in_flight.taken_in;
        self.rows_stored(in_flight.taken, in_flight.rows);
        self.incoming.drain(..in_flight.taken);
        if !in_flight.deposited.is_empty() {
            self.incoming.retain(|incoming| match incoming {
                Incoming::Activity(ended) => !in_flight.deposited.contains(&ended.info.scheduled),
                _ => true,
            });
        }
        if let (Then::GoOn, Phase::Live(machine)) = (in_flight.then, &self.phase) {
            self.dependents = machine.family().depends();
        }
        if in_flight.then == Then::GoOn {
            self.begin_at = None;
            self.failure = None;
        }
        self.lost.clear();
        if let Some(places) = &mut self.places {
            places.keep();
        }
        self.ask_again();
        let leaves = match in_flight.then {
            Then::Leave(leave) => Some(leave),
            Then::GoOn | Then::Parked => None,
        };
        Verdict { aborts: in_flight.aborts, asks: in_flight.asks, leaves, ..Verdict::default() }
    }

    /// Takes the refusal of the commit under way. Nothing of it is stored; what it had taken in waits again.
    pub(super) fn refused(&mut self, refusal: &Refusal) -> Verdict {
        let Some(in_flight) = self.in_flight.take() else { return Verdict::default() };
        // The live code has seen what history has not: history is asked instead.
        self.questions.clear();
        if let (Refusal::InboxAdvanced(door), Some(closing)) = (refusal, in_flight.closing) {
            self.closing = Some(Closing { door: *door, ..*closing });
            return Verdict::default();
        }
        self.forget_unstored();
        if let Some(places) = &mut self.places {
            places.undo();
        }
        match refusal {
            Refusal::TaskLost => {
                // The outcome of one queued activity belongs to another attempt, and the live future has seen it. The
                // store knows which: each is reported to it alone.
                let mut unreported = Vec::new();
                for incoming in std::mem::take(&mut self.incoming) {
                    match incoming {
                        Incoming::Activity(ended) if ended.queued.is_some() => unreported.push(*ended),
                        other => self.incoming.push_back(other),
                    }
                }
                if in_flight.then != Then::Parked {
                    self.phase = Phase::Cold { until: Some(Timestamp::EPOCH), parked: false };
                }
                Verdict { unreported, ..Verdict::default() }
            }
            // Not even why it is parked can be stored: it is, all the same, and waits for its next try.
            Refusal::Invalid(_) if matches!(in_flight.then, Then::Parked) => Verdict::default(),
            Refusal::Invalid(reason) => {
                self.evict();
                Verdict { trouble: Some(reason.clone()), ..Verdict::default() }
            }
            Refusal::RunClosed(_) => Verdict { leaves: Some(Leave::Ended), ..Verdict::default() },
            _ => Verdict { leaves: Some(Leave::Lost), ..Verdict::default() },
        }
    }
}
