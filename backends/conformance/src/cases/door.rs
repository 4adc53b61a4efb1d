//! H4: closing a run against the messages that come meanwhile.

use retell::backend::InboxMessage;
use retell::vocabulary::{EventId, Position};
use retell::write::{ActivityVerdict, Applied, Commit, Hold, IdConflictPolicy, Refusal, Start};

use crate::world::{Held, LEASE, SECOND, World, message, open_run_of, texts};

/// A held run whose closing commit was refused at position 1; its door is shut.
async fn shut(world: &World, continues: bool) -> Held {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.sent(&held.run, "unread").await;
    let commit =
        if continues { world.new_continue(&held, &world.new_start("a")) } else { world.new_close(&held) };
    assert_eq!(world.refused(commit).await, Refusal::InboxAdvanced(Position(1)));
    held
}

/// H4. A run does not close over messages that it has not taken in, and nothing of the commit is stored.
pub async fn closing_over_unread_messages_is_refused(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    for text in ["one", "two", "three"] {
        world.sent(&held.run, text).await;
    }
    let early = Commit { taken_in: Position(1), ..world.new_close(&held) };
    assert_eq!(world.refused(early).await, Refusal::InboxAdvanced(Position(3)));
    assert_eq!(texts(&world.unread(&held).await), ["one", "two", "three"]);
    let close = Commit { taken_in: Position(3), ..world.new_close(&held) };
    world.commit(&mut held, close).await;
    assert_eq!(world.info(held.run).await.inbox, 0);
}

/// H4. The refusal shuts the door: whatever is sent meanwhile, one more try is enough.
pub async fn one_more_try_is_enough_under_a_flood(world: World) {
    let mut held = shut(&world, false).await;
    for _ in 0..50 {
        let send = world.new_send(open_run_of("a"), "flood");
        assert_eq!(world.refused(send).await, Refusal::RunClosed(held.run.clone()));
    }
    let close = Commit { taken_in: Position(1), ..world.new_close(&held) };
    assert_eq!(world.commit(&mut held, close).await, Position(1));
}

/// Fault: a signal that arrives while continue-as-new commits is lost, or the task loops (200 accepted, 7 seen).
pub async fn a_signal_that_arrives_while_continue_as_new_commits_is_kept(world: World) {
    let mut held = shut(&world, true).await;
    let mut sent = Vec::new();
    for index in 0..200 {
        sent.push((world.sent(&held.run, &index.to_string()).await, world.now()));
        world.clock.advance(SECOND / 1_000);
    }
    let successor = Start { owner: Some(held.worker), ..world.new_start("a") };
    let commit = Commit { taken_in: Position(1), ..world.new_continue(&held, &successor) };
    world.commit(&mut held, commit).await;
    let unread = world.claim(held.worker).await.unread;
    assert_eq!((unread.len(), &unread[0].run), (1, &successor.run));
    let got: Vec<_> = unread[0].messages.iter().map(|message| (message.request_id, message.at)).collect();
    assert_eq!(got, sent, "all, in order, with their identities and times");
    let old = world.info(held.run).await;
    assert_eq!((old.inbox, old.continued_as), (0, Some(successor.run.run_id)));
}

/// The same fault under load: two processes send while a third continues as new as fast as it can. Whatever was
/// accepted is taken in exactly once, in its sender's order.
pub async fn a_flood_across_continue_as_new_loses_and_doubles_nothing(world: World) {
    const EACH: usize = 60;
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let mut senders = Vec::new();
    for sender in 0..2 {
        let process = world.another_process().await;
        senders.push(tokio::spawn(async move {
            for index in 0..EACH {
                let send = process.new_send(open_run_of("a"), &format!("{sender}:{index:02}"));
                assert!(
                    matches!(process.apply(send).await, Ok(Applied::Sent(_))),
                    "there is always an open run"
                );
            }
        }));
    }
    let (mut taken, mut unread) = (Vec::new(), Vec::new());
    while taken.len() < 2 * EACH {
        unread.extend(world.unread(&held).await);
        let successor = Start { owner: Some(worker), ..world.new_start("a") };
        let end = unread.last().map_or(held.taken_in, |message: &InboxMessage| message.position);
        let commit = Commit { taken_in: end, ..world.new_continue(&held, &successor) };
        match world.apply(commit).await {
            Ok(_) => {
                taken.extend(texts(&std::mem::take(&mut unread)));
                held = Held::from_start(&successor, worker);
            }
            Err(refusal) => assert!(matches!(refusal, Refusal::InboxAdvanced(_)), "{refusal}"),
        }
        tokio::task::yield_now().await;
    }
    for sender in senders {
        sender.await.expect("the sender does not panic");
    }
    for sender in 0..2 {
        let own: Vec<_> = taken.iter().filter(|text| text.starts_with(&format!("{sender}:"))).collect();
        let wanted: Vec<_> = (0..EACH).map(|index| format!("{sender}:{index:02}")).collect();
        assert_eq!(own, wanted.iter().collect::<Vec<_>>());
    }
}

/// H4. What a start would send to a run that is closing is refused, and trying again starts the new run with it; a run
/// that continues as new keeps it for its successor.
pub async fn a_start_does_not_send_through_a_shut_door(world: World) {
    let start = || Start {
        conflict: IdConflictPolicy::SendToExisting,
        inbox: vec![message("brought")],
        ..world.new_start("a")
    };
    let mut closing = shut(&world, false).await;
    let sent = start();
    assert_eq!(world.refused(sent.clone()).await, Refusal::RunClosed(closing.run.clone()));
    let close = Commit { taken_in: Position(1), ..world.new_close(&closing) };
    world.commit(&mut closing, close).await;
    assert_eq!(world.applied(sent.clone()).await, Applied::Started { run: sent.run.clone(), owned: false });
    world.applied(world.new_terminate(sent.run)).await;

    let mut continuing = shut(&world, true).await;
    assert_eq!(world.applied(start()).await, Applied::Existing(continuing.run.clone()));
    let successor = world.new_start("a");
    let commit = Commit { taken_in: Position(1), ..world.new_continue(&continuing, &successor) };
    world.commit(&mut continuing, commit).await;
    let (_, claimed) = world.claim_one(continuing.worker).await;
    assert_eq!((claimed.run, texts(&claimed.inbox)), (successor.run, vec!["brought".to_owned()]));
}

/// H4. What the code had not read comes first in the new inbox, then what came through the shut door.
pub async fn held_messages_stand_behind_the_successors_own(world: World) {
    let held = shut(&world, true).await;
    world.sent(&held.run, "held 1").await;
    world.sent(&held.run, "held 2").await;
    let inbox = vec![message("carried over 1"), message("carried over 2")];
    let successor = Start { inbox, ..world.new_start("a") };
    world.applied(Commit { taken_in: Position(1), ..world.new_continue(&held, &successor) }).await;
    let (_, claimed) = world.claim_one(held.worker).await;
    assert_eq!(texts(&claimed.inbox), ["carried over 1", "carried over 2", "held 1", "held 2"]);
    let positions: Vec<_> = claimed.inbox.iter().map(|message| message.position.0).collect();
    assert_eq!(positions, [1, 2, 3, 4]);
}

/// H4. A successor that sleeps and that nobody holds is woken by what was held for it.
pub async fn held_messages_wake_a_successor_that_nobody_holds(world: World) {
    let held = shut(&world, true).await;
    world.sent(&held.run, "held").await;
    let successor = Start { wake_at: world.now() + SECOND * 3_600, ..world.new_start("a") };
    world.applied(Commit { taken_in: Position(1), ..world.new_continue(&held, &successor) }).await;
    let (taken, _) = world.claim_one(held.worker).await;
    assert_eq!(taken.run, successor.run);
}

/// H4. What comes through a shut door is not for this run: its holder is shown what lies before, and no more.
pub async fn the_holder_never_sees_what_is_held(world: World) {
    let held = shut(&world, true).await;
    world.sent(&held.run, "held").await;
    assert_eq!(texts(&world.unread(&held).await), ["unread"]);
    world.sent(&held.run, "held too").await;
    assert!(world.unread(&held).await.is_empty());
}

/// H4. The door stands where it was shut, however often the holder fails to reach it.
pub async fn a_commit_short_of_the_door_is_refused_again(world: World) {
    let mut held = shut(&world, true).await;
    world.sent(&held.run, "held").await;
    let successor = world.new_start("a");
    let short = world.new_continue(&held, &successor);
    assert_eq!(world.refused(short).await, Refusal::InboxAdvanced(Position(1)));
    let reaching = Commit { taken_in: Position(1), ..world.new_continue(&held, &successor) };
    world.commit(&mut held, reaching).await;
}

/// H4. A holder that goes on instead of closing is shown what came meanwhile.
pub async fn an_open_commit_opens_the_door(world: World) {
    let mut held = shut(&world, true).await;
    world.sent(&held.run, "held").await;
    assert_eq!(texts(&world.unread(&held).await), ["unread"]);
    let commit = Commit { taken_in: Position(1), ..world.new_commit(&held) };
    assert_eq!(world.commit(&mut held, commit).await, Position(2));
    assert_eq!(texts(&world.unread(&held).await), ["held"]);
    let close = Commit { taken_in: Position(1), ..world.new_close(&held) };
    assert_eq!(world.refused(close).await, Refusal::InboxAdvanced(Position(2)));
}

/// H4. A run whose holder died between two tries is open to messages again, and its heir is shown all of them.
pub async fn a_takeover_opens_the_door(world: World) {
    for continues in [true, false] {
        let held = shut(&world, continues).await;
        if continues {
            world.sent(&held.run, "held").await;
        }
        world.clock.advance(LEASE);
        let heir = world.worker().await;
        let (mut taken, claimed) = world.claim_one(heir).await;
        world.sent(&taken.run, "after").await;
        let wanted: &[&str] = if continues { &["unread", "held"] } else { &["unread"] };
        assert_eq!(texts(&claimed.inbox), wanted);
        assert_eq!(texts(&world.unread(&taken).await), ["after"]);
        let end = Position(wanted.len() as u64 + 1);
        let close = Commit { taken_in: end, ..world.new_close(&taken) };
        world.commit(&mut taken, close).await;
    }
}

/// H4. What was accepted for a successor is not lost when there is to be none.
pub async fn a_run_that_closes_after_all_takes_in_what_was_held(world: World) {
    let mut held = shut(&world, true).await;
    world.sent(&held.run, "held").await;
    let close = Commit { taken_in: Position(1), ..world.new_close(&held) };
    assert_eq!(world.refused(close).await, Refusal::InboxAdvanced(Position(2)));
    assert_eq!(texts(&world.unread(&held).await), ["unread", "held"]);
    let late = world.refused(world.new_send(held.run.clone(), "late")).await;
    assert_eq!(late, Refusal::RunClosed(held.run.clone()));
    let close = Commit { taken_in: Position(2), ..world.new_close(&held) };
    world.commit(&mut held, close).await;
}

/// H5. The outcome of an activity is accepted at a shut door, but is of no use to another run.
pub async fn an_outcome_at_a_shut_door_is_not_carried_over(world: World) {
    let worker = world.worker().await;
    let held = world.with_task(worker, "a").await;
    assert_eq!(world.claim(worker).await.activities.len(), 1);
    world.sent(&held.run, "unread").await;
    let successor = world.new_start("a");
    let early = world.new_continue(&held, &successor);
    assert_eq!(world.refused(early).await, Refusal::InboxAdvanced(Position(1)));
    world.sent(&held.run, "held").await;
    let ended = world.new_report(&held, 2, worker, ActivityVerdict::Ended(message("paid")));
    assert_eq!(world.applied(ended).await, Applied::Reported);
    world.applied(Commit { taken_in: Position(1), ..world.new_continue(&held, &successor) }).await;
    let (_, claimed) = world.claim_one(worker).await;
    assert_eq!(texts(&claimed.inbox), ["held"]);
}

/// A run whose door is shut can be terminated; its last try then finds the lease lost.
pub async fn a_shut_door_does_not_stop_termination(world: World) {
    let held = shut(&world, true).await;
    world.sent(&held.run, "held").await;
    world.applied(world.new_terminate(open_run_of("a"))).await;
    let close = Commit { taken_in: Position(1), ..world.new_continue(&held, &world.new_start("a")) };
    assert_eq!(world.refused(close).await, Refusal::LeaseLost);
    assert_eq!(world.stats().await.messages, 0);
}

/// H6. A shut door is state like any other: another process refuses what this one would, and so does the next.
pub async fn a_door_stays_shut_across_a_restart(world: World) {
    let held = shut(&world, false).await;
    let other = world.another_process().await;
    let send = world.new_send(held.run.clone(), "late");
    assert_eq!(other.refused(send.clone()).await, Refusal::RunClosed(held.run.clone()));
    drop(other);
    let world = world.restart().await;
    assert_eq!(world.refused(send).await, Refusal::RunClosed(held.run.clone()));
    let worker = world.worker().await;
    let (mut taken, _) = world.claim_one(worker).await;
    assert_eq!(taken.head, EventId(1));
    let release = Commit { taken_in: Position(1), ..world.new_hold(&taken, Hold::Release) };
    world.commit(&mut taken, release).await;
    world.sent(&held.run, "welcome").await;
}
