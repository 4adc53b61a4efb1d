//! A claim whose answer was lost, answered again from the rows that carry its number.

use super::activities::{self, Read};
use super::unread::SELECT_UNREAD;
use super::{Claiming, ids, runs};
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::number;

impl Claiming<'_> {
    /// Tells what the worker's last claim took, as far as the worker still has it.
    pub(super) async fn answer_again(&mut self, session: &mut impl Session) -> Result<(), Fault> {
        let claimed_by = number(self.claim.number);
        let mut query = Query::new(self.cx.dialect, SELECT_UNREAD);
        query.push("status = 0 AND owner = ").int(self.worker).push(" AND shown_by = ").int(claimed_by);
        let rows = session.rows(query.done()).await?;
        let shown = ids(&rows)?;
        let mut messages = self.messages(session, &shown, "runs.shown_before", "runs.shown").await?;
        let damaged = self.tell_unread(session, &rows, &mut messages).await?;
        self.park(session, damaged).await?;
        let mut query = Query::new(self.cx.dialect, runs::SELECT_TAKEN);
        query.push("owner = ").int(self.worker).push(" AND claimed_by = ").int(claimed_by);
        let rows = session.rows(query.push(" AND (status = 0 OR unsettled = 1)").done()).await?;
        let damaged = self.tell_runs(session, &rows, 0, "runs.shown").await?;
        self.park(session, damaged).await?;
        let mut query = Query::new(self.cx.dialect, activities::SELECT_TAKEN);
        query.push("owner = ").int(self.worker).push(" AND claimed_by = ").int(claimed_by);
        let rows = session.rows(query.push(" ORDER BY visible_at").done()).await?;
        let damaged = self.tell_activities(session, &rows, Read::After).await?;
        self.put_aside(session, damaged).await
    }
}
