//! A slot that is moved to another node of the cluster while the store is used.

use retell::backend::{Backend, StoreErrorKind};
use retell::vocabulary::EventId;
use retell_redis::Redis;
use retell_servers::{Endpoint, RedisCluster};

use crate::kit::{apply, block_on, blocking, commit, start, try_apply, worker};

/// Where a slot is, and where it goes.
struct Move {
    slot: String,
    from: Endpoint,
    to: Endpoint,
    others: Vec<Endpoint>,
}

impl Move {
    /// Of the only partition of a store.
    fn of(cluster: &RedisCluster) -> Self {
        let all: Vec<_> = cluster.masters().iter().map(|master| master.endpoint().clone()).collect();
        let slot = all[0].query("cluster keyslot {retell.0}").unwrap();
        let holds = |node: &Endpoint| node.query(&format!("cluster countkeysinslot {slot}")).unwrap() != "0";
        let (mut with, mut without): (Vec<_>, Vec<_>) = all.into_iter().partition(holds);
        Self { slot, from: with.pop().unwrap(), to: without.pop().unwrap(), others: without }
    }

    fn begin(&self) {
        let id = |node: &Endpoint| node.query("cluster myid").unwrap();
        self.to.query(&format!("cluster setslot {} importing {}", self.slot, id(&self.from))).unwrap();
        self.from.query(&format!("cluster setslot {} migrating {}", self.slot, id(&self.to))).unwrap();
    }

    /// Moves so many of its keys.
    fn move_keys(&self, count: usize) {
        let to = self.to.address().unwrap().port();
        let keys = self.from.query(&format!("cluster getkeysinslot {} {count}", self.slot)).unwrap();
        for key in keys.lines().filter(|key| !key.is_empty()) {
            assert_eq!(self.from.query(&format!("migrate 127.0.0.1 {to} {key} 0 5000")).unwrap(), "OK");
        }
    }

    fn end(&self) {
        let id = self.to.query("cluster myid").unwrap();
        for node in [&self.to, &self.from].into_iter().chain(&self.others) {
            node.query(&format!("cluster setslot {} node {id}", self.slot)).unwrap();
        }
    }
}

/// They will: it is no store of another kind.
#[test]
fn nodes_that_do_not_agree_who_has_a_slot_are_waited_for() {
    block_on(async {
        let cluster = blocking(|| RedisCluster::start().unwrap()).await;
        let urls = cluster.urls();
        let options = Redis::options(&urls[0]).cluster(&urls[1..]).partitions(1);
        let (own, slot, cluster) = blocking(move || {
            let nodes: Vec<_> = cluster.masters().iter().map(|master| master.endpoint()).collect();
            let slot = nodes[0].query("cluster keyslot {retell.0}").unwrap();
            let has = |node: &&&Endpoint| node.query("del {retell.0}").is_ok_and(|gone| gone == "0");
            let (with, other) =
                (nodes.iter().find(has).unwrap(), nodes.iter().find(|node| !has(node)).unwrap());
            let id = other.query("cluster myid").unwrap();
            // The one says that the other has it, who says that it has not.
            with.query(&format!("cluster setslot {slot} node {id}")).unwrap();
            (((*other).clone(), id), slot, cluster)
        })
        .await;
        let error = options.clone().open().await.map(drop).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error:?}");
        blocking(move || own.0.query(&format!("cluster setslot {slot} node {}", own.1)).unwrap()).await;
        options.open().await.unwrap();
        drop(cluster);
    });
}

#[test]
fn a_partition_waits_while_its_slot_is_moved_and_goes_on_whole() {
    block_on(async {
        let cluster = blocking(|| RedisCluster::start().unwrap()).await;
        let urls = cluster.urls();
        let store = Redis::options(&urls[0]).cluster(&urls[1..]).partitions(1).open().await.unwrap();
        let worker = worker(&store).await;
        let run = start("a", Some(worker));
        apply(&store, run.clone()).await;
        let run = run.run;
        let moved = blocking(move || {
            let moved = Move::of(&cluster);
            moved.begin();
            (moved, cluster)
        })
        .await;
        let unavailable = async |step: &str| {
            let error = try_apply(&store, commit(&run, worker, 1, 1)).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Unavailable, "{step}: {error:?}");
        };
        unavailable("before the first key").await;
        let moved = blocking(move || {
            moved.0.move_keys(3);
            moved
        })
        .await;
        unavailable("with some of the keys on either side").await;
        let _cluster = blocking(move || {
            moved.0.move_keys(1_000);
            moved.0.end();
            moved.1
        })
        .await;
        apply(&store, commit(&run, worker, 1, 1)).await;
        let history = store.history(&run, EventId(0), 1 << 20).await.unwrap();
        assert_eq!(history.len(), 2, "nothing but the one commit");
    });
}
