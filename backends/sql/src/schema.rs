//! The schema's versions: forward only, safe with several processes starting at once.
//!
//! Entries are never changed. Each adds what the version before can live without: it may still be running.

use retell::backend::StoreErrorKind;

use crate::dialect::{Dialect, Query};
use crate::fault::{Fault, FaultKind};
use crate::session::Session;

/// The one table that tells a Retell schema from any other.
const VERSIONS: &str = "retell_versions";

/// Brings a schema to this program's version, under a lock that one process has at a time.
pub(crate) async fn migrate(session: &mut impl Session, dialect: &'static dyn Dialect) -> Result<(), Fault> {
    if version(session, dialect).await? == known(dialect) {
        return Ok(());
    }
    session.script("BEGIN").await?;
    let locked = session.rows(Query::new(dialect, dialect.lock_schema()).done()).await?;
    // Some servers give up waiting, and say 0.
    if locked.first().is_some_and(|row| row.int(0).is_ok_and(|got| got == 0)) {
        session.script("ROLLBACK").await?;
        let unavailable = FaultKind::Store(StoreErrorKind::Unavailable);
        return Err(Fault::new(unavailable, "another process is changing the schema"));
    }
    let done = match bring_up(session, dialect).await {
        Ok(()) => session.script("COMMIT").await,
        Err(fault) if fault.kind == FaultKind::Lost => return Err(fault),
        Err(fault) => session.script("ROLLBACK").await.and(Err(fault)),
    };
    if let Some(unlock) = dialect.unlock_schema() {
        session.rows(Query::new(dialect, unlock).done()).await?;
    }
    done
}

async fn bring_up(session: &mut impl Session, dialect: &'static dyn Dialect) -> Result<(), Fault> {
    let found = version(session, dialect).await?;
    let migrations = dialect.migrations().iter().zip(1..).skip(usize::try_from(found).unwrap_or(0));
    for (migration, version) in migrations {
        session.script(migration).await?;
        let mut query = Query::new(dialect, "INSERT INTO retell_versions (version) VALUES (");
        session.execute(query.int(version).push(")").done()).await?;
    }
    Ok(())
}

fn known(dialect: &dyn Dialect) -> u32 {
    u32::try_from(dialect.migrations().len()).unwrap_or(u32::MAX)
}

/// The version of the schema; 0 of one that is empty. Refuses what is newer and what is not ours.
async fn version(session: &mut impl Session, dialect: &'static dyn Dialect) -> Result<u32, Fault> {
    if !has(session, dialect, VERSIONS).await? {
        if has(session, dialect, "runs").await? {
            let reason = "it holds a table `runs` and no `retell_versions`".to_owned();
            return Err(Fault::new(FaultKind::Store(StoreErrorKind::NotAStore(reason)), "another's schema"));
        }
        return Ok(0);
    }
    let query = Query::new(dialect, "SELECT max(version) FROM retell_versions").done();
    let rows = session.rows(query).await?;
    let found = rows.first().map_or(Ok(None), |row| row.maybe_int(0))?.unwrap_or(0);
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    let known = known(dialect);
    if found > known {
        return Err(Fault::new(FaultKind::Store(StoreErrorKind::Newer { found, known }), "a newer schema"));
    }
    Ok(found)
}

async fn has(session: &mut impl Session, dialect: &'static dyn Dialect, table: &str) -> Result<bool, Fault> {
    let mut query = Query::new(dialect, dialect.count_tables());
    // The parameter goes last in each dialect's text.
    let rows = session.rows(query.text(table).done()).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.int(0)? > 0))
}
