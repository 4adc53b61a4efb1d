//! Several processes on one server: real ones, made of this test binary. The same for each store on a SQL server:
//! `subject` says which.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use retell::activity::{ActivityContext, ActivityError};
use retell::backend::Backend;
use retell::worker::WorkerOptions;
use retell::workflow::{WorkflowContext, WorkflowResult};
use retell::{Engine, Orchestrator};
use retell_conformance::load;
use retell_servers::{Endpoint, Server};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::subject::{KIND, SETTLED_AFTER, open};

/// Where a child finds the database; without it the child's entry does nothing.
const URL: &str = "RETELL_TEST_CHILD_URL";
/// What a child is to do.
const ROLE: &str = "RETELL_TEST_CHILD_ROLE";
/// How long the leases of workers last that are paused beyond them.
pub(crate) const SHORT_LEASE: Duration = Duration::from_millis(1_500);
/// How long a takeover takes at most on a machine that does other work beside: far less than a lease.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A process of its own. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(database: &Endpoint, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["process::child", "--exact", "--nocapture", "--quiet"])
            .env(URL, database.url())
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self { child, says };
        process.hear("ready");
        process
    }

    /// Waits until it says this.
    pub(crate) fn hear(&mut self, what: &str) {
        let mut line = String::new();
        while self.says.read_line(&mut line).unwrap() > 0 {
            if line.trim_end().ends_with(&format!("retell:{what}")) {
                return;
            }
            line.clear();
        }
        panic!("the child ended without a word of {what}");
    }

    /// Stops it where it is, or lets it go on.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "retell:{line}").unwrap();
    out.flush().unwrap();
}

/// What the activity of [`held`] does where it runs: tells of itself, and ends or does not.
#[derive(Clone)]
struct Place {
    begun: UnboundedSender<u32>,
    ends: bool,
}

#[retell::activity]
async fn hold(cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    let place = cx.state::<Place>()?;
    let _ = place.begun.send(number);
    if !place.ends {
        std::future::pending::<()>().await;
    }
    Ok(number)
}

#[retell::workflow]
async fn held(cx: WorkflowContext, number: u32) -> WorkflowResult<u32> {
    Ok(cx.activity(hold, &number).await?)
}

async fn holder(url: &str, ends: bool) -> (Engine, UnboundedReceiver<u32>) {
    let (begun, beginnings) = unbounded_channel();
    let orchestrator = Orchestrator::new(open(url).await.unwrap()).workflow(held).activity(hold);
    (orchestrator.state(Place { begun, ends }).start().await.unwrap(), beginnings)
}

/// The entry of a child process; as a test by itself it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    match &*std::env::var(ROLE).unwrap() {
        // Begins a run whose activity never ends here.
        "hold a run" => {
            let (engine, mut begun) = holder(&url, false).await;
            say("ready");
            let _run = engine.start(held, "held", 7).await.unwrap();
            begun.recv().await.unwrap();
            say("held");
            std::future::pending::<()>().await;
        }
        "work" => {
            let store: Arc<dyn Backend> = Arc::new(open(&url).await.unwrap());
            let _engine = load::engine(store, WorkerOptions::default().lease(SHORT_LEASE)).await;
            say("ready");
            std::future::pending::<()>().await;
        }
        other => panic!("no role {other}"),
    }
}

async fn server() -> Server {
    tokio::task::spawn_blocking(|| Server::start(KIND).unwrap()).await.unwrap()
}

/// A child that holds a run under a lease of ten seconds.
async fn a_holder(database: &Endpoint) -> Process {
    let database = database.clone();
    let holding = move || {
        let mut process = Process::start(&database, "hold a run");
        process.hear("held");
        process
    };
    tokio::task::spawn_blocking(holding).await.unwrap()
}

/// H6. A worker whose process was killed is seen to be dead at once, not when its lease has passed: by a process that runs
/// already, and by one that is started in its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_is_taken_over_at_once() {
    let server = server().await;
    // One that does not tell its starts apart gives everybody time to come back after one.
    tokio::time::sleep(SETTLED_AFTER).await;
    for restarts in [false, true] {
        let database = server.fresh_database().unwrap();
        let early = if restarts { None } else { Some(holder(database.url(), true).await) };
        let process = a_holder(&database).await;
        // The sign is shown within a moment of the start.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let killed = Instant::now();
        process.kill();
        let (heir, mut begun) = match early {
            Some(heir) => heir,
            None => holder(database.url(), true).await,
        };
        assert_eq!(begun.recv().await, Some(7));
        let took = killed.elapsed();
        let who = if restarts { "a process started in its place" } else { "another process" };
        eprintln!("{KIND}: {who} went on {took:?} after the kill");
        let run = heir.client().handle(held, "held").unwrap();
        assert_eq!(run.result().await.unwrap(), 7);
        assert!(took < AT_ONCE, "{took:?}");
        heir.shutdown().await;
    }
}
