//! What machine tests are written with: a machine and the history that it has made, driven by hand.

use std::time::Duration;

use retell::activity::{Activity, ActivityContext, ActivityError};
use retell::history::*;
use retell::replay::{Machine, MachineOptions, TaskError};
use retell::vocabulary::*;
use retell::workflow::{Workflow, definition, workflow_type};
use serde::Serialize;

/// Where every test's time starts.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A workflow from an async function or block, of the name `W`.
macro_rules! workflow {
    ($name:ident, |$cx:ident| $body:expr) => {
        workflow!($name, |$cx, _input: ()| -> String { $body });
    };
    ($name:ident, |$cx:ident, $input:ident : $in:ty| -> $out:ty $body:block) => {
        struct $name;
        impl retell::workflow::Workflow for $name {
            type Input = $in;
            type Output = $out;
            const NAME: &'static str = "W";
            async fn run(
                $cx: retell::workflow::WorkflowContext,
                $input: $in,
            ) -> retell::workflow::WorkflowResult<$out> {
                $body
            }
        }
    };
}
pub(crate) use workflow;

/// Activities that exist to be called; the tests say what they return.
macro_rules! activities {
    ($($name:ident),+) => {$(
        pub(crate) struct $name;
        impl Activity for $name {
            type Input = String;
            type Output = String;
            const NAME: &'static str = stringify!($name);
            async fn run(_cx: ActivityContext, input: String) -> Result<String, ActivityError> {
                Ok(input)
            }
        }
    )+};
}
activities!(Ship, Bill, Charge);

/// A live run: its machine, and the events that it has produced.
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) events: Vec<Event>,
    pub(crate) now: Timestamp,
}

pub(crate) fn key() -> RunKey {
    RunKey {
        namespace: Namespace::default(),
        workflow_id: WorkflowId::new("w").unwrap(),
        run_id: RunId(uuid::Uuid::from_u128(7)),
    }
}

pub(crate) fn started<W: Workflow>(input: &W::Input) -> EventKind {
    WorkflowStarted::new(workflow_type::<W>().unwrap(), TaskQueue::default(), payload(input), 42).into()
}

pub(crate) fn payload<T: Serialize + ?Sized>(value: &T) -> Payload {
    Payload::encode(value).unwrap()
}

pub(crate) fn machine<W: Workflow>(options: MachineOptions) -> Machine {
    Machine::new(definition::<W>().unwrap(), key(), options)
}

/// The time stands for a place in the test's source: any request ID will do.
fn request(number: u128) -> RequestId {
    RequestId(uuid::Uuid::from_u128(number))
}

impl Run {
    /// A run of `W`, started.
    pub(crate) fn start<W: Workflow>(input: &W::Input) -> Self {
        Self::try_start::<W>(input, MachineOptions::default()).unwrap()
    }

    pub(crate) fn try_start<W: Workflow>(
        input: &W::Input,
        options: MachineOptions,
    ) -> Result<Self, TaskError> {
        let mut run = Self { machine: machine::<W>(options), events: Vec::new(), now: START };
        run.try_take_in(started::<W>(input))?;
        Ok(run)
    }

    pub(crate) fn try_take_in(&mut self, kind: EventKind) -> Result<(), TaskError> {
        self.machine.take_in(self.now, kind, &mut self.events)
    }

    pub(crate) fn take_in(&mut self, kind: impl Into<EventKind>) -> &mut Self {
        self.try_take_in(kind.into()).unwrap();
        self
    }

    pub(crate) fn complete(&mut self, scheduled: u64, result: &str) -> &mut Self {
        let (scheduled, attempt) = (EventId(scheduled), Attempt(1));
        self.take_in(ActivityCompleted { scheduled, attempt, result: payload(result) })
    }

    pub(crate) fn fail(&mut self, scheduled: u64, failure: Failure) -> &mut Self {
        self.take_in(ActivityFailed { scheduled: EventId(scheduled), attempt: Attempt(1), failure })
    }

    /// Moves time to the next timer and fires it.
    pub(crate) fn fire(&mut self) -> &mut Self {
        self.now = self.now.max(self.machine.next_due().expect("a timer is open"));
        let started = self.machine.due(self.now).expect("it is due");
        self.take_in(TimerFired { started })
    }

    pub(crate) fn signal<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> &mut Self {
        let kind = self.signal_event(name, value);
        self.take_in(kind)
    }

    pub(crate) fn signal_event<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> EventKind {
        let request_id = request(self.events.len() as u128);
        SignalReceived {
            signal: SignalName::new(name).unwrap(),
            input: payload(value),
            request_id,
            headers: Headers::new(),
        }
        .into()
    }

    pub(crate) fn cancel(&mut self) -> &mut Self {
        let kind = self.cancel_event();
        self.take_in(kind)
    }

    pub(crate) fn cancel_event(&self) -> EventKind {
        let request_id = request(self.events.len() as u128);
        WorkflowCancelRequested { request_id, reason: "test".into(), child: None }.into()
    }

    /// The history, one short line for each event.
    pub(crate) fn told(&self) -> Vec<String> {
        self.events.iter().map(|event| tell(&event.kind)).collect()
    }

    /// What the run returned, as text.
    pub(crate) fn result(&self) -> String {
        match &self.events.last().unwrap().kind {
            EventKind::WorkflowCompleted(body) => body.result.decode().unwrap(),
            other => panic!("the run has not completed: {other:?}"),
        }
    }

    pub(crate) fn failure(&self) -> &Failure {
        match &self.events.last().unwrap().kind {
            EventKind::WorkflowFailed(body) => &body.failure,
            other => panic!("the run has not failed: {other:?}"),
        }
    }

    /// Replays the history on a fresh machine of `W`, one page an event; it must be accepted.
    pub(crate) fn replays_as<W: Workflow>(&self) -> Machine {
        self.replay_as::<W>().unwrap()
    }

    pub(crate) fn replay_as<W: Workflow>(&self) -> Result<Machine, TaskError> {
        let mut machine = machine::<W>(MachineOptions::default());
        for event in &self.events {
            machine.replay(vec![event.clone()])?;
        }
        machine.replayed()?;
        Ok(machine)
    }
}

/// An event in one short line.
pub(crate) fn tell(kind: &EventKind) -> String {
    let text = |payload: &Payload| payload.decode::<String>().unwrap_or_else(|_| "?".to_owned());
    match kind {
        EventKind::ActivityScheduled(body) => format!("scheduled {} {}", body.activity, text(&body.input)),
        EventKind::ActivityCompleted(body) => format!("completed {}", body.scheduled),
        EventKind::ActivityFailed(body) => format!("failed {}", body.scheduled),
        EventKind::ActivityCancelled(body) => format!("cancelled {}", body.scheduled),
        EventKind::TimerStarted(body) => format!("timer {}s", body.due.since(START).as_secs()),
        EventKind::TimerFired(body) => format!("fired {}", body.started),
        EventKind::TimerCancelled(body) => format!("timer cancelled {}", body.started),
        EventKind::SignalReceived(body) => format!("signal {} {}", body.signal, text(&body.input)),
        EventKind::SideEffectRecorded(body) => format!("recorded {}", body.scheduled),
        other => other.name().to_owned(),
    }
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Polls a future once, as combinators do.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|task| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(task))).await
}
