//! `orders`: one workflow for each order of a file, whatever kills the program in between.
//!
//! `input` reads the file, `workflow` and `activities` are what an embedder would write, `ledger` is the outside world
//! in which effects can be counted, `program` starts, confirms and waits, `check` proves that nothing was lost or
//! done twice.

pub mod input;
pub mod ledger;
pub mod options;
pub mod order;
pub mod sample;
