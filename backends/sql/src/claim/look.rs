//! Finding what a claim may take, in one query without locks.

use std::collections::HashMap;

use super::Claiming;
use crate::dialect::{Operand, Query};
use crate::fault::Fault;
use crate::plan::NOBODY;
use crate::session::Session;
use crate::value::number;

/// The most runs whose new messages one claim answers with; the next claim has the rest.
const UNREAD_RUNS_MAX: i64 = 1_000;

/// What a row of the query is: to be taken or read, or the next that is due later. Groups of activities follow.
mod what {
    pub(super) const UNREAD: i64 = -1;
    pub(super) const AHEAD: i64 = -2;
    pub(super) const RUN: i64 = -3;
}

/// Rows that may be taken, by their order.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Held runs with new messages.
    pub(super) unread: Vec<i64>,
    pub(super) runs: HashMap<i64, usize>,
    /// Runs and events, for each group that is asked for.
    pub(super) activities: Vec<HashMap<(i64, i64), usize>>,
}

impl Candidates {
    pub(super) fn is_empty(&self) -> bool {
        self.unread.is_empty() && self.runs.is_empty() && self.activities.iter().all(|group| group.is_empty())
    }
}

impl Claiming<'_> {
    /// Finds the oldest of what is asked for; notes when the next is due.
    pub(super) async fn look(&mut self, session: &mut impl Session) -> Result<Candidates, Fault> {
        let (claim, now) = (self.claim, self.now);
        let mut query = Query::new(self.cx.dialect, "SELECT due, run, scheduled, what FROM (");
        query.push(
            "(SELECT 0 AS due, id AS run, 0 AS scheduled, -1 AS what FROM runs WHERE unread = 1 AND owner = ",
        );
        query.int(self.worker).push(" AND coalesce(door_at, inbox_last) > shown LIMIT ").int(UNREAD_RUNS_MAX);
        query.push(")");
        let workflows = self.kinds.workflows.iter().filter(|(_, workflow, semantics)| {
            claim.workflows.contains(workflow) && *semantics <= claim.semantics
        });
        let kinds: Vec<i64> = workflows.map(|(id, ..)| *id).collect();
        if !kinds.is_empty() {
            let max = number(claim.runs_max);
            query.push(" UNION ALL SELECT due, run, scheduled, what FROM ");
            query.for_each_owner(&self.ownerless, &kinds, &|query, owner, kind| {
                ready_runs(query, owner, kind, now, max)
            });
        }
        for (group, request) in (0..).zip(&claim.activities) {
            let kinds = self.kinds.activities.iter().filter(|(_, name)| request.names.contains(name));
            let kinds: Vec<i64> = kinds.map(|(id, _)| *id).collect();
            if !kinds.is_empty() {
                let max = number(request.max);
                query.push(" UNION ALL SELECT due, run, scheduled, what FROM ");
                query.for_each_owner(&self.ownerless, &kinds, &|query, owner, kind| {
                    ready_activities(query, owner, kind, now, (group, max));
                });
            }
        }
        let rows = session.rows(query.push(") AS candidates ORDER BY due").done()).await?;
        let mut found = Candidates::default();
        found.activities.resize_with(claim.activities.len(), HashMap::new);
        for row in rows {
            let Some(due) = row.maybe_int(0)? else { continue };
            let run = row.int(1)?;
            match row.int(3)? {
                what::AHEAD => self.note_due(due),
                what::UNREAD => found.unread.push(run),
                what::RUN => keep(&mut found.runs, run, claim.runs_max),
                group => {
                    let group = usize::try_from(group).unwrap_or_default();
                    if let (Some(of_group), Some(request)) =
                        (found.activities.get_mut(group), claim.activities.get(group))
                    {
                        keep(of_group, (run, row.int(2)?), request.max);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Keeps one more if there is room; rows come in order, and some of them by two ways.
fn keep<K: std::hash::Hash + Eq>(found: &mut HashMap<K, usize>, key: K, max: usize) {
    let order = found.len();
    if order < max {
        found.entry(key).or_insert(order);
    }
}

/// Runs of one kind and one owner that may be taken, and when the next may.
fn ready_runs(query: &mut Query, owner: &Operand, kind: &Operand, now: i64, max: i64) {
    let of = |query: &mut Query| _ = query.equals("owner", owner).push(" AND ").equals("kind", kind);
    query.push(
        "(SELECT wake_at AS due, id AS run, 0 AS scheduled, -3 AS what FROM runs WHERE status = 0 AND ",
    );
    of(query);
    query.push(" AND wake_at <= ").int(now).push(" ORDER BY wake_at LIMIT ").int(max);
    // What a dead holder left running is due only now: after all that was due before.
    query.push(
        ") UNION ALL (SELECT 9223372036854775807 AS due, id AS run, 0 AS scheduled, -3 AS what FROM runs ",
    );
    query.push("WHERE status = 0 AND rowless = 1 AND owner <> 0 AND ");
    of(query);
    query.push(" AND (wake_at IS NULL OR wake_at > ").int(now).push(") LIMIT ").int(max);
    query.push(") UNION ALL (SELECT closed_at AS due, id AS run, 0 AS scheduled, -3 AS what FROM runs ");
    query.push("WHERE unsettled = 1 AND ");
    of(query);
    query.push(" LIMIT ").int(max).push(") UNION ALL ");
    sleeping_runs(query, owner, kind, now);
}

/// When the next run of one kind is due that sleeps now. There may be many: for each owner one row of the index is read.
fn sleeping_runs(query: &mut Query, owner: &Operand, kind: &Operand, now: i64) {
    let next = |query: &mut Query, what: &str, owner: &Operand| {
        query.push("(SELECT ").push(what).push(" FROM runs WHERE status = 0 AND ").equals("owner", owner);
        query.push(" AND ").equals("kind", kind).push(" AND wake_at > ").int(now);
        query.push(" AND (rowless = 0 OR owner = 0) ORDER BY wake_at LIMIT 1)");
    };
    let row = "wake_at AS due, id AS run, 0 AS scheduled, -2 AS what";
    if let Operand::Among(owners) = owner {
        query.push("(SELECT ");
        next(query, "wake_at", &Operand::Column("workers.id"));
        query.push(" AS due, 0 AS run, 0 AS scheduled, -2 AS what FROM workers WHERE ");
        query.among("workers.id", owners.iter().copied()).push(")");
    } else {
        next(query, row, owner);
    }
}

/// Activities of one kind and one owner that may be taken, and when the next may. Those of a dead worker were running:
/// they are visible whatever their row says.
fn ready_activities(query: &mut Query, owner: &Operand, kind: &Operand, now: i64, (group, max): (i64, i64)) {
    let of = |query: &mut Query| _ = query.equals("owner", owner).push(" AND ").equals("kind", kind);
    query.push("(SELECT visible_at AS due, run, scheduled, ").push(&group.to_string());
    query.push(" AS what FROM activities WHERE ");
    of(query);
    query.push(" AND visible_at <= ");
    match owner {
        Operand::Value(NOBODY) => query.int(now),
        Operand::Value(_) | Operand::Among(_) => query.push("9223372036854775807"),
        Operand::Column(owner) => query
            .push("CASE WHEN ")
            .push(owner)
            .push(" = 0 THEN ")
            .int(now)
            .push(" ELSE 9223372036854775807 END"),
    };
    query.push(" ORDER BY visible_at LIMIT ").int(max).push(")");
    if matches!(owner, Operand::Among(_)) {
        return;
    }
    query.push(" UNION ALL (SELECT visible_at AS due, run, scheduled, -2 AS what FROM activities WHERE ");
    of(query);
    query.push(" AND owner = 0 AND visible_at > ").int(now).push(" ORDER BY visible_at LIMIT 1)");
}
