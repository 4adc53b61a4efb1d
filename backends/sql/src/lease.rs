//! Workers: their leases, on the server's clock.

use std::time::Duration;

use retell::backend::{LeaseAction, Renewal, Renewed, StoreErrorKind};
use retell::vocabulary::WorkerId;

use crate::batch::Context;
use crate::dialect::{Beat, How, Query, Rows};
use crate::fault::{Fault, FaultKind};
use crate::session::Session;
use crate::table;
use crate::time::Instant;
use crate::value::Type::Bytes;
use crate::value::{Cell, number};

/// A worker's row as it was read, and when.
struct Lease {
    instant: Instant,
    row: Option<i64>,
}

/// Opens, prolongs or ends a lease. Doing it again does no harm.
pub(crate) async fn renew(
    session: &mut impl Session,
    cx: Context<'_>,
    renewal: &Renewal,
) -> Result<Renewed, Fault> {
    let Lease { instant, row } = read(session, cx, renewal.worker).await?;
    match (&renewal.action, row) {
        (LeaseAction::Register { lease, .. } | LeaseAction::Renew { lease }, Some(row)) => {
            let mut query = Query::new(cx.dialect, "UPDATE workers SET expires_at = ");
            query.int(lease_end(instant, *lease)).push(" WHERE id = ").int(row);
            // One that is over stays over, whatever happened since it was read.
            query.push(" AND expires_at > ").int(instant.age);
            if session.execute(query.done()).await? == 0 {
                return Err(lease_lost("renew"));
            }
        }
        (LeaseAction::Register { identity, lease }, None) => {
            insert(session, cx, renewal.worker, identity, lease_end(instant, *lease)).await?;
        }
        (LeaseAction::Renew { .. }, None) => return Err(lease_lost("renew")),
        (LeaseAction::Retire, Some(row)) => retire(session, cx, row, instant).await?,
        (LeaseAction::Retire, None) => insert(session, cx, renewal.worker, "", instant.age).await?,
    }
    Ok(Renewed { now: instant.now })
}

async fn read(session: &mut impl Session, cx: Context<'_>, worker: WorkerId) -> Result<Lease, Fault> {
    let mut query = Query::new(cx.dialect, "SELECT clock.now, workers.id FROM (SELECT ");
    query.push(cx.dialect.now()).push(" AS now) AS clock LEFT JOIN workers ON ");
    query.any_of(&[("workers.worker", Bytes)], vec![vec![Cell::from(worker.0)]]);
    let rows = session.rows(query.done()).await?;
    let row = rows.first().ok_or_else(|| Fault::damaged("the server tells no time".to_owned()))?;
    Ok(Lease { instant: cx.source.instant(row.int(0)?), row: row.maybe_int(1)? })
}

async fn insert(
    session: &mut impl Session,
    cx: Context<'_>,
    worker: WorkerId,
    identity: &str,
    expires_at: i64,
) -> Result<(), Fault> {
    let id = cx.names.numbers(session, cx.dialect, 1).await?;
    let id = id.first().copied().unwrap_or_default();
    let identity = Cell::Bytes(bytes::Bytes::copy_from_slice(identity.as_bytes()));
    let row = vec![Cell::Int(id), worker.0.into(), identity, expires_at.into()];
    let rows = Rows { how: How::Insert, rows: vec![row], ..table::WORKERS.rows() };
    for statement in cx.dialect.change(rows) {
        session.execute(statement).await?;
    }
    Ok(())
}

async fn retire(
    session: &mut impl Session,
    cx: Context<'_>,
    row: i64,
    instant: Instant,
) -> Result<(), Fault> {
    session.script("BEGIN").await?;
    let mut query = Query::new(cx.dialect, "UPDATE workers SET expires_at = ");
    query.int(instant.age).push(" WHERE id = ").int(row).push(" AND expires_at > ").int(instant.age);
    let work_is_free = Beat { id: cx.pulse, changes: [1, 0, 0] };
    let done = async {
        session.execute(query.done()).await?;
        session.execute(cx.dialect.beat(work_is_free)).await?;
        session.script("COMMIT").await
    };
    let done = done.await;
    if done.as_ref().is_err_and(|fault| fault.kind != FaultKind::Lost) {
        session.script("ROLLBACK").await?;
    }
    done
}

fn lease_end(instant: Instant, lease: Duration) -> i64 {
    instant.age.saturating_add(number(lease.as_micros()))
}

pub(crate) fn lease_lost(operation: &str) -> Fault {
    Fault::new(FaultKind::Store(StoreErrorKind::LeaseLost), format!("{operation}: no such lease"))
}
