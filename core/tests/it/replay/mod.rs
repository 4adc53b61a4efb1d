//! The machine through its widest pure boundary: events in, events out.

mod calls;
mod cancel;
mod check;
mod closing;
mod combinators;
mod foreign;
mod golden;
mod handlers;
mod histories;
mod kit;
mod nondeterminism;
mod panics;
mod random_programs;
mod signals;
mod updates;
