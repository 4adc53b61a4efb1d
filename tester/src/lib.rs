//! Tests for Retell workflows.
//!
//! Drives the real engine (its replay machine, its worker, the memory store) on a manual clock and one thread: a
//! workflow that sleeps a year ends in milliseconds, and every test finds out whether its workflow replays.

pub mod recorded;
pub mod simulation;
mod world;
