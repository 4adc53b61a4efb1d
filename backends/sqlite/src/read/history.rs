//! Histories, in pages.

use retell::history::Record;
use retell::vocabulary::{EventId, RunKey};
use rusqlite::{Connection, Result, params};

/// Records whose last event comes after `after`, at least one if there is one, and about `bytes_max` bytes of them.
pub(crate) fn history(
    connection: &Connection,
    run: &RunKey,
    after: EventId,
    bytes_max: usize,
) -> Result<Vec<Record>> {
    let Some(run) = super::run_row(connection, run)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT first, count, at, bytes FROM records WHERE run = ?1 AND first + count - 1 > ?2 AND first >= \
         coalesce((SELECT max(first) FROM records WHERE run = ?1 AND first <= ?2), 0) ORDER BY first",
    )?;
    let mut rows = statement.query(params![run, crate::column::number(after.0)])?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let record = Record {
            first: EventId(row.get(0)?),
            count: row.get(1)?,
            at: crate::column::time(row, 2)?,
            bytes: crate::column::bytes(row, 3)?,
        };
        bytes += record.bytes.len();
        if !records.is_empty() && bytes > bytes_max {
            break;
        }
        records.push(record);
    }
    Ok(records)
}
