//! Random writes, most of which a store may well accept.

use bytes::Bytes;
use retell::backend::ClaimedActivity;
use retell::vocabulary::{
    Attempt, AttributeValue, Attributes, EventId, Failure, Payload, Position, RequestId, TaskQueue,
    Timestamp, WorkerId,
};
use retell::write::{
    ActivityReport, ActivityVerdict, CloseStatus, Commit, Errand, Hold, IdConflictPolicy, IdReusePolicy,
    NewActivityTask, Next, OpenRun, Outgoing, Remove, Replacement, Start, Target, TaskFailure,
    TaskFailureKind, Write,
};

use super::draw::Draw;
use super::known::{Holding, Known};
use crate::world::{
    Held, TICK, World, activity_name, closing_event, message, order, workflow_id, workflow_type,
};

/// Workflow IDs, few enough to collide.
const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// One write, with the token that each store knows.
#[derive(Debug, Clone)]
pub(super) struct Twin {
    pub(super) model: Write,
    pub(super) subject: Write,
}

impl<T: Into<Write> + Clone> From<T> for Twin {
    fn from(write: T) -> Self {
        Self { model: write.clone().into(), subject: write.into() }
    }
}

/// Draws writes from what is known.
pub(super) struct Author<'a> {
    pub(super) draw: &'a mut Draw,
    pub(super) known: &'a Known,
    pub(super) world: &'a World,
}

impl Author<'_> {
    /// A new write, if what it needs is known.
    pub(super) fn write(&mut self) -> Option<Twin> {
        match self.draw.below(100) {
            0..20 => Some(self.start().into()),
            20..42 => {
                let target = self.target();
                Some(self.world.new_send(target, "sent").into())
            }
            42..46 => {
                let target = self.target();
                Some(self.world.new_terminate(target).into())
            }
            46..48 => self.draw.one(&self.known.runs).map(|run| Remove { run: run.clone() }.into()),
            48..88 => self.commit(),
            _ => self.report().map(Twin::from),
        }
    }

    pub(super) fn queue(&mut self) -> TaskQueue {
        if self.draw.percent(90) {
            TaskQueue::default()
        } else {
            TaskQueue::new("slow").expect("it is short")
        }
    }

    fn target(&mut self) -> Target {
        match self.draw.one(&self.known.runs) {
            Some(run) if self.draw.percent(30) => run.clone().into(),
            _ => {
                let id = self.draw.one(&IDS).expect("there are some");
                Target { namespace: self.world.namespace.clone(), workflow_id: workflow_id(id), run_id: None }
            }
        }
    }

    fn later(&mut self) -> Timestamp {
        let micros = self.draw.below(3_000_000);
        if self.draw.percent(50) {
            self.world.now()
        } else {
            self.world.now() + TICK * u32::try_from(micros).expect("it is small")
        }
    }

    fn start(&mut self) -> Start {
        let id = self.draw.one(&IDS).expect("there are some");
        let conflict = match self.draw.below(10) {
            0 => IdConflictPolicy::UseExisting,
            1 => IdConflictPolicy::SendToExisting,
            2 | 3 => IdConflictPolicy::TerminateExisting(closing_event()),
            4 => self.replacement(),
            _ => IdConflictPolicy::Reject,
        };
        let reuse = match self.draw.below(10) {
            0 => IdReusePolicy::Reject,
            1 => IdReusePolicy::AllowUnlessCompleted,
            _ => IdReusePolicy::Allow,
        };
        let owner = if self.draw.percent(60) { self.draw.one(&self.known.workers).copied() } else { None };
        let inbox = (0..self.draw.below(3)).map(|_| message("from the start")).collect();
        let workflow = if self.draw.percent(80) { order() } else { workflow_type("other", 1) };
        let (task_queue, wake_at) = (self.queue(), self.later());
        let (attributes, dependents) = (self.attributes(), self.draw.percent(30));
        let copied = (0..self.draw.below(2)).map(|_| self.world.record(2, "copied")).collect();
        let plain = self.world.new_start(id);
        Start {
            workflow,
            task_queue,
            conflict,
            reuse,
            owner,
            inbox,
            wake_at,
            attributes,
            dependents,
            copied,
            ..plain
        }
    }

    /// The place of a run that is known, where it is known to stand or a little before.
    fn replacement(&mut self) -> IdConflictPolicy {
        let Some(holding) = self.draw.one(&self.known.holds) else { return IdConflictPolicy::Reject };
        let (run, head) = (holding.held.run.run_id, holding.held.head);
        let at = self.world.now();
        IdConflictPolicy::ReplaceExisting(Replacement { run, head, closing: closing_event(), at })
    }

    fn attributes(&mut self) -> Attributes {
        let named = |(name, value): (&str, AttributeValue)| (name.into(), value);
        let amount = i64::try_from(self.draw.below(3)).expect("it is small");
        let all =
            [("amount", AttributeValue::Integer(amount)), ("city", AttributeValue::Text("Riga".into()))];
        all.into_iter().filter(|_| self.draw.percent(20)).map(named).collect()
    }

    fn commit(&mut self) -> Option<Twin> {
        // Mostly what was taken lately, which is still held.
        let old = if self.draw.percent(80) { self.known.holds.len().saturating_sub(3) } else { 0 };
        let Holding { held, subject_token, shown, unsettled, .. } =
            self.draw.one(&self.known.holds[old..])?.clone();
        let mut commit = self.world.new_hold(&held, Hold::Keep);
        commit.taken_in =
            Position(held.taken_in.0 + self.draw.below(1 + shown.0.saturating_sub(held.taken_in.0)));
        if self.draw.percent(50) {
            commit.taken_in = commit.taken_in.max(shown);
        }
        commit.next = self.next(&held, unsettled);
        if self.draw.percent(10) {
            commit.shown.attributes = Some(self.attributes());
        }
        if matches!(commit.next, Next::Settled) {
            commit.outgoing = vec![self.outgoing()];
            commit.request_id = Some(RequestId::fresh());
        } else if !matches!(commit.next, Next::Open(_)) || self.draw.percent(80) {
            let count = 1 + u32::try_from(self.draw.below(4)).expect("it is small");
            commit.record = Some(self.world.record(count, "events"));
            commit.schedule = (1..=self.draw.below(3)).map(|event| self.task(held.head.0 + event)).collect();
            commit.cancelled =
                (0..self.draw.below(2)).map(|_| EventId(self.draw.below(held.head.0 + 2))).collect();
            commit.shown.published =
                self.draw.percent(10).then(|| Payload::encode(&held.head.0).expect("a number encodes"));
            commit.cancel_requested =
                (0..self.draw.below(2)).map(|_| EventId(self.draw.below(held.head.0 + 2))).collect();
            commit.outgoing = (0..self.draw.below(3)).map(|_| self.outgoing()).collect();
            let own = |task: &&(WorkerId, ClaimedActivity)| task.0 == held.worker && task.1.run == held.run;
            let ended =
                self.known.tasks.iter().filter(own).map(|(_, task)| (task.scheduled, task.attempt)).next();
            commit.ended = ended.filter(|_| self.draw.percent(50)).into_iter().collect();
        }
        match self.draw.below(30) {
            0 => commit.worker = *self.draw.one(&self.known.workers)?,
            1 => commit.expected_head = EventId(self.draw.below(held.head.0 + 2)),
            _ => {}
        }
        let subject = Commit { token: subject_token, ..commit.clone() };
        Some(Twin { model: commit.into(), subject: subject.into() })
    }

    fn next(&mut self, held: &Held, unsettled: bool) -> Next {
        let outcome = Bytes::from_static(b"outcome");
        if unsettled || self.draw.percent(1) {
            return Next::Settled;
        }
        match self.draw.below(100) {
            0..15 => {
                let status = if self.draw.percent(50) { CloseStatus::Completed } else { CloseStatus::Failed };
                Next::Closed { status, outcome }
            }
            15..30 => {
                let mut successor = self.start();
                successor.run.workflow_id = held.run.workflow_id.clone();
                if self.draw.percent(50) {
                    successor.owner = Some(held.worker);
                }
                Next::Continued {
                    status: CloseStatus::ContinuedAsNew,
                    successor: Box::new(successor),
                    outcome,
                }
            }
            _ => {
                let failure = TaskFailure {
                    kind: TaskFailureKind::Panic,
                    message: "random".to_owned(),
                    count: 1,
                    at: self.world.now(),
                };
                Next::Open(OpenRun {
                    wake_at: if self.draw.percent(50) { Some(self.later()) } else { None },
                    rowless: self.draw.percent(20),
                    dependents: self.draw.percent(30),
                    paused: self.draw.percent(10),
                    hold: if self.draw.percent(30) { Hold::Release } else { Hold::Keep },
                    failure: Some(failure).filter(|_| self.draw.percent(10)),
                })
            }
        }
    }

    fn task(&mut self, scheduled: u64) -> NewActivityTask {
        let activity = activity_name(if self.draw.percent(70) { "charge" } else { "ship" });
        let (task_queue, visible_at) = (self.queue(), self.later());
        let running = self.draw.percent(20);
        NewActivityTask { activity, task_queue, visible_at, running, ..self.world.new_task(scheduled) }
    }

    fn outgoing(&mut self) -> Outgoing {
        let if_refused = Some(message("refused")).filter(|_| self.draw.percent(50));
        let if_done = Some(message("done")).filter(|_| self.draw.percent(30));
        let errand = match self.draw.below(6) {
            0 => Errand::Start(Box::new(self.start())),
            1 => Errand::Terminate(self.world.new_terminate(self.target())),
            _ => Errand::Send(self.world.new_send(self.target(), "outgoing")),
        };
        Outgoing { errand, if_done, if_refused }
    }

    fn report(&mut self) -> Option<ActivityReport> {
        let (worker, task) = self.draw.one(&self.known.tasks)?.clone();
        let verdict = match self.draw.below(6) {
            4 => ActivityVerdict::Deferred { visible_at: self.later() },
            5 => {
                let details = Some(Payload::encode("half way").expect("text encodes"));
                let (details, later) = (details.filter(|_| self.draw.percent(70)), self.later());
                ActivityVerdict::Heartbeat {
                    details,
                    visible_at: Some(later).filter(|_| self.draw.percent(50)),
                }
            }
            0 => ActivityVerdict::Released,
            1 => {
                let failure = Failure::new("Random", "failure");
                let visible_at = self.later();
                ActivityVerdict::Retry { attempt: task.attempt.next(), visible_at, failure }
            }
            _ => ActivityVerdict::Ended(message("ended")),
        };
        let attempt = if self.draw.percent(95) { task.attempt } else { Attempt(task.attempt.0 + 1) };
        Some(ActivityReport {
            run: task.run,
            scheduled: task.scheduled,
            attempt,
            worker: Some(worker).filter(|_| self.draw.percent(80)),
            request_id: RequestId::fresh(),
            at: self.world.now(),
            verdict,
        })
    }
}
