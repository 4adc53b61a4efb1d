//! Attempts that are ended from outside: their tokens outlive bodies, workers and processes.

use std::sync::{Arc, Mutex};

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError, ActivityToken};
use retell::client::{CompletionError, ResultError};
use retell::workflow::{WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::Probe;
use crate::engine::scene::{count, history};

/// The token that was given away last, as a text.
type Desk = Arc<Mutex<String>>;

/// Gives its token away, and waits at the gate of this name before it returns.
#[retell::activity]
async fn ask(cx: ActivityContext, gate: String) -> Result<String, ActivityError> {
    let token = cx.token().await?;
    *cx.state::<Desk>()?.lock().unwrap() = token.to_string();
    let probe = cx.state::<Probe>()?;
    probe.mark("asked");
    probe.pass(&gate).await;
    token.completes_later()
}

/// As [`ask`], from a thread that it may block; says that it waits, but has no token.
#[retell::activity]
fn forget(cx: ActivityContext) -> Result<String, ActivityError> {
    let token = futures::executor::block_on(cx.token())?;
    if cx.info().scheduled.0 > 2 { Ok(token.to_string()) } else { token.completes_later() }
}

/// Passes a token of another call off as its own.
#[retell::activity]
async fn borrow(_cx: ActivityContext, token: String) -> Result<String, ActivityError> {
    token.parse::<ActivityToken>()?.completes_later()
}

#[retell::workflow]
async fn asking(cx: WorkflowContext, gate: String) -> WorkflowResult<String> {
    Ok(cx.activity(ask, &gate).await?)
}

#[retell::workflow]
async fn borrowing(cx: WorkflowContext) -> WorkflowResult<String> {
    cx.activity(forget, &()).detach()?;
    let token = cx.activity(forget, &()).await?;
    Ok(cx.activity(borrow, &token).await?)
}

fn code(desk: &Desk) -> impl Fn(Orchestrator) -> Orchestrator {
    let desk = desk.clone();
    move |engine| {
        let engine = engine.workflow(asking).workflow(borrowing).state(desk.clone());
        engine.activity(ask).activity(forget).activity(borrow)
    }
}

fn token(desk: &Desk) -> ActivityToken {
    desk.lock().unwrap().parse().unwrap()
}

/// A client without a worker ends it; no attempt is lost, and none is made.
pub async fn a_token_outlives_every_worker(scene: Scene) {
    let desk = Desk::default();
    let process = scene.process(code(&desk)).await;
    scene.probe.open("at once");
    let run = process.start(asking, "ask", "at once".to_owned()).await.unwrap();
    let key = run.describe().await.unwrap().run;
    let store = scene.store().await;
    let deferred = || async { store.queued(&key).await.unwrap().iter().any(|row| row.deferred) };
    scene.until(deferred).await;
    drop(run);
    scene.crash(process).await;
    let process = scene.process(code(&desk)).await;
    let run = process.handle(asking, "ask").unwrap();
    let (orchestrator, _gone) = scene.setup().orchestrator().await;
    let client = orchestrator.client();
    client.complete_activity(&token(&desk), "yes").await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "yes");
    let again = client.complete_activity(&token(&desk), "no").await;
    assert!(matches!(again, Err(CompletionError::UsedUp)), "{again:?}");
    assert_eq!((scene.probe.count("asked"), count(&history(&run).await, "ActivityCompleted")), (1, 1));
    assert_eq!(process.stats().await.unwrap().queued, 0);
}

/// Its row is there before the token is; what the body returns later counts for nothing.
pub async fn a_token_ends_an_attempt_whose_body_still_runs(scene: Scene) {
    let desk = Desk::default();
    let process = scene.process(code(&desk)).await;
    let run = process.start(asking, "ask", "later".to_owned()).await.unwrap();
    scene.as_time_passes(scene.probe.saw("asked", 1)).await;
    process.client().complete_activity(&token(&desk), "yes").await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "yes");
    scene.probe.open("later");
    drop(run);
    process.shutdown(&scene).await;
    assert_eq!(scene.probe.count("asked"), 1);
}

/// Nobody could ever end it.
pub async fn a_body_that_took_no_token_fails(scene: Scene) {
    let process = scene.process(code(&Desk::default())).await;
    let run = process.start(borrowing, "borrow", ()).await.unwrap();
    let Err(ResultError::Failed(failure)) = scene.as_time_passes(run.result()).await else { panic!("it fails") };
    assert_eq!(&*failure.error_type, "NoToken");
}
