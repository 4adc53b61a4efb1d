//! Messages: how they reach a workflow, what it makes of them, and what their senders hear.

mod publish;
mod queries;
mod signal_tasks;
mod signals;
mod updates;
