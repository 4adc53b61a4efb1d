//! The follower: a second machine for each run, told what the store has taken in, commit by commit.
//!
//! It finds what the first machine cannot: code that does something else when it is told its own history. It is built
//! anew at doubling lengths, whenever the engine would load a run, and several times at the end, so that what differs
//! only now and then (the order of a small hash map) is found too. Sees what a [`Wire`](crate::world::Wire) sees.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use retell::history::{Event, PayloadCodec, Record, decode_record};
use retell::replay::{Definition, Divergence, Machine, MachineOptions, PanicPolicy, TaskError};
use retell::vocabulary::{EventId, RunId, RunKey, WorkflowType};
use retell::write::{
    Applied, Batch, Commit, Errand, Hold, IdConflictPolicy, NewRecord, Next, Outcome, Start, Write,
};

/// The length at which a machine is built anew for the first time.
const FIRST_REBUILD: usize = 4;
/// A closed run is replayed less often if that would take more events than this together.
const LAST_EVENTS_MAX: usize = 2_000;

/// Follows all runs of a tester.
pub(crate) struct Follower {
    definitions: HashMap<WorkflowType, Arc<dyn Definition>>,
    codec: Arc<dyn PayloadCodec>,
    panics: PanicPolicy,
    whole_replays: usize,
    followed: Mutex<Followed>,
}

#[derive(Default)]
struct Followed {
    runs: HashMap<RunId, Run>,
    /// What was found first.
    divergence: Option<Box<Divergence>>,
}

struct Run {
    key: RunKey,
    workflow: WorkflowType,
    events: Vec<Event>,
    machine: Option<Machine>,
    rebuild_at: usize,
}

impl Follower {
    /// A follower of runs of this code.
    pub(crate) fn new(
        definitions: HashMap<WorkflowType, Arc<dyn Definition>>,
        codec: Arc<dyn PayloadCodec>,
        panics: PanicPolicy,
        whole_replays: usize,
    ) -> Self {
        Self { definitions, codec, panics, whole_replays, followed: Mutex::default() }
    }

    /// What was found first: code that does not follow its own history.
    pub(crate) fn divergence(&self) -> Option<Box<Divergence>> {
        self.lock().divergence.clone()
    }

    /// Takes in what the store has done.
    pub(crate) fn applied(&self, batch: &Batch, outcomes: &[Outcome]) {
        for (write, outcome) in batch.iter().zip(outcomes) {
            match (write, outcome) {
                (Write::Start(start), Ok(Applied::Started { run, .. })) if *run == start.run => {
                    if let IdConflictPolicy::ReplaceExisting(replaced) = &start.conflict {
                        self.lock().runs.remove(&replaced.run);
                    }
                    self.started(start);
                }
                (Write::Commit(commit), Ok(_)) => self.committed(commit),
                (Write::Terminate(_), Ok(Applied::Terminated(run))) => {
                    self.lock().runs.remove(&run.run_id);
                }
                _ => {}
            }
        }
    }

    /// Replays all runs that are open from their starts.
    pub(crate) fn replay_all(&self) {
        let open: Vec<RunId> = self.lock().runs.keys().copied().collect();
        for run_id in open {
            let Some(run) = self.lock().runs.remove(&run_id) else { continue };
            self.replay_whole(&run);
            self.lock().runs.insert(run_id, run);
        }
    }

    /// Forgets the live machines, as a worker that dies does.
    pub(crate) fn worker_died(&self) {
        self.lock().runs.values_mut().for_each(|run| run.machine = None);
    }

    fn started(&self, start: &Start) {
        let run = Run {
            key: start.run.clone(),
            workflow: start.workflow.clone(),
            events: Vec::new(),
            machine: None,
            rebuild_at: FIRST_REBUILD,
        };
        // A start that was applied before is known.
        self.lock().runs.entry(start.run.run_id).or_insert(run);
        let mut after = EventId(0);
        for record in std::iter::once(&start.record).chain(&start.copied) {
            self.take_in(start.run.run_id, after, record);
            after = EventId(after.0 + u64::from(record.count));
        }
    }

    fn committed(&self, commit: &Commit) {
        let run_id = commit.run.run_id;
        if let Some(record) = &commit.record {
            self.take_in(run_id, commit.expected_head, record);
        }
        match &commit.next {
            Next::Open(open) if open.hold == Hold::Keep => {}
            // The next holder will have to load it.
            Next::Open(_) => self.with(run_id, |run| {
                run.machine = None;
                Ok(())
            }),
            Next::Closed { .. } => self.closed(run_id),
            Next::Settled => {}
            Next::Continued { successor, .. } => {
                self.closed(run_id);
                self.started(successor);
            }
        }
        for outgoing in &commit.outgoing {
            match &outgoing.errand {
                // One that is refused is never heard of again.
                Errand::Start(start) => self.started(start),
                Errand::Terminate(terminate) => {
                    terminate.target.run_id.and_then(|run_id| self.lock().runs.remove(&run_id));
                }
                Errand::Send(_) => {}
            }
        }
    }

    /// Takes a record's events in, unless that was done before.
    fn take_in(&self, run_id: RunId, after: EventId, record: &NewRecord) {
        let first = after.next();
        let bytes = record.bytes.clone();
        let record = Record { first, count: record.count, at: record.at, bytes };
        // What does not decode parks the run, and is reported as that.
        let Ok(events) = decode_record(&record, self.codec.as_ref()) else { return };
        self.with(run_id, |run| {
            if u64::try_from(run.events.len()) == Ok(after.0) {
                run.events.extend(events.iter().cloned());
                self.follow(run, events)
            } else {
                Ok(())
            }
        });
    }

    fn follow(&self, run: &mut Run, events: Vec<Event>) -> Result<(), Box<Divergence>> {
        if run.events.len() >= run.rebuild_at {
            run.rebuild_at = 2 * run.events.len();
            run.machine = None;
        }
        let Some(definition) = self.definitions.get(&run.workflow) else { return Ok(()) };
        // The run itself has not taken its first task; what comes of that is for it to say.
        if run.events.len() <= 1 {
            return Ok(());
        }
        let (mut machine, events) = match run.machine.take() {
            Some(machine) => (machine, events),
            None => (self.machine(definition, &run.key), run.events.clone()),
        };
        match tell(&mut machine, events) {
            Ok(()) => {
                run.machine = Some(machine);
                Ok(())
            }
            Err(error) => Err(Box::new(Divergence::new(machine, &run.events, error))),
        }
    }

    fn closed(&self, run_id: RunId) {
        let closed = self.lock().runs.remove(&run_id);
        closed.iter().for_each(|run| self.replay_whole(run));
    }

    fn replay_whole(&self, run: &Run) {
        let Some(definition) = self.definitions.get(&run.workflow).filter(|_| run.events.len() > 1) else {
            return;
        };
        let times = (LAST_EVENTS_MAX / run.events.len().max(1)).clamp(1, self.whole_replays);
        for _ in 0..times {
            let mut machine = self.machine(definition, &run.key);
            if let Err(error) = tell(&mut machine, run.events.clone()) {
                return self.found(Box::new(Divergence::new(machine, &run.events, error)));
            }
        }
    }

    fn machine(&self, definition: &Arc<dyn Definition>, run: &RunKey) -> Machine {
        let options = MachineOptions { panics: self.panics, alarm: None };
        Machine::new(definition.clone(), run.clone(), options)
    }

    fn with(&self, run_id: RunId, act: impl FnOnce(&mut Run) -> Result<(), Box<Divergence>>) {
        // User code runs in here: the lock is not held meanwhile.
        let Some(mut run) = self.lock().runs.remove(&run_id) else { return };
        match act(&mut run) {
            Ok(()) => _ = self.lock().runs.insert(run_id, run),
            Err(divergence) => self.found(divergence),
        }
    }

    fn found(&self, divergence: Box<Divergence>) {
        self.lock().divergence.get_or_insert(divergence);
    }

    fn lock(&self) -> MutexGuard<'_, Followed> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the code logs while it is told its history was logged before.
fn tell(machine: &mut Machine, events: Vec<Event>) -> Result<(), TaskError> {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
        machine.replay(events).and_then(|()| machine.replayed())
    })
}
