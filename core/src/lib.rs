//! Durable execution for Rust, embedded in your own program.

pub mod activity;
pub mod backend;
#[cfg(feature = "worker")]
pub mod client;
pub mod clock;
mod command;
pub mod commit;
pub mod history;
#[cfg(feature = "worker")]
mod orchestrator;
pub mod replay;
pub mod vocabulary;
#[cfg(feature = "worker")]
pub mod worker;
pub mod workflow;
pub mod write;

#[cfg(feature = "worker")]
pub use orchestrator::{Engine, Health, Orchestrator, StartupError};
pub use retell_macros::{activity, join, race, select, workflow};
