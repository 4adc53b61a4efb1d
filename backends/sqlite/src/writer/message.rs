//! Putting messages into inboxes.

use retell::vocabulary::Timestamp;
use retell::write::{Applied, Errand, NewMessage, Outgoing, Refusal, Target};
use rusqlite::{Result, params};

use super::run::{Door, RunState};
use super::transaction::Transaction;
use crate::fault::Stop;

impl Transaction<'_> {
    /// Puts a message into the inbox of the open run that the target means, if its door lets it; answers with that
    /// run's row number.
    pub(crate) fn deliver(
        &mut self,
        target: &Target,
        message: &NewMessage,
        at: Timestamp,
    ) -> Result<(Applied, i64), Stop> {
        let (run, state) = self.open_run(target)?;
        if matches!(state.door, Some(Door { continues: false, .. })) {
            return Err(Refusal::RunClosed(run).into());
        }
        self.put(&state, message, at, false)?;
        Ok((Applied::Sent(run), state.row))
    }

    /// Puts a message into the inbox of an open run, whatever its door. `own`: it concerns this run alone.
    pub(crate) fn put(
        &mut self,
        state: &RunState,
        message: &NewMessage,
        at: Timestamp,
        own: bool,
    ) -> Result<()> {
        self.insert_message(state.row, state.inbox_last + 1, message, at, own)?;
        self.statement(
            "UPDATE runs SET inbox_last = inbox_last + 1, wake_at = min(coalesce(wake_at, ?2), ?2) WHERE id = ?1",
        )?
        .execute(params![state.row, at.as_micros()])?;
        self.heard.work = true;
        Ok(())
    }

    /// Does what a commit asks of other runs, each thing once; the sender hears of it as it wishes.
    pub(crate) fn run_errands(
        &mut self,
        sender: i64,
        outgoing: &[Outgoing],
        at: Timestamp,
    ) -> Result<(), Stop> {
        for Outgoing { errand, if_done, if_refused } in outgoing {
            match self.run_errand(errand) {
                Ok(()) => self.answer(sender, if_done.as_ref(), at)?,
                Err(Stop::Refused(_)) => self.answer(sender, if_refused.as_ref(), at)?,
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    fn run_errand(&mut self, errand: &Errand) -> Result<(), Stop> {
        if let Errand::Start(start) = errand {
            return self.start_once(start).map(drop);
        }
        let (namespace, request_id) = (errand.namespace(), errand.request_id());
        if self.first_outcome(namespace, request_id)?.is_some() {
            return Ok(());
        }
        let (applied, row) = match errand {
            Errand::Send(send) => self.deliver(&send.target, &send.message, send.at)?,
            Errand::Start(_) => unreachable!("started above"),
            Errand::Terminate(terminate) => self.terminate(terminate)?,
        };
        self.keep_outcome(namespace, request_id, &applied, row)?;
        Ok(())
    }

    fn answer(&mut self, sender: i64, answer: Option<&NewMessage>, at: Timestamp) -> Result<()> {
        let Some(answer) = answer else {
            return Ok(());
        };
        let state = self.state(sender)?;
        if state.is_open() { self.put(&state, answer, at, false) } else { Ok(()) }
    }

    pub(crate) fn insert_message(
        &self,
        run: i64,
        position: u64,
        message: &NewMessage,
        at: Timestamp,
        own: bool,
    ) -> Result<()> {
        self.statement(
            "INSERT INTO inbox (run, position, request_id, at, own, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            run,
            position,
            message.request_id.0.as_bytes(),
            at.as_micros(),
            own,
            &message.body[..]
        ])?;
        Ok(())
    }
}
