//! Random histories under a seed: every kind, every field absent and present, odd values preferred.

mod others;

use std::sync::Arc;
use std::time::Duration;

use retell::history::*;
use retell::vocabulary::*;
use serde::Serialize;
use uuid::Uuid;

/// Makes values; the same seed makes the same ones.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// So many events, of random kinds, numbered from a random one.
    pub(crate) fn history(&mut self, count: usize) -> Vec<Event> {
        let first = self.below(1_000) + 1;
        (first..).take(count).map(|id| self.event(EventId(id))).collect()
    }

    fn event(&mut self, id: EventId) -> Event {
        let place = self.optional(|random| Place { file: random.text(), line: random.next() as u32 });
        Event { id, at: self.timestamp(), place, kind: self.kind() }
    }

    /// A random kind with random fields.
    pub(crate) fn kind(&mut self) -> EventKind {
        let index = self.below(EventKind::NAMES.len() as u64) as usize;
        self.kind_named(EventKind::NAMES[index])
    }

    /// The kind of this name with random fields. A new kind is added here.
    pub(crate) fn kind_named(&mut self, name: &str) -> EventKind {
        match name {
            "WorkflowStarted" => self.workflow_started().into(),
            "WorkflowCompleted" => WorkflowCompleted { result: self.payload() }.into(),
            "WorkflowFailed" => {
                WorkflowFailed { failure: self.failure(), retried_as: self.optional(Self::run_id) }.into()
            }
            "WorkflowCancelled" => WorkflowCancelled {}.into(),
            "WorkflowTerminated" => {
                WorkflowTerminated { reason: self.text(), reset_as: self.optional(Self::run_id) }.into()
            }
            "WorkflowTimedOut" => WorkflowTimedOut {
                limit: [TimeoutKind::Run, TimeoutKind::Execution][self.below(2) as usize],
                absorbed: self.below(3) as u32,
                retried_as: self.optional(Self::run_id),
            }
            .into(),
            "WorkflowPaused" => {
                WorkflowPaused { request_id: RequestId(self.uuid()), reason: self.text() }.into()
            }
            "WorkflowResumed" => WorkflowResumed { request_id: RequestId(self.uuid()) }.into(),
            "WorkflowReset" => self.workflow_reset().into(),
            "AttributesUpserted" => {
                let removed = (0..self.below(3)).map(|_| self.text()).collect();
                AttributesUpserted { attributes: self.attributes(), removed }.into()
            }
            "MemoUpserted" => {
                let removed = (0..self.below(3)).map(|_| self.text()).collect();
                MemoUpserted { memo: self.memo(), removed }.into()
            }
            "WorkflowContinuedAsNew" => WorkflowContinuedAsNew {
                workflow: self.workflow(),
                input: self.payload(),
                new_run_id: RunId(self.uuid()),
                headers: self.headers(),
            }
            .into(),
            "WorkflowCancelRequested" => {
                let child = self.optional(|random| RunId(random.uuid()));
                WorkflowCancelRequested { request_id: RequestId(self.uuid()), reason: self.text(), child }
                    .into()
            }
            "SignalReceived" => SignalReceived {
                signal: SignalName::new(self.name()).unwrap(),
                input: self.payload(),
                request_id: RequestId(self.uuid()),
                headers: self.headers(),
            }
            .into(),
            "SignalSetAside" => SignalSetAside {
                signal: SignalName::new(self.name()).unwrap(),
                request_id: RequestId(self.uuid()),
                reason: self.text(),
            }
            .into(),
            "UpdateRequested" => UpdateRequested {
                update: UpdateName::new(self.name()).unwrap(),
                input: self.payload(),
                request_id: RequestId(self.uuid()),
                headers: self.headers(),
            }
            .into(),
            "UpdateAccepted" => UpdateAccepted { request_id: RequestId(self.uuid()) }.into(),
            "UpdateRejected" => {
                let refusals = [UpdateRefusal::Validator, UpdateRefusal::Argument, UpdateRefusal::Unknown];
                let refusal = refusals[self.below(3) as usize];
                UpdateRejected { request_id: RequestId(self.uuid()), refusal, failure: self.failure() }.into()
            }
            "UpdateCompleted" => {
                UpdateCompleted { request_id: RequestId(self.uuid()), result: self.payload() }.into()
            }
            "UpdateFailed" => {
                UpdateFailed { request_id: RequestId(self.uuid()), failure: self.failure() }.into()
            }
            "ActivityScheduled" => self.activity_scheduled().into(),
            "ActivityCompleted" => {
                ActivityCompleted { scheduled: self.id(), attempt: self.attempt(), result: self.payload() }
                    .into()
            }
            "ActivityFailed" => {
                ActivityFailed { scheduled: self.id(), attempt: self.attempt(), failure: self.failure() }
                    .into()
            }
            "ActivityCancelled" => ActivityCancelled { scheduled: self.id() }.into(),
            "ActivityCancelRequested" => ActivityCancelRequested { scheduled: self.id() }.into(),
            "TimerStarted" => TimerStarted { due: self.timestamp() }.into(),
            "TimerFired" => TimerFired { started: self.id() }.into(),
            "TimerCancelled" => TimerCancelled { started: self.id() }.into(),
            "SideEffectScheduled" => SideEffectScheduled {}.into(),
            "SideEffectRecorded" => SideEffectRecorded { scheduled: self.id(), value: self.payload() }.into(),
            "PatchRecorded" => {
                PatchRecorded { patch: PatchId::new(self.name()).unwrap(), deprecated: self.flag() }.into()
            }
            other => match self.kind_of_others(other) {
                Some(kind) => kind,
                None => panic!("{other} is a new kind: say here how a random one is made"),
            },
        }
    }

    fn workflow_started(&mut self) -> WorkflowStarted {
        WorkflowStarted {
            workflow: self.workflow(),
            semantics: SemanticsVersion(self.below(3) as u32),
            task_queue: TaskQueue::new(self.name()).unwrap(),
            input: self.payload(),
            seed: self.next(),
            priority: self.optional(|random| random.next() as i32).unwrap_or(0),
            fairness_key: self.optional(Self::text),
            attributes: self.attributes(),
            continued_from: self.optional(Self::run_id),
            memo: self.memo(),
            begins_at: self.optional(Self::timestamp),
            run_timeout: self.optional(Self::duration),
            execution_deadline: self.optional(Self::timestamp),
            retry: self.optional(|random| Box::new(random.retry())),
            attempt: self.attempt(),
            last_failure: self.optional(|random| Box::new(random.failure())),
            copied_from: self.optional(Self::run_id),
            reset: self.optional(|random| Box::new(random.workflow_reset())),
            parent: self.optional(Self::parent_link),
            headers: self.headers(),
        }
    }

    fn run_id(&mut self) -> RunId {
        RunId(self.uuid())
    }

    fn workflow_reset(&mut self) -> WorkflowReset {
        WorkflowReset {
            from: self.run_id(),
            to: self.id(),
            run_id: self.run_id(),
            seed: self.next(),
            reason: self.text(),
            request_id: RequestId(self.uuid()),
        }
    }

    fn memo(&mut self) -> Memo {
        (0..self.below(3)).map(|_| (self.text(), self.payload())).collect()
    }

    fn activity_scheduled(&mut self) -> ActivityScheduled {
        ActivityScheduled {
            activity: ActivityName::new(self.name()).unwrap(),
            input: self.payload(),
            task_queue: self.optional(|random| TaskQueue::new(random.name()).unwrap()),
            retry: self.optional(Self::retry).unwrap_or_default(),
            start_to_close: self.optional(Self::duration),
            local: self.flag(),
            commit_later: self.flag(),
            schedule_to_close: self.optional(Self::duration),
            schedule_to_start: self.optional(Self::duration),
            heartbeat: self.optional(Self::duration),
            cancellation: [
                ActivityCancellation::Try,
                ActivityCancellation::Wait,
                ActivityCancellation::Abandon,
            ][self.below(3) as usize],
            headers: self.headers(),
        }
    }

    fn headers(&mut self) -> Headers {
        let count = self.below(3);
        (0..count).map(|_| (self.text(), self.payload())).collect()
    }

    fn attributes(&mut self) -> Attributes {
        let count = self.below(4);
        (0..count)
            .map(|_| {
                let value = match self.below(5) {
                    0 => AttributeValue::Text(self.text()),
                    1 => AttributeValue::Integer(self.next() as i64),
                    2 => AttributeValue::Float(self.float()),
                    3 => AttributeValue::Bool(self.flag()),
                    _ => AttributeValue::Time(self.timestamp()),
                };
                (self.text(), value)
            })
            .collect()
    }

    fn retry(&mut self) -> RetryPolicy {
        RetryPolicy {
            initial_interval: self.duration(),
            backoff: self.float(),
            interval_max: self.duration(),
            attempts_max: self.optional(|random| random.next() as u32),
            non_retryable_types: (0..self.below(3)).map(|_| self.text()).collect(),
            jitter: self.float(),
            retry_if: self.optional(|random| {
                let of_type = FailurePredicate::error_type(random.text());
                let of_kind = FailurePredicate::kind(FailureKind::Timeout);
                of_type.or(of_kind.negated()).and(FailurePredicate::message_contains(random.text()))
            }),
        }
    }

    fn failure(&mut self) -> Failure {
        let kinds = [
            FailureKind::Application,
            FailureKind::Panic,
            FailureKind::Timeout,
            FailureKind::WorkerLost,
            FailureKind::Cancelled,
        ];
        Failure {
            kind: kinds[self.below(kinds.len() as u64) as usize],
            error_type: self.text(),
            message: self.text(),
            non_retryable: self.flag(),
            retry_after: self.optional(Self::duration),
            timeout: self.optional(|random| {
                [TimeoutKind::StartToClose, TimeoutKind::ScheduleToClose][random.below(2) as usize]
            }),
            details: self.optional(Self::payload),
            causes: (0..self.below(3))
                .map(|_| Cause { message: self.text(), error_type: self.optional(Self::text) })
                .collect(),
        }
    }

    fn payload(&mut self) -> Payload {
        fn of<T: Serialize>(value: T) -> Payload {
            Payload::encode(&value).unwrap()
        }
        match self.below(17) {
            0 => of(()),
            1 => of(self.flag()),
            2 => of(self.next() >> self.below(64)),
            3 => of(self.next() as i64 >> self.below(64)),
            4 => of(self.float()),
            5 => of(self.float() as f32),
            6 => of(self.text()),
            7 => of([self.text(), self.text()]),
            8 => {
                of(std::collections::BTreeMap::from([(self.text(), Some(self.float())), (self.text(), None)]))
            }
            9 => of(std::collections::BTreeMap::from([(self.next(), self.duration())])),
            10 => of((self.duration(), RunId(self.uuid()), self.timestamp())),
            11 => of(std::collections::BTreeMap::from([("$encoding", "msgpack"), ("$data", "00")])),
            12 => of(self.failure()),
            13 => Payload { encoding: Encoding::named(self.text().to_string()), data: self.bytes().into() },
            14 => Payload { encoding: Encoding::MESSAGE_PACK, data: self.bytes().into() },
            // What is not a number can be so in many ways.
            15 => {
                let data = match self.flag() {
                    true => vec![0xca, 0xff, 0xc0, 0, self.next() as u8],
                    false => vec![0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, self.next() as u8 & 1],
                };
                Payload { encoding: Encoding::MESSAGE_PACK, data: data.into() }
            }
            // Lists in lists, deeper than any text is.
            _ => {
                let mut data = vec![0x91; self.below(200) as usize];
                data.push(0xc0);
                Payload { encoding: Encoding::MESSAGE_PACK, data: data.into() }
            }
        }
    }

    fn text(&mut self) -> Arc<str> {
        const ODD: &[&str] = &[
            "",
            " ",
            "\"",
            "\\",
            "\n",
            "\r\n",
            "\t",
            "\0",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "é",
            "𝄞",
            "@",
            ":",
            "=",
            "#",
            "a b",
            "{}",
            "\\u0000",
            "src/main.rs",
            "null",
            "0x",
            "1.5s",
        ];
        (0..self.below(4)).map(|_| ODD[self.below(ODD.len() as u64) as usize]).collect::<String>().into()
    }

    fn name(&mut self) -> String {
        let text: String = self.text().chars().filter(|character| !character.is_control()).collect();
        format!("n{text}")
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(20)).map(|_| self.next() as u8).collect()
    }

    fn float(&mut self) -> f64 {
        const ODD: &[f64] =
            &[0.0, -0.0, 1.0, 2.0, 1e300, 1e-300, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
        match self.below(2) {
            0 => ODD[self.below(ODD.len() as u64) as usize],
            _ => Some(f64::from_bits(self.next())).filter(|number| !number.is_nan()).unwrap_or(0.1),
        }
    }

    fn duration(&mut self) -> Duration {
        match self.below(3) {
            0 => Duration::from_secs(self.below(100)),
            1 => Duration::from_micros(self.next() >> self.below(64)),
            _ => Duration::new(self.next(), self.below(1_000_000_000) as u32),
        }
    }

    fn timestamp(&mut self) -> Timestamp {
        Timestamp::from_micros(self.next() as i64 >> self.below(64))
    }

    fn workflow(&mut self) -> WorkflowType {
        let version = WorkflowVersion(self.below(4) as u32);
        WorkflowType { name: WorkflowName::new(self.name()).unwrap(), version }
    }

    fn id(&mut self) -> EventId {
        EventId(self.next() >> self.below(64))
    }

    fn attempt(&mut self) -> Attempt {
        Attempt(self.next() as u32 >> self.below(32))
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    fn optional<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| make(self))
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Sebastiano Vigna's xorshift64*.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
