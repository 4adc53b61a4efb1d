//! Signals: accepted means read, once, in order.

use retell::Orchestrator;
use retell::client::SendError;
use retell::history::EventKind;
use retell::vocabulary::RequestId;
use retell::workflow::{SignalType, WorkflowContext, WorkflowResult};

use crate::engine::Scene;
use crate::engine::probe::{effect, hold};
use crate::engine::scene::{count, history};

fn code(engine: Orchestrator) -> Orchestrator {
    engine.workflow(collect).workflow(collect_late).workflow(typed).workflow(chain).activity(hold).activity(effect)
}

const N: SignalType<u32> = SignalType::new("n");

#[retell::workflow]
async fn collect(cx: WorkflowContext, count: usize) -> WorkflowResult<Vec<u32>> {
    let mut read = Vec::new();
    while read.len() < count {
        read.push(cx.signal::<u32>("n").await?);
    }
    Ok(read)
}

/// First in, first out for one sender.
pub async fn signals_come_in_the_order_of_sending(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(collect, "collect", 20).await.unwrap();
    for n in 0..20_u32 {
        run.signal("n", &n).await.unwrap();
    }
    assert_eq!(run.result().await.unwrap(), (0..20).collect::<Vec<_>>());
}

#[retell::workflow]
async fn collect_late(cx: WorkflowContext, count: usize) -> WorkflowResult<Vec<u32>> {
    cx.activity(hold, &"busy".to_owned()).await?;
    let mut read = Vec::new();
    while read.len() < count {
        read.push(cx.signal::<u32>("n").await?);
    }
    Ok(read)
}

/// Nobody listens yet, and the order is kept.
pub async fn signals_before_anyone_listens_wait_in_order(scene: Scene) {
    collected_late(scene, 5).await;
}

/// No unread one is dropped.
pub async fn a_thousand_unread_signals_are_kept(scene: Scene) {
    collected_late(scene, 1_000).await;
}

async fn collected_late(scene: Scene, count: u32) {
    let process = scene.process(code).await;
    let run = process.start(collect_late, "late", count as usize).await.unwrap();
    scene.probe.saw("busy", 1).await;
    for n in 0..count {
        run.signal("n", &n).await.unwrap();
    }
    scene.probe.open("busy");
    assert_eq!(run.result().await.unwrap(), (0..count).collect::<Vec<_>>());
}

#[retell::workflow]
async fn typed(cx: WorkflowContext) -> WorkflowResult<u32> {
    Ok(cx.signal(N).await?)
}

/// The next one is read as if nothing had happened, and history shows what was set aside.
pub async fn an_undecodable_signal_is_set_aside_and_the_run_goes_on(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(typed, "typed", ()).await.unwrap();
    run.signal("n", "no number").await.unwrap();
    run.signal(N, &7).await.unwrap();
    assert_eq!(run.result().await.unwrap(), 7);
    assert_eq!(count(&history(&run).await, "SignalSetAside"), 1);
}

const FLOOD: u32 = 200;

/// Reads what is there, a few at a time, and goes on as a new run: ten at most in each.
#[retell::workflow]
async fn chain(cx: WorkflowContext, mut read: Vec<u32>) -> WorkflowResult<Vec<u32>> {
    for _ in 0..10 {
        if read.len() == FLOOD as usize {
            return Ok(read);
        }
        read.push(cx.signal::<u32>("n").await?);
    }
    cx.continue_as_new(chain, &read)
}

/// 200 accepted are 200 read, in order, however many runs they fall upon.
pub async fn a_flood_across_continue_as_new_loses_and_doubles_nothing(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(chain, "chain", Vec::new()).await.unwrap();
    for n in 0..FLOOD {
        run.signal("n", &n).await.unwrap();
    }
    assert_eq!(scene.as_time_passes(run.result()).await.unwrap(), (0..FLOOD).collect::<Vec<_>>());
    let last = process.handle(chain, "chain").unwrap();
    assert!(count(&history(&last).await, "SignalReceived") <= FLOOD as usize);
}

/// Sent again after a lost answer, it is one signal.
pub async fn a_signal_sent_twice_under_one_request_id_counts_once(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(collect, "collect", 2).await.unwrap();
    let request_id = RequestId::fresh();
    run.signal_with("n", &1_u32, request_id).await.unwrap();
    run.signal_with("n", &1_u32, request_id).await.unwrap();
    run.signal("n", &2_u32).await.unwrap();
    assert_eq!(run.result().await.unwrap(), [1, 2]);
}

/// Nothing reaches it any more, and the sender is told.
pub async fn a_signal_to_a_closed_run_is_a_typed_error(scene: Scene) {
    let process = scene.process(code).await;
    let run = process.start(collect, "collect", 0).await.unwrap();
    run.result().await.unwrap();
    assert!(matches!(run.signal("n", &1).await, Err(SendError::Closed(_))));
    let unknown = process.handle(collect, "unknown").unwrap();
    assert!(matches!(unknown.signal("n", &1).await, Err(SendError::NotFound)));
}

/// The run is started with the first signal, and gets the others: each once, whatever is sent again.
pub async fn a_signal_starts_the_run_that_it_is_for(scene: Scene) {
    let process = scene.process(code).await;
    let requests: Vec<_> = (0..4).map(|_| RequestId::fresh()).collect();
    for _ in 0..2 {
        for (n, request_id) in (0..).zip(&requests) {
            let call = process.start(collect, "with start", 5).request_id(*request_id);
            call.with_signal(N, &n).await.unwrap();
        }
    }
    let run = process.start(collect, "with start", 5).with_signal(N, &4).await.unwrap();
    run.signal_with(N, &0, requests[0]).await.unwrap();
    assert_eq!(run.result().await.unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(count(&history(&run).await, "WorkflowStarted"), 1);
}

/// However the two meet, the signal is read: by the run that was open, or by the next.
pub async fn a_signal_with_start_meets_a_closing_run(scene: Scene) {
    let process = scene.process(code).await;
    let mut runs = Vec::new();
    for n in 0..20_u32 {
        let start = process.start(collect, "meeting", 1).with_signal(N, &n);
        runs.push(scene.as_time_passes(start.into_future()).await.unwrap());
    }
    let mut read = Vec::new();
    for run in runs {
        // One whose signal came at its end passed it by.
        let _ = run.result().await;
        let of_run = history(&run).await;
        let signals = of_run.iter().filter_map(|event| match &event.kind {
            EventKind::SignalReceived(signal) => Some(signal.input.decode::<u32>().unwrap()),
            _ => None,
        });
        read.extend(signals);
    }
    read.sort_unstable();
    read.dedup();
    assert_eq!(read, (0..20).collect::<Vec<_>>());
}
