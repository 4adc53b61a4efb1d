//! The user's own transactions, as the engine takes them.

use retell::backend::{InTransaction, OpenTransaction};
use retell::write::{Outcome, Write};

use crate::MySql;
use crate::session::fault;

impl OpenTransaction<MySql> for sqlx::Transaction<'_, sqlx::MySql> {
    fn apply<'a>(&'a mut self, store: &'a MySql, batch: &'a [Write]) -> InTransaction<'a, Vec<Outcome>> {
        Box::pin(store.apply_in(self, batch))
    }

    fn commit<'a>(self) -> InTransaction<'a, ()>
    where
        Self: 'a,
    {
        Box::pin(
            async move { self.commit().await.map_err(|error| fault(error).during("commit a transaction")) },
        )
    }
}
