//! H4: every accepted message is taken into history exactly once, in order.

use bytes::Bytes;
use retell::vocabulary::{Position, RequestId};
use retell::write::{Commit, Hold, NewMessage, Refusal, Send, Start};

use crate::world::{LEASE, SECOND, World, message, open_run_of, texts};

/// H4. Positions run 1, 2, 3 ... in the order in which messages were accepted; bodies come back to the byte.
pub async fn messages_come_in_the_order_of_sending(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let mut wanted = Vec::new();
    for index in 0..10_u8 {
        let mut send = world.new_send(held.run.clone(), "");
        send.message.body = Bytes::from(vec![0xFF, 0x00, index]);
        wanted.push((
            Position(u64::from(index) + 1),
            send.message.request_id,
            send.at,
            send.message.body.clone(),
        ));
        world.applied(send).await;
        world.clock.advance(SECOND / 100);
    }
    let got: Vec<_> = world
        .unread(&held)
        .await
        .into_iter()
        .map(|message| (message.position, message.request_id, message.at, message.body))
        .collect();
    assert_eq!(got, wanted);
}

/// H4. A holder is shown each message once, and keeps it itself from then on.
pub async fn each_message_is_shown_once_to_a_holder(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.sent(&held.run, "one").await;
    assert_eq!(texts(&world.unread(&held).await), ["one"]);
    assert!(world.unread(&held).await.is_empty());
    world.sent(&held.run, "two").await;
    world.sent(&held.run, "three").await;
    assert_eq!(texts(&world.unread(&held).await), ["two", "three"]);
    assert_eq!(world.info(held.run).await.inbox, 3, "shown is not taken in");
}

/// H4. What the last holder saw but did not commit, the next one is shown again.
pub async fn a_new_holder_is_shown_all_that_is_not_taken_in(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for text in ["one", "two", "three"] {
        world.sent(&held.run, text).await;
    }
    assert_eq!(world.unread(&held).await.len(), 3);
    let commit = Commit { taken_in: Position(1), ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    world.clock.advance(LEASE);
    let heir = world.worker().await;
    let (taken, claimed) = world.claim_one(heir).await;
    assert_eq!((texts(&claimed.inbox), claimed.taken_in), (vec!["two".into(), "three".into()], Position(1)));
    assert!(world.unread(&taken).await.is_empty(), "the claim has shown them");
}

/// H4. A commit takes messages up to a position; the rest stays.
pub async fn what_is_taken_in_leaves_the_inbox(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for text in ["one", "two", "three"] {
        world.sent(&held.run, text).await;
    }
    let commit = Commit { taken_in: Position(2), ..world.new_commit(&held) };
    assert_eq!(world.commit(&mut held, commit).await, Position(3));
    assert_eq!(world.info(held.run.clone()).await.inbox, 1);
    assert_eq!(world.stats().await.messages, 1);
    let commit = Commit { taken_in: Position(3), ..world.new_commit(&held) };
    world.commit(&mut held, commit).await;
    assert_eq!(world.info(held.run).await.inbox, 0);
}

/// H4. A message for a run that nobody holds makes it due.
pub async fn a_message_wakes_a_sleeping_run(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.applied(world.new_hold(&held, Hold::Release)).await;
    assert_eq!(world.info(held.run.clone()).await.wake_at, None);
    assert!(world.claim(worker).await.runs.is_empty());
    let request_id = world.sent(&held.run, "wake up").await;
    let (_, claimed) = world.claim_one(worker).await;
    assert_eq!(claimed.inbox[0].request_id, request_id);
}

/// H8. A message from a sender whose clock is ahead postpones no timer.
pub async fn a_message_postpones_nothing(world: World) {
    let wake_at = world.now() + SECOND;
    let start = Start { wake_at, ..world.new_start("a") };
    let run = start.run.clone();
    world.applied(start).await;
    world.applied(Send { at: world.now() + SECOND * 60, ..world.new_send(run.clone(), "early") }).await;
    assert_eq!(world.info(run).await.wake_at, Some(wake_at));
}

/// Fault: a message that comes while its run is being let go is slept over.
pub async fn a_released_run_with_messages_is_due_at_once(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.sent(&held.run, "wake up").await;
    world.applied(world.new_hold(&held, Hold::Release)).await;
    let (_, claimed) = world.claim_one(worker).await;
    assert_eq!(texts(&claimed.inbox), ["wake up"]);
}

/// Fault: signals that wait come in reverse order; the 101st unread one is dropped.
pub async fn a_thousand_unread_messages_wait_in_order(world: World) {
    let run = world.started("a").await;
    let sends = (0..1_000).map(|index| world.new_send(run.clone(), &index.to_string()).into());
    assert!(world.apply_all(sends.collect::<Vec<_>>()).await.iter().all(Result::is_ok));
    let worker = world.worker().await;
    let (_, claimed) = world.claim_one(worker).await;
    let wanted: Vec<_> = (0..1_000).map(|index| index.to_string()).collect();
    assert_eq!(texts(&claimed.inbox), wanted);
}

/// H4. Senders in several processes: no position is given twice or left out, and each sender's order is kept.
pub async fn senders_at_once_keep_their_orders(world: World) {
    const EACH: usize = 25;
    let run = world.started("a").await;
    let mut senders = Vec::new();
    for sender in 0..4 {
        let (process, run) = (world.another_process().await, run.clone());
        senders.push(tokio::spawn(async move {
            for index in 0..EACH {
                process.sent(&run, &format!("{sender}:{index:02}")).await;
            }
        }));
    }
    for sender in senders {
        sender.await.expect("the sender does not panic");
    }
    let worker = world.worker().await;
    let (_, claimed) = world.claim_one(worker).await;
    let positions: Vec<_> = claimed.inbox.iter().map(|message| message.position.0).collect();
    assert_eq!(positions, (1..=100).collect::<Vec<_>>());
    for sender in 0..4 {
        let all = texts(&claimed.inbox);
        let own: Vec<_> = all.iter().filter(|text| text.starts_with(&format!("{sender}:"))).collect();
        assert!(own.len() == EACH && own.is_sorted(), "{own:?}");
    }
}

/// H4. What cannot be delivered is refused, never accepted and lost.
pub async fn a_closed_or_unknown_run_takes_no_message(world: World) {
    assert_eq!(world.refused(world.new_send(open_run_of("a"), "hello")).await, Refusal::RunNotFound);
    let first = world.started("a").await;
    world.applied(world.new_terminate(first.clone())).await;
    let second = world.started("a").await;
    world.applied(world.new_terminate(second.clone())).await;
    let by_id = world.refused(world.new_send(open_run_of("a"), "hello")).await;
    assert_eq!(by_id, Refusal::RunClosed(second), "the latest run is named");
    let by_run = world.refused(world.new_send(first.clone(), "hello")).await;
    assert_eq!(by_run, Refusal::RunClosed(first.clone()));
    let mut elsewhere = first;
    elsewhere.workflow_id = crate::world::workflow_id("b");
    assert_eq!(world.refused(world.new_send(elsewhere, "hello")).await, Refusal::RunNotFound);
}

/// Fault: a cancel request to a run that has continued as new goes to the old run.
pub async fn a_message_without_a_run_id_finds_the_open_run(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let successor = Start { owner: Some(worker), ..world.new_start("a") };
    world.applied(world.new_continue(&held, &successor)).await;
    let sent = world.applied(world.new_send(open_run_of("a"), "please cancel")).await;
    assert_eq!(sent, retell::write::Applied::Sent(successor.run.clone()));
    let old = world.refused(world.new_send(held.run.clone(), "please cancel")).await;
    assert_eq!(old, Refusal::RunClosed(held.run));
}

/// A start puts its messages into the new inbox at once, in order, whatever their identities; its owner knows them.
pub async fn a_start_brings_messages_along(world: World) {
    let worker = world.worker().await;
    let other = world.started("other").await;
    let known = world.sent(&other, "sent before").await;
    let inbox = vec![
        message("one"),
        NewMessage { request_id: known, body: Bytes::from_static(b"two") },
        NewMessage { request_id: RequestId::fresh(), body: Bytes::new() },
    ];
    let start = Start { inbox: inbox.clone(), ..world.new_start("a") };
    world.applied(start.clone()).await;
    let claimed = world.claim(worker).await.runs;
    let new = claimed.iter().find(|claimed| claimed.run == start.run).expect("it is due");
    let got: Vec<_> = new.inbox.iter().map(|message| (message.position.0, message.request_id)).collect();
    let ids: Vec<_> = inbox.iter().map(|message| message.request_id).collect();
    assert_eq!(got, [(1, ids[0]), (2, ids[1]), (3, ids[2])]);
    assert!(new.inbox.iter().all(|message| message.at == world.now()));

    let owned = Start { owner: Some(worker), inbox, ..world.new_start("b") };
    world.applied(owned.clone()).await;
    assert!(world.claim(worker).await.unread.is_empty());
    assert_eq!(world.info(owned.run).await.inbox, 3);
}
