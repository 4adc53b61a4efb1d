//! Redis: alone, as a master of a cluster, or as the sentinel that watches others.

use std::path::PathBuf;
use std::process::Command;

use crate::kind::{Recipe, Site};
use crate::{Error, Kind, port, programs};

/// How many databases a private server has: one for each test that asks.
const DATABASES: &str = "10000";

/// Empty when a sentinel begins.
const SENTINEL_CONFIGURATION: &str = "sentinel.conf";

#[derive(Debug)]
pub(crate) struct Programs {
    redis_server: PathBuf,
    kind: Kind,
}

impl Programs {
    pub(crate) fn find(kind: Kind) -> Result<Self, Error> {
        let [redis_server, _] = programs::ensure(kind, &["redis-server"], || {
            ["redis-server", "redis-cli"].map(|name| programs::find(name, &[]))
        })?;
        Ok(Self { redis_server, kind })
    }
}

impl Recipe for Programs {
    fn prepare(&self, site: Site<'_>) -> Option<Command> {
        // A sentinel writes into its configuration what it learns.
        let mut touch = Command::new("touch");
        touch.arg(site.folder.join(SENTINEL_CONFIGURATION));
        (self.kind == Kind::RedisSentinel).then_some(touch)
    }

    fn serve(&self, site: Site<'_>) -> Command {
        let mut redis = Command::new(&self.redis_server);
        if self.kind == Kind::RedisSentinel {
            redis.arg(site.folder.join(SENTINEL_CONFIGURATION)).arg("--sentinel");
            redis.args(["--bind", "127.0.0.1", "--port", &site.port.to_string()]);
            return redis;
        }
        redis.args(["--bind", "127.0.0.1", "--port", &site.port.to_string()]);
        redis.arg("--dir").arg(site.folder);
        redis.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        if self.kind == Kind::RedisNode {
            redis.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
            redis.args(["--cluster-port", &port::of_bus(site.port).to_string()]);
        } else {
            redis.args(["--databases", DATABASES]);
        }
        if let Some(tls) = site.tls {
            redis.args(["--tls-port", &tls.port.to_string(), "--tls-auth-clients", "no"]);
            redis.arg("--tls-ca-cert-file").arg(&tls.certificates.authority);
            redis.arg("--tls-cert-file").arg(&tls.certificates.certificate);
            redis.arg("--tls-key-file").arg(&tls.certificates.key);
        }
        redis
    }
}
