//! Servers that are killed and connections that are cut under load: nothing is lost, nothing is done twice.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use retell::activity::{ActivityContext, ActivityError};
use retell::client::{Client, RunHandle};
use retell::history::Event;
use retell::vocabulary::{EventId, RetryPolicy};
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::{Engine, Orchestrator};
use retell_redis::{Options, Redis};
use retell_servers::{Kind, Proxy, RedisCluster, Server};
use tokio::sync::watch;

use crate::kit::{block_on, blocking};

const RUNS: u32 = 200;
const ROUNDS: usize = 5;
/// How long calls try: longer than a server is away.
const DEADLINE: Duration = Duration::from_secs(120);

/// How many steps were done, in all processes.
#[derive(Clone)]
struct Steps(Arc<watch::Sender<u32>>);

#[retell::activity]
async fn step(cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    cx.state::<Steps>()?.0.send_modify(|steps| *steps += 1);
    Ok(number)
}

/// Fails once, so that it is queued for its second attempt.
#[retell::activity]
async fn flop(cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    cx.state::<Steps>()?.0.send_modify(|steps| *steps += 1);
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

async fn engine(store: Redis, steps: &Steps) -> Engine {
    let engine = Orchestrator::new(store).workflow(busy).activity(step).activity(flop).state(steps.clone());
    engine.start().await.unwrap()
}

async fn drive(client: Client, number: u32) -> (RunHandle<busy>, u32) {
    let run = client.start(busy, format!("busy-{number}"), number).await.unwrap();
    for n in 1..=3_u32 {
        run.signal("n", &n).await.unwrap();
    }
    let sum = run.result().await.unwrap();
    (run, sum)
}

/// Runs two processes and their clients while the servers suffer, round after round, each when some work was done.
async fn survives<F: Future<Output = ()>>(options: Options, suffer: impl Fn(usize) -> F) {
    let steps = Steps(Arc::new(watch::Sender::new(0)));
    let one = engine(options.clone().open().await.unwrap(), &steps).await;
    let other = engine(options.clone().open().await.unwrap(), &steps).await;
    let clients =
        [one.client().clone().with_deadline(DEADLINE), other.client().clone().with_deadline(DEADLINE)];
    let runs = join_all((0..RUNS).map(|number| drive(clients[number as usize % 2].clone(), number)));
    let suffering = async {
        let mut done = steps.0.subscribe();
        for round in 0..ROUNDS {
            let enough = RUNS * 4 * (1 + round as u32) / (2 + ROUNDS as u32);
            done.wait_for(|steps| *steps >= enough).await.unwrap();
            suffer(round).await;
        }
    };
    let (runs, ()) = tokio::join!(runs, suffering);
    for (number, (run, sum)) in (0..).zip(runs) {
        assert_eq!(sum, 6 + 4 * number);
        check(&run.history().await.unwrap());
    }
    let stats = one.stats().await.unwrap();
    assert_eq!((stats.open, stats.closed, stats.queued, stats.messages), (0, RUNS.into(), 0, 0));
    one.shutdown().await;
    other.shutdown().await;
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

#[test]
fn a_server_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    block_on(async {
        let server = Arc::new(blocking(|| Server::start(Kind::Redis).unwrap()).await);
        survives(Redis::options(server.url()), |_| {
            let server = server.clone();
            blocking(move || {
                server.kill();
                server.restart().unwrap();
            })
        })
        .await;
    });
}

#[test]
fn masters_that_are_killed_one_after_another_lose_and_double_nothing() {
    block_on(async {
        let cluster = Arc::new(blocking(|| RedisCluster::start().unwrap()).await);
        let urls = cluster.urls();
        survives(Redis::options(&urls[0]).cluster(&urls[1..]).partitions(5), |round| {
            let cluster = cluster.clone();
            blocking(move || {
                let master = &cluster.masters()[round % 3];
                master.kill();
                master.restart().unwrap();
                cluster.await_whole().unwrap();
            })
        })
        .await;
    });
}

#[test]
fn connections_that_are_cut_lose_and_double_nothing() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let proxy = Arc::new(Proxy::before(server.address()).unwrap());
        let url = server.endpoint().at(proxy.address()).url().to_owned();
        survives(Redis::options(url), |round| {
            let proxy = proxy.clone();
            blocking(move || match round % 2 {
                0 => proxy.cut_all(),
                _ => drop(proxy.cut_after(b"what").wait(Duration::from_secs(10))),
            })
        })
        .await;
    });
}
