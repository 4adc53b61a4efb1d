//! The workloads. W1 to W5 are those that the peers were measured with.

mod awaited;
mod code;
mod long;
mod open;
mod signals;
mod sleepers;
mod starting;
mod tree;

use crate::Failure;
use crate::measure::{Sample, Unit};
use crate::scene::Scene;

pub(crate) use code::{Marks, register};
pub(crate) use tree::Tree;

/// Single runs, for those that count what one costs.
#[cfg(test)]
pub(crate) mod alone {
    use retell::Engine;

    use retell::vocabulary::Timestamp;

    use super::awaited::{chained, fresh_id, stepped};
    use super::code::sleeper;
    use crate::Failure;

    pub(crate) async fn chain(engine: &Engine, length: u32) -> Result<(), Failure> {
        chained(engine, length, super::PAYLOAD_BYTES).await
    }

    /// Starts one that sleeps until then.
    pub(crate) async fn sleep(engine: &Engine, due: Timestamp) -> Result<(), Failure> {
        engine.start(sleeper, fresh_id(), due).await?;
        Ok(())
    }

    pub(crate) async fn steps(engine: &Engine, length: u32) -> Result<(), Failure> {
        stepped(engine, length).await
    }
}

/// The size of inputs and outputs, unless the workload says otherwise.
const PAYLOAD_BYTES: usize = 100;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    W1,
    W2,
    W3,
    W4,
    W5,
    Burst,
    Steps,
    Tree,
    Parallel,
    Start,
    SignalsOne,
    SignalsMany,
    Payload,
    Long,
    Sleepers,
    Open,
}

/// What is said of a workload beside its code.
pub(crate) struct About {
    pub(crate) name: &'static str,
    /// One line; `#` stands for its count.
    pub(crate) text: &'static str,
    pub(crate) unit: Unit,
    /// What `--count` sets.
    pub(crate) count: u32,
    /// How often it is repeated unless said otherwise.
    pub(crate) repetitions: usize,
    /// Whether it is run when none is named.
    pub(crate) usual: bool,
}

impl Workload {
    pub(crate) const ALL: [Self; 16] = [
        Self::W1,
        Self::W2,
        Self::W3,
        Self::W4,
        Self::W5,
        Self::Burst,
        Self::Steps,
        Self::Tree,
        Self::Parallel,
        Self::Start,
        Self::SignalsOne,
        Self::SignalsMany,
        Self::Payload,
        Self::Long,
        Self::Sleepers,
        Self::Open,
    ];
    /// Those that the peers run too; only go-workflows has the tree.
    pub(crate) const COMPARED: [Self; 6] = [Self::W1, Self::W2, Self::W3, Self::W4, Self::W5, Self::Tree];

    pub(crate) fn of_name(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|workload| workload.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|workload| workload.name()).collect();
            format!("the workloads are {}", names.join(", "))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        self.about().name
    }

    #[rustfmt::skip]
    pub(crate) fn about(self) -> About {
        use Unit::{Activities, Runs, Signals, Steps};
        let about = |name, text, unit, count, repetitions, usual| {
            About { name, text, unit, count, repetitions, usual }
        };
        match self {
            Self::W1 => about("w1", "# runs at once, each 10 sequential activities", Activities, 200, 15, true),
            Self::W2 => about("w2", "# runs at once, each 50 parallel activities", Activities, 20, 15, true),
            Self::W3 => about("w3", "# runs, one at a time, each one activity", Activities, 300, 5, true),
            Self::W4 => about("w4", "one run, # sequential activities", Activities, 1_000, 5, true),
            Self::W5 => about("w5", "# runs at once, each sleeps for a second", Runs, 1_000, 3, true),
            Self::Burst => about("burst", "# runs at once, each one activity", Activities, 2_000, 5, true),
            Self::Steps => about("steps", "# runs, one at a time, each three inline steps", Steps, 200, 5, true),
            Self::Tree => about("tree", "# trees at once, of workflows that start others and await them", Activities, 50, 5, true),
            Self::Parallel => about("parallel", "one run, # parallel activities", Activities, 10_000, 5, true),
            Self::Start => about("start", "# starts at once, of runs that then wait", Runs, 5_000, 5, true),
            Self::SignalsOne => about("signals-one", "# signals to one run, 256 senders", Signals, 10_000, 5, true),
            Self::SignalsMany => about("signals-many", "10 signals to each of # runs, 256 senders", Signals, 1_000, 5, true),
            Self::Payload => about("payload", "# runs at once, each one activity with 1 MiB", Activities, 20, 5, true),
            Self::Long => about("long", "one run of # activities, then a cold replay of it", Activities, 50_000, 1, false),
            Self::Sleepers => about("sleepers", "# sleeping runs: memory, idle CPU, restart, wake-up", Runs, 1_000_000, 1, false),
            Self::Open => about("open", "runs of 10 activities offered at 80 % of capacity", Activities, 200, 1, false),
        }
    }

    /// The fewest commits that this workload could be done with, however many writes each takes: its longest chain of
    /// effects that wait for each other. `None` where time or the code decides, not the store.
    pub(crate) fn commits_at_best(self, count: u32) -> Option<u32> {
        match self {
            // The last activity's outcome and the run's end are one.
            Self::W1 => Some(11),
            Self::W2 | Self::Burst | Self::Parallel | Self::Payload => Some(2),
            Self::W3 => Some(2 * count),
            Self::W4 => Some(count + 1),
            Self::Steps => Some(4 * count),
            Self::Start => Some(1),
            Self::W5
            | Self::Tree
            | Self::SignalsOne
            | Self::SignalsMany
            | Self::Long
            | Self::Sleepers
            | Self::Open => None,
        }
    }

    /// How many of its unit a whole repetition does.
    pub(crate) fn operations(self) -> u64 {
        let each = match self {
            Self::W1 | Self::Open | Self::SignalsMany => 10,
            Self::W2 => 50,
            Self::Steps => 3,
            Self::Tree => Tree::default().operations(),
            _ => 1,
        };
        u64::from(self.about().count) * each
    }

    /// Runs it once.
    pub(crate) async fn run(self, scene: &mut Scene) -> Result<Sample, Failure> {
        let count = scene.sizes.count.unwrap_or(self.about().count);
        match self {
            Self::W1 => awaited::chains_at_once(scene, count, 10).await,
            Self::W2 => awaited::fans_at_once(scene, count, 50).await,
            Self::W3 => awaited::chains_in_turn(scene, count, 1).await,
            Self::W4 => awaited::chains_in_turn(scene, 1, count).await,
            Self::W5 => awaited::naps_at_once(scene, count).await,
            Self::Burst => awaited::chains_at_once(scene, count, 1).await,
            Self::Steps => awaited::steps_in_turn(scene, count).await,
            Self::Tree => tree::run(scene, count).await,
            Self::Parallel => awaited::parallel(scene, count).await,
            Self::Payload => awaited::large_payloads(scene, count).await,
            Self::Start => starting::run(scene, count).await,
            Self::SignalsOne => signals::to_one(scene, count).await,
            Self::SignalsMany => signals::to_many(scene, count).await,
            Self::Long => long::run(scene, count).await,
            Self::Sleepers => sleepers::run(scene, count).await,
            Self::Open => open::run(scene, count).await,
        }
    }
}
