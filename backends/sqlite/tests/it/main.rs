//! What the SQLite store promises: the conformance suite, and what only a file can suffer.

#![expect(clippy::unwrap_used, reason = "these are tests; what fails must panic")]

mod commits;
mod conformance;
mod damage;
mod file;
mod full;
mod group;
mod joined;
mod kit;
mod plans;
mod power_cut;
mod process;
mod transactional;
mod vfs;
