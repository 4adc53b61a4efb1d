//! Counts, from indexes.

use retell::backend::StoreStats;
use retell::vocabulary::Namespace;
use rusqlite::{Connection, Result};

/// Counts what a namespace holds.
pub(crate) fn stats(connection: &Connection, namespace: &Namespace) -> Result<StoreStats> {
    let Some(namespace) = super::namespace_row(connection, namespace)? else {
        return Ok(StoreStats::default());
    };
    let count =
        |sql: &str| connection.prepare_cached(sql)?.query_row([namespace], |row| row.get::<_, u64>(0));
    let all = count("SELECT count(*) FROM runs WHERE namespace = ?1")?;
    let open = count("SELECT count(*) FROM runs WHERE namespace = ?1 AND status = 0")?;
    Ok(StoreStats {
        open,
        parked: count(
            "SELECT count(*) FROM runs WHERE namespace = ?1 AND status = 0 AND failure IS NOT NULL",
        )?,
        closed: all.saturating_sub(open),
        queued: count(
            "SELECT count(*) FROM activities JOIN runs ON runs.id = activities.run WHERE runs.namespace = ?1",
        )?,
        messages: count(
            "SELECT count(*) FROM inbox JOIN runs ON runs.id = inbox.run \
             WHERE runs.namespace = ?1 AND runs.status = 0",
        )?,
    })
}
