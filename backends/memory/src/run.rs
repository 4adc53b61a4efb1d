//! A run as it is kept: its row, its records, its inbox and the inbox's door.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use retell::backend::{InboxMessage, RunStatus};
use retell::history::Record;
use retell::vocabulary::{
    Attributes, EventId, FencingToken, Memo, Payload, Position, RequestId, RunId, SemanticsVersion,
    TaskQueue, Timestamp, WorkerId, WorkflowType,
};
use retell::write::{CloseStatus, NewMessage, NewRecord, Start, TaskFailure};

/// One run.
pub(crate) struct Run {
    /// Which start of the store's it was.
    pub(crate) number: u64,
    pub(crate) workflow: WorkflowType,
    pub(crate) semantics: SemanticsVersion,
    pub(crate) task_queue: TaskQueue,
    pub(crate) priority: i32,
    pub(crate) fairness_key: Option<Arc<str>>,
    pub(crate) attributes: Attributes,
    pub(crate) memo: Memo,
    pub(crate) status: RunStatus,
    pub(crate) started_at: Timestamp,
    pub(crate) closed_at: Option<Timestamp>,
    /// The history, each record with the token that wrote it.
    pub(crate) records: Vec<(FencingToken, Record)>,
    pub(crate) token: FencingToken,
    pub(crate) owner: Option<WorkerId>,
    pub(crate) wake_at: Option<Timestamp>,
    pub(crate) rowless: bool,
    pub(crate) dependents: bool,
    pub(crate) unsettled: bool,
    pub(crate) paused: bool,
    pub(crate) failure: Option<TaskFailure>,
    pub(crate) inbox: Inbox,
    pub(crate) outcome: Option<Bytes>,
    pub(crate) continued_as: Option<RunId>,
    pub(crate) published: Option<Payload>,
}

/// The messages of a run that its history has not taken in.
#[derive(Default)]
pub(crate) struct Inbox {
    /// In order of position.
    pub(crate) messages: VecDeque<Waiting>,
    /// The last position given.
    pub(crate) last: Position,
    /// The last position that history has taken in.
    pub(crate) taken_in: Position,
    /// The last position that the holder has seen.
    pub(crate) shown: Position,
    pub(crate) door: Door,
}

/// A message and whether it concerns this run alone.
pub(crate) struct Waiting {
    pub(crate) message: InboxMessage,
    /// The outcome of an activity: of no use to a run that this one continues as.
    pub(crate) of_activity: bool,
}

/// Whether the holder still sees what comes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Door {
    /// It does.
    #[default]
    Open,
    /// A closing commit was refused at position `at`; what comes later is not for this run.
    Shut { at: Position, continues: bool },
}

impl Inbox {
    /// Puts a message at the end.
    pub(crate) fn push(&mut self, request_id: RequestId, at: Timestamp, body: Bytes, of_activity: bool) {
        self.last = self.last.next();
        let message = InboxMessage { position: self.last, request_id, at, body };
        self.messages.push_back(Waiting { message, of_activity });
    }

    /// Forgets what history has taken in.
    pub(crate) fn take_in(&mut self, taken_in: Position) {
        self.taken_in = self.taken_in.max(taken_in);
        self.shown = self.shown.max(taken_in);
        while self.messages.front().is_some_and(|waiting| waiting.message.position <= self.taken_in) {
            self.messages.pop_front();
        }
    }

    /// The last position that is for this run: the door's, or the last.
    pub(crate) fn end(&self) -> Position {
        match self.door {
            Door::Open => self.last,
            Door::Shut { at, .. } => at,
        }
    }

    /// Messages beyond `after` that the holder may see, in order.
    pub(crate) fn visible_after(&self, after: Position) -> Vec<InboxMessage> {
        let seen = (after.next())..=self.end();
        self.messages
            .iter()
            .map(|waiting| &waiting.message)
            .filter(|message| seen.contains(&message.position))
            .cloned()
            .collect()
    }
}

impl Run {
    /// A run with event 1 and no messages.
    pub(crate) fn open(start: &Start, owner: Option<WorkerId>, number: u64) -> Self {
        let mut run = Self {
            number,
            workflow: start.workflow.clone(),
            semantics: start.semantics,
            task_queue: start.task_queue.clone(),
            priority: start.priority,
            fairness_key: start.fairness_key.clone(),
            attributes: start.attributes.clone(),
            memo: start.memo.clone(),
            status: RunStatus::Running,
            started_at: start.record.at,
            closed_at: None,
            records: Vec::new(),
            token: FencingToken(0),
            owner,
            wake_at: Some(start.wake_at),
            rowless: !start.copied.is_empty(),
            dependents: start.dependents,
            unsettled: false,
            paused: false,
            failure: None,
            inbox: Inbox::default(),
            outcome: None,
            continued_as: None,
            published: None,
        };
        // No commit wrote these, and none can say that it did.
        run.append(&start.record);
        start.copied.iter().for_each(|record| run.append(record));
        run.token = FencingToken(u64::from(owner.is_some()));
        for NewMessage { request_id, body } in &start.inbox {
            run.inbox.push(*request_id, start.record.at, body.clone(), false);
        }
        // Who starts a run knows what it put into it.
        run.inbox.shown = run.inbox.last;
        run
    }

    /// The last event.
    pub(crate) fn head(&self) -> EventId {
        self.records.last().map_or(EventId(0), |(_, record)| record.last())
    }

    /// The time of the last event.
    pub(crate) fn last_at(&self) -> Timestamp {
        self.records.last().map_or(Timestamp::from_micros(i64::MIN), |(_, record)| record.at)
    }

    /// Appends a record under the current token, never earlier than the one before it.
    pub(crate) fn append(&mut self, new: &NewRecord) {
        let record = Record {
            first: self.head().next(),
            count: new.count,
            at: new.at.max(self.last_at()),
            bytes: new.bytes.clone(),
        };
        self.records.push((self.token, record));
    }

    /// Whether the record after `head` was written under this token: that commit was applied before.
    pub(crate) fn wrote_after(&self, head: EventId, token: FencingToken) -> bool {
        let first = head.next();
        let found = self.records.binary_search_by_key(&first, |(_, record)| record.first);
        found.is_ok_and(|index| self.records[index].0 == token)
    }

    /// Sees to it that a worker looks at the run no later than `at`.
    pub(crate) fn wake_by(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// Closes it at its last event.
    pub(crate) fn close(&mut self, status: CloseStatus, outcome: Bytes) {
        self.status = RunStatus::Closed(status);
        self.closed_at = Some(self.last_at());
        self.outcome = Some(outcome);
        self.owner = None;
        self.wake_at = None;
        self.rowless = false;
        self.dependents = false;
        self.paused = false;
        self.inbox.messages.clear();
        self.inbox.door = Door::Open;
    }
}
