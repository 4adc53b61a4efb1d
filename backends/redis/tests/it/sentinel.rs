//! A master that dies under the eyes of a sentinel: its replica takes its place, and clients follow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use retell::backend::{Backend, Interest, LeaseAction, Mark, Renewal, StoreErrorKind};
use retell::vocabulary::EventId;
use retell_redis::Redis;
use retell_servers::{Endpoint, Kind, Server};

use crate::kit::{apply, apply_until, block_on, blocking, claimed, commit, send, start, worker};

const SOON: Duration = Duration::from_secs(60);

/// Asks until this is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A line of a server's own words.
pub(crate) fn told(server: &Endpoint, name: &str) -> Option<String> {
    let info = server.query("info replication").unwrap();
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(|text| text.trim().to_owned())
}

/// A sentinel that watches a master and its replica, which it makes follow.
pub(crate) fn watching(master: &Server, replica: &Server) -> Server {
    let sentinel = Server::start(Kind::RedisSentinel).unwrap();
    let port = master.address().port();
    replica.endpoint().query(&format!("replicaof 127.0.0.1 {port}")).unwrap();
    until("the replica follows", || told(replica.endpoint(), "master_link_status").as_deref() == Some("up"));
    let ask = |what: &str| sentinel.endpoint().query(&format!("sentinel {what}")).unwrap();
    ask(&format!("monitor orders 127.0.0.1 {port} 1"));
    ask("set orders down-after-milliseconds 500 failover-timeout 5000");
    let replica_port = replica.address().port().to_string();
    until("the sentinel knows the replica", || ask("replicas orders").contains(&replica_port));
    sentinel
}

/// A master, its replica, and a sentinel that knows both.
fn watched() -> [Server; 3] {
    let [master, replica] = [(); 2].map(|()| Server::start(Kind::Redis).unwrap());
    let sentinel = watching(&master, &replica);
    [master, replica, sentinel]
}

#[test]
fn clients_follow_the_master_that_the_sentinel_names() {
    block_on(async {
        let [master, replica, sentinel] = blocking(watched).await;
        let open = || Redis::options("redis://any").sentinels("orders", [sentinel.url()]).open();
        let (store, other) = (open().await.unwrap(), open().await.unwrap());
        let worker = worker(&store).await;
        let run = start("a", Some(worker));
        apply(&store, run.clone()).await;
        apply(&store, commit(&run.run, worker, 1, 1)).await;
        let replica = Arc::new(
            blocking(move || {
                let offset = told(master.endpoint(), "master_repl_offset").unwrap().parse::<u64>().unwrap();
                until("the replica has all of it", || {
                    let of_replica = told(replica.endpoint(), "slave_repl_offset").unwrap();
                    of_replica.parse::<u64>().unwrap() >= offset
                });
                master.kill();
                replica
            })
            .await,
        );
        let message = send(run.run.clone(), "wake up");
        apply_until(&store, message).await;
        let renewal = Renewal { worker, action: LeaseAction::Renew { lease: SOON } };
        let lost = store.renew(&renewal).await.unwrap_err();
        assert_eq!(lost.kind, StoreErrorKind::LeaseLost, "leases of before say nothing");
        let heir = crate::kit::worker(&store).await;
        let runs = claimed(&store, heir).await.runs;
        assert_eq!((runs.len(), runs[0].head, runs[0].inbox.len()), (1, EventId(2), 1));
        // The other process hears of what changes on the new master.
        let mut mark = other.changed(Interest::Work, Mark::default()).await;
        loop {
            apply(&store, send(run.run.clone(), "again")).await;
            let heard = tokio::time::timeout(Duration::from_millis(100), other.changed(Interest::Work, mark));
            match heard.await {
                Ok(heard) if heard > mark => break,
                Ok(heard) => mark = heard,
                Err(_) => {}
            }
        }
        drop(replica);
    });
}
