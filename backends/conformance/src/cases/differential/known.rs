//! What the workers of a random round know: what they were told by the stores.

use retell::backend::{Claimed, ClaimedActivity};
use retell::vocabulary::{EventId, FencingToken, Position, RunKey, WorkerId};
use retell::write::{Applied, Commit, Errand, Next, Outcome, Refusal, Start, Write};

use crate::world::Held;

/// The most activities that are remembered to be reported on, late and twice too.
const TASKS_MAX: usize = 20;

/// Workers, runs, and who was given what; some of it out of date, as in life.
#[derive(Default)]
pub(super) struct Known {
    pub(super) workers: Vec<WorkerId>,
    pub(super) runs: Vec<RunKey>,
    pub(super) holds: Vec<Holding>,
    pub(super) tasks: Vec<(WorkerId, ClaimedActivity)>,
}

/// A run that some worker holds or held. Stores may choose their tokens.
#[derive(Debug, Clone)]
pub(super) struct Holding {
    pub(super) held: Held,
    pub(super) subject_token: FencingToken,
    pub(super) shown: Position,
    /// Whether it is to be settled.
    pub(super) unsettled: bool,
    /// How often its commits were refused for good.
    pub(super) retries: u8,
}

impl Known {
    /// Takes in what a worker claimed of both stores.
    pub(super) fn claimed(&mut self, worker: WorkerId, subject: &Claimed, model: Claimed) {
        for run in &model.runs {
            let same = subject.runs.iter().find(|other| other.run == run.run);
            self.holds.push(Holding {
                held: Held::of(worker, run),
                subject_token: same.expect("the claims were compared").token,
                unsettled: run.unsettled,
                shown: run.inbox.last().map_or(run.taken_in, |message| message.position),
                retries: 0,
            });
        }
        for unread in &model.unread {
            let shown = unread.messages.last().expect("unread inboxes hold messages").position;
            let reader =
                |holding: &&mut Holding| holding.held.run == unread.run && holding.held.token == unread.token;
            self.holds.iter_mut().filter(reader).for_each(|holding| holding.shown = shown);
        }
        self.tasks.extend(model.activities.into_iter().map(|activity| (worker, activity)));
        self.tasks.drain(..self.tasks.len().saturating_sub(TASKS_MAX));
    }

    /// Takes in the outcome of a write.
    pub(super) fn learn(&mut self, write: &Write, outcome: &Outcome) {
        match (write, outcome) {
            (Write::Start(start), Ok(Applied::Started { run, owned })) => {
                self.runs.push(run.clone());
                start
                    .owner
                    .filter(|_| *owned)
                    .into_iter()
                    .for_each(|owner| self.hold_from_start(start, owner));
            }
            (Write::Commit(commit), outcome) => {
                let own =
                    |holding: &Holding| holding.held.run == commit.run && holding.held.token == commit.token;
                let Some(index) = self.holds.iter().position(own) else { return };
                let holding = &mut self.holds[index];
                match outcome {
                    Ok(applied) => {
                        let count = commit.record.as_ref().map_or(0, |record| u64::from(record.count));
                        holding.held.head = EventId(commit.expected_head.0 + count);
                        holding.held.taken_in = commit.taken_in;
                        if let Next::Continued { successor, .. } = &commit.next {
                            self.runs.push(successor.run.clone());
                            successor
                                .owner
                                .into_iter()
                                .for_each(|owner| self.hold_from_start(successor, owner));
                        }
                        self.errands(commit, applied);
                    }
                    // It learns of the messages by its next claim.
                    Err(Refusal::InboxAdvanced(_)) => {}
                    // It tries a few times more, to no avail.
                    Err(_) if holding.retries < 2 => holding.retries += 1,
                    Err(_) => drop(self.holds.remove(index)),
                }
            }
            _ => {}
        }
    }

    /// Learns of the runs that a commit's errands opened and that its worker holds.
    fn errands(&mut self, commit: &Commit, applied: &Applied) {
        let Applied::Committed { started, .. } = applied else { return };
        for outgoing in &commit.outgoing {
            if let Errand::Start(start) = &outgoing.errand
                && started.contains(&start.run.run_id)
            {
                self.runs.push(start.run.clone());
                self.hold_from_start(start, commit.worker);
            }
        }
    }

    fn hold_from_start(&mut self, start: &Start, worker: WorkerId) {
        let held = Held::from_start(start, worker);
        let shown = Position(start.inbox.len() as u64);
        self.holds.push(Holding { subject_token: held.token, held, shown, unsettled: false, retries: 0 });
    }
}
