//! What writes do, in memory: over the rows that were read under locks, into the rows that are to be written.
//!
//! Pure. Every condition of a member is read before anything of it is changed, so that a refusal needs no undoing.

mod activity;
mod commit;
mod message;
mod remove;
mod request;
mod run;
mod start;
mod world;

use retell::write::{ActivityVerdict, Outcome, Write};

pub(crate) use activity::{Queued, Task};
pub(crate) use request::Kept;
pub(crate) use run::{Door, OPEN, Run, Seen, Waiting, status_number, status_of};
pub(crate) use world::{Details, Heard, IdRow, NOBODY, Place, Worker, World};

impl World<'_> {
    /// Applies one write, whole or not at all.
    pub(crate) fn apply(&mut self, write: &Write) -> Outcome {
        match write {
            Write::Start(start) => self.start_once(start),
            Write::Send(send) => self.send_once(send),
            Write::Terminate(terminate) => self.terminate_once(terminate),
            Write::Commit(commit) => self.commit(commit),
            Write::Remove(remove) => self.remove(&remove.run),
            // What changes nothing when it is applied again needs no memory of it.
            Write::Activity(report) if matches!(report.verdict, ActivityVerdict::Heartbeat { .. }) => {
                self.report(report).map(|(applied, _)| applied)
            }
            Write::Activity(report) => {
                self.once(&report.run.namespace, report.request_id, |world| world.report(report))
            }
        }
    }
}
