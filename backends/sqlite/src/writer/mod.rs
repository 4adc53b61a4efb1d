//! The one thread that writes: what waits while a transaction is committed goes together into the next one.

mod activity;
mod answer;
mod claim;
mod claim_activity;
mod commit;
mod job;
mod joined;
mod lease;
mod member;
mod message;
mod remove;
mod request;
pub(crate) mod run;
mod start;
mod thread;
pub(crate) mod transaction;

pub(crate) use job::{Job, Message};
pub(crate) use joined::apply_in;
pub(crate) use thread::Writer;
