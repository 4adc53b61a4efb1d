//! The servers live, die and come back as tests ask; the proxy cuts where it is told.

#![expect(clippy::unwrap_used, reason = "these are tests; what fails must panic")]

mod commits;
mod life;
mod proxy;
