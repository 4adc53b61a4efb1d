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

/// A lease as it was left, and the row of its worker if that lives.
pub(crate) struct Leased {
    pub(crate) renewed: Renewed,
    pub(crate) row: Option<i64>,
}

/// Opens, prolongs or ends a lease. Doing it again does no harm.
pub(crate) async fn renew(
    session: &mut impl Session,
    cx: Context<'_>,
    renewal: &Renewal,
) -> Result<Leased, Fault> {
    let Lease { instant, row } = read(session, cx, renewal.worker).await?;
    let row = match (&renewal.action, row) {
        (LeaseAction::Register { lease, .. } | LeaseAction::Renew { lease }, Some(row)) => {
            let mut query = Query::new(cx.dialect, "UPDATE workers SET expires_at = ");
            query.int(lease_end(instant, *lease)).push(", lease = ").int(number(lease.as_micros()));
            query.push(" WHERE id = ").int(row);
            // One that is over stays over, whatever happened since it was read.
            query.push(" AND expires_at > ").int(instant.age);
            if session.execute(query.done()).await? == 0 {
                return Err(lease_lost("renew"));
            }
            Some(row)
        }
        (LeaseAction::Register { identity, lease }, None) => {
            Some(insert(session, cx, renewal.worker, (identity, *lease), instant).await?)
        }
        (LeaseAction::Renew { .. }, None) => return Err(lease_lost("renew")),
        (LeaseAction::Retire, Some(row)) => {
            retire(session, cx, row, instant).await?;
            None
        }
        (LeaseAction::Retire, None) => {
            insert(session, cx, renewal.worker, ("", Duration::ZERO), instant).await?;
            None
        }
    };
    Ok(Leased { renewed: Renewed { now: instant.now }, row })
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
    (identity, lease): (&str, Duration),
    instant: Instant,
) -> Result<i64, Fault> {
    let id = cx.names.numbers(session, cx.dialect, 1).await?;
    let id = id.first().copied().unwrap_or_default();
    let identity = Cell::Bytes(bytes::Bytes::copy_from_slice(identity.as_bytes()));
    let (ends, lease) = (lease_end(instant, lease), number(lease.as_micros()));
    let row = vec![Cell::Int(id), worker.0.into(), identity, ends.into(), lease.into()];
    let rows = Rows { how: How::Insert, rows: vec![row], ..table::WORKERS.rows() };
    for statement in cx.dialect.change(rows) {
        session.execute(statement).await?;
    }
    Ok(id)
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
