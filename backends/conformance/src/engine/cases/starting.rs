//! Starts: identities, IDs and what stands in their way.

use std::time::Duration;

use futures::future::join_all;
use retell::Orchestrator;
use retell::client::{AnyWorkflow, IdConflict, ResultError, StartCall, StartError};
use retell::vocabulary::{PAYLOAD_BYTES_MAX, Payload, PayloadError, RequestId, WorkflowVersion};
use retell::workflow::{Workflow, WorkflowContext, WorkflowError, WorkflowResult};
use retell::write::{IdReusePolicy, TaskFailureKind};

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect, hold};

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(echo).workflow(held).workflow(slow).workflow(panicking).activity(effect).activity(hold)
}

#[retell::workflow]
async fn echo(_cx: WorkflowContext, text: String) -> WorkflowResult<String> {
    if text == "fail" { Err(WorkflowError::new(text)) } else { Ok(text) }
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    Ok(cx.activity(hold, &"held".to_owned()).await?)
}

/// Sent again, with another input even, it is the same start of the same run.
pub async fn a_start_is_idempotent_under_its_request_id(scene: Scene) {
    let process = scene.process(code).await;
    let request_id = RequestId::fresh();
    let first = process.start(echo, "echo", "a".to_owned()).request_id(request_id).await.unwrap();
    assert_eq!(first.result().await.unwrap(), "a");
    let again = process.start(echo, "echo", "b".to_owned()).request_id(request_id).await.unwrap();
    assert_eq!(again.run_id(), first.run_id());
    assert_eq!(scene.as_time_passes(again.result()).await.unwrap(), "a");
    assert_eq!(process.stats().await.unwrap().closed, 1);
}

/// Twenty at once, from two processes: one wins, the others are told who did.
pub async fn of_concurrent_starters_exactly_one_wins(scene: Scene) {
    let (one, other) = (scene.process(code).await, scene.process(code).await);
    let processes = [&one, &other].into_iter().cycle().take(20);
    let starts = processes.map(|process| process.start(held, "same", ()).into_future());
    let started = join_all(starts).await;
    let won: Vec<_> = started.iter().filter_map(|start| start.as_ref().ok()).collect();
    let [won] = won[..] else { panic!("{} have won", won.len()) };
    for lost in started.iter().filter_map(|start| start.as_ref().err()) {
        let StartError::IdTaken(existing) = lost else { panic!("{lost}") };
        assert_eq!(Some(existing.run.run_id), won.run_id());
    }
}

/// Reject, use, terminate and replace.
pub async fn an_open_id_is_dealt_with_as_the_caller_says(scene: Scene) {
    let process = scene.process(code).await;
    let open = process.start(held, "id", ()).await.unwrap();
    assert!(matches!(process.start(held, "id", ()).await, Err(StartError::IdTaken(_))));
    let used = process.start(held, "id", ()).id_conflict(IdConflict::UseExisting).await.unwrap();
    assert_eq!(used.run_id(), open.run_id());
    scene.probe.saw("held", 1).await;
    let replace = IdConflict::Terminate("make way".into());
    let new = process.start(held, "id", ()).id_conflict(replace).await.unwrap();
    assert_ne!(new.run_id(), open.run_id());
    let ended = scene.as_time_passes(open.result()).await;
    assert!(matches!(ended, Err(ResultError::Terminated(reason)) if &*reason == "make way"));
    scene.as_time_passes(scene.probe.saw("held", 2)).await;
    scene.probe.open("held");
    assert_eq!(scene.as_time_passes(new.result()).await.unwrap(), "held");
}

/// Whether a closed ID may be used again, and after which ending.
pub async fn a_closed_id_is_used_again_as_the_caller_says(scene: Scene) {
    let process = scene.process(code).await;
    let start = |text: &str, reuse: IdReusePolicy| {
        let start = process.start(echo, "id", text.to_owned()).id_reuse(reuse);
        async { start.await.map(|run| run.run_id()) }
    };
    let ended = async || process.handle(echo, "id").unwrap().result().await.is_ok();
    start("a", IdReusePolicy::Reject).await.unwrap();
    assert!(scene.as_time_passes(ended()).await);
    for policy in [IdReusePolicy::Reject, IdReusePolicy::AllowUnlessCompleted] {
        assert!(matches!(start("b", policy).await, Err(StartError::IdTaken(_))), "{policy:?}");
    }
    start("fail", IdReusePolicy::Allow).await.unwrap();
    assert!(!scene.as_time_passes(ended()).await);
    start("c", IdReusePolicy::AllowUnlessCompleted).await.unwrap();
    assert!(scene.as_time_passes(ended()).await);
}

/// Each is refused by name, and nothing is stored.
pub async fn bad_ids_and_payloads_are_typed_errors(scene: Scene) {
    let process = scene.process(code).await;
    for id in [String::new(), "x".repeat(100_000)] {
        assert!(matches!(process.start(echo, id, String::new()).await, Err(StartError::InvalidId(_))));
    }
    let huge = "x".repeat(PAYLOAD_BYTES_MAX + 1);
    let error = process.start(echo, "huge", huge).await.unwrap_err();
    assert!(matches!(error, StartError::Payload(PayloadError::TooLarge { .. })), "{error}");
    let stats = process.stats().await.unwrap();
    assert_eq!((stats.open, stats.closed), (0, 0));
}

/// Blocks its thread: the first time it runs, and until the gate is open.
#[retell::workflow]
async fn slow(cx: WorkflowContext, probe: u64) -> WorkflowResult<u32> {
    Probe::of(probe).mark("slow");
    Probe::of(probe).pass_blocking("slow");
    Ok(cx.signal::<u32>("n").await?)
}

/// The start is acknowledged while the first task still blocks; what is sent meanwhile is kept.
pub async fn a_slow_first_task_does_not_delay_its_start(scene: Scene) {
    let process = scene.process(code).await;
    let run = scene.as_time_passes(process.start(slow, "slow", scene.probe.number()).into_future()).await;
    let run = run.unwrap();
    run.signal("n", &7).await.unwrap();
    scene.probe.open("slow");
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 7);
}

/// The caller has gone away before the answer came; the run runs all the same.
pub async fn a_start_whose_caller_has_gone_still_runs(scene: Scene) {
    let process = scene.process(code).await;
    let start = process.start(slow, "slow", scene.probe.number()).into_future();
    let started = tokio::spawn(start);
    scene.probe.saw("slow", 1).await;
    // The client sends the start by itself now.
    scene.clock.advance(Duration::from_millis(2));
    let run = process.handle(slow, "slow").unwrap();
    scene.until(async || run.describe().await.is_ok()).await;
    started.abort();
    scene.probe.open("slow");
    run.signal("n", &7).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), 7);
}

#[retell::workflow]
async fn panicking(_cx: WorkflowContext) -> WorkflowResult<()> {
    panic!("at once")
}

/// The run is there, parked, with the reason.
pub async fn a_panicking_first_task_does_not_fail_its_start(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(panicking, "panicking", ()).await.unwrap();
    scene.until(async || run.describe().await.unwrap().failure.is_some()).await;
    let failure = run.describe().await.unwrap().failure.unwrap();
    assert!(failure.kind == TaskFailureKind::Panic && failure.message.contains("at once"), "{failure:?}");
}

/// Another type under the name of `echo`: caller and code disagree about the input.
struct EchoOfNumbers;

impl Workflow for EchoOfNumbers {
    type Input = u64;
    type Output = String;
    const NAME: &'static str = "echo";

    async fn run(_cx: WorkflowContext, _input: u64) -> WorkflowResult<String> {
        Ok(String::new())
    }
}

/// Not lost, not failed: it waits for code that can read it.
pub async fn an_undecodable_input_parks_the_run(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(EchoOfNumbers, "numbers", 7).await.unwrap();
    scene.until(async || run.describe().await.unwrap().failure.is_some()).await;
    let failure = run.describe().await.unwrap().failure.unwrap();
    assert_eq!(failure.kind, TaskFailureKind::Undecodable, "{failure:?}");
    assert!(failure.message.contains("does not decode"), "{failure:?}");
}

struct EchoTwo;

impl Workflow for EchoTwo {
    type Input = String;
    type Output = String;
    const NAME: &'static str = "echo";
    const VERSION: u32 = 2;

    async fn run(_cx: WorkflowContext, text: String) -> WorkflowResult<String> {
        Ok(format!("{text} two"))
    }
}

/// A worker of the old version only leaves it alone, unharmed; one that knows it takes it up.
pub async fn a_version_that_nobody_serves_waits(scene: Scene) {
    let old = scene.process(code).await;
    let run = old.start(EchoTwo, "two", "echo".to_owned()).await.unwrap();
    // Something else goes through meanwhile.
    old.start(echo, "one", "a".to_owned()).await.unwrap().result().await.unwrap();
    let info = run.describe().await.unwrap();
    assert_eq!((info.owner, info.failure, info.head.0), (None, None, 1));
    let new = scene.process(|engine| engine.workflow(EchoTwo)).await;
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "echo two");
    drop(new);
}

/// By name the highest version is started, or the one that is said to be the default; of what nobody knows here the caller
/// names the version. A run stays with its own.
pub async fn a_start_by_name_takes_the_default_version(scene: Scene) {
    let both = |engine: Orchestrator| engine.workflow(EchoTwo).workflow(echo);
    let text = Payload::encode("echo").unwrap();
    let process = scene.process(both).await;
    let client = process.client();
    let told = async |started: StartCall<AnyWorkflow>| {
        scene.as_time_passes(started.await.unwrap().result_payload()).await.unwrap().decode::<String>().unwrap()
    };
    assert_eq!(told(client.start_by_name("echo", "highest", text.clone())).await, "echo two");
    let first = client.start_by_name("echo", "named", text.clone()).version(WorkflowVersion(1));
    assert_eq!(told(first).await, "echo");
    let cautious = scene.process(move |engine| both(engine).default_version(echo)).await;
    assert_eq!(told(cautious.client().start_by_name("echo", "default", text.clone())).await, "echo");
    assert_eq!(cautious.start(EchoTwo, "by type", "echo".to_owned()).await.unwrap().result().await.unwrap(), "echo two");
    let stranger = scene.process(|engine| engine).await;
    let unknown = stranger.client().start_by_name("echo", "unknown", text.clone()).await;
    assert!(matches!(unknown, Err(StartError::UnknownWorkflow(name)) if name.as_str() == "echo"));
    let elsewhere = stranger.client().start_by_name("echo", "unknown", text).version(WorkflowVersion(2));
    assert_eq!(told(elsewhere).await, "echo two");
}

/// Registered twice, or under a name that is none, an engine does not start.
pub async fn a_name_registered_twice_is_a_typed_error(scene: Scene) {
    let twice = scene.setup().try_start(|engine| engine.workflow(echo).workflow(echo)).await;
    let error = twice.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("registered twice"), "{error}");
}
