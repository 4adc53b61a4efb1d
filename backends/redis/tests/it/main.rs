//! Tests against real servers, which start by themselves.

mod cluster;
mod conformance;
