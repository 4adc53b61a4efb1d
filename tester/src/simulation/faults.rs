//! Faults between a process and the store: lost questions, lost answers, delays, hangs, outages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use retell::backend::{LeaseAction, StoreError, StoreErrorKind};
use retell::clock::Clock;
use retell::write::{Next, Outcome, Write};

use super::stage::Stage;
use crate::world::{Done, ProcessId, Request, Wire};

/// How often each fault happens, in thousandths of all requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Odds {
    pub(super) errors_before: u32,
    pub(super) answers_lost: u32,
    pub(super) delays: u32,
    pub(super) hangs: u32,
    pub(super) renewals_lost: u32,
}

/// The link of one process.
pub(super) struct FaultyWire {
    stage: Arc<Stage>,
    process: ProcessId,
    odds: Odds,
    lots: Mutex<fastrand::Rng>,
}

impl FaultyWire {
    pub(super) fn new(stage: Arc<Stage>, process: ProcessId, odds: Odds, lots: fastrand::Rng) -> Self {
        Self { stage, process, odds, lots: Mutex::new(lots) }
    }

    fn happens(&self, per_mille: u32) -> bool {
        per_mille > 0 && !self.stage.is_calm() && self.draw(1_000) < u64::from(per_mille)
    }

    fn draw(&self, below: u64) -> u64 {
        self.lots.lock().unwrap_or_else(PoisonError::into_inner).u64(..below)
    }

    async fn hold_up(&self, request: Request<'_>, way: &str) {
        let wait = if self.happens(self.odds.hangs) {
            self.stage.oracle().figures.hangs += 1;
            Duration::from_millis(5_000 + self.draw(20_000))
        } else if self.happens(self.odds.delays) {
            self.stage.oracle().figures.delays += 1;
            Duration::from_micros(1 + self.draw(if self.draw(4) == 0 { 2_000_000 } else { 20_000 }))
        } else {
            return;
        };
        self.stage.note(|| format!("{} {way} held up for {wait:?}: {}", self.process, name(request)));
        self.stage.clock.sleep(wait).await;
    }
}

#[async_trait]
impl Wire for FaultyWire {
    async fn before(&self, request: Request<'_>) -> Result<(), StoreError> {
        self.hold_up(request, "question").await;
        let renewal = matches!(request, Request::Renew(renewal)
            if !matches!(renewal.action, LeaseAction::Register { .. }));
        if renewal && self.happens(self.odds.renewals_lost) {
            self.stage.oracle().figures.renewals_lost += 1;
        } else if self.happens(self.odds.errors_before) {
            self.stage.oracle().figures.errors_before += 1;
        } else {
            return Ok(());
        }
        self.stage.note(|| format!("{} question lost: {}", self.process, name(request)));
        Err(unavailable())
    }

    fn done(&self, done: Done<'_>) {
        if !matches!(done, Done::Claimed(_, claimed)
            if claimed.runs.is_empty() && claimed.unread.is_empty() && claimed.activities.is_empty())
        {
            self.stage.note(|| format!("{} {}", self.process, told(done)));
        }
        self.stage.judge(|oracle, now| match done {
            Done::Applied(batch, outcomes) => oracle.applied(batch, outcomes, now),
            Done::Claimed(claim, claimed) => oracle.claimed(claim, claimed, now),
            Done::Renewed(renewal) => oracle.renewed(self.process, renewal, now),
        });
    }

    async fn after(&self, request: Request<'_>) -> Result<(), StoreError> {
        self.hold_up(request, "answer").await;
        if !self.happens(self.odds.answers_lost) {
            return Ok(());
        }
        self.stage.oracle().figures.answers_lost += 1;
        self.stage.note(|| format!("{} answer lost: {}", self.process, name(request)));
        Err(unavailable())
    }
}

fn unavailable() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "reach the store")
}

fn name(request: Request<'_>) -> String {
    match request {
        Request::Apply(batch) => {
            let writes: Vec<String> = batch.iter().map(write).collect();
            format!("apply {}", writes.join(", "))
        }
        Request::Claim => "claim".to_owned(),
        Request::Renew(renewal) => format!("{:?}", renewal.action),
        Request::Read => "read".to_owned(),
    }
}

fn told(done: Done<'_>) -> String {
    match done {
        Done::Applied(batch, outcomes) => {
            let outcome = |outcome: &Outcome| match outcome {
                Ok(applied) => format!("{applied:?}"),
                Err(refusal) => format!("refused: {refusal}"),
            };
            let pairs = batch.iter().zip(outcomes);
            let all: Vec<String> =
                pairs.map(|(member, answer)| format!("{} => {}", write(member), outcome(answer))).collect();
            format!("applied {}", all.join("; "))
        }
        Done::Claimed(claim, claimed) => {
            let runs = claimed.runs.iter().map(|run| format!("{} under {}", run.run, run.token));
            let unread = claimed.unread.iter().map(|unread| format!("unread of {}", unread.run));
            let activities = claimed.activities.iter();
            let activities =
                activities.map(|one| format!("attempt {} of {} {}", one.attempt, one.run, one.scheduled));
            let got: Vec<String> = runs.chain(unread).chain(activities).collect();
            format!("claimed by {}: {}", claim.worker, got.join(", "))
        }
        Done::Renewed(renewal) => format!("{}: {:?}", renewal.worker, renewal.action),
    }
}

fn write(write: &Write) -> String {
    match write {
        Write::Start(start) => format!("start {} owned by {:?}", start.run, start.owner),
        Write::Send(send) => format!("send {} to {:?}", send.message.request_id, send.target.workflow_id),
        Write::Terminate(terminate) => format!("terminate {:?}", terminate.target.workflow_id),
        Write::Commit(commit) => {
            let events = commit.record.as_ref().map_or(0, |record| record.count);
            let next = match &commit.next {
                Next::Open(open) => format!("{:?}, rowless {}", open.hold, open.rowless),
                Next::Closed { status, .. } => format!("{status:?}"),
                Next::Settled => "settled".to_owned(),
                Next::Continued { successor, .. } => format!("continues as {}", successor.run.run_id),
            };
            let rows: Vec<String> =
                commit.schedule.iter().map(|row| format!("{}/{}", row.scheduled, row.attempt)).collect();
            format!(
                "commit {} under {} after {}: {events} events, taken in {}, rows [{}], ended {:?}, {next}",
                commit.run,
                commit.token,
                commit.expected_head,
                commit.taken_in,
                rows.join(" "),
                commit.ended
            )
        }
        Write::Remove(remove) => format!("remove {}", remove.run),
        Write::Activity(report) => {
            let verdict = match &report.verdict {
                retell::write::ActivityVerdict::Ended(_) => "ended",
                retell::write::ActivityVerdict::Retry { .. } => "retry",
                retell::write::ActivityVerdict::Released => "released",
                retell::write::ActivityVerdict::Heartbeat { .. } => "heartbeat",
                retell::write::ActivityVerdict::Deferred { .. } => "deferred",
            };
            format!("report attempt {} of {} {}: {verdict}", report.attempt, report.run, report.scheduled)
        }
    }
}
