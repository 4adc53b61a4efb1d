//! Starts private servers and prints their variables, until its input ends or it is interrupted:
//! `cargo run -p retell-servers --bin serve -- postgres redis-cluster`. Without names, one of each but the cluster.

use std::error::Error;
use std::io;

use retell_servers::{Kind, RedisCluster, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let named: Result<Vec<Kind>, _> = std::env::args().skip(1).map(|name| name.parse()).collect();
    let mut kinds = named?;
    if kinds.is_empty() {
        kinds.extend(Kind::ALL);
    }
    let (mut servers, mut clusters) = (Vec::new(), Vec::new());
    for kind in kinds {
        let url = if kind == Kind::RedisNode {
            clusters.push(RedisCluster::start()?);
            clusters[clusters.len() - 1].urls().join(",")
        } else {
            servers.push(Server::start(kind)?);
            servers[servers.len() - 1].url().to_owned()
        };
        println!("{}={url}", kind.variable());
    }
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
