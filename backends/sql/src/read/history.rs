//! Histories, in pages.

use retell::history::Record;
use retell::vocabulary::{EventId, RunKey};

use crate::batch::Context;
use crate::dialect::Query;
use crate::fault::Fault;
use crate::session::Session;
use crate::value::number;

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
    let Some(run) = super::run_row(session, cx, run).await? else {
        return Ok(Vec::new());
    };
    let wanted = measure(session, cx, run, after, bytes_max).await?;
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
        return Ok(Vec::new());
    };
    let mut query = Query::new(cx.dialect, "SELECT first, count, at, bytes FROM records WHERE run = ");
    query.int(run).push(" AND first >= ").int(*first).push(" AND first <= ").int(*last);
    let rows = session.rows(query.push(" ORDER BY first").done()).await?;
    let read = |row: &crate::value::Row| {
        Ok(Record {
            first: EventId(row.count(0)?),
            count: crate::names::count(row, 1)?,
            at: row.time(2)?,
            bytes: row.bytes(3)?,
        })
    };
    rows.iter().map(read).collect()
}

/// The first events of the records that make a page: sizes are asked for before bytes are, since a page that is cut here
/// has crossed the network already.
async fn measure(
    session: &mut impl Session,
    cx: Context<'_>,
    run: i64,
    after: EventId,
    bytes_max: usize,
) -> Result<Vec<i64>, Fault> {
    let after = number(after.0);
    let mut query = Query::new(cx.dialect, "SELECT first, octet_length(bytes) FROM records WHERE run = ");
    query.int(run).push(" AND first + count - 1 > ").int(after);
    query.push(" AND first >= coalesce((SELECT max(first) FROM records WHERE run = ").int(run);
    query.push(" AND first <= ").int(after).push("), 0) ORDER BY first LIMIT ").int(number(RECORDS_MAX));
    let (mut page, mut bytes) = (Vec::new(), 0usize);
    for row in session.rows(query.done()).await? {
        bytes = bytes.saturating_add(usize::try_from(row.int(1)?).unwrap_or(usize::MAX));
        if !page.is_empty() && bytes > bytes_max {
            break;
        }
        page.push(row.int(0)?);
    }
    Ok(page)
}
