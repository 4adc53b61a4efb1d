//! Tasks that fail: the run keeps its place, says why, is tried again later, and heals when the code is mended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::join_all;
use retell::Orchestrator;
use retell::backend::{RunInfo, StatusFilter, StoreError, StoreErrorKind};
use retell::client::{ResultError, RunHandle};
use retell::history::Record;
use retell::replay::PanicPolicy;
use retell::vocabulary::{FailureKind, RetryPolicy, RunKey};
use retell::workflow::{Workflow, WorkflowContext, WorkflowResult};
use retell::write::{TaskFailureKind, Write};

use crate::engine::Scene;
use crate::engine::scene::Process;
use crate::engine::probe::{Probe, effect, hold};
use crate::engine::tap::{Call, Tap};

/// Waits until the run's last task has failed so often.
async fn parked<W: Workflow>(scene: &Scene, run: &RunHandle<W>, count: u32) -> RunInfo {
    scene
        .until(async || run.describe().await.unwrap().failure.is_some_and(|failure| failure.count >= count))
        .await;
    run.describe().await.unwrap()
}

macro_rules! versions {
    ($name:literal: $($code:ident => |$cx:ident| $body:expr;)+) => {
        $(struct $code;

        impl Workflow for $code {
            type Input = ();
            type Output = String;
            const NAME: &'static str = $name;

            async fn run($cx: WorkflowContext, _input: ()) -> WorkflowResult<String> {
                $body
            }
        })+
    };
}

versions! { "deploy":
    Broken => |cx| {
        cx.activity(effect, &"before".to_owned()).await?;
        cx.sleep(Duration::from_millis(1)).await?;
        panic!("this code is broken")
    };
    Fixed => |cx| {
        let before = cx.activity(effect, &"before".to_owned()).await?;
        cx.sleep(Duration::from_millis(1)).await?;
        Ok(before)
    };
    Changed => |cx| Ok(cx.activity(effect, &"something else".to_owned()).await?);
}

versions! { "straight":
    Straight => |cx| {
        cx.activity(effect, &"once".to_owned()).retry(RetryPolicy::never()).await?;
        panic!("this code is broken")
    };
    Mended => |cx| Ok(cx.activity(effect, &"once".to_owned()).retry(RetryPolicy::never()).await?);
}

/// The task that takes the outcome in panics, and the process dies: the next deploy finds the outcome, and the activity,
/// which must not run twice, has not.
pub async fn an_outcome_that_met_broken_code_is_kept_for_the_fixed(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(Straight).activity(effect)).await;
    let run = process.start(Straight, "straight", ()).await.unwrap();
    parked(&scene, &run, 1).await;
    drop(run);
    scene.crash(process).await;
    let process = scene.process(|engine| engine.workflow(Mended).activity(effect)).await;
    let run = process.handle(Mended, "straight").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "once");
    assert_eq!(scene.probe.count("once"), 1);
}

/// Seen in `describe`, the list and the figures; waits 1 s, 2 s, 4 s; the next deploy ends it well.
pub async fn a_panicking_workflow_parks_and_a_fixed_deploy_heals_it(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(Broken).activity(effect)).await;
    let run = process.start(Broken, "deploy", ()).await.unwrap();
    for count in 1..=3 {
        let info = parked(&scene, &run, count).await;
        let failure = info.failure.unwrap();
        assert_eq!((failure.kind, failure.count), (TaskFailureKind::Panic, count));
        assert!(failure.message.contains("this code is broken"), "{failure:?}");
        let wait = info.wake_at.unwrap().since(failure.at);
        assert_eq!(wait, Duration::from_secs(1 << (count - 1)), "the wait grows");
        scene.clock.advance(wait);
    }
    let mut request = process.client().list_request();
    request.status = StatusFilter::Parked;
    assert_eq!(process.list(&request).await.unwrap().runs.len(), 1);
    assert_eq!(process.stats().await.unwrap().parked, 1);
    drop(run);
    scene.crash(process).await;
    let process = scene.process(|engine| engine.workflow(Fixed).activity(effect)).await;
    let run = process.handle(Fixed, "deploy").unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "before");
    assert_eq!((scene.probe.count("before"), process.stats().await.unwrap().parked), (1, 0));
}

/// The event, what history holds, what the code asked for, and the place in this file.
pub async fn nondeterminism_parks_and_names_both_sides_and_the_place(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(Broken).activity(effect)).await;
    let run = process.start(Broken, "deploy", ()).await.unwrap();
    parked(&scene, &run, 1).await;
    drop(run);
    scene.crash(process).await;
    let process = scene.process(|engine| engine.workflow(Changed).activity(effect)).await;
    let run = process.handle(Changed, "deploy").unwrap();
    scene
        .until(async || {
            let failure = run.describe().await.unwrap().failure.unwrap();
            failure.kind == TaskFailureKind::Nondeterminism
        })
        .await;
    let message = run.describe().await.unwrap().failure.unwrap().message;
    for part in ["event 2", "effect", "parking.rs"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert_eq!(scene.probe.count("something else"), 0);
}

#[retell::workflow]
async fn panics_once_told(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.signal::<()>("go").await?;
    panic!("told so")
}

/// The user's choice: the run fails, with a failure of its own kind.
pub async fn a_panic_fails_the_run_where_the_user_wants_that(scene: Scene) {
    let setup = scene.setup().options(|options| options.panics = PanicPolicy::FailRun);
    let process = setup.start(|engine| engine.workflow(panics_once_told)).await;
    let run = process.start(panics_once_told, "panics", ()).await.unwrap();
    run.signal("go", &()).await.unwrap();
    let Err(ResultError::Failed(failure)) = scene.as_time_passes(run.result()).await else { panic!("it fails") };
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Panic, "told so"));
}

#[retell::workflow]
async fn uses_tokio(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(effect, &"before".to_owned()).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// Found in the same task, and told what to do.
pub async fn an_await_of_tokios_time_is_named(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(uses_tokio).activity(effect)).await;
    let run = process.start(uses_tokio, "tokio", ()).await.unwrap();
    let failure = parked(&scene, &run, 1).await.failure.unwrap();
    assert_eq!(failure.kind, TaskFailureKind::ForeignAwait);
    assert!(failure.message.contains("tokio") && failure.message.contains("parking.rs"), "{failure:?}");
}

#[retell::workflow]
async fn awaits_a_thread(cx: WorkflowContext, probe: u64) -> WorkflowResult<()> {
    let (sender, receiver) = oneshot::channel();
    let probe = Probe::of(probe);
    std::thread::spawn(move || {
        probe.pass_blocking("send");
        // The receiver is gone when the run is parked.
        let _ = sender.send(());
    });
    let sent = async {
        // Nobody else can end it.
        receiver.await.ok();
        WorkflowResult::Ok(())
    };
    let (sent, slept) = retell::join!(sent, cx.sleep(Duration::from_secs(3_600)));
    sent?;
    Ok(slept?)
}

/// Another thread wakes the resting code: the run does not wait for its next event to say so.
pub async fn a_foreign_wake_up_is_named_when_it_comes(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(awaits_a_thread)).await;
    let run = process.start(awaits_a_thread, "thread", scene.probe.number()).await.unwrap();
    if scene.is_cached() {
        scene.probe.open("send");
        let failure = parked(&scene, &run, 1).await.failure.unwrap();
        assert_eq!(failure.kind, TaskFailureKind::ForeignAwait, "{failure:?}");
    }
    scene.probe.open("send");
}

#[retell::workflow]
async fn never_ends(cx: WorkflowContext) -> WorkflowResult<()> {
    cx.activity(effect, &"before".to_owned()).await?;
    std::future::pending().await
}

/// Nothing of ours is awaited: it fails in the same task instead of hanging silently.
pub async fn a_never_ending_await_is_found(scene: Scene) {
    let process = scene.process(|engine| engine.workflow(never_ends).activity(effect)).await;
    let run = process.start(never_ends, "never", ()).await.unwrap();
    let failure = parked(&scene, &run, 1).await.failure.unwrap();
    assert!(failure.message.contains("nothing can ever wake"), "{failure:?}");
}

#[retell::workflow]
async fn held(cx: WorkflowContext) -> WorkflowResult<String> {
    cx.signal::<()>("go").await?;
    Ok(cx.activity(hold, &"held".to_owned()).await?)
}

/// Damages the history of one workflow ID.
struct Damage;

impl Tap for Damage {
    fn read(&self, run: &RunKey, mut records: Vec<Record>) -> Vec<Record> {
        if run.workflow_id.as_str() == "poisoned" {
            records.iter_mut().for_each(|record| record.bytes = record.bytes.slice(..record.bytes.len() / 2));
        }
        records
    }
}

/// Promise H10: that run is parked and named; the others go on.
pub async fn a_damaged_history_parks_its_run_only(scene: Scene) {
    let code = |engine: Orchestrator| engine.workflow(held).activity(hold);
    let process = scene.process(code).await;
    for id in ["poisoned", "sound"] {
        process.start(held, id, ()).await.unwrap();
    }
    scene.crash(process).await;
    let process = scene.setup().tap(Arc::new(Damage)).start(code).await;
    scene.probe.open("held");
    for id in ["poisoned", "sound"] {
        process.handle(held, id).unwrap().signal("go", &()).await.unwrap();
    }
    let sound = process.handle(held, "sound").unwrap();
    assert_eq!(scene.as_time_passes(sound.result()).await.unwrap(), "held");
    let failure = parked(&scene, &process.handle(held, "poisoned").unwrap(), 1).await.failure.unwrap();
    assert_eq!(failure.kind, TaskFailureKind::History, "{failure:?}");
}

/// However many stand still, a worker with room for few takes others up.
pub async fn parked_runs_take_nobodys_place(scene: Scene) {
    let setup = scene.setup().options(|options| options.cached_runs_max = 1);
    let process = setup.start(|engine| engine.workflow(Broken).workflow(held).activity(hold).activity(effect)).await;
    for n in 0..20 {
        let run = process.start(Broken, format!("broken-{n}"), ()).await.unwrap();
        parked(&scene, &run, 1).await;
    }
    scene.probe.open("held");
    let run = process.start(held, "held", ()).await.unwrap();
    run.signal("go", &()).await.unwrap();
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "held");
}

/// A store that finds damage whenever a batch holds a commit of the workflow ID `poisoned`.
#[derive(Default)]
struct DamagedRow {
    /// Whether it finds it even in a commit that writes no events.
    all_of_it: bool,
    /// How many batches met it.
    met: AtomicUsize,
    mended: AtomicBool,
    /// Whether a batch that met it held something else too.
    shared: AtomicBool,
}

#[async_trait]
impl Tap for DamagedRow {
    async fn before(&self, call: Call<'_>) -> Result<(), StoreError> {
        let Call::Apply(batch) = call else { return Ok(()) };
        let meets = batch.iter().any(|write| match write {
            Write::Commit(commit) => {
                commit.run.workflow_id.as_str() == "poisoned" && (self.all_of_it || commit.record.is_some())
            }
            _ => false,
        });
        if !meets || self.mended.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.met.fetch_add(1, Ordering::SeqCst);
        self.shared.fetch_or(batch.len() > 1, Ordering::SeqCst);
        Err(StoreError::new(StoreErrorKind::Damaged("page 7".to_owned()), "commit"))
    }
}

#[retell::workflow]
async fn blocks(_cx: WorkflowContext, probe: u64) -> WorkflowResult<()> {
    Probe::of(probe).mark("blocks");
    Probe::of(probe).pass_blocking("unblock");
    Ok(())
}

/// Starts the poisoned run in the midst of sound ones, their first tasks all in one batch; the sound ones end.
async fn all_but_the_poisoned_end(scene: &Scene, row: &Arc<DamagedRow>) -> (Process, RunHandle<Fixed>) {
    let setup = scene.setup().tap(row.clone()).options(|options| options.workflow_threads = 1);
    let process = setup.start(|engine| engine.workflow(Fixed).workflow(blocks).activity(effect)).await;
    // The only thread that runs workflows: what is started meanwhile lies in line for it.
    let _blocker = scene.as_time_passes(process.start(blocks, "blocks", scene.probe.number()).into_future()).await;
    scene.probe.saw("blocks", 1).await;
    let ids = (0..20).map(|n| if n == 10 { "poisoned".to_owned() } else { format!("sound-{n}") });
    let starts = join_all(ids.map(|id| process.start(Fixed, id, ()).into_future()));
    let mut runs: Vec<_> = scene.as_time_passes(starts).await.into_iter().map(|run| run.unwrap()).collect();
    scene.probe.open("unblock");
    let poisoned = runs.remove(10);
    for run in &runs {
        assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), "before");
    }
    (process, poisoned)
}

/// Promise H10: a batch that fails for one member's data is split until that one is found; its run says so, and ends
/// when the data is mended.
pub async fn a_run_whose_commits_meet_damage_parks_alone(scene: Scene) {
    let row = Arc::new(DamagedRow::default());
    let (_process, poisoned) = all_but_the_poisoned_end(&scene, &row).await;
    let failure = parked(&scene, &poisoned, 1).await.failure.unwrap();
    assert_eq!(failure.kind, TaskFailureKind::History, "{failure:?}");
    assert!(failure.message.contains("page 7"), "{failure:?}");
    assert!(row.shared.load(Ordering::SeqCst), "others stood in its batch");
    row.mended.store(true, Ordering::SeqCst);
    assert_eq!(scene.as_time_flies(Duration::from_millis(50), poisoned.result()).await.unwrap(), "before");
}

/// Not even its failure can be stored: it waits all the same before it is tried again, and the others go on.
pub async fn a_run_that_cannot_even_be_parked_does_not_spin(scene: Scene) {
    let row = Arc::new(DamagedRow { all_of_it: true, ..DamagedRow::default() });
    let (process, poisoned) = all_but_the_poisoned_end(&scene, &row).await;
    // Time stands still from here on, so nothing is due.
    let met = row.met.load(Ordering::SeqCst);
    for _ in 0..5_000 {
        process.stats().await.unwrap();
        tokio::task::yield_now().await;
    }
    let more = row.met.load(Ordering::SeqCst) - met;
    assert!(more <= 3, "{more} more tries in no time");
    row.mended.store(true, Ordering::SeqCst);
    assert_eq!(scene.as_time_flies(Duration::from_millis(50), poisoned.result()).await.unwrap(), "before");
}
