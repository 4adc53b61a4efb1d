//! Histories, in pages.

use retell::history::Record;
use retell::vocabulary::{EventId, RunKey};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::{Row, number};

/// The most records that are looked at for one page.
const RECORDS_MAX: usize = 2_000;

/// Records whose last event comes after `after`, at least one if there is one, and about `bytes_max` bytes of them.
pub(crate) async fn history(
    session: &mut impl Session,
    cx: Context<'_>,
    run: &RunKey,
    after: EventId,
    bytes_max: usize,
) -> Result<Vec<Record>, Fault> {
    let after = number(after.0);
    // Sizes first, then bytes of those that make the page: what is cut here would have crossed the network already.
    let mut query = Query::new(
        cx.dialect,
        "SELECT records.first, records.count, records.at, records.bytes FROM (SELECT run, first, \
         sum(size) OVER (ORDER BY first) AS total, row_number() OVER (ORDER BY first) AS nth FROM (SELECT run, first, \
         octet_length(bytes) AS size FROM records WHERE run = ",
    );
    super::push_run_row(&mut query, run);
    query.push(" AND first + count - 1 > ").int(after);
    query.push(" AND first >= coalesce((SELECT max(first) FROM records WHERE run = ");
    super::push_run_row(&mut query, run);
    query.push(" AND first <= ").int(after).push("), 0) ORDER BY first LIMIT ").int(number(RECORDS_MAX));
    query.push(") AS sizes) AS page JOIN records ON records.run = page.run AND records.first = page.first ");
    query.push("WHERE page.nth = 1 OR page.total <= ").int(number(bytes_max)).push(" ORDER BY records.first");
    let rows = session.rows(query.done()).await?;
    let read = |row: &Row| {
        Ok(Record {
            first: EventId(row.count(0)?),
            count: crate::names::count(row, 1)?,
            at: row.time(2)?,
            bytes: row.bytes(3)?,
        })
    };
    rows.iter().map(read).collect()
}
