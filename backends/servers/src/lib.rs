//! Private database servers for tests, and a proxy that cuts connections where a test wants it.
//!
//! A [`Server`] lives in a temporary folder of its own, on a free port of the loopback, with the durable settings that the
//! stores promise (H7), and is gone with its folder when it is dropped, when its test panics, and when its process is
//! killed. A test may kill, pause and restart it. Tests that do no such thing take the server that all tests of their
//! process [share](shared), each with a [database](Endpoint::fresh_database) of its own:
//!
//! ```no_run
//! use retell_servers::{Kind, shared};
//!
//! let database = shared(Kind::Postgres)?.fresh_database()?;
//! println!("{}", database.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The programs are the system's packages. On Debian they are installed when that is allowed; MySQL, which Debian's
//! releases do not have, is unpacked from its unstable distribution beside the build. Everything blocks: call it from
//! `spawn_blocking`, or before the runtime.
//!
//! `cargo xtask test` starts one of each and hands the URLs on in [`Kind::variable`]; a user does the same for servers of
//! their own, which must be for tests only.

mod clock;
mod cluster;
mod endpoint;
mod error;
mod kind;
mod mariadb;
mod mysql;
mod port;
mod postgres;
mod process;
mod programs;
pub mod proxy;
mod redis;
mod server;
mod shared;
mod tls;
mod url;
mod watchdog;

pub use cluster::RedisCluster;
pub use endpoint::{Endpoint, unique_name};
pub use error::Error;
pub use kind::Kind;
pub use proxy::Proxy;
pub use server::Server;
pub use shared::{shared, shared_cluster};
