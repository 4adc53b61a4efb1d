//! Writes inside a transaction that the user has open on a connection of their own.

use retell::write::{Outcome, Write};
use rusqlite::Connection;

use super::member::Guard;
use super::transaction::{Heard, Memory, Transaction};
use crate::time::StoreTime;

/// Applies writes; an error leaves the transaction to be rolled back. Nothing is remembered for the next time: what is
/// written here may never have been.
pub(crate) fn apply_in(
    connection: &Connection,
    time: &StoreTime,
    writes: &[Write],
) -> rusqlite::Result<Vec<Outcome>> {
    // Changes nothing, but takes the right to write before anything is read: a transaction that has read first cannot get it
    // any more once somebody else has written.
    connection.prepare_cached("UPDATE namespaces SET id = id WHERE id < 0")?.execute([])?;
    let mut memory = Memory::default();
    memory.refresh(connection)?;
    let (now, age, heard) = (time.now(), time.age(), Heard::default());
    let mut transaction =
        Transaction { connection, memory: &mut memory, now, age, heard, buried: Vec::new(), kept: 0 };
    let outcomes = writes.iter().map(|write| transaction.member(write, Guard::Savepoints));
    let outcomes = outcomes.collect::<rusqlite::Result<_>>()?;
    transaction.forget_old_outcomes()?;
    Ok(outcomes)
}
