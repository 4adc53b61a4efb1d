//! A task that failed: the run keeps its place, the failure is stored and shown, and the task is tried again later.

use std::collections::HashSet;
use std::time::Duration;

use super::places::Place;
use super::places::Places;
use super::{InFlight, Incoming, Leave, Phase, Run, Submission, Then};
use crate::history::{HistoryError, encode_kind};
use crate::replay::TaskError;
use crate::vocabulary::{ActivityName, Attempt, EventId, RequestId, RunKey, Timestamp, WorkerId};
use crate::worker::activities::{EndedActivity, EndedSideEffect};
use crate::worker::committer::Ticket;
use crate::worker::context::Context;
use crate::write::{
    Commit, Errand, Hold, NewActivityTask, NewMessage, Next, OpenRun, Outgoing, Send, Shown, TaskFailure,
    TaskFailureKind,
};

/// The wait before a failed task is tried again, doubled each time.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest such wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What a parked run hands to the store of what ended here.
#[derive(Default)]
struct Deposit {
    outgoing: Vec<Outgoing>,
    rows: Vec<NewActivityTask>,
    ended: Vec<(EventId, Attempt)>,
    scheduled: HashSet<EventId>,
}

impl Deposit {
    /// The call's outcome goes into its own run's inbox.
    fn message(
        &mut self,
        cx: &Context,
        run: &RunKey,
        ended: &EndedActivity,
        at: Timestamp,
    ) -> Result<(), HistoryError> {
        let body = encode_kind(ended.outcome(), cx.codec.as_ref())?;
        let message = NewMessage { request_id: RequestId(cx.home.fresh_id()), body };
        let errand = Errand::Send(Send { target: run.clone().into(), message, at });
        self.outgoing.push(Outgoing { errand, if_done: None, if_refused: None });
        self.ended.extend(ended.queued.map(|_| (ended.info.scheduled, ended.info.attempt)));
        Ok(())
    }
}

/// Why a task cannot go on.
#[derive(Debug, thiserror::Error)]
pub(in crate::worker) enum Trouble {
    /// The machine found it.
    #[error(transparent)]
    Replay(#[from] TaskError),
    /// Stored bytes could not be read, or new ones not written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A side effect's closure panicked, or what it returned does not encode.
    #[error("the side effect failed: {0}")]
    SideEffect(String),
    /// Its code has blocked a thread of this process, and still does.
    #[error("the workflow blocks its thread; it is not tried again here until it has given that back")]
    Blocked,
    /// A local activity that this worker does not serve.
    #[error("the local activity {0:?} is not registered with this worker; register it beside the workflow")]
    Unregistered(ActivityName),
    /// Its history is as long as this worker bears.
    #[error(
        "the history has {events} events, and this worker bears {events_max}; raise `WorkerOptions::history_events_max`, or reset the run"
    )]
    TooLong { events: u64, events_max: u64 },
    /// The store can never hold what the task made.
    #[error("the store refuses the task: {0}")]
    Refused(String),
}

impl From<crate::history::CodecError> for Trouble {
    fn from(error: crate::history::CodecError) -> Self {
        Self::History(error.into())
    }
}

impl Trouble {
    /// The run is not in memory although its task runs.
    pub(super) fn not_live() -> Self {
        Self::Refused("the run is not in memory".to_owned())
    }

    fn kind(&self) -> TaskFailureKind {
        match self {
            Self::Replay(error) => error.kind(),
            Self::SideEffect(_) => TaskFailureKind::Panic,
            Self::Blocked => TaskFailureKind::ForeignAwait,
            Self::History(_) | Self::Refused(_) | Self::Unregistered(_) | Self::TooLong { .. } => {
                TaskFailureKind::History
            }
        }
    }
}

impl Run {
    /// Throws the live future away and stores why. Nothing that waits is lost; it is taken in by the next try.
    pub(in crate::worker) fn park(
        &mut self,
        cx: &Context,
        worker: WorkerId,
        trouble: &Trouble,
        now: Timestamp,
    ) -> Submission {
        let before = self.failure.as_ref().map_or(0, |failure| failure.count);
        let wait = (RETRY_AFTER * 2_u32.pow(before.min(16))).min(RETRY_AFTER_MAX);
        let retry_at = now + wait;
        let failure = TaskFailure {
            kind: trouble.kind(),
            message: trouble.to_string(),
            count: before.saturating_add(1),
            at: now,
        };
        tracing::error!(run = %self.key, error = %trouble, tries = failure.count, "a workflow task failed; its run is parked");
        self.forget_unstored();
        self.was_parked = true;
        if let Some(places) = &mut self.places {
            places.undo();
        }
        self.forget_side_effects(|ended| ended.value.is_err());
        self.failure = Some(failure.clone());
        self.phase = Phase::Cold { until: Some(retry_at), parked: true };
        self.closing = None;
        self.begin_at = None;
        let deposit = self.deposit(cx, now);
        let limit = self.limit.map(|(due, _)| due);
        let open = OpenRun {
            wake_at: limit.into_iter().chain([retry_at]).min(),
            rowless: self.is_rowless(),
            dependents: self.dependents,
            paused: self.paused,
            hold: Hold::Keep,
            failure: Some(failure),
        };
        let mut submission = self.without_events(worker, open, Then::Parked);
        submission.commit.schedule.extend(deposit.rows);
        submission.commit.ended = deposit.ended;
        submission.commit.outgoing = deposit.outgoing;
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.deposited = deposit.scheduled;
        }
        submission
    }

    /// What ended here and waits to be taken in is put into the run's inbox, or tried again from the queue: a parked run
    /// may wait for a deploy, and its next holder must find it.
    fn deposit(&mut self, cx: &Context, now: Timestamp) -> Deposit {
        let mut deposit = Deposit::default();
        for incoming in &self.incoming {
            let Incoming::Activity(ended) = incoming else { continue };
            if !self.places.as_ref().is_some_and(|places| places.contains(ended.info.scheduled)) {
                continue;
            }
            // What cannot be encoded now waits here for the next try.
            let handed_over = match (&ended.result, ended.queued) {
                (Err(failure), None) => match ended.retry_delay() {
                    Some(delay) => {
                        self.retry_row(cx, ended, failure, now + delay).map(|row| deposit.rows.push(row))
                    }
                    None => deposit.message(cx, &self.key, ended, now),
                },
                _ => deposit.message(cx, &self.key, ended, now),
            };
            if handed_over.is_ok() {
                deposit.scheduled.insert(ended.info.scheduled);
            }
        }
        if let Some(places) = &mut self.places {
            deposit.scheduled.iter().for_each(|scheduled| places.set(*scheduled, Place::Queued));
        }
        deposit
    }

    /// Side effects whose values are forgotten run again with the next try of the task.
    fn forget_side_effects(&mut self, which: impl Fn(&EndedSideEffect) -> bool) {
        let forgotten = |incoming: &Incoming| match incoming {
            Incoming::SideEffect(ended) if which(ended) => Some(ended.scheduled),
            _ => None,
        };
        if let Some(places) = &mut self.places {
            self.incoming.iter().filter_map(forgotten).for_each(|scheduled| _ = places.remove(scheduled));
            places.keep();
        }
        self.incoming.retain(|incoming| forgotten(incoming).is_none());
    }

    /// Gives an idle run back; `None` if something of it runs here that has no row.
    pub(in crate::worker) fn release(&mut self, worker: WorkerId) -> Option<Submission> {
        if self.is_parked() && !self.is_committing() {
            // No row can hold a value that is not stored yet; the next holder's try draws another.
            self.forget_side_effects(|_| true);
        }
        let runs_here = self.places.as_ref().is_some_and(Places::any_rowless);
        if runs_here || self.is_committing() {
            return None;
        }
        // The next holder of a parked run may have mended code: it tries it at once.
        let at_once = self.is_parked() || !self.incoming.is_empty();
        let wake_at = if at_once { Some(Timestamp::EPOCH) } else { self.next_due() };
        let rowless = self.is_rowless();
        let open = OpenRun {
            wake_at,
            rowless,
            dependents: self.dependents,
            paused: self.paused,
            hold: Hold::Release,
            failure: self.failure.clone(),
        };
        Some(self.without_events(worker, open, Then::Leave(Leave::Released)))
    }

    fn without_events(&mut self, worker: WorkerId, open: OpenRun, then: Then) -> Submission {
        self.in_flight = Some(InFlight {
            head: self.head,
            taken_in: self.taken_in,
            taken: 0,
            aborts: Vec::new(),
            asks: Vec::new(),
            closing: None,
            deposited: HashSet::new(),
            rows: None,
            then,
        });
        let holder = self.holder(worker);
        let commit = Commit {
            run: holder.run,
            worker: holder.worker,
            token: holder.token,
            expected_head: self.head,
            request_id: None,
            record: None,
            taken_in: self.taken_in,
            schedule: self.lost.clone(),
            ended: Vec::new(),
            cancelled: Vec::new(),
            cancel_requested: Vec::new(),
            outgoing: Vec::new(),
            answers: Vec::new(),
            shown: Shown::default(),
            next: Next::Open(open),
        };
        Submission { commit: Box::new(commit), ticket: Ticket::new(self.key.run_id, self.token) }
    }
}
