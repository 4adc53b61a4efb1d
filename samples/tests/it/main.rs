//! `orders` as a user meets it, a program with files, an exit status, and words; and its workflow in virtual time.

#![expect(clippy::unwrap_used, reason = "these are tests; what fails must panic")]

mod orders;
mod workflow;
