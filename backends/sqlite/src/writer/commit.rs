//! Committing a workflow task: the hot path. One step of a run that stays where it is costs one record and one row.

use retell::vocabulary::{Position, Timestamp};
use retell::write::{Applied, CloseStatus, Commit, Errand, Hold, Next, OpenRun, Refusal, Start};
use rusqlite::{OptionalExtension, Result, params};

use super::run::{Door, RunState, status_number};
use super::transaction::Transaction;
use crate::column::{number, packed};
use crate::fault::Stop;

impl Transaction<'_> {
    /// Applies a workflow task whole, or refuses it.
    pub(crate) fn commit(&mut self, commit: &Commit) -> Result<Applied, Stop> {
        let row = self.run_row(&commit.run)?.ok_or(Refusal::LeaseLost)?;
        let Some(request_id) = commit.request_id else { return self.commit_once(row, commit) };
        let namespace = &commit.run.namespace;
        if self.first_outcome(namespace, request_id)?.is_some() {
            return self.committed(commit, row);
        }
        let applied = self.commit_once(row, commit)?;
        self.keep_outcome(namespace, request_id, &applied, row)?;
        Ok(applied)
    }

    fn commit_once(&mut self, row: i64, commit: &Commit) -> Result<Applied, Stop> {
        let before = self.state(row)?;
        if before.head != commit.expected_head.0 {
            return self.applied_before(commit, &before);
        }
        self.check_holder(commit, &before)?;
        self.check_ended(commit, &before)?;
        self.check_closing(commit, &before)?;
        let after = self.append(commit, &before)?;
        self.change_tasks(commit, &before)?;
        match &commit.next {
            Next::Open(open) => self.keep_open(&before, &after, open)?,
            Next::Closed { status, outcome } => self.close(&after, *status, outcome)?,
            Next::Continued { status, successor, outcome } => {
                self.succeed(&after, *status, successor, outcome)?;
            }
            Next::Settled => self.settled(row)?,
        }
        self.tell(commit, row)?;
        if commit.outgoing.is_empty() {
            return Ok(Applied::Committed { inbox: Position(before.inbox_last), started: Vec::new() });
        }
        self.run_errands(row, &commit.outgoing, Timestamp::from_micros(after.at))?;
        self.committed(commit, row)
    }

    /// The answer to a commit that is applied, now or before.
    fn committed(&mut self, commit: &Commit, row: i64) -> Result<Applied, Stop> {
        let mut started = Vec::new();
        for outgoing in &commit.outgoing {
            if let Errand::Start(start) = &outgoing.errand
                && self.holds_from_the_start(commit, start)?
            {
                started.push(start.run.run_id);
            }
        }
        Ok(Applied::Committed { inbox: Position(self.state(row)?.inbox_last), started })
    }

    /// Whether the worker that commits holds the run that its errand opened.
    fn holds_from_the_start(&mut self, commit: &Commit, start: &Start) -> Result<bool> {
        let Some(row) = self.run_row(&start.run)? else { return Ok(false) };
        let state = self.state(row)?;
        Ok(state.token == 1 && self.alive(commit.worker) == Some(state.owner))
    }

    /// The answer to a commit whose place in history is taken: by itself, or by another holder.
    fn applied_before(&mut self, commit: &Commit, state: &RunState) -> Result<Applied, Stop> {
        let first = number(commit.expected_head.0).saturating_add(1);
        let token: Option<u64> = self
            .statement("SELECT token FROM records WHERE run = ?1 AND first = ?2")?
            .query_row(params![state.row, first], |row| row.get(0))
            .optional()?;
        if token == Some(commit.token.0) {
            self.committed(commit, state.row)
        } else {
            Err(Refusal::LeaseLost.into())
        }
    }

    fn check_holder(&self, commit: &Commit, state: &RunState) -> Result<(), Stop> {
        let is_there = match commit.next {
            Next::Settled => state.unsettled,
            _ => state.is_open(),
        };
        let holds = |worker| state.owner == worker && state.token == commit.token.0 && is_there;
        match self.alive(commit.worker) {
            Some(worker) if holds(worker) => Ok(()),
            _ => Err(Refusal::LeaseLost.into()),
        }
    }

    fn check_ended(&self, commit: &Commit, state: &RunState) -> Result<(), Stop> {
        for (scheduled, attempt) in &commit.ended {
            let claimed = self
                .statement(
                    "SELECT owner = ?3 AND attempt = ?4 FROM activities WHERE run = ?1 AND scheduled = ?2",
                )?
                .query_row(params![state.row, number(scheduled.0), state.owner, attempt.0], |row| row.get(0))
                .optional()?;
            if claimed != Some(true) {
                return Err(Refusal::TaskLost.into());
            }
        }
        Ok(())
    }

    /// Refuses to close a run that has messages to take in, and shuts its door: the one refusal that writes.
    fn check_closing(&mut self, commit: &Commit, state: &RunState) -> Result<(), Stop> {
        let (end, continues) = match (&commit.next, state.door) {
            (Next::Open(_) | Next::Settled, _) => return Ok(()),
            // What was accepted for a successor has none now: it must be taken in.
            (Next::Closed { .. }, Some(Door { continues: true, .. })) => (state.inbox_last, false),
            (next, _) => (state.inbox_end(), matches!(next, Next::Continued { .. })),
        };
        if commit.taken_in.0 >= end {
            return Ok(());
        }
        self.statement("UPDATE runs SET door_at = ?2, door_continues = ?3 WHERE id = ?1")?
            .execute(params![state.row, end, continues])?;
        self.heard.work = true;
        Err(Refusal::InboxAdvanced(Position(end)).into())
    }

    /// Appends the record and takes messages in.
    fn append(&mut self, commit: &Commit, before: &RunState) -> Result<Appended> {
        let taken_in = before.taken_in.max(commit.taken_in.0);
        if taken_in > before.taken_in {
            self.statement("DELETE FROM inbox WHERE run = ?1 AND position <= ?2")?
                .execute(params![before.row, taken_in])?;
        }
        let Some(record) = &commit.record else {
            let at = self.now.as_micros();
            return Ok(Appended {
                row: before.row,
                head: before.head,
                at,
                last_at: before.last_at,
                taken_in,
            });
        };
        let at = record.at.as_micros().max(before.last_at);
        self.insert_record(before.row, before.head + 1, at, before.token, record)?;
        let head = before.head + u64::from(record.count);
        Ok(Appended { row: before.row, head, at, last_at: at, taken_in })
    }

    fn change_tasks(&mut self, commit: &Commit, state: &RunState) -> Result<()> {
        for task in &commit.schedule {
            self.queue((state.row, state.owner), &commit.run.namespace, task)?;
        }
        let ended = commit.ended.iter().map(|(scheduled, _)| scheduled);
        for scheduled in ended.chain(&commit.cancelled) {
            self.statement("DELETE FROM activities WHERE run = ?1 AND scheduled = ?2")?
                .execute(params![state.row, scheduled.0])?;
        }
        for scheduled in &commit.cancel_requested {
            self.statement("UPDATE activities SET cancel_requested = 1 WHERE run = ?1 AND scheduled = ?2")?
                .execute(params![state.row, scheduled.0])?;
        }
        Ok(())
    }

    /// Keeps the run open. An index is touched only if what it holds changes: SQLite rewrites the entries of all
    /// columns that stand in an UPDATE.
    fn keep_open(&mut self, before: &RunState, after: &Appended, open: &OpenRun) -> Result<()> {
        let waiting = before.inbox_last > after.taken_in;
        let wake_at = open.wake_at.map(Timestamp::as_micros);
        let wake_at = if waiting { Some(wake_at.map_or(after.at, |at| at.min(after.at))) } else { wake_at };
        let release = open.hold == Hold::Release;
        self.heard.work |= release || (waiting && before.door.is_some());
        let same = wake_at == before.wake_at
            && open.rowless == before.rowless
            && open.dependents == before.dependents
            && open.paused == before.paused
            && !release
            && !before.failed
            && open.failure.is_none()
            && before.door.is_none();
        if same {
            self.statement("UPDATE runs SET head = ?2, last_at = ?3, taken_in = ?4 WHERE id = ?1")?
                .execute(params![after.row, after.head, after.last_at, after.taken_in])?;
            return Ok(());
        }
        let failure = open.failure.as_ref().map(packed).transpose()?;
        self.statement(
            "UPDATE runs SET head = ?2, last_at = ?3, taken_in = ?4, wake_at = ?5, rowless = ?6, owner = ?7, \
             failure = ?8, dependents = ?9, paused = ?10, door_at = NULL, door_continues = 0 WHERE id = ?1",
        )?
        .execute(params![
            after.row,
            after.head,
            after.last_at,
            after.taken_in,
            wake_at,
            open.rowless,
            if release { 0 } else { before.owner },
            failure,
            open.dependents,
            open.paused,
        ])?;
        Ok(())
    }

    fn close(&mut self, after: &Appended, status: CloseStatus, outcome: &[u8]) -> Result<()> {
        self.statement(
            "UPDATE runs SET status = ?2, closed_at = ?3, last_at = ?3, head = ?4, taken_in = ?5, outcome = ?6, \
             owner = 0, wake_at = NULL, rowless = 0, dependents = 0, paused = 0, failure = NULL, door_at = NULL, door_continues = 0 \
             WHERE id = ?1",
        )?
        .execute(params![
            after.row,
            status_number(status)?,
            after.last_at,
            after.head,
            after.taken_in,
            outcome
        ])?;
        self.drop_tasks_and_inbox(after.row)
    }

    /// Closes the run and opens the one that follows; what came through the shut door goes to its inbox's end.
    fn succeed(
        &mut self,
        after: &Appended,
        status: CloseStatus,
        successor: &Start,
        outcome: &[u8],
    ) -> Result<()> {
        // The workflow ID is open once: the successor comes after the closing, its messages before they are dropped.
        self.statement("UPDATE runs SET status = ?2, continued_as = ?3 WHERE id = ?1")?.execute(params![
            after.row,
            status_number(status)?,
            successor.run.run_id.0.as_bytes(),
        ])?;
        let opened = self.open(successor)?;
        self.hand_on(after.row, opened.row, successor)?;
        self.close(after, status, outcome)
    }

    /// Nobody depends any more on a run that was terminated.
    fn settled(&self, row: i64) -> Result<()> {
        self.statement("UPDATE runs SET unsettled = 0, owner = 0 WHERE id = ?1")?.execute([row])?;
        Ok(())
    }

    /// Puts what waits for one run, and is not for it alone, to the end of the inbox of the run that follows it.
    pub(crate) fn hand_on(&mut self, from: i64, to: i64, successor: &Start) -> Result<()> {
        let moved = self
            .statement(
                "INSERT INTO inbox (run, position, request_id, at, own, body) \
                 SELECT ?2, ?3 + row_number() OVER (ORDER BY position), request_id, at, 0, body \
                 FROM inbox WHERE run = ?1 AND own = 0",
            )?
            .execute(params![from, to, successor.inbox.len()])?;
        if moved > 0 {
            self.statement(
                "UPDATE runs SET inbox_last = inbox_last + ?2, \
                 wake_at = min(wake_at, (SELECT min(at) FROM inbox WHERE run = ?1 AND position > ?3)) WHERE id = ?1",
            )?
            .execute(params![to, moved, successor.inbox.len()])?;
            self.heard.work = true;
        }
        Ok(())
    }
}

/// Where a run stands once its record is appended.
struct Appended {
    row: i64,
    head: u64,
    /// The time of the commit: that of its record, or the store's if it has none.
    at: i64,
    last_at: i64,
    taken_in: u64,
}
