//! The user's own transactions, as the engine takes them.

use retell::backend::{InTransaction, OpenTransaction};
use retell::write::{Outcome, Write};

use crate::Postgres;
use crate::session::fault;

impl OpenTransaction<Postgres> for sqlx::Transaction<'_, sqlx::Postgres> {
    fn apply<'a>(&'a mut self, store: &'a Postgres, batch: &'a [Write]) -> InTransaction<'a, Vec<Outcome>> {
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
