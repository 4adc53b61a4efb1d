//! The machine through its widest pure boundary: events in, events out.

mod calls;
mod kit;
