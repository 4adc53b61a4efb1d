//! Where stores are made: files below a directory, databases on one server.

use std::path::PathBuf;
use std::time::Duration;

use retell_servers::{Endpoint, Kind, Server};

use crate::Failure;
use crate::store::StoreKind;

/// Where the stores of a session are made. A server that was started for it ends with it.
#[derive(Debug)]
pub(crate) struct Place {
    /// Below which files are made.
    pub(crate) directory: PathBuf,
    host: Option<Host>,
}

/// A server, and what it says of itself.
#[derive(Debug)]
struct Host {
    endpoint: Endpoint,
    /// Its name, its version, and the setting on which durability rests.
    label: String,
    /// `None` if somebody else runs it.
    own: Option<Server>,
}

impl Place {
    /// Makes room for stores of a kind. A server's is started, with durable settings, unless a URL says where one is.
    pub(crate) fn of(kind: StoreKind, url: Option<&str>, directory: PathBuf) -> Result<Self, Failure> {
        let host = kind.server().map(|server| Host::of(server, url)).transpose()?;
        Ok(Self { directory, host })
    }

    /// Files only.
    pub(crate) fn files(directory: PathBuf) -> Self {
        Self { directory, host: None }
    }

    /// A kind of store as it is here.
    pub(crate) fn label(&self, kind: StoreKind) -> String {
        match &self.host {
            Some(host) if kind.server().is_some() => host.label.clone(),
            _ => kind.to_string(),
        }
    }

    /// Makes a database that nobody has used.
    pub(crate) fn fresh_database(&self) -> Result<String, Failure> {
        let host = self.host.as_ref().ok_or("there is no server here")?;
        Ok(host.endpoint.fresh_database()?.url().to_owned())
    }

    /// The processor time that the server has used so far, if it is of this session.
    pub(crate) fn server_cpu(&self) -> Option<Duration> {
        self.host.as_ref()?.own.as_ref()?.cpu()
    }
}

impl Host {
    fn of(kind: Kind, url: Option<&str>) -> Result<Self, Failure> {
        let (own, endpoint) = match url {
            Some(url) => (None, Endpoint::new(kind, url)),
            None => {
                let server = Server::start(kind)?;
                let endpoint = server.endpoint().clone();
                (Some(server), endpoint)
            }
        };
        let label = format!("{kind} {}, {}", version(&endpoint)?, sync(&endpoint)?);
        Ok(Self { endpoint, label, own })
    }
}

/// The number alone, without what a distribution adds.
fn version(endpoint: &Endpoint) -> Result<String, Failure> {
    let version = endpoint.version()?;
    Ok(version.split([' ', '-']).next().unwrap_or_default().to_owned())
}

/// The setting that decides when a commit is on disk, as the server has it.
fn sync(endpoint: &Endpoint) -> Result<String, Failure> {
    let (name, statement) = match endpoint.kind() {
        Kind::Postgres => ("synchronous_commit", "show synchronous_commit"),
        Kind::Redis => ("appendfsync", "config get appendfsync"),
        _ => ("innodb_flush_log_at_trx_commit", "select @@innodb_flush_log_at_trx_commit"),
    };
    let told = endpoint.query(statement)?;
    Ok(format!("{name}={}", told.lines().last().unwrap_or("unknown")))
}
