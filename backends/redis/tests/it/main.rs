//! What the Redis store promises: the conformance suite on one server and on a cluster, and what only servers can suffer.

#![expect(clippy::unwrap_used, reason = "these are tests; what fails must panic")]

mod cluster;
mod conformance;
mod cost;
mod damage;
mod failover;
mod faults;
mod kit;
mod lost;
mod moved;
mod outbox;
#[path = "../../../sql/tests/shared/process.rs"]
mod process;
mod promotion;
mod removal;
mod sentinel;
mod settings;
mod subject;
mod tls;
mod torn;
