//! How a store is opened.

use std::sync::Arc;
use std::time::Duration;

use redis::{Client, ConnectionInfo};
use retell::backend::{StoreError, StoreErrorKind};
use retell::clock::Clock;

use crate::Redis;
use crate::fault::fault;
use crate::link::{Place, Seeds};

/// When a commit counts as durable (promise H7). Read back on every connection (promise H14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// Each commit is in the append-only file and on disk before it is acknowledged: `appendonly yes`,
    /// `appendfsync always`.
    #[default]
    Always,
    /// The append-only file is synced once a second: `appendonly yes`, `appendfsync everysec`. A power cut or a crash of
    /// the operating system can take back the last seconds of acknowledged commits, each whole; the end of the server's
    /// process alone takes back nothing.
    EverySecond,
    /// Whatever the server does, nothing included: its end may take back everything, or whatever came after its last
    /// snapshot.
    None,
}

/// How to open a store: made by [`Redis::options`].
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) url: String,
    pub(crate) place: Place,
    pub(crate) prefix: String,
    pub(crate) partitions: Option<u16>,
    pub(crate) durability: Durability,
    pub(crate) is_declared: bool,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    #[cfg(feature = "tls")]
    authorities: Option<Vec<u8>>,
    pub(crate) connect_wait: Duration,
    pub(crate) response_wait: Duration,
}

impl Options {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            place: Place::Single,
            prefix: "retell".to_owned(),
            partitions: None,
            durability: Durability::Always,
            is_declared: false,
            clock: None,
            #[cfg(feature = "tls")]
            authorities: None,
            connect_wait: Duration::from_secs(5),
            response_wait: Duration::from_secs(10),
        }
    }

    /// The URL is a node of a cluster; these are others, asked when it is away. They share user, password and TLS.
    #[must_use]
    pub fn cluster<U: AsRef<str>>(mut self, others: impl IntoIterator<Item = U>) -> Self {
        self.place =
            Place::Cluster { others: others.into_iter().map(|url| url.as_ref().to_owned()).collect() };
        self
    }

    /// These sentinels say where the master of this name is. Of the URL remain user, password, database and TLS.
    #[must_use]
    pub fn sentinels<U: AsRef<str>>(
        mut self,
        master: impl Into<String>,
        sentinels: impl IntoIterator<Item = U>,
    ) -> Self {
        let sentinels = sentinels.into_iter().map(|url| url.as_ref().to_owned()).collect();
        self.place = Place::Sentinels { master: master.into(), sentinels };
        self
    }

    /// What all keys begin with, so that stores and other programs can share a database; `retell` unless said otherwise.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many partitions a store that does not exist yet is cut into, for good: 1 unless said otherwise, 16 on a
    /// cluster. Each lies on one node whole; a claim asks them all.
    #[must_use]
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions.max(1));
        self
    }

    /// Chooses when a commit counts as durable. [`Durability::Always`] unless said otherwise.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Declares that the server is as durable as was chosen, where it hides its settings (`CONFIG GET` is refused, as on
    /// many managed servers). What a server shows is believed, not this.
    #[must_use]
    pub fn declare_durability(mut self) -> Self {
        self.is_declared = true;
        self
    }

    /// Trusts servers whose certificates the authorities of this PEM text have signed, instead of those that the machine
    /// trusts. For URLs that begin with `rediss://`; of all nodes and sentinels.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn trust(mut self, authorities: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(authorities.into());
        self
    }

    /// Takes time from this clock, leases included: all that open the store must share it. For tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// How long to wait for a connection; 5 s unless said otherwise.
    #[must_use]
    pub fn connect_wait(mut self, wait: Duration) -> Self {
        self.connect_wait = wait;
        self
    }

    /// How long to wait for an answer before calls get [`Unavailable`](retell::backend::StoreErrorKind::Unavailable);
    /// 10 s unless said otherwise. Longer than the slowest `fsync` of the server.
    #[must_use]
    pub fn response_wait(mut self, wait: Duration) -> Self {
        self.response_wait = wait;
        self
    }

    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// [`StoreErrorKind`] `Unavailable` if no server answers, `Setting` if a server is older than 7.0, not durable as was
    /// chosen, hides its settings, or evicts keys when its memory is full; `NotAStore` for an URL that is none, or keys of
    /// another program under the prefix, and `Newer` for a store of a newer program.
    pub async fn open(self) -> Result<Redis, StoreError> {
        if self.prefix.contains(['{', '}']) || self.prefix.chars().any(char::is_control) {
            let reason = format!("the prefix {:?} holds braces or control characters", self.prefix);
            return Err(StoreError::new(StoreErrorKind::NotAStore(reason), "open a Redis"));
        }
        Redis::start(self).await
    }

    #[cfg(not(feature = "tls"))]
    fn client(&self, url: &str) -> redis::RedisResult<Client> {
        Client::open(url)
    }

    #[cfg(feature = "tls")]
    fn client(&self, url: &str) -> redis::RedisResult<Client> {
        // Without a provider rustls panics where a program has several of them built in. One that is chosen stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match &self.authorities {
            Some(authorities) if url.starts_with("rediss:") => {
                let root_cert = Some(authorities.clone());
                Client::build_with_tls(url, redis::TlsCertificates { client_tls: None, root_cert })
            }
            _ => Client::open(url),
        }
    }

    /// Reads the URLs.
    pub(crate) fn seeds(&self) -> Result<Seeds, StoreError> {
        let info = |url: &String| -> Result<ConnectionInfo, StoreError> {
            let client = self.client(url).map_err(|error| fault("read a URL", error))?;
            Ok(client.get_connection_info().clone())
        };
        let others = match &self.place {
            Place::Single => &[][..],
            Place::Cluster { others } => others,
            Place::Sentinels { sentinels, .. } => sentinels,
        };
        Ok(Seeds { first: info(&self.url)?, others: others.iter().map(info).collect::<Result<_, _>>()? })
    }
}
