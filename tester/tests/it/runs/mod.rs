//! Runs as a whole: how long they may take, when they begin and are tried again, what they show, how they are steered.

mod length;
mod pause;
mod reset;
mod retry;
mod shown;
mod start;
mod timeouts;
