//! Tests against real servers, which start by themselves.

mod cluster;
mod conformance;
mod cost;
mod failover;
mod faults;
mod kit;
mod lost;
mod outbox;
mod removal;
mod settings;
