//! A batch in a transaction: read under locks, planned in memory, written in a few statements.

mod load;
mod named;
mod round;
mod save;
mod transaction;
mod unread;

pub(crate) use load::read_message;
pub(crate) use round::rounds;
pub(crate) use transaction::{Batched, Context, apply_jobs, apply_open, prepare};
