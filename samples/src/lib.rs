//! Samples of Retell. `orders` is the whole in one program; each file in `src/bin` beside it shows one idea.

pub mod orders;
pub mod store;

/// The README's example, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
