//! The codecs as users meet them.

// Helpers outside of `#[test]` functions are tests too.
#![allow(clippy::unwrap_used)]

mod compression;
mod encryption;
mod together;
