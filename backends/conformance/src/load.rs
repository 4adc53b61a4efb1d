//! A load for tests of what servers, connections and processes suffer: while it runs, a test does its worst; at the end
//! nothing acknowledged is lost, nothing is recorded twice, and no run is stuck.
//!
//! Time is the real one here, as servers and processes have no other. A test opens its store as often as it wants
//! workers, [`engine`] puts one on each, and [`survives`] drives all runs through clients.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use retell::activity::{ActivityContext, ActivityError};
use retell::backend::Backend;
use retell::client::{Client, RunHandle};
use retell::history::Event;
use retell::vocabulary::{EventId, RetryPolicy};
use retell::worker::WorkerOptions;
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::{Engine, Orchestrator};
use tokio::sync::watch;

/// How many runs there are.
const RUNS: u32 = 200;
/// How many of them are under way at once.
const AT_ONCE: usize = 40;
/// How long calls try: longer than a server is away.
const DEADLINE: Duration = Duration::from_secs(180);

#[retell::activity]
async fn step(_cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

/// Fails once, so that it is queued for its second attempt.
#[retell::activity]
async fn flop(cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    if cx.attempt().0 < 2 { Err(ActivityError::new("Flop", "at first")) } else { Ok(number) }
}

#[retell::workflow]
async fn busy(cx: WorkflowContext, number: u32) -> WorkflowResult<u32> {
    let mut sum = 0;
    for _ in 0..3 {
        sum += cx.signal::<u32>("n").await?;
        sum += cx.activity(step, &number).await?;
        cx.sleep(Duration::from_millis(1)).await?;
    }
    let policy = RetryPolicy::fixed(Duration::from_millis(10));
    Ok(sum + cx.activity(flop, &number).retry(policy).await?)
}

/// A worker for the load.
pub async fn engine(store: Arc<dyn Backend>, options: WorkerOptions) -> Engine {
    let orchestrator = Orchestrator::new(store).options(options);
    orchestrator.workflow(busy).activity(step).activity(flop).start().await.expect("the engine starts")
}

/// Drives the load through these clients in turn, while `suffer` is called again and again, each time when more was
/// done; checks every history and the counts at the end.
pub async fn survives<F: Future<Output = ()>>(clients: &[Client], rounds: u32, suffer: impl Fn(u32) -> F) {
    let done = watch::Sender::new(0_u32);
    let driving = futures::stream::iter(0..RUNS)
        .map(|number| drive(clients[number as usize % clients.len()].clone(), number))
        .buffer_unordered(AT_ONCE)
        .inspect(|_| done.send_modify(|done| *done += 1))
        .collect::<Vec<_>>();
    let suffering = async {
        let mut done = done.subscribe();
        for round in 0..rounds {
            let enough = RUNS * (1 + round) / (2 + rounds);
            done.wait_for(|done| *done >= enough).await.expect("the load is being driven");
            suffer(round).await;
        }
    };
    let (runs, ()) = tokio::join!(driving, suffering);
    for (number, run, sum) in runs {
        assert_eq!(sum, 6 + 4 * number, "each signal and each activity counts once");
        check(&run.history().await.expect("the history reads"));
    }
    let stats = clients[0].stats().await.expect("the store counts");
    assert_eq!((stats.open, stats.closed, stats.queued, stats.messages), (0, RUNS.into(), 0, 0));
}

async fn drive(client: Client, number: u32) -> (u32, RunHandle<busy>, u32) {
    let client = client.with_deadline(DEADLINE);
    let run = client.start(busy, format!("busy-{number}"), number).await.expect("the start is acknowledged");
    for n in 1..=3_u32 {
        run.signal("n", &n).await.expect("the signal is acknowledged");
    }
    let sum = run.result().await.expect("the run ends well");
    (number, run, sum)
}

/// A whole history: no gap, each call with one outcome, each signal once.
fn check(events: &[Event]) {
    let mut outcomes = BTreeMap::<EventId, usize>::new();
    for (event, id) in events.iter().zip(1..) {
        assert_eq!(event.id, EventId(id), "a gap in {events:#?}");
        if let Some(of) = event.kind.outcome_of() {
            *outcomes.entry(of).or_default() += 1;
        }
    }
    let count = |name| events.iter().filter(|event| event.kind.name() == name).count();
    assert!(outcomes.values().all(|count| *count == 1), "{events:#?}");
    assert_eq!((count("SignalReceived"), count("ActivityCompleted"), count("TimerFired")), (3, 4, 3));
}
