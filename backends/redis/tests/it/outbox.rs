//! What commits ask of other partitions: done exactly once, whoever is killed in between.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use retell::backend::{Backend, LeaseAction, Renewal, StoreErrorKind};
use retell::vocabulary::RunKey;
use retell::write::{Applied, Errand, Outgoing};
use retell_redis::Redis;
use retell_servers::{Kind, RedisCluster, shared};

use crate::kit::{
    apply, apply_until, block_on, blocking, close, commit, inbox_of, message, send, start, worker,
};

const SENDERS: u64 = 10;
const STEPS: u64 = 20;

fn asks(target: &RunKey, text: &str) -> Outgoing {
    let errand = Errand::Send(send(target.clone(), text));
    Outgoing { errand, if_done: Some(message(text)), if_refused: None }
}

#[test]
fn messages_to_other_slots_arrive_once_though_masters_are_killed() {
    block_on(async {
        let cluster = Arc::new(blocking(|| RedisCluster::start().unwrap()).await);
        let urls = cluster.urls();
        let store = Redis::options(&urls[0]).cluster(&urls[1..]).open().await.unwrap();
        let store = &store;
        let worker = worker(store).await;
        let target = start("target", None);
        apply(store, target.clone()).await;
        let senders = join_all((0..SENDERS).map(|sender| {
            let target = target.run.clone();
            async move {
                let start = start(&format!("sender-{sender}"), Some(worker));
                apply_until(store, start.clone()).await;
                for head in 1..=STEPS {
                    let mut step = commit(&start.run, worker, 1, head);
                    step.outgoing = vec![asks(&target, &format!("{sender}-{head:02}"))];
                    let committed = apply_until(store, step).await;
                    assert!(matches!(committed, Applied::Committed { .. }));
                }
                start.run
            }
        }));
        let killing = async {
            for round in 0..4 {
                let cluster = cluster.clone();
                blocking(move || {
                    let master = &cluster.masters()[round % 3];
                    master.kill();
                    master.restart().unwrap();
                    cluster.await_whole().unwrap();
                })
                .await;
            }
        };
        let (senders, ()) = tokio::join!(senders, killing);
        // What a fault left in an outbox is moved by whoever renews a lease; here the next step of each sender does.
        for run in &senders {
            apply_until(store, commit(run, worker, 1, STEPS + 1)).await;
        }
        let told = inbox_of(store, &target.run).await;
        for sender in 0..SENDERS {
            let prefix = format!("{sender}-");
            let of_sender: Vec<_> = told.iter().filter(|text| text.starts_with(&prefix)).cloned().collect();
            let wanted: Vec<_> = (1..=STEPS).map(|head| format!("{sender}-{head:02}")).collect();
            assert_eq!(of_sender, wanted, "each once, in order");
        }
        for info in store.describe(&senders.into_iter().map(Into::into).collect::<Vec<_>>()).await.unwrap() {
            assert_eq!(info.unwrap().inbox, STEPS, "each sender hears of each once");
        }
    });
}

/// The answers come when it has ended: there is nobody to take them in, and nothing that would ever remove them.
#[test]
fn a_run_that_asks_with_its_last_commit_gets_no_answers() {
    block_on(async {
        let database = blocking(|| shared(Kind::Redis).unwrap().fresh_database().unwrap()).await;
        let store = Redis::options(database.url()).partitions(4).open().await.unwrap();
        let worker = worker(&store).await;
        let sender = start("sender", Some(worker));
        // In all partitions, its own among them.
        let targets: Vec<_> = (0..16).map(|number| start(&format!("target-{number}"), None)).collect();
        for start in targets.iter().chain([&sender]) {
            apply(&store, start.clone()).await;
        }
        let mut last = close(&sender.run, worker, 1, 1);
        last.outgoing = targets.iter().map(|target| asks(&target.run, "bye")).collect();
        apply(&store, last).await;
        let asked = targets.iter().chain([&sender]).map(|start| start.run.clone().into());
        let found = store.describe(&asked.collect::<Vec<_>>()).await.unwrap();
        let inboxes: Vec<_> = found.into_iter().flatten().map(|info| info.inbox).collect();
        assert_eq!(inboxes.split_last().unwrap(), (&0, &[1; 16][..]));
    });
}

/// Its process died, or could not reach the other node: whoever renews a lease finds what waits.
#[test]
fn errands_that_somebody_left_are_done_by_others() {
    block_on(async {
        let cluster = Arc::new(blocking(|| RedisCluster::start().unwrap()).await);
        let urls = cluster.urls();
        let options = Redis::options(&urls[0]).cluster(&urls[1..]);
        let store = options.clone().response_wait(Duration::from_millis(500)).open().await.unwrap();
        let other = options.open().await.unwrap();
        let worker = worker(&store).await;
        let targets: Vec<_> = (0..30).map(|number| start(&format!("target-{number}"), None)).collect();
        let senders: Vec<_> =
            (0..30).map(|number| start(&format!("sender-{number}"), Some(worker))).collect();
        for start in targets.iter().chain(&senders) {
            apply(&store, start.clone()).await;
        }
        let steps = senders.iter().map(|sender| {
            let mut step = commit(&sender.run, worker, 1, 1);
            step.outgoing = targets.iter().map(|target| asks(&target.run, "hello")).collect();
            step
        });
        let paused = cluster.clone();
        blocking(move || paused.masters()[1].pause()).await;
        // One that lies on a node that answers is committed, whatever becomes of what it asks for.
        let mut committed = false;
        for step in steps {
            committed = crate::kit::try_apply(&store, step).await.is_ok_and(|outcome| outcome.is_ok());
            if committed {
                break;
            }
        }
        assert!(committed);
        drop(store);
        let resumed = cluster.clone();
        blocking(move || resumed.masters()[1].resume()).await;
        let targets: Vec<_> = targets.into_iter().map(|target| target.run.into()).collect();
        loop {
            let action = LeaseAction::Renew { lease: Duration::from_secs(600) };
            // The cluster finds its way back after the pause.
            if let Err(error) = other.renew(&Renewal { worker, action }).await {
                assert_eq!(error.kind, StoreErrorKind::Unavailable);
            }
            let inboxes = other.describe(&targets).await.unwrap_or_default();
            if inboxes.len() == targets.len() && inboxes.iter().flatten().all(|info| info.inbox >= 1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}
