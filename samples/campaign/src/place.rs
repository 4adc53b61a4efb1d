//! Where the histories are kept: a file, a store that somebody runs, or a server that is started for the campaign.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use retell_servers::{Kind, shared, shared_cluster};

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An SQLite file beside the ledger.
    File,
    /// Whatever is there.
    Url(OsString),
    /// A private server, or the one that the environment names for tests.
    Server(Kind),
}

impl Place {
    /// What `orders --store` is given. Starts the server if it does not run yet; that ends with this process.
    pub(crate) fn url(&self, directory: &Path) -> Result<OsString, String> {
        match self {
            Self::File => Ok(directory.join("orders.db").into()),
            Self::Url(url) => Ok(url.clone()),
            Self::Server(Kind::RedisNode) => {
                let nodes = shared_cluster().map_err(ToString::to_string)?;
                Ok(cluster_url(&nodes).into())
            }
            Self::Server(kind) => {
                let server = shared(*kind).map_err(ToString::to_string)?;
                let database = server.fresh_database().map_err(|error| error.to_string())?;
                Ok(database.url().into())
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("SQLite"),
            // The rest may hold a password.
            Self::Url(url) => f.write_str(scheme(url).unwrap_or("SQLite")),
            Self::Server(kind) => kind.fmt(f),
        }
    }
}

fn scheme(url: &OsStr) -> Option<&str> {
    Some(url.to_str()?.split_once("://")?.0)
}

/// `redis://a:1` and `redis://b:2` become `redis-cluster://a:1,b:2`.
fn cluster_url(nodes: &[String]) -> String {
    let nodes: Vec<_> = nodes.iter().map(|url| url.rsplit("://").next().unwrap_or_default()).collect();
    format!("redis-cluster://{}", nodes.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        assert_eq!(Place::Url("postgres://ada:secret@db/orders".into()).to_string(), "postgres");
        assert_eq!(Place::Url("orders.db".into()).to_string(), "SQLite");
        assert_eq!(Place::Server(Kind::RedisNode).to_string(), "Redis cluster");
    }

    #[test]
    fn nodes_make_one_url() {
        let nodes = ["redis://a:1", "redis://b:2"].map(str::to_owned);
        assert_eq!(cluster_url(&nodes), "redis-cluster://a:1,b:2");
    }
}
