//! Histories, in pages: of one run, or of many that are read together.

use std::collections::HashMap;

use retell::history::Record;
use retell::vocabulary::{EventId, RunKey};

use super::rows_of;
use crate::batch::Context;
use crate::dialect::{Operand, Query};
use crate::fault::Fault;
use crate::session::Session;
use crate::value::{Row, number};

/// The most records that are looked at for one page.
const RECORDS_MAX: usize = 2_000;
/// How long pages are at least that are read together.
const PAGE_MIN: usize = 64 << 10;

/// A page of a history.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) run: RunKey,
    /// The event after which it begins.
    pub(crate) after: EventId,
    pub(crate) bytes_max: usize,
}

/// For each page, records whose last event comes after its beginning, at least one if there is one, and about its share
/// of bytes of them.
pub(crate) async fn histories(
    session: &mut impl Session,
    cx: Context<'_>,
    pages: &[Page],
) -> Result<Vec<Vec<Record>>, Fault> {
    let rows = rows_of(session, cx, pages.iter().map(|page| &page.run)).await?;
    let key = |page: &Page| Some((*rows.get(&page.run)?, number(page.after.0)));
    let mut asked: Vec<(i64, i64)> = pages.iter().filter_map(key).collect();
    asked.sort_unstable();
    asked.dedup();
    let mut read = HashMap::new();
    if !asked.is_empty() {
        let bytes_max = pages.iter().map(|page| page.bytes_max).max().unwrap_or_default();
        let share = (bytes_max / asked.len()).max(PAGE_MIN.min(bytes_max));
        read = read_pages(session, cx, &asked, share).await?;
    }
    let page = |page: &Page| key(page).and_then(|key| read.get(&key).cloned()).unwrap_or_default();
    Ok(pages.iter().map(page).collect())
}

async fn read_pages(
    session: &mut impl Session,
    cx: Context<'_>,
    asked: &[(i64, i64)],
    bytes_max: usize,
) -> Result<HashMap<(i64, i64), Vec<Record>>, Fault> {
    // Sizes first, then bytes of those that make the page: what is cut here would have crossed the network already.
    let mut query =
        Query::new(cx.dialect, "SELECT page.run, page.after, records.first, records.count, records.at, ");
    query.push("records.bytes FROM (SELECT run, after, first, nth, total FROM ");
    query.for_each(asked, &sizes);
    query.push(") AS page JOIN records ON records.run = page.run AND records.first = page.first ");
    query.push("WHERE page.nth = 1 OR page.total <= ").int(number(bytes_max));
    query.push(" ORDER BY page.run, page.after, records.first");
    let mut pages: HashMap<(i64, i64), Vec<Record>> = HashMap::new();
    for row in session.rows(query.done()).await? {
        let (page, record) = (pages.entry((row.int(0)?, row.int(1)?)).or_default(), read(&row)?);
        // A dialect may ask for a page twice.
        if page.last().is_none_or(|last| last.first < record.first) {
            page.push(record);
        }
    }
    Ok(pages)
}

/// The sizes of a run's records from an event on, summed up.
fn sizes(query: &mut Query, run: &Operand, after: &Operand) {
    query.push("(SELECT run, ").operand(after).push(
        " AS after, first, sum(size) OVER (ORDER BY first) AS total, row_number() OVER (ORDER BY first) AS nth \
         FROM (SELECT run, first, octet_length(bytes) AS size FROM records WHERE run = ",
    );
    query.operand(run).push(" AND first + count - 1 > ").operand(after);
    query.push(" AND first >= coalesce((SELECT max(first) FROM records WHERE run = ").operand(run);
    query.push(" AND first <= ").operand(after).push("), 0) ORDER BY first LIMIT ").int(number(RECORDS_MAX));
    query.push(") AS sizes)");
}

fn read(row: &Row) -> Result<Record, Fault> {
    Ok(Record {
        first: EventId(row.count(2)?),
        count: crate::names::count(row, 3)?,
        at: row.time(4)?,
        bytes: row.bytes(5)?,
    })
}
