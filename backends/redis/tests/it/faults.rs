//! Servers that are killed and connections that are cut under load: nothing is lost, nothing is done twice.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use retell::Orchestrator;
use retell::worker::WorkerOptions;
use retell_conformance::load;
use retell_redis::{Options, Redis};
use retell_servers::{Kind, Proxy, RedisCluster, Server};
use rustix::process::Signal;

use crate::kit::{block_on, blocking};
use crate::process::{Process, SHORT_LEASE};

const ROUNDS: u32 = 5;

/// Runs two processes and their clients while the servers suffer, round after round.
async fn survives<F: Future<Output = ()>>(options: Options, suffer: impl Fn(u32) -> F) {
    let engine = async || {
        let store = Arc::new(options.clone().open().await.unwrap());
        load::engine(store, WorkerOptions::default()).await
    };
    let engines = [engine().await, engine().await];
    load::survives(&engines.each_ref().map(|engine| engine.client().clone()), ROUNDS, suffer).await;
    for engine in engines {
        engine.shutdown().await;
    }
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
                let master = &cluster.masters()[round as usize % 3];
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

/// H2. A worker that was stopped beyond its lease wakes up and still believes that it owns its runs, which another has
/// taken over meanwhile.
#[test]
fn workers_that_are_paused_beyond_their_leases_lose_and_double_nothing() {
    block_on(async {
        let server = blocking(|| Server::start(Kind::Redis).unwrap()).await;
        let database = server.fresh_database().unwrap();
        let on = database.clone();
        let workers = blocking(move || [Process::start(&on, "work"), Process::start(&on, "work")]).await;
        let client = Orchestrator::new(Redis::open(database.url()).await.unwrap()).client();
        load::survives(&[client], 4, |round| {
            let worker = &workers[round as usize % 2];
            async move {
                worker.signal(Signal::STOP);
                tokio::time::sleep(SHORT_LEASE * 2).await;
                worker.signal(Signal::CONT);
            }
        })
        .await;
    });
}

/// H8. A server's clock that is put forward ends leases early and fires timers early; one that is put back fires them
/// late, and that is all: when it has caught up, nothing is lost or doubled.
#[test]
fn a_servers_clock_that_jumps_an_hour_loses_and_doubles_nothing() {
    let set = |server: &Server, offset: i64| {
        server.set_clock(offset).unwrap();
        let told = server.endpoint().query("time").unwrap();
        let told: i64 = told.lines().next().unwrap().parse().unwrap();
        let truth = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        assert!((told - truth - offset).abs() < 60, "the clock is not set: {told} at {truth}");
    };
    block_on(async {
        let server = Arc::new(blocking(|| Server::start_with_clock(Kind::Redis).unwrap()).await);
        survives(Redis::options(server.url()), |round| {
            let server = server.clone();
            blocking(move || match round {
                0 => set(&server, 3_600),
                1 => [0, 3_600].into_iter().for_each(|offset| set(&server, offset)),
                2 => set(&server, 7_200),
                3 => [3_600, 0, 7_200].into_iter().for_each(|offset| set(&server, offset)),
                _ => {}
            })
        })
        .await;
    });
}

/// H13. A server that finds no room for its append-only file ends, and goes on where it was when there is room again.
#[test]
fn a_disk_that_is_full_again_and_again_loses_and_doubles_nothing() {
    block_on(async {
        let server = Arc::new(blocking(|| Server::start(Kind::Redis).unwrap()).await);
        survives(Redis::options(server.url()), |_| {
            let server = server.clone();
            blocking(move || {
                server.limit_files(Some(1 << 16)).unwrap();
                while server.endpoint().query("ping").is_ok_and(|answer| answer == "PONG") {
                    std::thread::sleep(Duration::from_millis(20));
                }
                server.restart().unwrap();
            })
        })
        .await;
    });
}
