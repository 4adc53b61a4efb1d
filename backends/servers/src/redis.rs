//! Redis, alone or as a master of a cluster.

use std::path::PathBuf;
use std::process::Command;

use crate::kind::{Recipe, Site};
use crate::{Error, Kind, port, programs};

/// How many databases a private server has: one for each test that asks.
const DATABASES: &str = "10000";

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
    fn serve(&self, site: Site<'_>) -> Command {
        let mut redis = Command::new(&self.redis_server);
        redis.args(["--bind", "127.0.0.1", "--port", &site.port.to_string()]);
        redis.arg("--dir").arg(site.folder);
        redis.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        if self.kind == Kind::RedisNode {
            redis.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
            redis.args(["--cluster-port", &port::of_bus(site.port).to_string()]);
        } else {
            redis.args(["--databases", DATABASES]);
        }
        redis
    }
}
