//! A batch from its beginning to its commit, again where another transaction stood in its way.

use std::time::Duration;

use retell::write::{Outcome, Refusal, Write};

use super::load::load;
use super::named::Named;
use super::rounds;
use super::save::{Changes, changes};
use super::unread::apply_unread;
use crate::dialect::{Beat, Dialect, Rows};
use crate::fault::{Fault, FaultKind};
use crate::names::Names;
use crate::plan::{Heard, Run};
use crate::remembered::Remembered;
use crate::session::Session;
use crate::time::Source;
use crate::value::Cell;

/// How often a transaction that met a deadlock is done again before the caller hears of it.
const CONFLICTS_MAX: u32 = 8;
/// How often one that met a row of its own keys is done again before it counts as wrong.
const DUPLICATES_MAX: u32 = 2;
/// The wait before it is done again, times how often it was.
const CONFLICT_PAUSE: Duration = Duration::from_millis(2);

/// What all statements of a store are written with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) names: &'a Names,
    pub(crate) source: &'a Source,
    pub(crate) remembered: &'a Remembered,
    /// The row of `pulses` on which changes are noted; the connection's own if there is none.
    pub(crate) pulse: Option<i64>,
}

impl Context<'_> {
    /// Remembers how a transaction that is committed has left its runs, where that is of use.
    fn keep(&self, batched: &mut Batched) {
        let left = std::mem::take(&mut batched.left);
        if self.dialect.changes_if() {
            self.remembered.keep(left);
        }
    }
}

/// What became of a batch.
#[derive(Default)]
pub(crate) struct Batched {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) heard: Heard,
    /// Runs that were changed, as they are once it is committed.
    pub(crate) left: Vec<Run>,
}

impl Batched {
    fn and(mut self, other: Self) -> Self {
        self.outcomes.extend(other.outcomes);
        self.heard = self.heard.and(other.heard);
        self.left.extend(other.left);
        self
    }
}

/// Applies writes in transactions of their own: in one, unless the server refuses a member for its data.
pub(crate) async fn apply_jobs(
    session: &mut impl Session,
    cx: Context<'_>,
    writes: &[&Write],
) -> Result<Batched, Fault> {
    let mut done = Batched::default();
    // Halves of what failed for its data, the first on top.
    let mut parts = vec![writes];
    while let Some(part) = parts.pop() {
        match apply_together(session, cx, part).await {
            Ok(batched) => done = done.and(batched),
            Err(fault) if fault.is_of_the_data() && part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(fault) if fault.is_of_the_data() => {
                done.outcomes.push(Err(Refusal::Invalid(fault.source.to_string())));
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(done)
}

/// Applies writes in one transaction, and remembers how it leaves their runs.
async fn apply_together(
    session: &mut impl Session,
    cx: Context<'_>,
    writes: &[&Write],
) -> Result<Batched, Fault> {
    let mut conflicts = 0;
    loop {
        let fresh = prepare(session, cx, writes).await?;
        if conflicts == 0
            && let Some(mut batched) = apply_unread(session, cx, writes, &fresh).await?
        {
            cx.keep(&mut batched);
            return Ok(batched);
        }
        session.script("BEGIN").await?;
        let applied = match apply_open(session, cx, writes, fresh).await {
            Ok(batched) => session.script("COMMIT").await.map(|()| batched),
            Err(fault) => Err(fault),
        };
        let fault = match applied {
            Ok(mut batched) => {
                cx.keep(&mut batched);
                return Ok(batched);
            }
            Err(fault) => fault,
        };
        if fault.kind != FaultKind::Lost {
            session.script("ROLLBACK").await?;
        }
        conflicts += 1;
        let again = match fault.kind {
            FaultKind::Conflict => conflicts <= CONFLICTS_MAX,
            FaultKind::Duplicate => conflicts <= DUPLICATES_MAX,
            _ => false,
        };
        if !again {
            return Err(fault);
        }
        tokio::time::sleep(CONFLICT_PAUSE * conflicts).await;
    }
}

/// Makes the names that the writes use, outside of their transaction; answers numbers for new runs.
pub(crate) async fn prepare(
    session: &mut impl Session,
    cx: Context<'_>,
    writes: &[&Write],
) -> Result<Vec<i64>, Fault> {
    let named = Named::of(writes.iter().copied());
    cx.names.make_namespaces(session, cx.dialect, &named.made).await?;
    cx.names.find_namespaces(session, cx.dialect, named.namespaces.iter().copied()).await?;
    cx.names.make_kinds(session, cx.dialect, &named.starts, &named.activities).await?;
    cx.names.numbers(session, cx.dialect, named.fresh).await
}

/// Applies writes in a transaction that is open already, and stays so: what it changed is undone or kept by whoever opened
/// it.
pub(crate) async fn apply_open(
    session: &mut impl Session,
    cx: Context<'_>,
    writes: &[&Write],
    mut fresh: Vec<i64>,
) -> Result<Batched, Fault> {
    let mut done = Batched::default();
    for round in rounds(writes) {
        let writes = &writes[round];
        let named = Named::of(writes.iter().copied());
        // Given in the order in which they were taken, so that rows are appended.
        let rest = fresh.split_off(named.fresh.min(fresh.len()));
        fresh.reverse();
        let mut world = load(session, cx, &named, std::mem::replace(&mut fresh, rest)).await?;
        let outcomes = writes.iter().map(|write| world.apply(write)).collect();
        let (changes, heard, left) = (changes(&world)?, world.heard, world.left());
        write(session, cx, changes, heard).await?;
        done = done.and(Batched { outcomes, heard, left });
    }
    Ok(done)
}

async fn write(
    session: &mut impl Session,
    cx: Context<'_>,
    changes: Changes,
    heard: Heard,
) -> Result<(), Fault> {
    let cut = |rows: Vec<Rows>| -> Vec<Rows> {
        rows.into_iter().flat_map(|rows| portions(rows, cx.dialect.bytes_max())).collect()
    };
    let Heard { work, closings, answers } = heard;
    let beat = Beat { id: cx.pulse, changes: [work, closings, answers].map(i64::from) };
    let mut statements = cx.dialect.change_all(cut(changes.first), None);
    statements.extend(cx.dialect.change_all(cut(changes.then), heard.is_something().then_some(beat)));
    for statement in statements {
        session.execute(statement).await?;
    }
    Ok(())
}

/// Cuts rows into portions of about so many bytes.
fn portions(mut rows: Rows, bytes_max: usize) -> Vec<Rows> {
    let mut portions = Vec::new();
    let mut portion = Vec::new();
    let mut bytes = 0;
    for row in std::mem::take(&mut rows.rows) {
        let size: usize = row.iter().map(size).sum();
        if !portion.is_empty() && bytes + size > bytes_max {
            portions.push(Rows { rows: std::mem::take(&mut portion), ..rows.clone() });
            bytes = 0;
        }
        bytes += size;
        portion.push(row);
    }
    portions.push(Rows { rows: portion, ..rows });
    portions
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Null | Cell::Int(_) => 8,
        Cell::Text(text) => text.len(),
        Cell::Bytes(bytes) => bytes.len(),
    }
}
