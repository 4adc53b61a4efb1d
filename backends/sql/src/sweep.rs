//! What nobody waits for: forgetting old identities and answers, and dead workers that hold nothing.

use retell::write::IDENTITY_KEPT;

use crate::batch::Context;
use crate::dialect::{How, Query, Rows};
use crate::fault::Fault;
use crate::session::Session;
use crate::table::{self, Table};
use crate::value::Type::Int;
use crate::value::{Cell, Param, number};

/// The most rows that one sweep forgets of a table.
const FORGOTTEN_MAX: i64 = 2_000;
/// How long a dead worker is looked after at least, in microseconds: longer than any transaction that found it alive.
const GRACE: i64 = 60_000_000;
/// How long the row of a connection that changes nothing is kept, in microseconds.
const PULSE_KEPT: i64 = 3_600_000_000;
/// How many dead workers may still hold runs before the sleepers of the oldest are released.
const DEAD_HOLDERS_MAX: usize = 16;
/// How many sleepers a sweep releases at most.
const SLEEPERS_RELEASED: i64 = 500;
/// How many rows of dead workers, which nothing names, are kept to be refused under their IDs.
const DEAD_KEPT: i64 = 1_000_000;

/// Sweeps once. Each statement is a transaction of its own.
pub(crate) async fn sweep(session: &mut impl Session, cx: Context<'_>) -> Result<(), Fault> {
    let mut clock = Query::new(cx.dialect, "SELECT ");
    let rows = session.rows(clock.push(cx.dialect.now()).done()).await?;
    let server = rows.first().map_or(Ok(0), |row| row.int(0))?;
    let age = cx.source.instant(server).age;
    let kept = age.saturating_sub(number(IDENTITY_KEPT.as_micros()));
    forget(session, cx, &table::REQUESTS_OLD, kept).await?;
    forget(session, cx, &table::ANSWERS_OLD, kept).await?;
    let mut pulses = Query::new(cx.dialect, "DELETE FROM pulses WHERE beaten_at < ");
    session.execute(pulses.int(server.saturating_sub(PULSE_KEPT)).done()).await?;
    drain(session, cx, age).await?;
    release_sleepers(session, cx, age).await
}

/// Deletes rows that are older than this. Those that another sweep has locked are left to it.
async fn forget(
    session: &mut impl Session,
    cx: Context<'_>,
    table: &Table,
    before: i64,
) -> Result<(), Fault> {
    let rows = table.rows();
    let mut query = Query::new(cx.dialect, "SELECT namespace, request_id FROM ");
    query.push(rows.table).push(" WHERE at < ").int(before).push(" ORDER BY at LIMIT ").int(FORGOTTEN_MAX);
    let old = session.rows(query.done()).await?;
    let keys: Vec<Vec<Cell>> = old
        .iter()
        .map(|row| Ok(vec![row.int(0)?.into(), row.bytes(1)?.into()]))
        .collect::<Result<_, Fault>>()?;
    if keys.is_empty() {
        return Ok(());
    }
    for statement in cx.dialect.change(Rows { how: How::Delete, rows: keys, ..rows }) {
        session.execute(statement).await?;
    }
    Ok(())
}

/// Takes workers that died long enough ago and hold nothing out of what claims look at.
async fn drain(session: &mut impl Session, cx: Context<'_>, age: i64) -> Result<(), Fault> {
    let mut query = Query::new(
        cx.dialect,
        "UPDATE workers SET drained = 1 WHERE drained = 0 \
         AND NOT EXISTS (SELECT 1 FROM runs WHERE status = 0 AND runs.owner = workers.id) \
         AND NOT EXISTS (SELECT 1 FROM runs WHERE unsettled = 1 AND runs.owner = workers.id) \
         AND NOT EXISTS (SELECT 1 FROM activities WHERE activities.owner = workers.id) AND expires_at < ",
    );
    session.execute(query.int(age.saturating_sub(GRACE)).done()).await?;
    let mut last = Query::new(cx.dialect, "SELECT max(id) FROM workers");
    let rows = session.rows(last.done()).await?;
    let last = rows.first().map_or(Ok(None), |row| row.maybe_int(0))?.unwrap_or_default();
    let mut query = Query::new(cx.dialect, "DELETE FROM workers WHERE drained = 1 AND id < ");
    session.execute(query.int(last.saturating_sub(DEAD_KEPT)).done()).await?;
    Ok(())
}

/// Takes a portion of the sleeping runs from the oldest dead worker. Each claim asks for each dead holder: after many
/// crashes they must not grow without end.
async fn release_sleepers(session: &mut impl Session, cx: Context<'_>, age: i64) -> Result<(), Fault> {
    let mut query = Query::new(cx.dialect, "SELECT id FROM workers WHERE drained = 0 AND expires_at <= ");
    let dead = session.rows(query.int(age).push(" ORDER BY id").done()).await?;
    let Some(oldest) = dead.first().filter(|_| dead.len() > DEAD_HOLDERS_MAX) else {
        return Ok(());
    };
    let mut query =
        Query::new(cx.dialect, "SELECT id FROM runs WHERE status = 0 AND rowless = 0 AND owner = ");
    query.bind(Param::One(Int, oldest.int(0)?.into())).push(" LIMIT ").int(SLEEPERS_RELEASED);
    let sleepers: Vec<i64> =
        session.rows(query.done()).await?.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
    let mut query = Query::new(cx.dialect, "UPDATE runs SET owner = 0 WHERE rowless = 0 AND owner = ");
    query.int(oldest.int(0)?).push(" AND ").among("id", sleepers);
    session.execute(query.done()).await?;
    Ok(())
}
