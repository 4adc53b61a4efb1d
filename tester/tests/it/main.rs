//! The tester's own tests, through what users meet.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used)]

mod activities;
mod explorer;
mod fakes;
mod outside;
mod recorded;
mod replay;
mod shop;
mod snapshot;
mod time;
