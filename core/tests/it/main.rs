//! The tests of `retell` from outside, as its users see it.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used)]

mod combine;
mod compile_errors;
mod macros;
mod replay;
