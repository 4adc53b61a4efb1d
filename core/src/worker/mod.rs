//! The worker: claims tasks, keeps live runs, drives `replay`, commits, and runs activities.
//!
//! Async code here only moves values between the seams and pure steps: a [`shard`] is a plain state machine on a
//! thread of its own, with no runtime entered, so that workflow code which reaches for one is found out. The road:
//! `claimer` -> shard (`run` polls the machine, builds one commit) -> `committer` (applies it, then starts the
//! activities that it scheduled) -> `admission` -> `attempt` -> shard.

mod activities;
mod admission;
mod answers;
mod attempt;
mod claimer;
mod closings;
mod committer;
mod context;
mod ended;
mod exchange;
mod first_task;
mod heartbeats;
mod lease;
mod loader;
mod look;
mod options;
mod polls;
mod queries;
mod registry;
mod run;
mod running;
mod settler;
mod shard;
mod slots;
mod thread;
mod timekeeper;
mod transaction;

pub(crate) use answers::{Answers, Sight};
pub(crate) use closings::{Closings, Waiter, Watch};
pub(crate) use committer::apply_until_known;
pub(crate) use context::{Context, Seams};
pub(crate) use first_task::PendingStart;
pub(crate) use queries::{NoAnswer, Question, ask_history, replays};
pub(crate) use registry::Registry;
pub(crate) use thread::{Shards, Worker};

pub use options::WorkerOptions;
pub use polls::BlockedTask;
