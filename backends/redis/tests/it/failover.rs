//! A replica that takes its master's place without the master's last writes.

use std::time::Duration;

use retell::backend::{Backend, LeaseAction, Renewal, StoreErrorKind};
use retell::vocabulary::EventId;
use retell_redis::Redis;
use retell_servers::{Kind, Server};

use crate::kit::{apply, block_on, blocking, claimed, commit, release, start, worker};

/// A run that its holder gave up comes back to it, who does not know: it must not be held for ever.
#[test]
fn what_a_failover_took_back_is_stuck_with_nobody() {
    block_on(async {
        let master = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let replica = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let store = Redis::open(master.url()).await.unwrap();
        let worker = worker(&store).await;
        let start = start("a", Some(worker));
        apply(&store, start.clone()).await;
        apply(&store, commit(&start.run, worker, 1, 1)).await;
        let (replica, port) = (std::sync::Arc::new(replica), master.address().port());
        let follower = replica.clone();
        blocking(move || {
            let endpoint = follower.endpoint();
            endpoint.query(&format!("replicaof 127.0.0.1 {port}")).unwrap();
            while !endpoint.query("info replication").unwrap().contains("master_link_status:up") {
                std::thread::sleep(Duration::from_millis(10));
            }
            // From here on the master's writes are lost.
            endpoint.query("replicaof no one").unwrap();
        })
        .await;
        apply(&store, release(&start.run, worker, 1, 2)).await;
        let promoted = Redis::open(replica.url()).await.unwrap();
        let renewal = Renewal { worker, action: LeaseAction::Renew { lease: Duration::from_secs(600) } };
        let lost = promoted.renew(&renewal).await.unwrap_err();
        assert_eq!(lost.kind, StoreErrorKind::LeaseLost);
        let heir = crate::kit::worker(&promoted).await;
        apply(&promoted, crate::kit::send(start.run.clone(), "wake up")).await;
        let runs = claimed(&promoted, heir).await.runs;
        assert_eq!((runs.len(), runs[0].head), (1, EventId(2)), "without the lost commit, and whole");
        let again = Redis::open(replica.url()).await.unwrap();
        again.renew(&Renewal { worker: heir, ..renewal }).await.expect("leases end once only");
    });
}
