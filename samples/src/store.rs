//! Which store a program keeps its histories in: the one place where the word of a command line becomes a store.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use retell::backend::{Backend, StoreError};
use retell_memory::Memory;
use retell_mysql::MySql;
use retell_postgres::Postgres;
use retell_redis::Redis;
use retell_sqlite::Sqlite;

/// The forms of a [`StoreUrl`], for the help of a command line.
pub const FORMS: &str = "\
PATH, sqlite:PATH                                   an SQLite file
postgres://USER@HOST/DATABASE                       PostgreSQL
mysql://USER@HOST/DATABASE                          MySQL or MariaDB
redis://HOST:PORT                                   one Redis
redis-cluster://HOST:PORT,HOST:PORT                 a Redis cluster, by some of its nodes
redis-sentinel://HOST:PORT,HOST:PORT?master=NAME    the Redis that these sentinels name
memory                                              what ends with the process";

/// A store, by its URL. It is opened with its defaults: whatever is acknowledged is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// Nothing that outlives the process.
    Memory,
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(String),
    /// A MySQL or MariaDB database.
    MySql(String),
    /// One Redis.
    Redis(String),
    /// A Redis cluster, by the URLs of at least one of its nodes.
    RedisCluster(Vec<String>),
    /// The Redis that sentinels name.
    RedisSentinel {
        /// Carries user, password and database.
        url: String,
        /// The name under which the sentinels know it.
        master: String,
        /// The URLs of the sentinels.
        sentinels: Vec<String>,
    },
}

/// A text that names no store. It repeats nothing that may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreUrl {
    /// Another scheme, or a misspelt one.
    #[error("no store has URLs that begin with `{0}:`")]
    UnknownScheme(String),
    /// A kind of store, or nothing at all, without the place where it is.
    #[error("`{0}` does not say where the store is")]
    NoPlace(String),
    /// Sentinels without the name that they are to be asked for.
    #[error("sentinels are asked for a master by its name: `?master=NAME`")]
    NoMaster,
}

impl StoreUrl {
    /// Opens the store, or makes it. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`StoreErrorKind`](retell::backend::StoreErrorKind) `Unavailable` if no server answers, or `NotAStore`, `Newer` or
    /// `Setting` for one that must not be used; each says what to do.
    pub async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        Ok(match self {
            Self::Memory => Arc::new(Memory::new()),
            Self::Sqlite(path) => Arc::new(Sqlite::open(path)?),
            Self::Postgres(url) => Arc::new(Postgres::connect(url).await?),
            Self::MySql(url) => Arc::new(MySql::connect(url).await?),
            Self::Redis(url) => Arc::new(Redis::open(url).await?),
            Self::RedisCluster(nodes) => {
                let (first, others) = nodes.split_first().map_or(("", &[][..]), |(f, o)| (f.as_str(), o));
                Arc::new(Redis::options(first).cluster(others).open().await?)
            }
            Self::RedisSentinel { url, master, sentinels } => {
                Arc::new(Redis::options(url).sentinels(master.as_str(), sentinels).open().await?)
            }
        })
    }

    /// Reads a word of a command line. One that is no text can only be a path.
    ///
    /// # Errors
    /// [`InvalidStoreUrl`].
    pub fn from_word(word: &OsStr) -> Result<Self, InvalidStoreUrl> {
        word.to_str().map_or_else(|| Ok(Self::Sqlite(word.into())), str::parse)
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let no_place = || InvalidStoreUrl::NoPlace(text.split(':').next().unwrap_or_default().to_owned());
        let Some((scheme, place)) = text.split_once(':').filter(|(scheme, _)| may_be_scheme(scheme)) else {
            return match text {
                "memory" => Ok(Self::Memory),
                "" | "sqlite" | "postgres" | "mysql" | "redis" => Err(no_place()),
                path => Ok(Self::Sqlite(path.into())),
            };
        };
        let server = place.strip_prefix("//").filter(|server| !server.is_empty());
        match scheme {
            "sqlite" if place.trim_start_matches("//").is_empty() => Err(no_place()),
            "sqlite" => Ok(Self::Sqlite(place.strip_prefix("//").unwrap_or(place).into())),
            "postgres" | "postgresql" => server.map(|_| Self::Postgres(text.to_owned())).ok_or_else(no_place),
            "mysql" | "mariadb" => {
                server.map(|server| Self::MySql(format!("mysql://{server}"))).ok_or_else(no_place)
            }
            "redis" | "rediss" => server.map(|_| Self::Redis(text.to_owned())).ok_or_else(no_place),
            "redis-cluster" | "rediss-cluster" => {
                server.map(|nodes| Self::RedisCluster(each(scheme, nodes))).ok_or_else(no_place)
            }
            "redis-sentinel" | "rediss-sentinel" => sentinels(scheme, server.ok_or_else(no_place)?),
            _ => Err(InvalidStoreUrl::UnknownScheme(scheme.to_owned())),
        }
    }
}

/// Whether what stands before a colon is a scheme, and no part of a path nor the drive of one.
fn may_be_scheme(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-".contains(letter))
}

/// The URL of each of the servers between commas.
fn each(scheme: &str, servers: &str) -> Vec<String> {
    let scheme = scheme.split('-').next().unwrap_or_default();
    servers.split(',').map(|server| format!("{scheme}://{server}")).collect()
}

/// Reads `USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?master=NAME`, of which the user is the master's.
fn sentinels(scheme: &str, text: &str) -> Result<StoreUrl, InvalidStoreUrl> {
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    let master = query.split('&').find_map(|parameter| parameter.strip_prefix("master="));
    let master = master.filter(|name| !name.is_empty()).ok_or(InvalidStoreUrl::NoMaster)?;
    let (servers, database) = place.split_once('/').unwrap_or((place, ""));
    let (login, hosts) = servers.split_at(servers.rfind('@').map_or(0, |at| at + 1));
    let sentinels = each(scheme, hosts);
    let scheme = scheme.split('-').next().unwrap_or_default();
    let host = hosts.split(',').next().unwrap_or_default();
    let url = format!("{scheme}://{login}{host}/{database}");
    Ok(StoreUrl::RedisSentinel { url, master: master.to_owned(), sentinels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: StoreUrl) {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }

    #[test]
    fn a_path_is_an_sqlite_file() {
        for text in ["a.db", "sqlite:a.db", "sqlite://a.db"] {
            check(text, StoreUrl::Sqlite("a.db".into()));
        }
        check("sqlite:///var/a.db", StoreUrl::Sqlite("/var/a.db".into()));
        check("./a:b", StoreUrl::Sqlite("./a:b".into()));
        check("C:\\a.db", StoreUrl::Sqlite("C:\\a.db".into()));
        check("memory", StoreUrl::Memory);
    }

    #[test]
    fn servers_are_named_by_their_urls() {
        let url = "postgres://ada:secret@db/orders?sslmode=verify-full";
        check(url, StoreUrl::Postgres(url.to_owned()));
        check("mysql://ada@db/orders", StoreUrl::MySql("mysql://ada@db/orders".to_owned()));
        check("mariadb://ada@db/orders", StoreUrl::MySql("mysql://ada@db/orders".to_owned()));
        check("rediss://db:7000/3", StoreUrl::Redis("rediss://db:7000/3".to_owned()));
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let nodes = ["redis://ada:secret@a:1", "redis://b:2"].map(str::to_owned);
        check("redis-cluster://ada:secret@a:1,b:2", StoreUrl::RedisCluster(nodes.into()));
        check("rediss-cluster://a", StoreUrl::RedisCluster(vec!["rediss://a".to_owned()]));
    }

    #[test]
    fn sentinels_are_asked_for_a_master() {
        check(
            "redis-sentinel://ada:secret@a:1,b:2/3?master=orders",
            StoreUrl::RedisSentinel {
                url: "redis://ada:secret@a:1/3".to_owned(),
                master: "orders".to_owned(),
                sentinels: ["redis://a:1", "redis://b:2"].map(str::to_owned).into(),
            },
        );
        for text in ["redis-sentinel://a", "redis-sentinel://a?master="] {
            assert_eq!(text.parse::<StoreUrl>(), Err(InvalidStoreUrl::NoMaster));
        }
    }

    #[test]
    fn what_names_no_store_is_refused_without_its_password() {
        for text in ["", "sqlite", "sqlite:", "sqlite://", "postgres", "postgres:db", "mysql://", "redis:"] {
            assert!(matches!(text.parse::<StoreUrl>(), Err(InvalidStoreUrl::NoPlace(_))), "{text}");
        }
        let error = "postgre://ada:secret@db".parse::<StoreUrl>().unwrap_err();
        assert_eq!(error, InvalidStoreUrl::UnknownScheme("postgre".to_owned()));
        assert!(!error.to_string().contains("secret"));
    }
}
