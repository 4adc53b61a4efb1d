//! What is new for runs that a worker holds.

use std::collections::HashMap;

use retell::backend::{InboxMessage, UnreadInbox};
use retell::vocabulary::{FencingToken, RunId, RunKey, WorkflowId};

use super::{Claiming, ids};
use crate::batch::read_message;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::number;

/// What is read of a run for [`Claiming::unread_of`].
pub(super) const SELECT_UNREAD: &str = "SELECT id, namespace, workflow_id, run_id, token FROM runs WHERE ";

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
        for row in &rows {
            self.unread_of(session, row, &mut messages).await?;
        }
        Ok(())
    }

    /// Tells what came for the run of a row.
    pub(super) async fn unread_of(
        &mut self,
        session: &mut impl Session,
        row: &crate::value::Row,
        messages: &mut HashMap<i64, Vec<InboxMessage>>,
    ) -> Result<(), Fault> {
        let namespace = self.cx.names.namespace_name(session, self.cx.dialect, row.int(1)?).await?;
        let run = RunKey {
            namespace,
            workflow_id: row.id(2, |text| WorkflowId::new(text))?,
            run_id: RunId(row.uuid(3)?),
        };
        let messages = messages.remove(&row.int(0)?).unwrap_or_default();
        self.claimed.unread.push(UnreadInbox { run, token: FencingToken(row.count(4)?), messages });
        Ok(())
    }

    /// Messages of runs beyond one position and up to another, each an expression over the run's row.
    pub(super) async fn messages(
        &self,
        session: &mut impl Session,
        runs: &[i64],
        after: &str,
        up_to: &str,
    ) -> Result<HashMap<i64, Vec<InboxMessage>>, Fault> {
        let mut found: HashMap<i64, Vec<InboxMessage>> = HashMap::new();
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
            found.entry(row.int(0)?).or_default().push(read_message(&row, 1, 4)?);
        }
        Ok(found)
    }
}
