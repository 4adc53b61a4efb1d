//! The plan of one schedule: how large its world is and what befalls it, all drawn from the seed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use retell::client::Client;
use retell::worker::WorkerOptions;
use retell::write::IdReusePolicy;

use super::faults::Odds;
use super::program::Program;
use super::stage::Stage;

/// The most that a plan may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) processes_max: u32,
    pub(super) runs_max: u32,
    pub(super) ops_max: u32,
    pub(super) link_faults: bool,
    pub(super) process_faults: bool,
    pub(super) clock_jumps: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            processes_max: 3,
            runs_max: 4,
            ops_max: 8,
            link_faults: true,
            process_faults: true,
            clock_jumps: true,
        }
    }
}

/// How often each thing befalls a process, in thousandths of all bursts of polls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Blows {
    pub(super) kills: u32,
    pub(super) shutdowns: u32,
    pub(super) pauses: u32,
    pub(super) clock_jumps: u32,
}

/// One schedule.
pub(super) struct Plan {
    pub(super) processes: u32,
    pub(super) options: WorkerOptions,
    pub(super) odds: Odds,
    pub(super) blows: Blows,
    /// For how many bursts of polls faults go on, at least.
    pub(super) bursts: u32,
    /// In how many of a thousand bursts time passes although there is something to do.
    pub(super) early_time: u32,
    /// What clients do, the last first.
    pub(super) deeds: Vec<Deed>,
}

/// What a client does.
pub(super) enum Deed {
    Start(Box<StartDeed>),
    /// Signals of one sender, one after the other.
    Signals {
        sender: u32,
        id: u32,
        count: u32,
        twice: bool,
    },
    Cancel {
        id: u32,
    },
    Terminate {
        id: u32,
    },
    /// Waits for the result of whatever is open, or was last.
    Await {
        id: u32,
    },
    /// The user's own.
    Own(OwnStart),
}

/// A start of the user's own workflow.
pub(super) type OwnStart = Arc<dyn Fn(Client, Arc<Stage>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A start.
#[derive(Debug)]
pub(super) struct StartDeed {
    pub(super) id: u32,
    /// Its identity: of a start that is sent twice, the same.
    pub(super) key: u32,
    pub(super) conflict: Conflict,
    pub(super) reuse: IdReusePolicy,
    pub(super) program: Program,
    pub(super) awaits: bool,
}

/// What a start does when its workflow ID is open.
#[derive(Debug, Clone, Copy)]
pub(super) enum Conflict {
    Reject,
    UseExisting,
    Terminate,
}

impl Plan {
    /// Draws a plan.
    pub(super) fn draw(lots: &mut fastrand::Rng, limits: &Limits, own: &[OwnStart]) -> Self {
        let processes = lots.u32(1..=limits.processes_max.max(1));
        let odds = if limits.link_faults { draw_odds(lots) } else { Odds::default() };
        let mut blows = Blows::default();
        if limits.process_faults {
            let mut blow = |most| if lots.bool() { lots.u32(..=most) } else { 0 };
            (blows.kills, blows.shutdowns, blows.pauses) = (blow(15), blow(8), blow(15));
        }
        if limits.clock_jumps && lots.u32(..4) == 0 {
            blows.clock_jumps = lots.u32(1..=10);
        }
        let mut deeds = if own.is_empty() { draw_deeds(lots, limits) } else { Vec::new() };
        deeds.extend(own.iter().cloned().map(Deed::Own));
        lots.shuffle(&mut deeds);
        Self {
            processes,
            options: draw_options(lots),
            odds,
            blows,
            bursts: lots.u32(20..250),
            early_time: lots.choice([0, 0, 20, 100, 300]).unwrap_or(0),
            deeds,
        }
    }

    /// The plan in one line.
    pub(super) fn describe(&self) -> String {
        let Self { processes, options, odds, blows, bursts, early_time, .. } = self;
        let (cached, slots) = (options.cached_runs_max, options.activity_slots);
        let (lease, threads) = (options.lease, options.workflow_threads);
        format!(
            "{processes} processes, {cached} cached runs, {slots} slots, {threads} shards, lease {lease:?}, \
             {bursts} bursts, early time {early_time}, {odds:?}, {blows:?}"
        )
    }
}

fn draw_odds(lots: &mut fastrand::Rng) -> Odds {
    let mut odds = |often| match lots.u32(..4) {
        0 => 0,
        1 => lots.u32(..=often / 8),
        _ => lots.u32(..=often),
    };
    Odds {
        errors_before: odds(80),
        answers_lost: odds(80),
        delays: odds(300),
        hangs: odds(15),
        renewals_lost: odds(500),
    }
}

fn draw_options(lots: &mut fastrand::Rng) -> WorkerOptions {
    // Asks the system how many cores there are, which takes longer than a small schedule.
    static DEFAULT: OnceLock<WorkerOptions> = OnceLock::new();
    let mut options = DEFAULT.get_or_init(WorkerOptions::default).clone();
    options.cached_runs_max = lots.choice([0, 1, 2, 1_000, 1_000]).unwrap_or(0);
    options.activity_slots = lots.choice([1, 2, 100]).unwrap_or(1);
    options.blocking_activity_slots = lots.u32(1..=2) as usize;
    options.workflow_threads = lots.u32(1..=2) as usize;
    options.lease = Duration::from_secs(lots.u64(3..=10));
    options.claim_interval = Duration::from_millis(lots.u64(500..3_000));
    options.shutdown_grace = Duration::from_millis(lots.choice([0, 200, 5_000]).unwrap_or(0));
    options
}

fn draw_deeds(lots: &mut fastrand::Rng, limits: &Limits) -> Vec<Deed> {
    let starts = lots.u32(1..=limits.runs_max.max(1));
    let ids = lots.u32(1..=starts);
    let mut deeds = Vec::new();
    for key in 0..starts {
        let conflict = match lots.u32(..4) {
            0 | 1 => Conflict::Reject,
            2 => Conflict::UseExisting,
            _ => Conflict::Terminate,
        };
        let reuse = match lots.u32(..4) {
            0 => IdReusePolicy::Reject,
            1 => IdReusePolicy::AllowUnlessCompleted,
            _ => IdReusePolicy::Allow,
        };
        let program = Program::draw(lots, limits.ops_max);
        let (id, awaits) = (if key < ids { key } else { lots.u32(..ids) }, lots.bool());
        for _ in 0..if lots.u32(..5) == 0 { 2 } else { 1 } {
            let program = program.clone();
            deeds.push(Deed::Start(Box::new(StartDeed { id, key, conflict, reuse, program, awaits })));
        }
    }
    for sender in 0..lots.u32(..=4) {
        let (id, count, twice) = (lots.u32(..ids), lots.u32(1..=6), lots.bool());
        deeds.push(Deed::Signals { sender, id, count, twice });
    }
    for id in 0..ids {
        match lots.u32(..10) {
            0 | 1 => deeds.push(Deed::Cancel { id }),
            2 => deeds.push(Deed::Terminate { id }),
            3 | 4 => deeds.push(Deed::Await { id }),
            _ => {}
        }
    }
    deeds
}
