//! Where a server answers, and the databases that tests get there.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::output;
use crate::url::Parts;
use crate::{Error, Kind, programs};

/// The key under which tests of one Redis count the databases that they took.
const TAKEN: &str = "retell-databases-taken";

/// The URL of a server or of one database there, and what can be asked of it through its own command-line client.
#[derive(Debug, Clone)]
pub struct Endpoint {
    kind: Kind,
    url: String,
}

impl Endpoint {
    /// A server or a database that somebody else runs, at this URL.
    #[must_use]
    pub fn new(kind: Kind, url: impl Into<String>) -> Self {
        Self { kind, url: url.into() }
    }

    /// Which software answers.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its URL, for a store to open. Tests leave the server's own database alone and ask for a fresh one.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, for a [`Proxy`](crate::Proxy) before it.
    ///
    /// # Errors
    /// When the URL holds no address or its host is not known.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        let parts = self.parts()?;
        let port = parts.port().unwrap_or(match self.kind {
            Kind::Postgres => 5432,
            Kind::Mariadb | Kind::Mysql => 3306,
            Kind::Redis | Kind::RedisNode | Kind::RedisSentinel => 6379,
        });
        let found = (parts.host(), port)
            .to_socket_addrs()
            .map_err(|error| Error::failed("looking a host up", error))?;
        found.into_iter().next().ok_or_else(|| Error::failed("looking a host up", parts.host()))
    }

    /// Runs one statement (of Redis: one command, its words parted by blanks) and answers with the rows as text, one a
    /// line, their columns parted by tabs.
    ///
    /// # Errors
    /// With the client's words when the server refuses the statement or does not answer.
    pub fn query(&self, statement: &str) -> Result<String, Error> {
        let answer = output(&mut self.client(statement)?)?;
        Ok(answer.trim_end().to_owned())
    }

    /// The server's version, by its own word.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn version(&self) -> Result<String, Error> {
        match self.kind {
            Kind::Postgres => self.query("show server_version"),
            Kind::Mariadb | Kind::Mysql => self.query("select version()"),
            Kind::Redis | Kind::RedisNode | Kind::RedisSentinel => {
                let info = self.query("info server")?;
                let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
                Ok(version.unwrap_or("unknown").trim_end().to_owned())
            }
        }
    }

    /// Makes an empty database that no other test has. It stays until its server goes.
    ///
    /// Of PostgreSQL it is a schema, named by the search path in the URL: a database there is 300 files, which cost
    /// 0.1 s to make and a second to sync when the server comes up again after a kill. What is not of a schema
    /// (advisory locks, channels of `NOTIFY`) is common to all tests, as it is to all who share a database.
    ///
    /// # Errors
    /// When the server refuses, or has no more of them: a Redis of the environment often has 16 only. A cluster has a
    /// single one for all; tests keep apart by [`unique_name`] there.
    pub fn fresh_database(&self) -> Result<Self, Error> {
        let parts = self.parts()?;
        let name = unique_name();
        let url = match self.kind {
            Kind::Postgres => {
                self.query(&format!("create schema {name}"))?;
                parts.with_parameter(&format!("options=-c%20search_path%3D{name}"))
            }
            Kind::Mariadb | Kind::Mysql => {
                self.query(&format!("create database {name}"))?;
                parts.with_path(&name)
            }
            Kind::Redis => parts.with_path(&self.query(&format!("incr {TAKEN}"))?),
            Kind::RedisNode | Kind::RedisSentinel => {
                return Err(Error::failed("making a database", "there is one only, or none"));
            }
        };
        let endpoint = Self { kind: self.kind, url };
        if self.kind == Kind::Redis && endpoint.query("dbsize")? != "0" {
            return Err(Error::failed("making a database", format!("{} is not empty", endpoint.url)));
        }
        Ok(endpoint)
    }

    /// The same behind a [`Proxy`](crate::Proxy) that listens there.
    ///
    /// # Panics
    /// When the URL holds no address; that of a server or a database of this crate does.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        let parts = self.parts().expect("a server's URL holds an address");
        Self { kind: self.kind, url: parts.at(address) }
    }

    fn parts(&self) -> Result<Parts<'_>, Error> {
        Parts::of(&self.url).ok_or_else(|| Error::failed("reading a URL", format!("{:?} is none", self.url)))
    }

    pub(crate) fn client(&self, statement: &str) -> Result<Command, Error> {
        match self.kind {
            Kind::Postgres => {
                let mut psql = self.program("psql")?;
                psql.env("PGCONNECT_TIMEOUT", "10");
                psql.args(["-X", "-w", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]);
                psql.args(["-d", &self.url, "-c", statement]);
                Ok(psql)
            }
            Kind::Mariadb | Kind::Mysql => {
                let parts = self.parts()?;
                let mut mariadb = self.program("mariadb")?;
                mariadb.args(["--no-defaults", "--skip-ssl", "--protocol=tcp", "--connect-timeout=10"]);
                mariadb.args(["-N", "-B", "-h", parts.host(), "-u", &parts.user(), "-e", statement]);
                mariadb.arg(format!("--port={}", parts.port().unwrap_or(3306)));
                mariadb.env("MYSQL_PWD", parts.password().unwrap_or_default()).arg(parts.path());
                Ok(mariadb)
            }
            Kind::Redis | Kind::RedisNode | Kind::RedisSentinel => {
                let mut redis = self.program("redis-cli")?;
                redis.args(["--no-auth-warning", "-u", &self.url]).args(statement.split_whitespace());
                Ok(redis)
            }
        }
    }

    fn program(&self, name: &str) -> Result<Command, Error> {
        let versions = programs::newest_first(Path::new("/usr/lib/postgresql"), "bin");
        let missing = || Error::Missing { kind: self.kind, remedy: format!("its client `{name}` is needed") };
        programs::find(name, &versions).map(Command::new).ok_or_else(missing)
    }
}

/// A name that no other test has, in any process: lower-case letters, digits and underscores.
#[must_use]
pub fn unique_name() -> String {
    static NAMED: AtomicU32 = AtomicU32::new(0);
    let number = NAMED.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    format!("t{:x}_{:x}_{number}", std::process::id(), nanos % (1 << 60))
}
