//! H4: what a run answers a request with is kept for callers anywhere; and what it shows of itself.

use std::time::Duration;

use bytes::Bytes;
use retell::backend::{AnswerKey, Answered};
use retell::vocabulary::{Payload, Position, RequestId};
use retell::write::{Answer, Commit, Hold, IDENTITY_KEPT, Shown};

use crate::world::{Held, TICK, World};

fn answer(request_id: RequestId, text: &'static str) -> Answer {
    Answer { request_id, body: Bytes::from_static(text.as_bytes()) }
}

async fn answered(world: &World, asked: &[RequestId]) -> Vec<Option<Answered>> {
    let workflow_id = crate::world::workflow_id("a");
    let namespace = &world.namespace;
    let key = |request_id: &RequestId| AnswerKey {
        namespace: namespace.clone(),
        workflow_id: workflow_id.clone(),
        request_id: *request_id,
    };
    let asked: Vec<_> = asked.iter().map(key).collect();
    world.store.answers(&asked).await.expect("the store is there")
}

/// H4. Answers come with their commit, the last one counts, and other processes read them, also when the run has closed.
pub async fn the_last_answer_to_a_request_is_kept_beyond_the_run(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let [one, two, never] = [(); 3].map(|()| RequestId::fresh());
    let answers = vec![answer(one, "accepted"), answer(two, "accepted"), answer(two, "refused")];
    let commit = Commit { answers, ..world.new_commit(&held) };
    world.commit(&mut held, commit.clone()).await;
    let given = |body: &'static str| {
        Some(Answered { run: held.run.clone(), body: Bytes::from_static(body.as_bytes()) })
    };
    assert_eq!(answered(&world, &[two, never, one]).await, [given("refused"), None, given("accepted")]);
    let close = Commit { answers: vec![answer(one, "completed")], ..world.new_close(&held) };
    let mut held = held.clone();
    world.commit(&mut held, close).await;
    world.applied(commit).await;
    for world in [&world.another_process().await, &world.restart().await] {
        assert_eq!(answered(world, &[one, two]).await, [given("completed"), given("refused")]);
    }
}

/// H3, H4. A refused commit answers nothing.
pub async fn a_refused_commit_answers_nothing(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    world.sent(&held.run, "unread").await;
    let request = RequestId::fresh();
    let close = Commit { answers: vec![answer(request, "completed")], ..world.new_close(&held) };
    assert_eq!(world.refused(close).await, retell::write::Refusal::InboxAdvanced(Position(1)));
    assert_eq!(answered(&world, &[request]).await, [None]);
}

/// H4. An answer is kept for a day after it was given, whatever came before it.
pub async fn an_answer_is_kept_for_a_day(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    let (request, other) = (RequestId::fresh(), RequestId::fresh());
    let accepted = Commit { answers: vec![answer(request, "accepted")], ..world.new_commit(&held) };
    world.commit(&mut held, accepted).await;
    let mut held = later(&world, held, IDENTITY_KEPT / 2).await;
    let completed = Commit { answers: vec![answer(request, "completed")], ..world.new_commit(&held) };
    world.commit(&mut held, completed).await;
    let mut held = later(&world, held, IDENTITY_KEPT - TICK).await;
    let another = Commit { answers: vec![answer(other, "accepted")], ..world.new_commit(&held) };
    world.commit(&mut held, another).await;
    assert!(answered(&world, &[request, other]).await.iter().all(Option::is_some));
}

/// The run in the hands of another holder, after this time.
async fn later(world: &World, held: Held, time: Duration) -> Held {
    world.sent(&held.run, "wake up").await;
    world.clock.advance(time);
    let heir = world.worker().await;
    world.claim_one(heir).await.0
}

/// What a run shows of itself comes with a commit, stays until another takes its place, and is its own.
pub async fn what_a_run_publishes_is_described_and_listed(world: World) {
    let worker = world.worker().await;
    let mut held = world.started_by(worker, "a").await;
    assert_eq!(world.info(held.run.clone()).await.published, None);
    for text in ["half", "done"] {
        let published = Some(Payload::encode(text).expect("text encodes"));
        let commit = Commit {
            shown: Shown { published: published.clone(), ..Shown::default() },
            ..world.new_commit(&held)
        };
        world.commit(&mut held, commit).await;
        let commit = world.new_commit(&held);
        world.commit(&mut held, commit).await;
        assert_eq!(world.info(held.run.clone()).await.published, published);
    }
    world.applied(world.new_hold(&held, Hold::Keep)).await;
    let successor = world.new_start("a");
    world.applied(world.new_continue(&held, &successor)).await;
    let world = world.restart().await;
    let runs = world.list(crate::world::list_all()).await;
    let shown: Vec<_> = runs.iter().map(|info| (info.run.run_id, info.published.is_some())).collect();
    assert!(shown.contains(&(held.run.run_id, true)) && shown.contains(&(successor.run.run_id, false)));
}
