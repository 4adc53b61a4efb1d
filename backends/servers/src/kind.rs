//! The software that is tested with, and what a server of each needs.

use std::env;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use rustix::process::Signal;

use crate::process::User;
use crate::tls::Certificates;
use crate::{Error, mariadb, mysql, postgres, redis};

/// What a variable says when there is no such server.
pub(crate) const NONE: &str = "none";

/// Which database software.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
    /// MySQL itself, which not every machine can have.
    Mysql,
    /// One Redis.
    Redis,
    /// One master of a Redis cluster, of no use alone: see [`RedisCluster`](crate::RedisCluster).
    RedisNode,
    /// A sentinel, which is told of the master that it is to watch by `SENTINEL MONITOR`.
    RedisSentinel,
}

impl Kind {
    /// All that a test can ask for alone.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mariadb, Self::Mysql, Self::Redis];

    /// The environment variable with the URL of a server for tests. The value `none` says that there is none and that
    /// none is to be started.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "RETELL_TEST_POSTGRES",
            Self::Mariadb => "RETELL_TEST_MARIADB",
            Self::Mysql => "RETELL_TEST_MYSQL",
            Self::Redis | Self::RedisSentinel => "RETELL_TEST_REDIS",
            Self::RedisNode => "RETELL_TEST_REDIS_CLUSTER",
        }
    }

    /// Finds the programs, after installing them if that is needed and allowed.
    pub(crate) fn recipe(self) -> Result<Box<dyn Recipe>, Error> {
        if env::var(self.variable()).is_ok_and(|url| url == NONE) {
            return Err(Error::Missing { kind: self, remedy: format!("{} says so", self.variable()) });
        }
        Ok(match self {
            Self::Postgres => Box::new(postgres::Programs::find()?),
            Self::Mariadb => Box::new(mariadb::Programs::find()?),
            Self::Mysql => Box::new(mysql::Programs::find()?),
            Self::Redis | Self::RedisNode | Self::RedisSentinel => Box::new(redis::Programs::find(self)?),
        })
    }

    /// The URL of a private server's own database.
    pub(crate) fn url(self, port: u16) -> String {
        match self {
            Self::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            Self::Mariadb | Self::Mysql => format!("mysql://root@127.0.0.1:{port}/mysql"),
            Self::Redis | Self::RedisNode | Self::RedisSentinel => format!("redis://127.0.0.1:{port}/0"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::RedisNode => "Redis cluster",
            Self::RedisSentinel => "Redis sentinel",
        })
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// As on a command line: `postgres`, `mariadb`, `mysql`, `redis`, or `redis-cluster` for [`RedisNode`](Self::RedisNode).
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "postgres" => Ok(Self::Postgres),
            "mariadb" => Ok(Self::Mariadb),
            "mysql" => Ok(Self::Mysql),
            "redis" => Ok(Self::Redis),
            "redis-cluster" => Ok(Self::RedisNode),
            _ => Err(Error::Unknown(name.to_owned())),
        }
    }
}

/// The folder and the port of one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    /// What it shows to clients that want TLS, if it is to take them.
    pub(crate) tls: Option<Tls<'a>>,
}

/// What a server needs for TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tls<'a> {
    pub(crate) certificates: &'a Certificates,
    /// Where it is to listen for TLS alone, if its own port cannot take both.
    pub(crate) port: u16,
}

/// How one kind of server is made and run. Its programs have been found.
pub(crate) trait Recipe: fmt::Debug + Send + Sync {
    /// Who must run it and own its folder, if not this process's user.
    fn user(&self) -> Option<&User> {
        None
    }

    /// The command that makes its data folder, once.
    fn prepare(&self, _site: Site<'_>) -> Option<Command> {
        None
    }

    /// The command that serves until it is told to stop, in the foreground, with the settings of H7.
    fn serve(&self, site: Site<'_>) -> Command;

    /// What tells it to stop in good order, without waiting for its clients.
    fn stop_signal(&self) -> Signal {
        Signal::TERM
    }
}
