//! What a tester is made of before its first run starts, and how a worker is made of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use retell::Orchestrator;
use retell::activity::{ActivityDefinition, SharedState};
use retell::history::{CodecError, PayloadCodec, Plain};
use retell::replay::Definition;
use retell::vocabulary::{ActivityName, Payload, WorkflowType};
use retell::worker::WorkerOptions;

use crate::fakes::Fakes;
use crate::follower::Follower;
use crate::world::NEVER;

/// How often a closed run is replayed from its start: each time is another chance to find what differs now and then.
const WHOLE_REPLAYS: usize = 8;

/// Whether time passes by itself when nothing else can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// It jumps to where something is next due.
    Jumps,
    /// It is moved by hand only.
    ByHand,
}

/// The code and the settings of a tester's workers.
pub(crate) struct Setup {
    pub(crate) workflows: HashMap<WorkflowType, Arc<dyn Definition>>,
    pub(crate) activities: HashMap<ActivityName, ActivityDefinition>,
    pub(crate) state: SharedState,
    pub(crate) codec: Codec,
    pub(crate) options: WorkerOptions,
    pub(crate) time: Time,
    /// Whether a second machine follows each run.
    pub(crate) replays: bool,
    /// How often a closed run is replayed from its start, at most.
    pub(crate) whole_replays: usize,
}

impl Default for Setup {
    fn default() -> Self {
        let mut options = WorkerOptions::default();
        // One machine never dies unless the test says so, and then is known to be dead at once.
        (options.lease, options.claim_interval) = (NEVER, NEVER);
        options.workflow_threads = 1;
        Self {
            workflows: HashMap::new(),
            activities: HashMap::new(),
            state: SharedState::default(),
            codec: Codec(Arc::new(Plain)),
            options,
            time: Time::Jumps,
            replays: true,
            whole_replays: WHOLE_REPLAYS,
        }
    }
}

impl Setup {
    /// The second machine for each run, unless it is switched off.
    pub(crate) fn follower(&self) -> Option<Arc<Follower>> {
        let codec = Arc::new(self.codec.clone());
        let follower =
            || Follower::new(self.workflows.clone(), codec, self.options.panics, self.whole_replays);
        self.replays.then(|| Arc::new(follower()))
    }

    /// Whether a worker runs this activity: its code, or a fake.
    pub(crate) fn serves(&self, activity: &ActivityName, fakes: &Fakes) -> bool {
        self.activities.contains_key(activity) || fakes.names().contains(activity)
    }

    /// Registers all of it.
    pub(crate) fn register(&self, orchestrator: Orchestrator, fakes: &Arc<Fakes>) -> Orchestrator {
        let mut names = fakes.names();
        names.extend(self.activities.keys().cloned());
        names.sort();
        names.dedup();
        let orchestrator = self.workflows.values().cloned().fold(
            orchestrator
                .shared_state(self.state.clone())
                .codec(self.codec.clone())
                .options(self.options.clone()),
            Orchestrator::workflow_definition,
        );
        let for_steps = fakes.clone();
        let orchestrator = orchestrator.step_hook(move |step| {
            // Nothing in a step's name says whether it is faked: the fakes are asked when it runs.
            for_steps.definition(step.name().clone(), Some(step))
        });
        names.into_iter().fold(orchestrator, |orchestrator, name| {
            let code = self.activities.get(&name).cloned();
            orchestrator.activity_definition(fakes.definition(name, code))
        })
    }
}

/// A codec that several share.
#[derive(Clone)]
pub(crate) struct Codec(pub(crate) Arc<dyn PayloadCodec>);

impl PayloadCodec for Codec {
    fn encode(&self, payload: Payload) -> Result<Payload, CodecError> {
        self.0.encode(payload)
    }

    fn decode(&self, payload: Payload) -> Result<Payload, CodecError> {
        self.0.decode(payload)
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
