//! The members of a transaction, each applied whole or not at all.

use retell::backend::{Claimed, StoreError};
use retell::write::{Applied, Outcome, Refusal, Write};

use super::job::{Answer, Job};
use super::lease::Watch;
use super::transaction::Transaction;
use crate::fault::{Stop, fault, is_of_the_data};

/// How members are kept apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Not at all: a member that SQLite refuses fails the transaction.
    None,
    /// Each by a savepoint: only the member that SQLite refuses is undone.
    Savepoints,
}

impl Transaction<'_> {
    /// Does one job; an error ends the transaction.
    pub(crate) fn perform(&mut self, job: &Job, watch: &mut Watch, guard: Guard) -> rusqlite::Result<Answer> {
        Ok(match job {
            Job::Apply(batch, _) => {
                let outcomes = batch.iter().map(|write| self.member(write, guard));
                Answer::Apply(outcomes.collect::<rusqlite::Result<_>>()?)
            }
            // Who does not wait for the answer any more must not come to hold anything.
            Job::Claim(_, reply) if reply.is_canceled() => Answer::Claim(Ok(Claimed::default())),
            Job::Claim(claim, _) => Answer::Claim(self.guarded(guard, "claim", |tx| tx.claim(claim, watch))?),
            Job::Renew(renewal, _) => {
                Answer::Renew(self.guarded(guard, "renew", |tx| tx.renew(renewal, watch))?)
            }
        })
    }

    /// Applies one write; an error ends the transaction.
    pub(super) fn member(&mut self, write: &Write, guard: Guard) -> rusqlite::Result<Outcome> {
        if guard == Guard::Savepoints {
            self.connection.execute_batch("SAVEPOINT member")?;
        }
        let outcome = match self.apply(write) {
            Ok(applied) => Ok(applied),
            Err(Stop::Refused(refusal)) => Err(refusal),
            Err(Stop::Failed(error)) if guard == Guard::Savepoints && is_of_the_data(&error) => {
                self.undo_member()?;
                Err(Refusal::Invalid(error.to_string()))
            }
            Err(Stop::Failed(error)) => return Err(error),
        };
        if guard == Guard::Savepoints {
            self.connection.execute_batch("RELEASE member")?;
        }
        Ok(outcome)
    }

    fn guarded<T>(
        &mut self,
        guard: Guard,
        operation: &str,
        work: impl FnOnce(&mut Self) -> rusqlite::Result<Result<T, StoreError>>,
    ) -> rusqlite::Result<Result<T, StoreError>> {
        if guard == Guard::None {
            return work(self);
        }
        self.connection.execute_batch("SAVEPOINT member")?;
        let buried = self.buried.len();
        let answer = match work(self) {
            Err(error) if is_of_the_data(&error) => {
                self.undo_member()?;
                self.buried.truncate(buried);
                Err(fault(operation, error))
            }
            answer => answer?,
        };
        self.connection.execute_batch("RELEASE member")?;
        Ok(answer)
    }

    fn undo_member(&mut self) -> rusqlite::Result<()> {
        self.connection.execute_batch("ROLLBACK TO member")?;
        // What was remembered of the member is gone with it.
        self.memory.clear();
        self.memory.refresh(self.connection).map(|_| ())
    }

    /// Applies one write. Conditions are read before anything is written, so that a refusal needs no undoing.
    fn apply(&mut self, write: &Write) -> Result<Applied, Stop> {
        let (namespace, request_id) = match write {
            Write::Commit(commit) => return self.commit(commit),
            Write::Remove(remove) => return self.remove(&remove.run),
            Write::Start(start) => return self.start_once(start),
            Write::Send(send) => (&send.target.namespace, send.message.request_id),
            Write::Terminate(terminate) => (&terminate.target.namespace, terminate.request_id),
            Write::Activity(report) => (&report.run.namespace, report.request_id),
        };
        if let Some(first) = self.first_outcome(namespace, request_id)? {
            return Ok(first);
        }
        let (applied, run) = match write {
            Write::Commit(_) | Write::Remove(_) | Write::Start(_) => unreachable!("applied above"),
            Write::Send(send) => self.deliver(&send.target, &send.message, send.at)?,
            Write::Terminate(terminate) => self.terminate(terminate)?,
            Write::Activity(report) => self.report(report)?,
        };
        // A heartbeat changes nothing when it is applied again.
        if !matches!(applied, Applied::Wanted { .. }) {
            self.keep_outcome(namespace, request_id, &applied, run)?;
        }
        Ok(applied)
    }
}
