//! The servers that all tests of a process share.

use std::env;
use std::sync::OnceLock;

use crate::kind::NONE;
use crate::{Endpoint, Error, Kind, RedisCluster, Server};

/// A server for tests that do nothing to it: that of the environment, else one that starts with the first call and ends
/// with this process.
///
/// # Errors
/// As [`Server::start`], and the same again at each call.
pub fn shared(kind: Kind) -> Result<&'static Endpoint, &'static Error> {
    /// One for each of [`Kind::ALL`], never dropped: the watchdog ends it.
    static SHARED: [OnceLock<Result<Shared, Error>>; 4] = [const { OnceLock::new() }; 4];
    let place = Kind::ALL.iter().position(|known| *known == kind).expect("a node is part of a cluster");
    let shared = SHARED[place].get_or_init(|| match given(kind) {
        Some(url) => Ok(Shared::Given(Endpoint::new(kind, url))),
        None => Server::start(kind).map(|server| Shared::Ours(Box::new(server))),
    });
    match shared {
        Ok(Shared::Given(endpoint)) => Ok(endpoint),
        Ok(Shared::Ours(server)) => Ok(server.endpoint()),
        Err(error) => Err(error),
    }
}

/// The URLs of the nodes of a Redis cluster, in the same way.
///
/// # Errors
/// As [`shared`].
pub fn shared_cluster() -> Result<Vec<String>, &'static Error> {
    static SHARED: OnceLock<Result<RedisCluster, Error>> = OnceLock::new();
    if let Some(urls) = given(Kind::RedisNode) {
        return Ok(urls.split(',').map(str::to_owned).collect());
    }
    SHARED.get_or_init(RedisCluster::start).as_ref().map(RedisCluster::urls)
}

enum Shared {
    Given(Endpoint),
    Ours(Box<Server>),
}

/// What the environment gives. `none` is not given, and refused when it is to be started.
fn given(kind: Kind) -> Option<String> {
    env::var(kind.variable()).ok().filter(|url| !url.is_empty() && url != NONE)
}
