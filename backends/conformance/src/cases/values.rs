//! Whatever a user may write comes back as it was.

use std::time::Duration;

use bytes::Bytes;
use retell::vocabulary::{
    Attempt, AttributeValue, Attributes, EventId, Failure, FailureKind, Memo, Payload, TEXT_ID_BYTES_MAX,
    TaskQueue, Timestamp,
};
use retell::write::{ActivityVerdict, Commit, NewActivityTask, Next, OpenRun, Shown, Start};

use crate::world::{Held, World, claim_all, message, open_run_of, sleeping, workflow_type};

/// IDs and names in any script, with any punctuation.
pub async fn ids_of_all_scripts_come_back(world: World) {
    let ids =
        ["订单-42", "заказ", "🚚📦", "a/b:c{d}", "'; drop table run; --", "50%_off", "\"quoted\"", "\\", " "];
    for id in ids {
        let start = Start { workflow: workflow_type(id, 1), ..world.new_start(id) };
        world.applied(start.clone()).await;
        let info = world.info(open_run_of(id)).await;
        assert_eq!((info.run, info.workflow), (start.run, start.workflow));
    }
    let worker = world.worker().await;
    let workflows = ids.iter().map(|id| workflow_type(id, 1)).collect();
    let claimed = world.claim_as(&retell::backend::Claim { workflows, ..claim_all(worker) }).await;
    assert_eq!(claimed.runs.len(), ids.len());
}

/// IDs are bytes: what a collation or a normal form would call equal is not.
pub async fn ids_that_look_alike_are_different(world: World) {
    let ids =
        ["order", "Order", "ORDER", "order ", " order", "örder", "o\u{308}rder", "ordeг", "order\u{200b}"];
    for id in ids {
        world.started(id).await;
    }
    assert_eq!(world.stats().await.open, ids.len() as u64);
    let queue = Start { task_queue: TaskQueue::new("DEFAULT").unwrap(), ..world.new_start("elsewhere") };
    world.applied(queue).await;
    let worker = world.worker().await;
    assert_eq!(world.claim(worker).await.runs.len(), ids.len());
}

/// Every ID of the greatest length is stored whole; two that differ in the last byte are two.
pub async fn the_longest_ids_fit(world: World) {
    let long = "x".repeat(TEXT_ID_BYTES_MAX - 1);
    let wide = "é".repeat(TEXT_ID_BYTES_MAX / 2);
    for id in [format!("{long}1"), format!("{long}2"), wide] {
        let start = Start {
            workflow: workflow_type(&id, u32::MAX),
            task_queue: TaskQueue::new(&id).unwrap(),
            ..world.new_start(&id)
        };
        world.applied(start.clone()).await;
        assert_eq!(world.info(open_run_of(&id)).await.run, start.run);
    }
}

/// Payloads of 10 MiB in a record, an outcome, a message, an input and a failure.
pub async fn ten_mebibytes_fit_everywhere(world: World) {
    const SIZE: usize = 10 << 20;
    let large: Bytes = (0..SIZE).map(|index| (index % 251) as u8).collect::<Vec<_>>().into();
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let mut send = world.new_send(held.run.clone(), "");
    send.message.body = large.clone();
    world.applied(send).await;
    assert_eq!(world.unread(&held).await[0].body, large);
    let mut commit = world.new_commit(&held);
    commit.record.as_mut().expect("it has one").bytes = large.clone();
    commit.schedule = vec![NewActivityTask { call: large.clone(), ..world.new_task(2) }];
    commit.taken_in = retell::vocabulary::Position(1);
    world.commit(&mut held, commit).await;
    assert_eq!(world.history(&held.run).await[1].bytes, large);
    let claimed = world.claim(worker).await.activities;
    assert_eq!(claimed[0].call, large);
    let mut ended = message("");
    ended.body = large.clone();
    world.applied(world.new_report(&held, 2, worker, ActivityVerdict::Ended(ended))).await;
    assert_eq!(world.unread(&held).await[0].body, large);
    let mut close = world.new_close(&held);
    close.taken_in = retell::vocabulary::Position(2);
    close.next = Next::Closed { status: retell::write::CloseStatus::Completed, outcome: large.clone() };
    world.commit(&mut held, close).await;
    assert_eq!(world.info(held.run).await.outcome, Some(large));
}

/// The least and the greatest of every number that a user may set, and empty bytes.
pub async fn the_ends_of_all_ranges_come_back(world: World) {
    let worker = world.worker().await;
    for (id, priority, at) in
        [("least", i32::MIN, Timestamp::from_micros(-1)), ("most", i32::MAX, Timestamp::MAX)]
    {
        let mut start = Start { priority, wake_at: at, fairness_key: Some("".into()), ..world.new_start(id) };
        start.record.bytes = Bytes::new();
        world.applied(start.clone()).await;
        let info = world.info(start.run.clone()).await;
        assert_eq!((info.priority, info.wake_at, info.fairness_key), (priority, Some(at), Some("".into())));
        assert_eq!(world.history(&start.run).await[0].bytes, Bytes::new());
    }
    let mut held = world.started_by(worker, "a").await;
    let task = NewActivityTask {
        priority: i32::MIN,
        attempt: Attempt(u32::MAX),
        call: Bytes::new(),
        close_by: Some(Timestamp::MAX),
        ..world.new_task(i64::MAX as u64)
    };
    let next = Next::Open(OpenRun { wake_at: Some(Timestamp::MAX), ..sleeping(retell::write::Hold::Keep) });
    let commit = Commit { schedule: vec![task.clone()], next, ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    let claimed = world.claim(worker).await.activities;
    assert_eq!((claimed[0].scheduled, claimed[0].attempt), (EventId(i64::MAX as u64), task.attempt));
    assert_eq!((claimed[0].close_by, &claimed[0].call), (task.close_by, &task.call));
    world
        .applied(Commit { outgoing: vec![world.outgoing(held.run.clone(), "")], ..world.new_commit(&held) })
        .await;
    assert_eq!(world.unread(&held).await[0].body, Bytes::new());
}

/// A memo, as it is started with and as a commit changes it; an empty one too.
pub async fn a_memo_comes_back(world: World) {
    let worker = world.worker().await;
    let memo: Memo =
        [("customer".into(), Payload::encode("Ada").unwrap()), ("".into(), Payload::nothing())].into();
    let start = Start { memo: memo.clone(), owner: Some(worker), ..world.new_start("a") };
    world.applied(start.clone()).await;
    let mut held = Held::from_start(&start, worker);
    assert_eq!(world.info(held.run.clone()).await.memo, memo);
    for memo in [Memo::new(), memo] {
        let shown = Shown { memo: Some(memo.clone()), ..Shown::default() };
        let commit = Commit { shown, ..world.new_commit(&held) };
        world.commit(&mut held, commit).await;
        let commit = world.new_commit(&held);
        world.commit(&mut held, commit).await;
        assert_eq!(world.info(held.run.clone()).await.memo, memo, "another commit leaves it");
    }
}

/// The open attribute map, every kind of value.
pub async fn attributes_of_every_kind_come_back(world: World) {
    let attributes: Attributes = [
        ("text", AttributeValue::Text("naïve 🚚 'quoted'".into())),
        ("", AttributeValue::Text("".into())),
        ("least", AttributeValue::Integer(i64::MIN)),
        ("most", AttributeValue::Integer(i64::MAX)),
        ("float", AttributeValue::Float(0.1)),
        ("tiny", AttributeValue::Float(f64::MIN_POSITIVE)),
        ("infinite", AttributeValue::Float(f64::INFINITY)),
        ("bool", AttributeValue::Bool(true)),
        ("time", AttributeValue::Time(Timestamp::from_micros(-1))),
    ]
    .into_iter()
    .map(|(key, value)| (key.into(), value))
    .collect();
    let start = Start { attributes: attributes.clone(), ..world.new_start("a") };
    world.applied(start.clone()).await;
    assert_eq!(world.info(start.run).await.attributes, attributes);
}

/// A failure with details and causes, exactly.
pub async fn failures_come_back(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let cause = std::io::Error::other("disk on fire 🔥");
    let failure = Failure {
        kind: FailureKind::Timeout,
        details: Some(Payload::encode(&vec![1, 2, 3]).unwrap()),
        retry_after: Some(Duration::from_nanos(1)),
        ..Failure::from_error(&cause).non_retryable()
    };
    let task = NewActivityTask { last_failure: Some(failure.clone()), ..world.new_task(2) };
    let commit = Commit { schedule: vec![task], ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    assert_eq!(world.store.queued(&held.run).await.unwrap()[0].last_failure, Some(failure.clone()));
    let claimed = world.claim(worker).await.activities;
    assert_eq!(claimed[0].last_failure, Some(failure));
}
