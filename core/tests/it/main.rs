//! The tests of `retell` from outside, as its users see it.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used)]

mod allocation;
mod blocked;
mod bodies;
mod combine;
mod compile_errors;
mod golden;
mod guide;
mod history_encoding;
mod history_text;
mod macros;
mod random_history;
mod replay;
