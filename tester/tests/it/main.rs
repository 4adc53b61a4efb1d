//! The tester's own tests, through what users meet.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used)]

mod activities;
mod allocation;
mod around;
mod corpus;
mod explorer;
mod fakes;
mod guide;
mod messages;
mod others;
mod outside;
mod pairs;
mod recorded;
mod replay;
mod runs;
mod shop;
mod simulation;
mod snapshot;
mod structure;
mod time;
