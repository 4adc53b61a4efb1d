//! What a removed run leaves behind: nothing.

use retell::backend::{Backend, LeaseAction, Renewal};
use retell::vocabulary::{AttributeValue, RequestId};
use retell::write::{Answer, Applied, NewActivityTask, Remove};
use retell_redis::Redis;
use retell_servers::{Kind, shared};

use crate::kit::{apply, block_on, blocking, claimed, close, commit, send, start, worker};

#[test]
fn a_database_whose_runs_are_removed_holds_no_key_of_theirs() {
    block_on(async {
        let database = blocking(|| shared(Kind::Redis).unwrap().fresh_database().unwrap()).await;
        let store = Redis::open(database.url()).await.unwrap();
        let worker = worker(&store).await;
        let mut runs = Vec::new();
        for number in 0..20 {
            let mut start = start(&format!("order-{number}"), Some(worker));
            start.attributes.insert("city".into(), AttributeValue::Text("Riga".into()));
            apply(&store, start.clone()).await;
            apply(&store, send(start.run.clone(), "hello")).await;
            let mut step = commit(&start.run, worker, 1, 1);
            step.schedule = vec![task(2), task(3)];
            let body = bytes::Bytes::from_static(b"yes");
            step.answers = vec![Answer { request_id: RequestId::fresh(), body }];
            apply(&store, step).await;
            runs.push(start.run);
        }
        claimed(&store, worker).await;
        for run in &runs {
            let mut last = close(run, worker, 1, 2);
            last.taken_in = retell::vocabulary::Position(1);
            apply(&store, last).await;
            assert_eq!(apply(&store, Remove { run: run.clone() }).await, Applied::Removed);
        }
        store.renew(&Renewal { worker, action: LeaseAction::Retire }).await.unwrap();
        let next = crate::kit::worker(&store).await;
        claimed(&store, next).await;
        let keys = blocking(move || database.query("keys *").unwrap()).await;
        let theirs: Vec<_> = keys.lines().filter(|key| !is_of_the_store(key)).collect();
        assert!(theirs.is_empty(), "{theirs:#?}");
    });
}

/// What a store is, and which workers there were.
fn is_of_the_store(key: &str) -> bool {
    key.ends_with("}schema")
        || key.ends_with("}leases")
        || (key.contains("}worker/") && (key.ends_with("/opened") || key.ends_with("/shown")))
}

fn task(scheduled: u64) -> NewActivityTask {
    NewActivityTask {
        scheduled: retell::vocabulary::EventId(scheduled),
        activity: retell::vocabulary::ActivityName::new("charge").unwrap(),
        task_queue: retell::vocabulary::TaskQueue::default(),
        priority: 0,
        call: bytes::Bytes::from_static(b"call"),
        attempt: retell::vocabulary::Attempt(1),
        visible_at: crate::kit::now(),
        close_by: None,
        last_failure: None,
        details: None,
        running: scheduled == 3,
    }
}
