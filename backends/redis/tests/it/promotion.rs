//! A replica that takes its master's place in the middle of load, without what the master had acknowledged last.
//!
//! The replica is cut off before the master dies, so something is lost for certain; how much is counted and printed. The
//! rest must be whole: no gap in a history, nothing recorded twice, no run stuck, though workers hold runs whose last events
//! the new master never saw.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use retell::activity::{ActivityContext, ActivityError};
use retell::client::{Client, IdConflict, ReadError, ResultError, SendError};
use retell::history::Event;
use retell::vocabulary::{EventId, RequestId};
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::{Engine, Orchestrator};
use retell_redis::{Options, Redis};
use retell_servers::{Endpoint, Kind, RedisCluster, Server};
use tokio::sync::watch;

use crate::kit::{block_on, blocking};
use crate::sentinel::{told, until, watching};

/// How many clients there are, each with one run at a time.
const CLIENTS: u32 = 10;
/// How many runs end before the replica is cut off, between that and the master's death, and after.
const ENDED: [usize; 3] = [40, 40, 40];
/// How long a client waits for a server: longer than a failover takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often the effects of activities were seen.
#[derive(Clone, Default)]
struct Effects(Arc<Mutex<Vec<(u32, u32)>>>);

#[retell::activity]
async fn effect(cx: ActivityContext, (run, n): (u32, u32)) -> Result<u32, ActivityError> {
    cx.state::<Effects>()?.0.lock().unwrap().push((run, n));
    Ok(run)
}

#[retell::workflow]
async fn careful(cx: WorkflowContext, run: u32) -> WorkflowResult<u32> {
    let mut sum = 0;
    for n in 0..3 {
        sum += cx.signal::<u32>("n").await?;
        sum += cx.activity(effect, &(run, n)).await?;
    }
    Ok(sum)
}

/// What clients were told, each by the identity of what they asked for.
#[derive(Clone, Default)]
struct Told {
    starts: HashSet<RequestId>,
    signals: HashSet<RequestId>,
    ends: BTreeSet<u32>,
}

/// The clients, and what they share.
struct Load {
    clients: Vec<Client>,
    begun: AtomicU32,
    told: Mutex<Told>,
    ended: watch::Sender<usize>,
    /// Whether the new master is there and was looked at.
    goes_on: watch::Sender<bool>,
    is_over: watch::Sender<bool>,
}

/// There is no such run, or no longer.
#[derive(Debug)]
struct Gone;

fn request(what: &str, run: u32) -> RequestId {
    RequestId::from_key(&format!("{what} {run}"))
}

impl Load {
    fn new(engines: &[Engine]) -> Self {
        Self {
            clients: engines.iter().map(|engine| engine.client().clone().with_deadline(DEADLINE)).collect(),
            begun: AtomicU32::new(0),
            told: Mutex::default(),
            ended: watch::Sender::new(0),
            goes_on: watch::Sender::new(false),
            is_over: watch::Sender::new(false),
        }
    }

    /// One run after another.
    async fn go_on(&self) {
        while !*self.is_over.borrow() {
            let run = self.begun.fetch_add(1, Ordering::Relaxed);
            self.see_to(run).await;
            self.told.lock().unwrap().ends.insert(run);
            self.ended.send_modify(|ended| *ended += 1);
        }
    }

    /// Drives a run to its end; from its start, under the same identities, if a failover comes in between.
    async fn see_to(&self, run: u32) {
        let mut goes_on = self.goes_on.subscribe();
        let is_before = !*goes_on.borrow();
        let ended = tokio::select! {
            ended = self.attempt(run) => ended.is_ok(),
            _ = goes_on.wait_for(|goes_on| *goes_on), if is_before => false,
        };
        if !ended {
            goes_on.wait_for(|goes_on| *goes_on).await.unwrap();
            self.attempt(run).await.expect("what is acknowledged now stays");
        }
    }

    async fn attempt(&self, run: u32) -> Result<(), Gone> {
        let client = &self.clients[run as usize % self.clients.len()];
        let id = request("start", run);
        let start = client.start(careful, format!("run-{run}"), run).request_id(id);
        let handle = start.id_conflict(IdConflict::UseExisting).await.expect("the start is acknowledged");
        self.told.lock().unwrap().starts.insert(id);
        for n in 1..=3_u32 {
            let id = request(&format!("signal {n} of"), run);
            match handle.signal_with("n", &n, id).await {
                Ok(()) => _ = self.told.lock().unwrap().signals.insert(id),
                Err(SendError::NotFound) => return Err(Gone),
                // It ended with the signal, whose sender was not told.
                Err(SendError::Closed(_)) => {}
                Err(error) => panic!("a signal is refused: {error}"),
            }
        }
        match handle.result().await {
            Ok(sum) => assert_eq!(sum, 6 + 3 * run, "each signal and each activity counts once"),
            Err(ResultError::Read(ReadError::NotFound)) => return Err(Gone),
            Err(error) => panic!("a run ends badly: {error}"),
        }
        Ok(())
    }

    /// Waits until so many runs more have ended.
    async fn more(&self, count: usize) {
        let mut ended = self.ended.subscribe();
        let enough = *ended.borrow_and_update() + count;
        ended.wait_for(|ended| *ended >= enough).await.unwrap();
    }

    /// Drives all runs to their ends that have not ended on the new master, or are not there, and looks at everything.
    async fn check_all(&self, effects: &Effects) {
        let runs = self.begun.load(Ordering::Relaxed);
        join_all((0..runs).map(|run| self.see_to(run))).await;
        join_all((0..runs).map(async |run| {
            let handle = self.clients[0].handle(careful, format!("run-{run}")).unwrap();
            check(&handle.history().await.unwrap());
        }))
        .await;
        let stats = self.clients[0].stats().await.unwrap();
        assert_eq!((stats.open, stats.closed, stats.queued, stats.messages), (0, runs.into(), 0, 0));
        let effects = effects.0.lock().unwrap().clone();
        let once: HashSet<_> = effects.iter().collect();
        assert_eq!(once.len(), 3 * runs as usize, "every run did all of its activities");
        println!("{} of {} activities were done again", effects.len() - once.len(), once.len());
    }

    /// Says how much of what was acknowledged is not on these servers; answers how many runs had ended and have not.
    async fn count_what_is_lost(&self, masters: &[Endpoint]) -> usize {
        // Before anything is looked at: the load goes on.
        let told = self.told.lock().unwrap().clone();
        let (mut requests, mut ended) = (HashSet::new(), HashSet::new());
        for master in masters {
            let client = redis::Client::open(master.url().trim_end_matches("/0")).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let keys = redis::cmd("KEYS").arg("*/requests/*").to_owned();
            for key in keys.query_async::<Vec<String>>(&mut connection).await.unwrap() {
                let of_run = redis::cmd("HKEYS").arg(key).to_owned();
                requests.extend(of_run.query_async::<Vec<String>>(&mut connection).await.unwrap());
            }
            let keys = redis::cmd("KEYS").arg("*/run/*").to_owned();
            for key in keys.query_async::<Vec<String>>(&mut connection).await.unwrap() {
                let state = redis::cmd("HGET").arg(&key).arg("state").to_owned();
                if !state.query_async::<String>(&mut connection).await.unwrap().starts_with("0/") {
                    ended.insert(key.rsplit_once("run-").unwrap().1.parse::<u32>().unwrap());
                }
            }
        }
        let is_lost = |id: &&RequestId| !requests.contains(&id.0.simple().to_string());
        let (starts, signals) =
            (told.starts.iter().filter(is_lost).count(), told.signals.iter().filter(is_lost).count());
        let ends = told.ends.iter().filter(|run| !ended.contains(run)).count();
        let of = [told.starts.len(), told.signals.len(), told.ends.len()];
        println!(
            "the failover lost {starts} of {} acknowledged starts, {signals} of {} signals, {ends} of {} ends",
            of[0], of[1], of[2]
        );
        ends
    }
}

/// A whole history: no gap, each call with one outcome, each signal once.
fn check(events: &[Event]) {
    let outcomes: Vec<_> = events.iter().filter_map(|event| event.kind.outcome_of()).collect();
    let once: HashSet<_> = outcomes.iter().collect();
    assert_eq!(once.len(), outcomes.len(), "an outcome is recorded twice: {events:#?}");
    for (event, id) in events.iter().zip(1..) {
        assert_eq!(event.id, EventId(id), "a gap in {events:#?}");
    }
    let count = |name| events.iter().filter(|event| event.kind.name() == name).count();
    assert_eq!((count("SignalReceived"), count("ActivityCompleted")), (3, 3), "{events:#?}");
}

/// Two workers and their clients, before whose eyes the master is cut off from its replica and killed.
fn survives(pair: fn() -> (Pair, Options)) {
    block_on(async {
        let (pair, options) = blocking(pair).await;
        let (pair, effects) = (Arc::new(pair), Effects::default());
        let engine = async || {
            let store = options.clone().open().await.unwrap();
            let orchestrator = Orchestrator::new(store).workflow(careful).activity(effect);
            orchestrator.state(effects.clone()).start().await.unwrap()
        };
        let engines = [engine().await, engine().await];
        let load = Load::new(&engines);
        tokio::join!(join_all((0..CLIENTS).map(|_| load.go_on())), fail_over(&pair, &load));
        load.check_all(&effects).await;
        join_all(engines.into_iter().map(Engine::shutdown)).await;
    });
}

/// Lets the replica take over in the middle of load, and the load go on.
async fn fail_over(pair: &Arc<Pair>, load: &Load) {
    let [before, unseen, after] = ENDED;
    load.more(before).await;
    blocking({
        let pair = pair.clone();
        move || pair.cut()
    })
    .await;
    load.more(unseen).await;
    blocking({
        let pair = pair.clone();
        move || pair.fail_over()
    })
    .await;
    assert!(load.count_what_is_lost(&pair.heirs()).await > 0, "what was not replicated is lost");
    load.goes_on.send_replace(true);
    load.more(after).await;
    load.is_over.send_replace(true);
}

/// A master, the replica that follows it, and who decides that it takes its place.
struct Pair {
    master: Master,
    replica: Server,
}

enum Master {
    /// With its sentinel.
    Watched(Box<[Server; 2]>),
    /// The first.
    OfCluster(RedisCluster),
}

/// As whom a replica comes to its master, until the master knows it no longer.
const COPY: &str = "copy";

fn acquaint(master: &Endpoint, replica: &Endpoint) {
    master.query(&format!("acl setuser {COPY} on >secret allkeys allchannels +@all")).unwrap();
    replica.query(&format!("config set masteruser {COPY} masterauth secret")).unwrap();
}

fn await_link(replica: &Endpoint, status: &str) {
    until(status, || told(replica, "master_link_status").as_deref() == Some(status));
}

impl Pair {
    /// A sentinel's word is what clients go by.
    fn watched() -> (Self, Options) {
        let [master, replica] = [(); 2].map(|()| Server::start(Kind::Redis).unwrap());
        acquaint(master.endpoint(), replica.endpoint());
        let sentinel = watching(&master, &replica);
        let options = Redis::options("redis://any").sentinels("orders", [sentinel.url()]);
        (Self { master: Master::Watched(Box::new([master, sentinel])), replica }, options)
    }

    /// The other masters of the cluster vote.
    fn of_cluster() -> (Self, Options) {
        let cluster = RedisCluster::start().unwrap();
        let replica = Server::start(Kind::RedisNode).unwrap();
        let (master, follower) = (cluster.masters()[0].endpoint(), replica.endpoint());
        acquaint(master, follower);
        let id = master.query("cluster myid").unwrap();
        let nodes = master.query("cluster nodes").unwrap();
        let own = nodes.lines().find(|node| node.starts_with(&id)).unwrap();
        let bus = own.split_once('@').unwrap().1.split([' ', ',']).next().unwrap();
        let port = cluster.masters()[0].address().port();
        follower.query(&format!("cluster meet 127.0.0.1 {port} {bus}")).unwrap();
        until("the replica knows its master", || {
            follower.query(&format!("cluster replicate {id}")).is_ok_and(|answer| answer == "OK")
        });
        await_link(follower, "up");
        let known_by = |node: &Server| node.endpoint().query("cluster nodes").unwrap().contains("slave");
        until("the others know the replica", || cluster.masters().iter().all(known_by));
        let urls = cluster.urls();
        (Self { master: Master::OfCluster(cluster), replica }, Redis::options(&urls[0]).cluster(&urls[1..]))
    }

    fn master(&self) -> &Server {
        match &self.master {
            Master::Watched(servers) => &servers[0],
            Master::OfCluster(cluster) => &cluster.masters()[0],
        }
    }

    /// Those that are left when the master is not.
    fn heirs(&self) -> Vec<Endpoint> {
        let others = match &self.master {
            Master::Watched(_) => &[][..],
            Master::OfCluster(cluster) => &cluster.masters()[1..],
        };
        others.iter().chain([&self.replica]).map(|server| server.endpoint().clone()).collect()
    }

    /// From here on nothing of what the master does reaches its replica.
    fn cut(&self) {
        let master = self.master().endpoint();
        master.query(&format!("acl setuser {COPY} off")).unwrap();
        master.query("client kill type replica").unwrap();
        await_link(self.replica.endpoint(), "down");
    }

    fn fail_over(&self) {
        if let Master::OfCluster(cluster) = &self.master {
            // Only now, lest nodes that are slow on a busy machine be taken for dead before.
            for node in cluster.masters().iter().chain([&self.replica]) {
                node.endpoint().query("config set cluster-node-timeout 1000").unwrap();
            }
        }
        self.master().kill();
        let heirs = self.heirs();
        until("the replica takes over", || {
            let is_whole =
                |heir: &Endpoint| !heir.query("cluster info").unwrap().contains("cluster_state:fail");
            told(self.replica.endpoint(), "role").as_deref() == Some("master") && heirs.iter().all(is_whole)
        });
    }
}

#[test]
fn a_replica_that_a_sentinel_promotes_loses_what_it_never_saw_and_no_more() {
    survives(Pair::watched);
}

#[test]
fn a_replica_that_a_cluster_promotes_loses_what_it_never_saw_and_no_more() {
    survives(Pair::of_cluster);
}
