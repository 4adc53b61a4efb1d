//! The machine through its widest pure boundary: events in, events out.

mod calls;
mod cancel;
mod check;
mod children;
mod closing;
mod combinators;
mod conditions;
mod foreign;
mod golden;
mod handlers;
mod histories;
mod kit;
mod nondeterminism;
mod panics;
mod patches;
mod random_programs;
mod runs;
mod scopes;
mod signal_tasks;
mod signals;
mod steps;
mod updates;
