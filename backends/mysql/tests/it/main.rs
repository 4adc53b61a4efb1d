//! What the MySQL and MariaDB store promises: the conformance suite, and what only a server can suffer.

#![expect(clippy::unwrap_used, reason = "these are tests; what fails must panic")]

mod conformance;
#[path = "../../../sql/tests/shared/joined.rs"]
mod joined;
#[path = "../../../sql/tests/shared/server.rs"]
mod server;
mod settings;
mod subject;
mod transaction;
