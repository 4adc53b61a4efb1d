//! What a workflow task asks of other runs beside messages: to begin, and to end (promise H3).

use retell::vocabulary::Position;
use retell::write::{
    Applied, CloseStatus, Commit, Errand, ExistingId, IdConflictPolicy, Outgoing, Refusal, Start,
};

use crate::world::{Held, World, message, open_run_of, texts};
use retell::backend::RunStatus;

fn starting(start: &Start) -> Outgoing {
    let errand = Errand::Start(Box::new(start.clone()));
    Outgoing { errand, if_done: Some(message("begun")), if_refused: Some(message("refused")) }
}

/// H3. A run that a commit starts is there with the commit, and its sender hears of it.
pub async fn an_errand_starts_a_run(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "parent").await;
    let start = Start { inbox: vec![message("hello")], ..world.new_start("child") };
    let commit = Commit { outgoing: vec![starting(&start)], ..world.new_commit(&held) };
    let committed = Applied::Committed { inbox: Position(1), started: Vec::new() };
    assert_eq!(world.applied(commit).await, committed);
    let claimed = world.claim(worker).await;
    assert_eq!((claimed.unread.len(), texts(&claimed.unread[0].messages)), (1, vec!["begun".to_owned()]));
    assert_eq!((claimed.runs.len(), &claimed.runs[0].run), (1, &start.run));
    assert_eq!(texts(&claimed.runs[0].inbox), ["hello"]);
}

/// A worker that names itself as the owner of what it starts holds it from the commit on, and is told so again.
pub async fn the_worker_that_commits_may_hold_what_it_starts(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "parent").await;
    let own = Start { owner: Some(worker), ..world.new_start("own") };
    let free = world.new_start("free");
    let outgoing = vec![starting(&own), starting(&free)];
    let commit = Commit { outgoing, ..world.new_commit(&held) };
    let committed = Applied::Committed { inbox: Position(2), started: vec![own.run.run_id] };
    assert_eq!(world.applied(commit.clone()).await, committed);
    assert_eq!(world.applied(commit).await, committed, "applied again, it says the same");
    let child = Held::from_start(&own, worker);
    world.applied(world.new_close(&child)).await;
    assert_eq!(world.info(own.run).await.status, RunStatus::Closed(CloseStatus::Completed));
}

/// A commit tells of each run that it starts and its worker holds, wherever a store keeps them: one that is not told of
/// is held by a worker that does not know of it.
pub async fn each_run_that_is_held_from_the_start_is_told(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "parent").await;
    let owned = |number: u32| Start { owner: Some(worker), ..world.new_start(&format!("child-{number}")) };
    let starts: Vec<Start> = (0..32).map(owned).collect();
    let commit = Commit { outgoing: starts.iter().map(starting).collect(), ..world.new_commit(&held) };
    let started = starts.iter().map(|start| start.run.run_id).collect();
    let committed = Applied::Committed { inbox: Position(32), started };
    assert_eq!(world.applied(commit.clone()).await, committed);
    assert_eq!(world.applied(commit).await, committed, "applied again, it says the same");
}

/// A start that the ID's policies refuse leaves its sender's commit whole, and the sender hears of it.
pub async fn a_start_whose_id_is_taken_is_answered_to_its_sender(world: World) {
    let worker = world.worker().await;
    let taken = world.started("child").await;
    let held = world.started_by(worker, "parent").await;
    let refused = world.new_start("child");
    let other = world.new_start("other");
    let outgoing = vec![starting(&refused), starting(&other)];
    world.applied(Commit { outgoing, ..world.new_commit(&held) }).await;
    assert_eq!(texts(&world.unread(&held).await), ["refused", "begun"]);
    assert_eq!(world.info(open_run_of("child")).await.run, taken);
    let error = world.apply(refused).await;
    assert_eq!(
        error,
        Err(Refusal::IdTaken(ExistingId { run: taken, closed: None })),
        "a refusal is not remembered"
    );
}

/// A run that a commit ends is ended as by a client.
pub async fn an_errand_ends_a_run(world: World) {
    let worker = world.worker().await;
    let other = world.started_by(worker, "other").await;
    let held = world.started_by(worker, "a").await;
    let errand = |target| Errand::Terminate(world.new_terminate(target));
    let ending = |target| Outgoing {
        errand: errand(target),
        if_done: Some(message("ended")),
        if_refused: Some(message("nobody is there")),
    };
    let outgoing = vec![ending(open_run_of("other")), ending(open_run_of("nobody"))];
    world.applied(Commit { outgoing, ..world.new_commit(&held) }).await;
    assert_eq!(texts(&world.unread(&held).await), ["ended", "nobody is there"]);
    assert_eq!(world.info(other.run.clone()).await.status, RunStatus::Closed(CloseStatus::Terminated));
    assert_eq!(world.apply(world.new_commit(&other)).await, Err(Refusal::LeaseLost));
}

/// An errand has the identity of the write that it is: a client's and a commit's are one.
pub async fn an_errand_is_done_once(world: World) {
    let worker = world.worker().await;
    let held = world.started_by(worker, "a").await;
    let start = world.new_start("child");
    world.applied(start.clone()).await;
    let commit = Commit { outgoing: vec![starting(&start)], ..world.new_commit(&held) };
    world.applied(commit.clone()).await;
    world.applied(commit).await;
    assert_eq!(texts(&world.unread(&held).await), ["begun"]);
    assert_eq!(world.history(&start.run).await.len(), 1);
}

/// What a closing task asks of others is done, though nobody hears of it any more.
pub async fn a_sender_that_closes_starts_and_ends_others(world: World) {
    let worker = world.worker().await;
    let child = world.started("child").await;
    let held = world.started_by(worker, "parent").await;
    let detached = Start { conflict: IdConflictPolicy::UseExisting, ..world.new_start("detached") };
    let errand = Errand::Terminate(world.new_terminate(child.clone()));
    let ending = Outgoing { errand, if_done: Some(message("ended")), if_refused: None };
    let outgoing = vec![starting(&detached), ending];
    world.applied(Commit { outgoing, ..world.new_close(&held) }).await;
    assert_eq!(world.info(child).await.status, RunStatus::Closed(CloseStatus::Terminated));
    assert_eq!(world.info(detached.run).await.status, RunStatus::Running);
    assert_eq!(world.info(held.run).await.inbox, 0);
}
