//! Random programs as data, and the one workflow that interprets them.
//!
//! A program is drawn from a seed and travels as a run's input. What its calls return adds up to a number that does
//! not depend on the order of anything: the oracle knows what a run must return.

use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, select_all};
use retell::clock::Clock;
use retell::prelude::*;
use retell::vocabulary::{Failure, Payload, RunKey};
use retell::workflow::{CallError, ChildError, ExternalError, ParentClosePolicy};
use serde::{Deserialize, Serialize};

use super::load::workflow_id;
use super::stage::{BodyWatch, Site, on_stage};

/// The signal that programs listen to.
pub(super) const SIGNAL: &str = "news";
/// What a program says that panics.
pub(super) const STUMBLES: &str = "the program stumbles";
/// How deep joins and races nest.
const DEPTH_MAX: u32 = 2;

/// What a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Program {
    /// What the runs before it returned.
    pub(super) so_far: u64,
    ops: Vec<Op>,
    after_cancel: AfterCancel,
    end: End,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Op {
    Call(Call),
    Sleep(u64),
    /// Waits for a signal, so many milliseconds at most.
    Listen(u64),
    /// Waits for a signal for as long as it takes.
    Hear,
    Effect(u64),
    Detach(Call),
    /// Asks for random numbers, a UUID and the time, and lets them decide what it does.
    Chance,
    Join(Vec<Op>),
    Race(Vec<Op>),
    Shielded(Box<Op>),
    /// A child, awaited, or let go of under a policy.
    Child(Box<Program>, Option<ParentClosePolicy>),
    /// Signals whatever is open under the workflow ID of this number.
    Tell(u32),
    /// The code panics so many times here, until a deploy heals it.
    Stumble {
        label: u64,
        times: u32,
    },
}

/// What it does when it is asked to cancel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum AfterCancel {
    CleanUp(Call),
    GoOn,
    GiveUp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum End {
    Value,
    Error,
    Continue(Box<Program>),
}

/// A call of an activity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Call {
    work: Work,
    attempts_max: Option<u32>,
    interval_millis: u64,
    limit_millis: Option<u64>,
    blocking: bool,
}

/// What an activity does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) label: u64,
    /// How long it takes, if it does not block.
    pub(super) millis: u64,
    /// How many attempts fail.
    pub(super) fails: u32,
    /// It fails for good.
    pub(super) permanent: bool,
}

impl Program {
    /// Draws a program of about so many operations.
    pub(super) fn draw(lots: &mut fastrand::Rng, ops_max: u32) -> Self {
        let mut left = lots.u32(1..=ops_max.max(1));
        let mut ops = Vec::new();
        while left > 0 {
            ops.push(Op::draw(lots, &mut left, DEPTH_MAX));
        }
        let end = match lots.u32(..10) {
            0 => End::Error,
            1..=3 if ops_max > 1 => End::Continue(Box::new(Self::draw(lots, ops_max / 2))),
            _ => End::Value,
        };
        let after_cancel = match lots.u32(..3) {
            0 => AfterCancel::CleanUp(Call::draw(lots)),
            1 => AfterCancel::GoOn,
            _ => AfterCancel::GiveUp,
        };
        Self { so_far: 0, ops, after_cancel, end }
    }

    /// What it must return, or hand to the run that follows, if nobody cancels it.
    pub(super) fn sum(&self) -> u64 {
        self.so_far + self.ops.iter().map(Op::sum).sum::<u64>()
    }

    /// What the last of its runs returns, if nobody ends it.
    fn result(&self, so_far: u64) -> u64 {
        let sum = so_far + self.ops.iter().map(Op::sum).sum::<u64>();
        match &self.end {
            End::Value => sum,
            End::Error => 0,
            End::Continue(next) => next.result(sum),
        }
    }

    /// Whether it ends with an error of its own.
    pub(super) fn fails(&self) -> bool {
        self.end == End::Error
    }

    /// Whether it goes on as a new run.
    pub(super) fn continues(&self) -> bool {
        matches!(self.end, End::Continue(_))
    }
}

impl Op {
    fn draw(lots: &mut fastrand::Rng, left: &mut u32, depth: u32) -> Self {
        *left = left.saturating_sub(1);
        match lots.u32(..23) {
            0..=6 => Self::Call(Call::draw(lots)),
            7 | 8 => Self::Sleep(millis(lots)),
            9 | 10 => Self::Listen(millis(lots)),
            11 => Self::Hear,
            12 => Self::Effect(lots.u64(..1_000)),
            13 => Self::Detach(Call::draw(lots)),
            14 if lots.bool() => Self::Stumble { label: lots.u64(..), times: lots.u32(1..=3) },
            14 => Self::Chance,
            15 if depth > 0 => Self::Shielded(Box::new(Self::draw(lots, left, depth - 1))),
            16 | 17 if depth > 0 => Self::Join(Self::several(lots, left, depth)),
            18 | 19 if depth > 0 => Self::Race(Self::several(lots, left, depth)),
            20 | 21 if *left > 0 => Self::child(lots, left),
            22 => Self::Tell(lots.u32(..4)),
            _ => Self::Call(Call::draw(lots)),
        }
    }

    fn child(lots: &mut fastrand::Rng, left: &mut u32) -> Self {
        let ops = lots.u32(1..=*left);
        *left -= ops;
        let policy = match lots.u32(..8) {
            0 => Some(ParentClosePolicy::Terminate),
            1 => Some(ParentClosePolicy::RequestCancel),
            2 => Some(ParentClosePolicy::Abandon),
            _ => None,
        };
        Self::Child(Box::new(Program::draw(lots, ops)), policy)
    }

    fn several(lots: &mut fastrand::Rng, left: &mut u32, depth: u32) -> Vec<Self> {
        (0..lots.u32(2..=3)).map(|_| Self::draw(lots, left, depth - 1)).collect()
    }

    fn sum(&self) -> u64 {
        match self {
            Self::Call(call) => call.sum(),
            Self::Effect(value) => *value,
            Self::Shielded(op) => op.sum(),
            Self::Child(program, None) => program.result(0),
            Self::Join(ops) => ops.iter().map(Self::sum).sum(),
            Self::Sleep(_)
            | Self::Listen(_)
            | Self::Hear
            | Self::Detach(_)
            | Self::Chance
            | Self::Child(_, Some(_))
            | Self::Tell(_)
            | Self::Stumble { .. }
            | Self::Race(_) => 0,
        }
    }
}

impl Call {
    fn draw(lots: &mut fastrand::Rng) -> Self {
        let attempts_max = (lots.u32(..4) == 0).then(|| lots.u32(1..=3));
        let permanent = lots.u32(..8) == 0;
        let fails = if permanent || lots.u32(..3) == 0 { lots.u32(1..=3) } else { 0 };
        // A limit that its body can never keep must not be tried for ever.
        let limit_millis = attempts_max.filter(|_| lots.bool()).map(|_| lots.u64(50..3_000));
        Self {
            work: Work { label: lots.u64(..1_000), millis: millis(lots) / 2, fails, permanent },
            attempts_max,
            interval_millis: lots.u64(1..2_000),
            limit_millis,
            blocking: lots.u32(..8) == 0,
        }
    }

    /// What it adds, if that does not depend on who dies when.
    fn sum(&self) -> u64 {
        if self.attempts_max.is_none() && !self.work.permanent { self.work.label } else { 0 }
    }

    fn make(&self, cx: &WorkflowContext) -> retell::workflow::ActivityCall<u64> {
        let policy = RetryPolicy::fixed(Duration::from_millis(self.interval_millis));
        let policy = self.attempts_max.into_iter().fold(policy, RetryPolicy::attempts);
        let call =
            if self.blocking { cx.activity(Block, &self.work) } else { cx.activity(Labour, &self.work) };
        let call = call.retry(policy);
        self.limit_millis
            .into_iter()
            .fold(call, |call, limit| call.start_to_close(Duration::from_millis(limit)))
    }
}

/// Mostly short; now and then longer than a lease.
fn millis(lots: &mut fastrand::Rng) -> u64 {
    match lots.u32(..12) {
        0..=3 => 0,
        4..=7 => lots.u64(1..200),
        8..=10 => lots.u64(..4_000),
        _ => lots.u64(..25_000),
    }
}

/// The workflow.
pub(super) struct Interpreter;

impl Workflow for Interpreter {
    type Input = Program;
    type Output = u64;
    const NAME: &'static str = "interpreter";

    async fn run(cx: WorkflowContext, program: Program) -> WorkflowResult<u64> {
        let mut sum = program.so_far;
        for op in program.ops {
            match go(cx.clone(), op).await {
                Ok(value) => sum += value,
                Err(error) => match &program.after_cancel {
                    AfterCancel::CleanUp(call) => {
                        // What it is worth is not asked: the run ends as cancelled.
                        let _ = call.make(&cx.shielded()).await;
                        return Err(error.into());
                    }
                    AfterCancel::GoOn => {}
                    AfterCancel::GiveUp => return Err(error.into()),
                },
            }
        }
        match program.end {
            End::Value => Ok(sum),
            End::Error => Err(WorkflowError::new(sum.to_string())),
            End::Continue(next) => cx.continue_as_new(Self, &Program { so_far: sum, ..*next }),
        }
    }
}

/// Does one thing. Fails only if the run was asked to cancel.
fn go(cx: WorkflowContext, op: Op) -> BoxFuture<'static, Result<u64, CallError>> {
    async move {
        match op {
            Op::Call(call) => match call.make(&cx).await {
                Ok(_) if call.sum() == 0 => Ok(0),
                Ok(value) => Ok(value),
                Err(CallError::Failed(_)) => Ok(0),
                Err(error) => Err(error),
            },
            Op::Sleep(millis) => cx.sleep(Duration::from_millis(millis)).await.map(|()| 0),
            Op::Listen(millis) => retell::select! {
                heard = cx.signal::<News>(SIGNAL) => heard.map(|_| 0),
                waited = cx.sleep(Duration::from_millis(millis)) => waited.map(|()| 0),
            },
            Op::Hear => cx.signal::<News>(SIGNAL).await.map(|_| 0),
            Op::Effect(value) => {
                let run = cx.run().clone();
                cx.side_effect(move || effect_of(&run, value)).await
            }
            Op::Detach(call) => call.make(&cx).detach().map(|()| 0),
            Op::Chance => chance(&cx).await,
            Op::Join(ops) => {
                let all = join_all(ops.into_iter().map(|op| go(cx.clone(), op))).await;
                all.into_iter().sum()
            }
            Op::Race(ops) => select_all(ops.into_iter().map(|op| go(cx.clone(), op))).await.0.map(|_| 0),
            Op::Shielded(op) => go(cx.shielded(), *op).await,
            Op::Child(program, policy) => child(&cx, &program, policy).await,
            Op::Tell(id) => match cx.external(workflow_id(id)).signal("word", &id).await {
                Ok(()) | Err(ExternalError::NotOpen(_)) => Ok(0),
                Err(_) => Err(CallError::Cancelled),
            },
            Op::Stumble { label, times } => {
                stumble(cx.run(), label, times);
                Ok(0)
            }
        }
    }
    .boxed()
}

async fn child(
    cx: &WorkflowContext,
    program: &Program,
    policy: Option<ParentClosePolicy>,
) -> Result<u64, CallError> {
    let call = cx.child(Interpreter, program);
    let told = match policy {
        Some(policy) => call.parent_close_policy(policy).detach().map(|()| 0),
        None => call.await,
    };
    match told {
        Err(ChildError::Cancelled) => Err(CallError::Cancelled),
        told => Ok(told.unwrap_or(0)),
    }
}

/// The closure of a side effect: tells the oracle that it begins.
fn effect_of(run: &RunKey, value: u64) -> u64 {
    on_stage(|stage| stage.judge(|oracle, _| oracle.effect_begins(run)));
    value
}

/// Panics as long as the code is broken.
fn stumble(run: &RunKey, label: u64, times: u32) {
    let mut broken = false;
    on_stage(|stage| broken = stage.stumbles(run.run_id, label, times));
    assert!(!broken, "{STUMBLES}");
}

async fn chance(cx: &WorkflowContext) -> Result<u64, CallError> {
    cx.sleep(Duration::from_millis(cx.random_range(0..50))).await?;
    let label = cx.random_u64() ^ cx.uuid().as_u64_pair().0 ^ cx.now().as_micros().unsigned_abs();
    let work = Work { label: label >> 1, millis: 0, fails: 0, permanent: false };
    match cx.activity(Labour, &work).retry(RetryPolicy::fixed(Duration::from_secs(1))).await {
        Ok(_) | Err(CallError::Failed(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// What a signal says: who sent it, and which of theirs it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct News {
    pub(super) sender: u32,
    pub(super) number: u32,
}

/// An activity that takes its time.
pub(super) struct Labour;

impl Activity for Labour {
    type Input = Work;
    type Output = u64;
    const NAME: &'static str = "labour";

    async fn run(cx: ActivityContext, work: Work) -> Result<u64, ActivityError> {
        let site = cx.state::<Site>()?;
        let body = site.begin(cx.info());
        site.stage.clock.sleep(Duration::from_millis(work.millis)).await;
        work.end(&cx, &body)
    }
}

/// An activity that blocks its thread.
pub(super) struct Block;

impl BlockingActivity for Block {
    type Input = Work;
    type Output = u64;
    const NAME: &'static str = "block";

    fn run(cx: ActivityContext, work: Work) -> Result<u64, ActivityError> {
        let body = cx.state::<Site>()?.begin(cx.info());
        work.end(&cx, &body)
    }
}

impl Work {
    /// Comes to its outcome, and tells the oracle.
    fn end(&self, cx: &ActivityContext, body: &BodyWatch) -> Result<u64, ActivityError> {
        let outcome = self.outcome(cx);
        let value = outcome.as_ref().map_err(|error| error.failure().clone());
        body.end(
            &value.and_then(|value| Payload::encode(value).map_err(|error| Failure::from_error(&error))),
        );
        outcome
    }

    fn outcome(&self, cx: &ActivityContext) -> Result<u64, ActivityError> {
        if self.permanent {
            return Err(ActivityError::new("Permanent", "it never works").non_retryable());
        }
        if cx.attempt().0 <= self.fails {
            return Err(ActivityError::new("Passing", format!("attempt {} fails", cx.attempt())));
        }
        Ok(self.label)
    }
}
