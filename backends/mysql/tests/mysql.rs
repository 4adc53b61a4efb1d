//! What the MySQL and MariaDB store promises: the conformance suite, and what only a server can suffer; on MySQL itself, which
//! not every machine can have. Run by its name: `cargo test -p retell-mysql --test mysql`.

#![expect(clippy::unwrap_used, reason = "these are tests; what fails must panic")]

/// Which server it is that all of this runs on.
pub(crate) const KIND: retell_servers::Kind = retell_servers::Kind::Mysql;

#[path = "it/conformance.rs"]
mod conformance;
#[path = "../../sql/tests/shared/damage.rs"]
mod damage;
#[path = "../../sql/tests/shared/deadlock.rs"]
mod deadlock;
#[path = "../../sql/tests/shared/faults.rs"]
mod faults;
#[path = "../../sql/tests/shared/joined.rs"]
mod joined;
#[path = "../../sql/tests/shared/process.rs"]
mod process;
#[path = "../../sql/tests/shared/server.rs"]
mod server;
#[path = "it/settings.rs"]
mod settings;
#[path = "it/subject.rs"]
mod subject;
#[path = "../../sql/tests/shared/tls.rs"]
mod tls;
#[path = "it/transaction.rs"]
mod transaction;
