//! Headers: what travels with a call, through every store and to whichever process.

use retell::Orchestrator;
use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::{Headers, RetryPolicy};
use retell::workflow::{SignalType, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::Probe;

const GO: SignalType<()> = SignalType::new("go");

fn of(tenant: &str) -> Headers {
    let mut headers = Headers::new();
    headers.insert("tenant", tenant).expect("a text encodes");
    headers
}

fn tenant(headers: &Headers) -> String {
    headers.get("tenant").expect("it is a text").unwrap_or_default()
}

/// Says for whom it is called; the first attempt fails.
#[retell::activity]
async fn whose(cx: ActivityContext, name: String) -> Result<String, ActivityError> {
    let (attempt, tenant) = (cx.attempt(), tenant(cx.headers()));
    cx.state::<Probe>()?.mark(format!("{name} {attempt} for {tenant}"));
    if attempt.0 == 1 { Err(ActivityError::new("Again", "not yet")) } else { Ok(tenant) }
}

#[retell::workflow]
async fn asks(cx: WorkflowContext, again: bool) -> WorkflowResult<[String; 4]> {
    let policy = RetryPolicy::fixed(std::time::Duration::from_millis(1));
    let first = cx.activity(whose, &"first".to_owned()).retry(policy.clone()).await?;
    let ((), headers) = cx.signal(GO).with_headers().await?;
    if again {
        return cx.continue_as_new(asks, &false);
    }
    let last = cx.activity(whose, &"last".to_owned()).retry(policy).await?;
    Ok([tenant(&cx.headers()), first, tenant(&headers), last])
}

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(asks)
}

/// The process that holds the run dies, the one that runs its activities is another, and the run goes on as a new one.
pub async fn headers_reach_whoever_carries_a_call_out(scene: Scene) {
    let holder = scene.process(code).await;
    let other = scene.process(|engine| engine.activity(whose)).await;
    let client = holder.client().clone().with_headers(of("acme"));
    client.start(asks, "asks", true).await.unwrap();
    scene.as_time_passes(scene.probe.saw("first 2 for acme", 1)).await;
    drop(client);
    scene.crash(holder).await;
    let heir = scene.process(code).await;
    let run = heir.handle(asks, "asks").unwrap();
    run.signal(GO, &()).await.unwrap();
    scene.as_time_passes(scene.probe.saw("first 2 for acme", 2)).await;
    run.with_headers(of("bolt")).signal(GO, &()).await.unwrap();
    let told = scene.as_time_passes(run.result()).await.unwrap();
    assert_eq!(told, ["acme", "acme", "bolt", "acme"]);
    assert_eq!(scene.probe.count("last 1 for acme"), 1);
    drop(other);
}
