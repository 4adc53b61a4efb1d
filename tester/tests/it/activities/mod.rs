//! What can be said of an activity's call, in virtual time.

mod cancellation;
mod heartbeats;
mod retry;
mod timeouts;
mod tokens;
