//! Durable execution for Rust, embedded in your own program.

pub mod activity;
pub mod backend;
pub mod clock;
pub mod history;
pub mod vocabulary;
pub mod write;

pub use retell_macros::{activity, join, race, select, workflow};
