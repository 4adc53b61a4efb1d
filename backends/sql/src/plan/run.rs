//! A run as a transaction knows it: its row, and what its members put into its inbox or take out of it.

use bytes::Bytes;
use retell::backend::{InboxMessage, RunStatus};
use retell::vocabulary::{Position, RequestId, RunKey, Timestamp};
use retell::write::{CloseStatus, Start};

use super::world::Details;

/// `status` of an open run.
pub(crate) const OPEN: i64 = 0;

/// One run: the narrow part of its row, and what changes beside it.
pub(crate) struct Run {
    pub(crate) row: i64,
    pub(crate) key: RunKey,
    pub(crate) namespace: i64,
    pub(crate) kind: i64,
    pub(crate) status: i64,
    pub(crate) started_at: Timestamp,
    pub(crate) closed_at: Option<Timestamp>,
    /// The last event.
    pub(crate) head: u64,
    /// The time of the last event.
    pub(crate) last_at: Timestamp,
    pub(crate) token: u64,
    /// The holder's row, or that of nobody.
    pub(crate) owner: i64,
    pub(crate) wake_at: Option<Timestamp>,
    pub(crate) rowless: bool,
    pub(crate) dependents: bool,
    pub(crate) unsettled: bool,
    pub(crate) paused: bool,
    /// Whether its last workflow task failed.
    pub(crate) parked: bool,
    /// Which run of its workflow ID it is.
    pub(crate) nth: i64,
    pub(crate) inbox_last: u64,
    pub(crate) taken_in: u64,
    /// The last position that the holder has seen.
    pub(crate) shown: u64,
    pub(crate) door: Option<Door>,

    /// How it was before, if that is believed and not read.
    pub(crate) seen: Option<Seen>,
    /// Whether it is of this transaction.
    pub(crate) is_new: bool,
    pub(crate) dirty: bool,
    /// Messages that are known here: those that members put, and all others if they were read.
    pub(crate) waiting: Vec<Waiting>,
    /// Stored messages up to here go.
    pub(crate) taken_out: Option<u64>,
    /// All stored activities go.
    pub(crate) tasks_dropped: bool,
    pub(crate) details: Details,
}

/// What tells a run from itself at another time: whatever another process does to it changes one of the first six.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) status: i64,
    pub(crate) head: u64,
    pub(crate) token: u64,
    pub(crate) owner: i64,
    pub(crate) inbox_last: u64,
    pub(crate) shown: u64,
    /// What a step leaves as it is.
    standing: Standing,
}

/// The part of a run's row that changes when its life takes a turn, beside what is in [`Seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    closed_at: Option<Timestamp>,
    dependents: bool,
    unsettled: bool,
    paused: bool,
    parked: bool,
    door: Option<Door>,
}

/// A door that is shut: what comes beyond `at` is not for this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) at: u64,
    /// Whether what comes is kept for the run that follows.
    pub(crate) continues: bool,
}

/// A message in an inbox.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) message: InboxMessage,
    /// The outcome of an activity: of no use to a run that this one continues as.
    pub(crate) own: bool,
    /// Whether it has its row.
    pub(crate) stored: bool,
}

impl Run {
    /// A run that is about to get its records and messages.
    pub(crate) fn open(start: &Start, row: i64, namespace: i64, kind: i64, nth: i64, owner: i64) -> Self {
        let fairness_key = start.fairness_key.as_ref();
        Self {
            row,
            key: start.run.clone(),
            namespace,
            kind,
            status: OPEN,
            started_at: start.record.at,
            closed_at: None,
            head: 0,
            last_at: Timestamp::from_micros(i64::MIN),
            token: 0,
            owner,
            wake_at: Some(start.wake_at),
            rowless: !start.copied.is_empty(),
            dependents: start.dependents,
            unsettled: false,
            paused: false,
            parked: false,
            nth,
            inbox_last: 0,
            taken_in: 0,
            shown: 0,
            door: None,
            seen: None,
            is_new: true,
            dirty: true,
            waiting: Vec::new(),
            taken_out: None,
            tasks_dropped: false,
            details: Details {
                of_new: Some((
                    start.priority,
                    fairness_key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
                )),
                attributes: Some(start.attributes.clone()),
                memo: Some(start.memo.clone()),
                ..Details::default()
            },
        }
    }

    /// The run as a transaction left it, for one that comes later and does not read it.
    pub(crate) fn left(&self) -> Self {
        let Self { status, head, token, owner, inbox_last, shown, .. } = *self;
        Self {
            key: self.key.clone(),
            seen: Some(Seen { status, head, token, owner, inbox_last, shown, standing: self.standing() }),
            is_new: false,
            dirty: false,
            waiting: Vec::new(),
            taken_out: None,
            tasks_dropped: false,
            details: Details::default(),
            ..*self
        }
    }

    fn standing(&self) -> Standing {
        let Self { closed_at, dependents, unsettled, paused, parked, door, .. } = *self;
        Standing { closed_at, dependents, unsettled, paused, parked, door }
    }

    /// Whether it only went on since it was seen: more events, another instant at which it needs a worker, and no more.
    pub(crate) fn stepped(&self, seen: &Seen) -> bool {
        let Self { status, token, owner, .. } = *self;
        (status, token, owner, self.standing()) == (seen.status, seen.token, seen.owner, seen.standing)
    }

    pub(crate) fn is_shut(&self) -> bool {
        matches!(self.door, Some(Door { continues: false, .. }))
    }

    /// Puts a message at the end of the inbox.
    pub(crate) fn push(&mut self, request_id: RequestId, at: Timestamp, body: Bytes, own: bool) {
        self.inbox_last += 1;
        let message = InboxMessage { position: Position(self.inbox_last), request_id, at, body };
        self.waiting.push(Waiting { message, own, stored: false });
    }

    /// Forgets what history has taken in.
    pub(crate) fn take_in(&mut self, taken_in: u64) {
        if taken_in > self.taken_in {
            self.taken_in = taken_in;
            self.taken_out = Some(taken_in);
            self.waiting.retain(|waiting| waiting.message.position.0 > taken_in);
        }
        self.shown = self.shown.max(taken_in);
    }

    /// The last position that is for this run: the door's, or the last.
    pub(crate) fn end(&self) -> u64 {
        self.door.map_or(self.inbox_last, |door| door.at)
    }

    /// Sees to it that a worker looks at the run no later than `at`.
    pub(crate) fn wake_by(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// Closes it at its last event.
    pub(crate) fn close(&mut self, status: i64) {
        self.status = status;
        self.closed_at = Some(self.last_at);
        self.owner = super::world::NOBODY;
        self.wake_at = None;
        self.rowless = false;
        self.dependents = false;
        self.paused = false;
        self.waiting.clear();
        if self.inbox_last > 0 {
            self.taken_out = Some(self.inbox_last);
        }
        self.door = None;
    }
}

/// The number of a way to close.
pub(crate) fn status_number(status: CloseStatus) -> i64 {
    match status {
        CloseStatus::Completed => 1,
        CloseStatus::Failed => 2,
        CloseStatus::Cancelled => 3,
        CloseStatus::Terminated => 4,
        CloseStatus::TimedOut => 5,
        CloseStatus::ContinuedAsNew => 6,
        // A way that this schema does not know comes with one that does.
        _ => 0x7f,
    }
}

/// The status of a number; `None` if it is none.
pub(crate) fn status_of(number: i64) -> Option<RunStatus> {
    Some(match number {
        OPEN => RunStatus::Running,
        1 => RunStatus::Closed(CloseStatus::Completed),
        2 => RunStatus::Closed(CloseStatus::Failed),
        3 => RunStatus::Closed(CloseStatus::Cancelled),
        4 => RunStatus::Closed(CloseStatus::Terminated),
        5 => RunStatus::Closed(CloseStatus::TimedOut),
        6 => RunStatus::Closed(CloseStatus::ContinuedAsNew),
        _ => return None,
    })
}
