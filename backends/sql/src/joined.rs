//! Writes inside a transaction that the user has open on a connection of their own.
//!
//! That connection is set up as the user likes: its unqualified names may mean another schema, its server another one. What
//! is asked of it first is where it is; then names mean the store's tables for as long as the writes take.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use retell::backend::{StoreError, StoreErrorKind};
use retell::write::{Outcome, Write};

use crate::batch;
use crate::dialect::{Query, Statement};
use crate::fault::{Fault, FaultKind};
use crate::session::{Driver, Session};
use crate::store::Shared;
use crate::value::Row;

const OPERATION: &str = "apply in a transaction";

/// Where a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    /// The server, and on it the database beyond which no transaction goes.
    server: String,
    /// What unqualified names mean.
    schema: String,
    /// What is to be set again so that they mean it.
    path: String,
    /// How durable its commits are, as the server calls it.
    durability: String,
}

/// Where the store is, once somebody had to know.
#[derive(Debug, Default)]
pub(crate) struct Home(Mutex<Option<Whereabouts>>);

/// Applies writes in a transaction that is open already, and stays so.
pub(crate) async fn apply_in<D: Driver>(
    shared: &Shared<D>,
    session: &mut impl Session,
    writes: &[Write],
) -> Result<Vec<Outcome>, StoreError> {
    let writes: Vec<&Write> = writes.iter().collect();
    let mut beside = Beside { shared, session: None };
    let applied = async {
        let there = whereabouts(session, shared).await?;
        shared.driver.check_durability(&there.durability)?;
        let mut ready = make_ready(&mut beside, &there, &writes).await;
        // A kept connection may have died since it was used last.
        if ready.as_ref().is_err_and(|fault| fault.kind == FaultKind::Lost) {
            beside.session = Some(shared.driver.writer().await?);
            ready = make_ready(&mut beside, &there, &writes).await;
        }
        let (home, fresh) = ready?;
        if there.schema == home.schema {
            return batch::apply_open(session, shared.context(None), &writes, fresh).await;
        }
        let dialect = shared.driver.dialect();
        session.script(&dialect.enter_schema(&home.schema)).await?;
        let applied = batch::apply_open(session, shared.context(None), &writes, fresh).await;
        let left = session.script(&dialect.leave_schema(&there.path)).await;
        // A fault of the writes comes first: a server may refuse all that follows one.
        applied.and_then(|applied| left.map(|()| applied))
    };
    let applied = applied.await;
    beside.give_back(&applied);
    applied.map(|batched| batched.outcomes).map_err(joined_fault)
}

/// What is done outside of the transaction: finds out where the store is, and makes the names that the writes use. Answers
/// also the numbers for new runs.
async fn make_ready<D: Driver>(
    beside: &mut Beside<'_, D>,
    there: &Whereabouts,
    writes: &[&Write],
) -> Result<(Whereabouts, Vec<i64>), Fault> {
    let home = home(beside, there).await?;
    let cx = beside.shared.context(None);
    Ok((home, batch::prepare(beside, cx, writes).await?))
}

/// Where the store is; refuses a transaction that is elsewhere.
async fn home<D: Driver>(beside: &mut Beside<'_, D>, there: &Whereabouts) -> Result<Whereabouts, Fault> {
    let shared = beside.shared;
    let known = shared.home.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(home) = known.filter(|home| home.server == there.server) {
        return Ok(home);
    }
    // Not known yet; or the server was started again since.
    let home = whereabouts(beside, shared).await?;
    *shared.home.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(home.clone());
    if home.server == there.server {
        return Ok(home);
    }
    let reason = format!("it is on {}, and the store on {}", there.server, home.server);
    Err(Fault::new(FaultKind::Store(StoreErrorKind::ForeignTransaction(reason)), "another database"))
}

async fn whereabouts<D: Driver>(
    session: &mut impl Session,
    shared: &Shared<D>,
) -> Result<Whereabouts, Fault> {
    let dialect = shared.driver.dialect();
    let rows = session.rows(Query::new(dialect, dialect.whereabouts()).done()).await?;
    let row = rows.first().ok_or_else(|| Fault::damaged("the server does not say where it is".to_owned()))?;
    Ok(Whereabouts {
        server: row.text(0)?,
        schema: row.text(1)?,
        path: row.text(2)?,
        durability: row.text(3)?,
    })
}

/// What goes wrong in the user's transaction: what another one stood in the way of is to be done again by the user, whole.
fn joined_fault(fault: Fault) -> StoreError {
    match fault.kind {
        FaultKind::Conflict | FaultKind::Duplicate => StoreError {
            kind: StoreErrorKind::Conflict,
            operation: OPERATION.to_owned(),
            source: Some(fault.source),
        },
        _ => fault.during(OPERATION),
    }
}

/// A connection of the store's, taken when it is first needed: for names, which are written outside of the transaction.
struct Beside<'a, D: Driver> {
    shared: &'a Shared<D>,
    session: Option<D::Session>,
}

impl<D: Driver> Beside<'_, D> {
    async fn session(&mut self) -> Result<&mut D::Session, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.shared.writer().await?,
        };
        Ok(self.session.insert(session))
    }

    fn give_back<T>(&mut self, done: &Result<T, Fault>) {
        if let Some(session) = self.session.take() {
            self.shared.keep(session, done);
        }
    }
}

#[async_trait]
impl<D: Driver> Session for Beside<'_, D> {
    async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, Fault> {
        self.session().await?.rows(statement).await
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64, Fault> {
        self.session().await?.execute(statement).await
    }

    async fn script(&mut self, text: &str) -> Result<(), Fault> {
        self.session().await?.script(text).await
    }
}
