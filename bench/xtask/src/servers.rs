//! The servers that the tests of all stores share during one `cargo xtask test`.

use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use retell_servers::{Error, Kind, RedisCluster, Server};

use crate::steps::seconds;

/// They end when this is dropped, and by themselves when xtask is interrupted.
pub(crate) struct Servers {
    variables: Vec<(&'static str, String)>,
    running: Vec<Server>,
    cluster: Option<RedisCluster>,
}

impl Servers {
    /// Starts one of each kind for which the environment names none, and MySQL, which takes long to fetch, if it is wanted; it
    /// may be missing, and then says so.
    pub(crate) fn start(with_mysql: bool) -> Result<Self, String> {
        let began = Instant::now();
        let mut servers = Self { variables: Vec::new(), running: Vec::new(), cluster: None };
        let starts = |kind: Kind| !is_given(kind) && (with_mysql || kind != Kind::Mysql);
        let wanted: Vec<_> = Kind::ALL.into_iter().filter(|kind| starts(*kind)).collect();
        let wants_cluster = !is_given(Kind::RedisNode);
        // Each waits for the disk most of the time.
        let (started, cluster) = thread::scope(|scope| {
            let cluster = wants_cluster.then(|| scope.spawn(RedisCluster::start));
            let starting: Vec<_> =
                wanted.iter().map(|kind| (*kind, scope.spawn(|| Server::start(*kind)))).collect();
            let started: Vec<_> = starting.into_iter().map(|(kind, server)| (kind, joined(server))).collect();
            (started, cluster.map(joined))
        });
        for (kind, server) in started {
            servers.add(kind, server).map_err(|error| error.to_string())?;
        }
        if let Some(cluster) = cluster.transpose().map_err(|error| error.to_string())? {
            servers.variables.push((Kind::RedisNode.variable(), cluster.urls().join(",")));
            servers.cluster = Some(cluster);
        }
        println!("    servers answer after {}", seconds(began.elapsed()));
        Ok(servers)
    }

    fn add(&mut self, kind: Kind, server: Result<Server, Error>) -> Result<(), Error> {
        let url = match server {
            Err(error) if may_be_missing(kind, &error) => {
                println!("    NOT TESTED: {error}");
                "none".to_owned()
            }
            server => {
                let server = server?;
                println!("    {kind} {}", server.endpoint().version()?);
                let url = server.url().to_owned();
                self.running.push(server);
                url
            }
        };
        self.variables.push((kind.variable(), url));
        Ok(())
    }

    /// Whether MySQL itself can be tested with.
    pub(crate) fn have_mysql(&self) -> bool {
        let name = Kind::Mysql.variable();
        let ours = self.variables().find(|(variable, _)| *variable == name).map(|(_, url)| url.to_owned());
        ours.or_else(|| std::env::var(name).ok()).is_some_and(|url| url != "none")
    }

    /// What tells the tests where they are.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Whether the environment says where such a server is, or that there is none.
fn is_given(kind: Kind) -> bool {
    let given = std::env::var(kind.variable()).is_ok_and(|url| !url.is_empty());
    if given {
        println!("    {kind} as {} says", kind.variable());
    }
    given
}

/// Debian's releases do not have it, and its unstable distribution may be out of reach.
fn may_be_missing(kind: Kind, error: &Error) -> bool {
    kind == Kind::Mysql && error.is_missing()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mysql_alone_may_be_missing() {
        for kind in Kind::ALL {
            let missing = Error::Missing { kind, remedy: "install it".to_owned() };
            assert_eq!(may_be_missing(kind, &missing), kind == Kind::Mysql);
        }
        let broken = Error::Failed { operation: "starting".to_owned(), details: "no room".to_owned() };
        assert!(!may_be_missing(Kind::Mysql, &broken));
    }
}
