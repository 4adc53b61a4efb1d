//! What is new for runs that a worker holds.

use std::collections::HashMap;

use retell::backend::{InboxMessage, UnreadInbox};
use retell::vocabulary::{FencingToken, Namespace, RunId, RunKey, WorkflowId};

use super::damage::Damaged;
use super::{Claiming, ids};
use crate::batch::read_message;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::{Row, number};

/// What is read of a run for [`Claiming::tell_unread`].
pub(super) const SELECT_UNREAD: &str = "SELECT id, namespace, workflow_id, run_id, token FROM runs WHERE ";

/// The messages of runs, or why they cannot be read.
pub(super) type Inboxes = HashMap<i64, Result<Vec<InboxMessage>, Fault>>;

impl Claiming<'_> {
    /// What came for runs that the worker held before this claim, each message once.
    pub(super) async fn take_unread(
        &mut self,
        session: &mut impl Session,
        candidates: Vec<i64>,
    ) -> Result<(), Fault> {
        if candidates.is_empty() {
            return Ok(());
        }
        let mut query = Query::new(self.cx.dialect, SELECT_UNREAD);
        let wanted = candidates.len();
        query.among("id", candidates).push(" AND unread = 1 AND owner = ").int(self.worker);
        query.push(" AND coalesce(door_at, inbox_last) > shown ORDER BY id FOR UPDATE SKIP LOCKED");
        let rows = session.rows(query.done()).await?;
        self.contended |= rows.len() < wanted;
        if rows.is_empty() {
            return Ok(());
        }
        let runs = ids(&rows)?;
        let mut messages =
            self.messages(session, &runs, "runs.shown", "coalesce(runs.door_at, runs.inbox_last)").await?;
        let mut query = Query::new(self.cx.dialect, "UPDATE runs SET shown_before = shown, shown_by = ");
        query.int(number(self.claim.number)).push(", shown = coalesce(door_at, inbox_last) WHERE ");
        session.execute(query.among("id", runs).done()).await?;
        let damaged = self.tell_unread(session, &rows, &mut messages).await?;
        self.park(session, damaged).await
    }

    /// Tells what came for the runs of these rows. Answers those that cannot be read.
    pub(super) async fn tell_unread(
        &mut self,
        session: &mut impl Session,
        rows: &[Row],
        messages: &mut Inboxes,
    ) -> Result<Damaged, Fault> {
        let mut damaged = Damaged::new();
        for row in rows {
            let namespace = self.cx.names.namespace_name(session, self.cx.dialect, row.int(1)?).await;
            let messages = messages.remove(&row.int(0)?).unwrap_or(Ok(Vec::new()));
            match read_unread(row, namespace, messages) {
                Ok(unread) => self.claimed.unread.push(unread),
                Err(fault) if fault.is_of_the_data() => _ = damaged.insert(row.int(0)?, fault),
                Err(fault) => return Err(fault),
            }
        }
        Ok(damaged)
    }

    /// Messages of runs beyond one position and up to another, each an expression over the run's row; or why those of a
    /// run cannot be read.
    pub(super) async fn messages(
        &self,
        session: &mut impl Session,
        runs: &[i64],
        after: &str,
        up_to: &str,
    ) -> Result<Inboxes, Fault> {
        let mut found = Inboxes::new();
        if runs.is_empty() {
            return Ok(found);
        }
        let mut query = Query::new(
            self.cx.dialect,
            "SELECT inbox.run, inbox.position, inbox.request_id, inbox.at, inbox.body FROM runs JOIN inbox \
             ON inbox.run = runs.id AND inbox.position > ",
        );
        query.push(after).push(" AND inbox.position <= ").push(up_to).push(" WHERE ");
        query.among("runs.id", runs.iter().copied()).push(" ORDER BY inbox.run, inbox.position");
        for row in session.rows(query.done()).await? {
            let inbox = found.entry(row.int(0)?).or_insert(Ok(Vec::new()));
            if let Ok(messages) = inbox {
                match read_message(&row, 1, 4) {
                    Ok(message) => messages.push(message),
                    Err(fault) => *inbox = Err(fault),
                }
            }
        }
        Ok(found)
    }
}

fn read_unread(
    row: &Row,
    namespace: Result<Namespace, Fault>,
    messages: Result<Vec<InboxMessage>, Fault>,
) -> Result<UnreadInbox, Fault> {
    let run = RunKey {
        namespace: namespace?,
        workflow_id: row.id(2, |text| WorkflowId::new(text))?,
        run_id: RunId(row.uuid(3)?),
    };
    Ok(UnreadInbox { run, token: FencingToken(row.count(4)?), messages: messages? })
}
