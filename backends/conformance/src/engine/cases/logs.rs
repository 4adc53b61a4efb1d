//! What workflow code logs: heard when it happens, silent when history is told again, and never without its run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use retell::Orchestrator;
use retell::workflow::{WorkflowContext, WorkflowResult};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::engine::Scene;
use crate::engine::probe::{Probe, effect};

/// Hears what the workflows of this file log, and tells it to the probe that they name, with the run that it is of.
/// One for the whole process: workflow code runs on the engine's own threads.
#[derive(Default)]
struct Ear {
    spans: AtomicU64,
    /// The workflow ID and run ID of each span that is the engine's for a workflow task.
    runs: Mutex<BTreeMap<u64, String>>,
}

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The fields that matter here.
#[derive(Default)]
struct Fields {
    probe: u64,
    message: String,
    workflow_id: String,
    run_id: String,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "probe" {
            self.probe = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let place = match field.name() {
            "message" => &mut self.message,
            "workflow_id" => &mut self.workflow_id,
            "run_id" => &mut self.run_id,
            _ => return,
        };
        *place = format!("{value:?}");
    }
}

impl Ear {
    /// Listens from now on.
    fn listen() {
        static LISTENING: Once = Once::new();
        LISTENING.call_once(|| {
            tracing::subscriber::set_global_default(Self::default()).expect("nobody else listens in this process");
        });
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (metadata.is_span() && metadata.name() == "workflow") || metadata.target() == module_path!()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let id = self.spans.fetch_add(1, Ordering::Relaxed) + 1;
        self.runs.lock().unwrap().insert(id, format!("{} {}", fields.workflow_id, fields.run_id));
        Id::from_u64(id)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = ENTERED.with_borrow(|entered| entered.last().copied());
        let run = span.and_then(|span| self.runs.lock().unwrap().get(&span).cloned()).unwrap_or_default();
        let probe = Probe::of(fields.probe);
        probe.mark(format!("{run} {}", fields.message));
        probe.mark(fields.message);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, _span: &Id) {
        ENTERED.with_borrow_mut(|entered| _ = entered.pop());
    }

    fn try_close(&self, span: Id) -> bool {
        self.runs.lock().unwrap().remove(&span.into_u64());
        true
    }
}

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(talkative).activity(effect)
}

#[retell::workflow]
async fn talkative(cx: WorkflowContext, probe: u64) -> WorkflowResult<()> {
    Probe::of(probe).mark("polled from the start");
    tracing::info!(probe, "began");
    cx.activity(effect, &"work".to_owned()).await?;
    tracing::info!(probe, "worked");
    cx.signal::<()>("go").await?;
    tracing::info!(probe, "went");
    Ok(())
}

/// Each line once, though the code ran twice from its start, and each within a span that names the run.
pub async fn user_logs_are_heard_once_and_name_their_run(scene: Scene) {
    Ear::listen();
    let process = scene.process(code).await;
    let run = process.start(talkative, "talkative", scene.probe.number()).await.unwrap();
    let of_run = format!("talkative {}", run.run_id().unwrap());
    // Logged before its task is committed: a crash in between would have it said again, and rightly.
    scene.until(async || run.describe().await.unwrap().head.0 == 3).await;
    drop(run);
    scene.crash(process).await;
    let process = scene.process(code).await;
    let run = process.handle(talkative, "talkative").unwrap();
    run.signal("go", &()).await.unwrap();
    scene.as_time_passes(run.result()).await.unwrap();
    assert!(scene.probe.count("polled from the start") > 1, "its history was told again");
    for line in ["began", "worked", "went"] {
        let heard = (scene.probe.count(line), scene.probe.count(&format!("{of_run} {line}")));
        assert_eq!(heard, (1, 1), "{line}: in all, and with its run");
    }
}
