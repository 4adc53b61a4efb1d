//! Several things at once, in code that reads like ordinary Rust.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use retell::Orchestrator;
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

fn code(engine: Orchestrator) -> Orchestrator {
    engine
        .workflow(in_sequence)
        .workflow(joined)
        .workflow(select_first)
        .workflow(raced)
        .workflow(fifty)
        .workflow(unordered)
        .activity(effect)
        .activity(hold)
}

#[retell::workflow]
async fn in_sequence(cx: WorkflowContext, names: Vec<String>) -> WorkflowResult<String> {
    let mut done = String::new();
    for name in names {
        done.push_str(&cx.activity(effect, &name).await?);
    }
    Ok(done)
}

/// Each outcome is recorded before the next call.
pub async fn activities_run_one_after_another(scene: Scene) {
    let process = scene.process(code).await;
    let names: Vec<String> = ["a", "b", "c"].map(String::from).into();
    let run = process.start(in_sequence, "sequence", names.clone()).await.unwrap();
    assert_eq!(run.result().await.unwrap(), "abc");
    assert!(names.iter().all(|name| scene.probe.count(name) == 1));
    let events = history(&run).await;
    let names: Vec<_> = events.iter().map(|event| event.kind.name()).collect();
    let round = ["ActivityScheduled", "ActivityCompleted"];
    assert_eq!(names, [&["WorkflowStarted"][..], &round.repeat(3), &["WorkflowCompleted"]].concat());
}

#[retell::workflow]
async fn joined(cx: WorkflowContext) -> WorkflowResult<(String, String)> {
    let (left, right) = retell::join!(
        cx.activity(hold, &"left".to_owned()),
        cx.activity(hold, &"right".to_owned()),
    );
    Ok((left?, right?))
}

/// Both bodies run before either has ended, and they may end in any order.
pub async fn joined_activities_run_at_once(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(joined, "joined", ()).await.unwrap();
    scene.probe.saw("left", 1).await;
    scene.probe.saw("right", 1).await;
    scene.probe.open("right");
    scene.probe.open("left");
    assert_eq!(run.result().await.unwrap(), ("left".to_owned(), "right".to_owned()));
}

#[retell::workflow]
async fn select_first(cx: WorkflowContext) -> WorkflowResult<String> {
    let won = retell::select! {
        lost = cx.activity(hold, &"slow".to_owned()) => lost?,
        won = cx.signal::<String>("go") => won?,
    };
    cx.activity(effect, &format!("after {won}")).await?;
    Ok(won)
}

/// History says that the loser was let go of, and its body is dropped where it stands.
pub async fn the_loser_of_a_select_is_cancelled_and_its_body_stopped(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(select_first, "select_first", ()).await.unwrap();
    scene.probe.saw("slow", 1).await;
    run.signal("go", "quick").await.unwrap();
    assert_eq!(run.result().await.unwrap(), "quick");
    scene.probe.saw("slow stopped", 1).await;
    let events = history(&run).await;
    assert_eq!((count(&events, "ActivityCancelled"), count(&events, "ActivityCompleted")), (1, 1));
}

#[retell::workflow]
async fn raced(cx: WorkflowContext) -> WorkflowResult<String> {
    let sleeping = async {
        cx.sleep(YEAR).await?;
        Ok("overslept".to_owned())
    };
    Ok(retell::race!(sleeping, cx.activity(effect, &"quick".to_owned()))?)
}

/// The timer that lost is cancelled: nothing of it is left when the run has closed.
pub async fn a_race_yields_the_first(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(raced, "raced", ()).await.unwrap();
    assert_eq!(run.result().await.unwrap(), "quick");
    let events = history(&run).await;
    assert_eq!((count(&events, "TimerCancelled"), count(&events, "TimerFired")), (1, 0));
    assert_eq!(run.describe().await.unwrap().wake_at, None);
}

#[retell::workflow]
async fn fifty(cx: WorkflowContext) -> WorkflowResult<Vec<String>> {
    let calls = (0..50).map(|n| cx.activity(effect, &n.to_string()));
    Ok(join_all(calls).await.into_iter().collect::<Result<_, _>>()?)
}

/// Results stand in the order of the calls, whatever the order of the outcomes.
pub async fn fifty_activities_keep_their_places_in_join_all(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(fifty, "fifty", ()).await.unwrap();
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(run.result().await.unwrap(), expected);
    assert!(expected.iter().all(|name| scene.probe.count(name) == 1));
    assert_eq!(count(&history(&run).await, "ActivityCompleted"), 50);
}

#[retell::workflow]
async fn unordered(cx: WorkflowContext) -> WorkflowResult<Vec<String>> {
    let mut calls: FuturesUnordered<_> =
        ["a", "b", "c"].into_iter().map(|name| cx.activity(hold, &name.to_owned())).collect();
    let mut order = Vec::new();
    while let Some(done) = calls.next().await {
        order.push(done?);
        cx.activity(effect, &format!("{} done", order.len())).await?;
    }
    Ok(order)
}

/// The order of outcomes decides, live and at each replay.
pub async fn futures_unordered_yields_as_history_says(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(unordered, "unordered", ()).await.unwrap();
    for (name, done) in [("c", "1 done"), ("a", "2 done"), ("b", "3 done")] {
        scene.probe.saw(name, 1).await;
        scene.probe.open(name);
        scene.probe.saw(done, 1).await;
    }
    assert_eq!(run.result().await.unwrap(), ["c", "a", "b"]);
}
