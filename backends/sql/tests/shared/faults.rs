//! Servers that are killed, connections that are cut, and processes that are paused beyond their leases, all under load.
//! The same for each store on a SQL server: `subject` says which.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use retell::Orchestrator;
use retell::backend::{Backend, Interest, LeaseAction, Mark, Renewal, StoreError, StoreErrorKind};
use retell::vocabulary::WorkerId;
use retell::worker::WorkerOptions;
use retell::write::{NewRecord, Start, Write};
use retell_conformance::load;
use retell_servers::{Endpoint, Proxy, Server, shared};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::process::{Process, SHORT_LEASE};
use crate::server::{apply, claim, send, start, worker};
use crate::subject::{KIND, UNIX_TIME, open};

/// How large a server's files may grow on a disk that is full soon: larger than those of a log that is made in advance.
const DISK: u64 = 100 << 20;

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Two workers on this database, while `suffer` is called round after round.
async fn survives<F: Future<Output = ()>>(database: &Endpoint, rounds: u32, suffer: impl Fn(u32) -> F) {
    let engine = async || {
        let store: Arc<dyn Backend> = Arc::new(open(database.url()).await.unwrap());
        load::engine(store, WorkerOptions::default()).await
    };
    let engines = [engine().await, engine().await];
    load::survives(&engines.each_ref().map(|engine| engine.client().clone()), rounds, suffer).await;
    for engine in engines {
        engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let server = Arc::new(blocking(|| Server::start(KIND).unwrap()).await);
    let database = server.fresh_database().unwrap();
    survives(&database, 4, |_| {
        let server = server.clone();
        blocking(move || {
            server.kill();
            server.restart().unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_and_double_nothing() {
    let server = blocking(|| Server::start(KIND).unwrap()).await;
    let database = server.fresh_database().unwrap();
    let proxy = Arc::new(Proxy::before(database.address().unwrap()).unwrap());
    survives(&database.at(proxy.address()), 9, |round| {
        let proxy = proxy.clone();
        blocking(move || match round % 3 {
            0 => proxy.cut_all(),
            1 => drop(proxy.cut_after(b"COMMIT").wait(Duration::from_secs(10))),
            _ => drop(proxy.cut_before(b"COMMIT").wait(Duration::from_secs(10))),
        })
    })
    .await;
}

/// Who cannot reach the server hears of it within seconds, and why; so does a store that could before.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_reported_within_seconds() {
    const SECONDS: Duration = Duration::from_secs(15);
    let database = shared(KIND).unwrap().fresh_database().unwrap();
    let proxy = Proxy::before(database.address().unwrap()).unwrap();
    let database = database.at(proxy.address());
    let store = open(database.url()).await.unwrap();
    let unavailable = |error: StoreError| {
        assert_eq!(error.kind, StoreErrorKind::Unavailable);
        let source = error.source.map(|source| source.to_string()).unwrap_or_default();
        assert!(!source.is_empty());
    };
    proxy.hold();
    unavailable(timeout(SECONDS, open(database.url())).await.unwrap().unwrap_err());
    proxy.release();
    proxy.refuse();
    proxy.cut_all();
    unavailable(timeout(SECONDS, open(database.url())).await.unwrap().unwrap_err());
    let batch: Arc<[Write]> = Arc::new([start("a").into()]);
    unavailable(timeout(SECONDS, store.apply(batch)).await.unwrap().unwrap_err());
}

/// H2. A worker that was stopped beyond its lease wakes up and still believes that it owns its runs, which another has
/// taken over meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_paused_beyond_their_leases_lose_and_double_nothing() {
    let server = blocking(|| Server::start(KIND).unwrap()).await;
    let database = server.fresh_database().unwrap();
    let start = database.clone();
    let workers = blocking(move || [Process::start(&start, "work"), Process::start(&start, "work")]).await;
    let client = Orchestrator::new(open(database.url()).await.unwrap()).client();
    load::survives(&[client], 4, |round| {
        let worker = &workers[round as usize % 2];
        async move {
            worker.signal(Signal::STOP);
            tokio::time::sleep(SHORT_LEASE * 2).await;
            worker.signal(Signal::CONT);
        }
    })
    .await;
}

/// H8. A server's clock that is put forward ends leases early and fires timers early; one that is put back fires them
/// late, and that is all: when it has caught up, nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn a_servers_clock_that_jumps_an_hour_loses_and_doubles_nothing() {
    let server = Arc::new(blocking(|| Server::start_with_clock(KIND).unwrap()).await);
    let database = server.fresh_database().unwrap();
    let set = |server: &Server, offset: i64| {
        server.set_clock(offset).unwrap();
        let told: i64 = server.endpoint().query(UNIX_TIME).unwrap().parse().unwrap();
        let truth = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        assert!((told - truth - offset).abs() < 60, "the clock is not set: {told} at {truth}");
    };
    survives(&database, 4, |round| {
        let server = server.clone();
        blocking(move || match round {
            0 => set(&server, 3_600),
            1 => [0, 3_600].into_iter().for_each(|offset| set(&server, offset)),
            2 => set(&server, 7_200),
            _ => [3_600, 0, 7_200].into_iter().for_each(|offset| set(&server, offset)),
        })
    })
    .await;
}

/// H8. A worker of whose death nothing tells but its lease is dead when that has passed, though the server's clock was put
/// back an hour meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_lease_does_not_wait_for_a_clock_that_was_put_back() {
    let server = blocking(|| Server::start_with_clock(KIND).unwrap()).await;
    let database = server.fresh_database().unwrap();
    let gone = open(database.url()).await.unwrap();
    let dead = WorkerId::fresh();
    let action = LeaseAction::Register { identity: "dead".to_owned(), lease: SHORT_LEASE };
    let lease = Renewal { worker: dead, action };
    gone.renew(&lease).await.unwrap();
    let run = Start { owner: Some(dead), ..start("a") };
    apply(&gone, run.clone()).await.unwrap();
    drop(gone);
    database.query("update workers set sign = 'of a machine that is gone'").unwrap();
    server.set_clock(-3_600).unwrap();
    let store = open(database.url()).await.unwrap();
    apply(&store, send(&run.run)).await.unwrap();
    let heir = worker(&store).await;
    let put_back = Instant::now();
    let mut seen = Mark::default();
    for number in 1.. {
        let found = store.claim(&claim(heir, number, 10)).await.unwrap().runs;
        if !found.is_empty() {
            assert_eq!(found[0].run, run.run);
            break;
        }
        assert!(put_back.elapsed() < Duration::from_secs(60), "its lease waits for the clock");
        let changed = timeout(Duration::from_millis(200), store.changed(Interest::Work, seen));
        seen = changed.await.unwrap_or(seen);
    }
}

/// H13. What finds no room is refused for now, and stored when there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_no_outcome() {
    let server = blocking(|| Server::start(KIND).unwrap()).await;
    let database = server.fresh_database().unwrap();
    let store = open(database.url()).await.unwrap();
    let large = |number: u32| {
        let record = NewRecord { bytes: noise(1 << 20).into(), ..start("any").record };
        let batch: Arc<[Write]> = Arc::new([Start { record, ..start(&format!("run-{number}")) }.into()]);
        batch
    };
    server.limit_files(Some(DISK)).unwrap();
    let mut stored = 0;
    let error = loop {
        match store.apply(large(stored)).await {
            Ok(outcomes) => assert!(outcomes[0].is_ok(), "{outcomes:?}"),
            Err(error) => break error,
        }
        stored += 1;
    };
    assert!(matches!(error.kind, StoreErrorKind::Full | StoreErrorKind::Unavailable), "{error:?}");
    server.limit_files(None).unwrap();
    let outcomes = loop {
        match store.apply(large(stored)).await {
            Ok(outcomes) => break outcomes,
            Err(error) => {
                assert!(
                    matches!(error.kind, StoreErrorKind::Full | StoreErrorKind::Unavailable),
                    "{error:?}"
                );
                // Some servers end where they find no room for their log.
                if database.query("select 1").is_err() {
                    server.restart().unwrap();
                }
            }
        }
    };
    assert!(outcomes[0].is_ok(), "{outcomes:?}");
    assert_eq!(database.query("select count(*) from runs").unwrap(), (stored + 1).to_string());
}

/// Bytes that no server makes fewer.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// The same while runs are under way, down to the server's own log.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_again_and_again_loses_and_doubles_nothing() {
    let server = Arc::new(blocking(|| Server::start(KIND).unwrap()).await);
    let database = server.fresh_database().unwrap();
    survives(&database, 3, |_| {
        let server = server.clone();
        blocking(move || {
            server.limit_files(Some(1 << 16)).unwrap();
            std::thread::sleep(Duration::from_millis(500));
            server.limit_files(None).unwrap();
            if server.endpoint().query("select 1").is_err() {
                server.restart().unwrap();
            }
        })
    })
    .await;
}
