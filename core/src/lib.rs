//! Durable execution for Rust, embedded in your own program.

pub mod activity;
pub mod backend;
pub mod clock;
mod command;
pub mod history;
pub mod replay;
pub mod vocabulary;
pub mod workflow;
pub mod write;

pub use retell_macros::{activity, join, race, select, workflow};
