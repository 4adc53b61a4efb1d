//! Tests for Retell workflows.
//!
//! Drives the real engine (its replay machine, its worker, the memory store) on a manual clock and one thread: a
//! workflow that sleeps a year ends in milliseconds, and every test finds out whether its workflow replays.

mod explorer;
mod fakes;
mod follower;
pub mod recorded;
pub mod simulation;
pub mod snapshot;
mod tester;
mod world;

pub use explorer::{Ending, Exploration, Explorer, Violation};
pub use fakes::{Call, Calls, Fake, TypedCall};
pub use recorded::{Recorded, replay, try_replay};
pub use tester::{TestRun, Tester, Trouble};
