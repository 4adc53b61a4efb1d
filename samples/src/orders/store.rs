//! Opens the store that the command line names.

use std::sync::Arc;

use retell::backend::{Backend, StoreError};
use retell_memory::Memory;
use retell_sqlite::Sqlite;

use super::options::Store;

/// Opens a store.
///
/// # Errors
/// [`StoreError`] if the file is no Retell database or cannot be opened.
pub fn open(store: &Store) -> Result<Arc<dyn Backend>, StoreError> {
    Ok(match store {
        Store::Memory => Arc::new(Memory::new()),
        Store::Sqlite(path) => Arc::new(Sqlite::open(path)?),
    })
}
