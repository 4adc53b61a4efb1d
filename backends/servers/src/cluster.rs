//! A Redis cluster of three masters.

use std::time::{Duration, Instant};

use crate::error::output;
use crate::{Error, Kind, Server};

const MASTERS: usize = 3;
const AGREE_WITHIN: Duration = Duration::from_secs(30);

/// Three Redis servers that share the slots, without replicas. Each may be killed, paused and restarted.
#[derive(Debug)]
pub struct RedisCluster {
    masters: Vec<Server>,
}

impl RedisCluster {
    /// Starts the masters and waits until they agree that the cluster is whole: about 2 s.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start() -> Result<Self, Error> {
        let masters: Result<Vec<_>, _> = (0..MASTERS).map(|_| Server::start(Kind::RedisNode)).collect();
        let cluster = Self { masters: masters? };
        let mut create = cluster.masters[0].endpoint().client("--cluster create")?;
        create.args(cluster.masters.iter().map(|master| master.address().to_string()));
        output(create.args(["--cluster-replicas", "0", "--cluster-yes"]))?;
        cluster.await_whole()?;
        Ok(cluster)
    }

    /// The URLs of the masters.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.masters.iter().map(|master| master.url().trim_end_matches("/0").to_owned()).collect()
    }

    /// The masters, in the order of their slots.
    #[must_use]
    pub fn masters(&self) -> &[Server] {
        &self.masters
    }

    /// Waits until every master sees the cluster whole, as it does a moment after one was restarted.
    ///
    /// # Errors
    /// When it does not within half a minute, because a master is down.
    pub fn await_whole(&self) -> Result<(), Error> {
        let until = Instant::now() + AGREE_WITHIN;
        for master in &self.masters {
            loop {
                let info = master.endpoint().query("cluster info")?;
                if info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") {
                    break;
                }
                if Instant::now() > until {
                    return Err(Error::failed("waiting for the cluster", info));
                }
                std::thread::sleep(crate::process::LOOK);
            }
        }
        Ok(())
    }
}
