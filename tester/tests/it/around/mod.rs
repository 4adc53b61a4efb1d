//! What travels with calls, and what stands around them.

mod headers;
mod interceptors;
mod propagators;

use retell::vocabulary::{Headers, Propagated};
use serde::{Deserialize, Serialize};

/// On whose behalf something is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tenant(pub(super) String);

impl Propagated for Tenant {
    const HEADER: &'static str = "tenant";
}

pub(super) fn tenant(name: &str) -> Tenant {
    Tenant(name.to_owned())
}

pub(super) fn of(name: &str) -> Headers {
    let mut headers = Headers::new();
    headers.set(&tenant(name)).unwrap();
    headers
}
