//! The plainest value of each write; cases change what they are about.

use bytes::Bytes;
use retell::vocabulary::{
    Attempt, Attributes, EventId, Memo, RequestId, RunId, RunKey, SemanticsVersion, TaskQueue, WorkerId,
};
use retell::write::{
    ActivityReport, ActivityVerdict, CloseStatus, Commit, Errand, Hold, IdConflictPolicy, IdReusePolicy,
    NewActivityTask, NewRecord, Next, OpenRun, Outgoing, Send, Shown, Start, Target, Terminate,
};

use super::{Held, World, charge, closing_event, message, order, workflow_id};

impl World {
    /// A start of a run of `order` that is due now and that nobody holds.
    pub(crate) fn new_start(&self, id: &str) -> Start {
        Start {
            run: RunKey {
                namespace: self.namespace.clone(),
                workflow_id: workflow_id(id),
                run_id: RunId::fresh(),
            },
            request_id: RequestId::fresh(),
            workflow: order(),
            semantics: SemanticsVersion::CURRENT,
            task_queue: TaskQueue::default(),
            priority: 0,
            fairness_key: None,
            attributes: Attributes::new(),
            memo: Memo::new(),
            record: self.record(1, "started"),
            copied: Vec::new(),
            conflict: IdConflictPolicy::Reject,
            reuse: IdReusePolicy::Allow,
            owner: None,
            inbox: Vec::new(),
            wake_at: self.now(),
            dependents: false,
        }
    }

    /// A record of so many events that holds this text.
    pub(crate) fn record(&self, count: u32, text: &str) -> NewRecord {
        NewRecord { count, at: self.now(), bytes: Bytes::copy_from_slice(text.as_bytes()) }
    }

    pub(crate) fn new_send(&self, target: impl Into<Target>, text: &str) -> Send {
        Send { target: target.into(), message: message(text), at: self.now() }
    }

    pub(crate) fn new_terminate(&self, target: impl Into<Target>) -> Terminate {
        Terminate {
            target: target.into(),
            request_id: RequestId::fresh(),
            closing: closing_event(),
            at: self.now(),
        }
    }

    /// What a commit asks of another run: to read this, without an answer.
    pub(crate) fn outgoing(&self, target: impl Into<Target>, text: &str) -> Outgoing {
        let errand = Errand::Send(self.new_send(target, text));
        Outgoing { errand, if_done: None, if_refused: None }
    }

    /// A queued call of `charge`, visible now.
    pub(crate) fn new_task(&self, scheduled: u64) -> NewActivityTask {
        NewActivityTask {
            scheduled: EventId(scheduled),
            activity: charge(),
            task_queue: TaskQueue::default(),
            priority: 0,
            call: Bytes::from_static(b"call"),
            attempt: Attempt(1),
            visible_at: self.now(),
            close_by: None,
            last_failure: None,
            details: None,
            running: false,
        }
    }

    /// A report on attempt 1 of an activity.
    pub(crate) fn new_report(
        &self,
        held: &Held,
        scheduled: u64,
        worker: WorkerId,
        verdict: ActivityVerdict,
    ) -> ActivityReport {
        ActivityReport {
            run: held.run.clone(),
            scheduled: EventId(scheduled),
            attempt: Attempt(1),
            worker: Some(worker),
            request_id: RequestId::fresh(),
            at: self.now(),
            verdict,
        }
    }

    /// A commit of one event that keeps the run, which then sleeps.
    pub(crate) fn new_commit(&self, held: &Held) -> Commit {
        Commit { record: Some(self.record(1, "event")), ..self.new_hold(held, Hold::Keep) }
    }

    /// A commit without events that keeps the run or lets it go; it then sleeps.
    pub(crate) fn new_hold(&self, held: &Held, hold: Hold) -> Commit {
        Commit {
            run: held.run.clone(),
            worker: held.worker,
            token: held.token,
            expected_head: held.head,
            request_id: None,
            record: None,
            taken_in: held.taken_in,
            schedule: Vec::new(),
            ended: Vec::new(),
            cancelled: Vec::new(),
            cancel_requested: Vec::new(),
            outgoing: Vec::new(),
            answers: Vec::new(),
            shown: Shown::default(),
            next: Next::Open(sleeping(hold)),
        }
    }

    /// A commit of one event that completes the run.
    pub(crate) fn new_close(&self, held: &Held) -> Commit {
        let next = Next::Closed { status: CloseStatus::Completed, outcome: Bytes::from_static(b"outcome") };
        Commit { next, ..self.new_commit(held) }
    }

    /// A commit of one event that continues the run as `successor`.
    pub(crate) fn new_continue(&self, held: &Held, successor: &Start) -> Commit {
        let next = Next::Continued {
            status: CloseStatus::ContinuedAsNew,
            successor: Box::new(successor.clone()),
            outcome: Bytes::from_static(b"continued"),
        };
        Commit { next, ..self.new_commit(held) }
    }
}

/// An open run that sleeps until a message comes.
pub(crate) fn sleeping(hold: Hold) -> OpenRun {
    OpenRun { wake_at: None, rowless: false, dependents: false, paused: false, hold, failure: None }
}
