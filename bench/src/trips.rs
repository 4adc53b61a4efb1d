//! What work costs on servers, in round trips: figures that no machine changes, asserted so that they cannot creep.
//!
//! The clock stands still but where a test moves it, so that what is counted is asked for by runs.

use std::sync::Arc;
use std::time::Duration;

use retell::backend::Backend;
use retell::clock::{Clock, ManualClock};
use retell::vocabulary::Timestamp;
use retell::{Engine, Orchestrator};
use retell_mysql::MySql;
use retell_postgres::Postgres;
use retell_redis::Redis;
use retell_servers::{Kind, shared};

use crate::workload::{Marks, alone, register};

const STEPS: u32 = 50;
const SLEEPERS: u32 = 300;

/// An engine on a server, and how many round trips its store has made.
struct Counted {
    engine: Engine,
    clock: ManualClock,
    trips: Box<dyn Fn() -> u64>,
}

impl Counted {
    async fn on(kind: Kind) -> Self {
        let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
        let url = shared(kind).unwrap().fresh_database().unwrap().url().to_owned();
        let told: Arc<dyn Clock> = Arc::new(clock.clone());
        let (store, trips): (Arc<dyn Backend>, Box<dyn Fn() -> u64>) = match kind {
            Kind::Postgres => {
                let store = Arc::new(Postgres::options().clock(told).connect(&url).await.unwrap());
                (store.clone(), Box::new(move || store.statements()))
            }
            Kind::Redis => {
                let store = Arc::new(Redis::options(&url).clock(told).open().await.unwrap());
                (store.clone(), Box::new(move || store.requests()))
            }
            _ => {
                let store = Arc::new(MySql::options().clock(told).connect(&url).await.unwrap());
                (store.clone(), Box::new(move || store.statements()))
            }
        };
        let engine = register(Orchestrator::new(store).clock(clock.clone())).state(Marks::default());
        let counted = Self { engine: engine.start().await.unwrap(), clock, trips };
        // The first run of a workflow adds what later ones find.
        alone::chain(&counted.engine, 1).await.unwrap();
        counted
    }

    /// What half a minute costs, in which leases are renewed and one small run a renewal takes place.
    async fn half_a_minute(&self) -> u64 {
        let before = (self.trips)();
        for _ in 0..10 {
            self.clock.advance(Duration::from_secs(3));
            alone::chain(&self.engine, 1).await.unwrap();
        }
        (self.trips)() - before
    }
}

/// Of steps that come one after the other, so that none shares its commit with another.
async fn trips_of_a_step(kind: Kind) -> f64 {
    let counted = Counted::on(kind).await;
    let before = (counted.trips)();
    alone::chain(&counted.engine, STEPS).await.unwrap();
    ((counted.trips)() - before) as f64 / f64::from(STEPS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_step_alone_is_one_round_trip_on_postgres() {
    let trips = trips_of_a_step(Kind::Postgres).await;
    assert!(trips < 2.0, "{trips} round trips, the start and looks for changes of others included");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_step_alone_is_one_round_trip_on_redis() {
    let trips = trips_of_a_step(Kind::Redis).await;
    assert!(trips < 1.3, "{trips} round trips, the start included");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activity_step_alone_is_one_round_trip_on_mariadb() {
    let trips = trips_of_a_step(Kind::Mariadb).await;
    assert!(trips < 2.0, "{trips} round trips, the start and looks for changes of others included");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleeping_runs_cost_no_query() {
    for kind in [Kind::Postgres, Kind::Mariadb, Kind::Redis] {
        let counted = Counted::on(kind).await;
        let without = counted.half_a_minute().await;
        let due = counted.clock.now() + Duration::from_secs(86_400);
        for _ in 0..SLEEPERS {
            alone::sleep(&counted.engine, due).await.unwrap();
        }
        let with = counted.half_a_minute().await;
        let more = with.saturating_sub(without);
        assert!(more < u64::from(SLEEPERS) / 2, "{kind}: {with} with sleepers, {without} without");
    }
}
