//! Several processes on one file: real ones, made of this test binary.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use retell::backend::{Backend, Mark, RunStatus};
use retell::clock::ManualClock;
use retell::vocabulary::{RunId, RunKey, WorkerId};
use retell::write::{CloseStatus, Start, Target};
use retell_sqlite::Sqlite;

use crate::kit::{
    LEASE, apply, block_on, claimed, closing, commit, events, folder, send, start, work_changed, worker,
};

/// Where a child finds the database; without it the child's entry does nothing.
const PATH: &str = "RETELL_TEST_CHILD_PATH";
/// What a child is to do.
const ROLE: &str = "RETELL_TEST_CHILD_ROLE";
/// How many runs a child of a limited role works on.
const RUNS: usize = 50;

/// A process of its own. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(path: &Path, role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["process::child", "--exact", "--nocapture", "--quiet"])
            .env(PATH, path)
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    /// The next line that begins with `retell:`, without that; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.says.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some((_, said)) = line.trim_end().split_once("retell:") {
                return Some(said.to_owned());
            }
        }
    }

    /// SIGKILL; answers what it had said before and nobody had read.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.line()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "retell:{line}").unwrap();
    out.flush().unwrap();
}

/// The entry of a child process; as a test by itself it does nothing.
#[test]
fn child() {
    let Some(path) = std::env::var_os(PATH).map(PathBuf::from) else {
        return;
    };
    let store = Sqlite::open(path).unwrap();
    match &*std::env::var(ROLE).unwrap() {
        "advance for ever" => advance_for_ever(&store),
        "finish some" => finish_some(&store, "child"),
        "hold until killed" => {
            let run = open_run(&store, "held", worker(&store));
            say(&run.run_id.to_string());
            loop {
                std::thread::park();
            }
        }
        "wait for work" => {
            let mark = work_changed(&store, Mark::default());
            say("waiting");
            work_changed(&store, mark);
            say("seen");
        }
        "pay" => crate::transactional::pay_until_killed(store),
        other => panic!("no role {other}"),
    }
}

fn open_run(store: &Sqlite, id: &str, worker: WorkerId) -> RunKey {
    let start = start(id, Some(worker));
    apply(store, start.clone());
    start.run
}

/// Says each event that was acknowledged.
fn advance_for_ever(store: &Sqlite) {
    let run = open_run(store, "advancing", worker(store));
    let worker = worker_of(store, &run);
    for head in 1.. {
        say(&format!("{} {head}", run.run_id));
        apply(store, commit(&run, worker, 1, head, 500));
    }
}

fn worker_of(store: &Sqlite, run: &RunKey) -> WorkerId {
    let found = block_on(store.describe(&[run.clone().into()])).unwrap();
    found[0].as_ref().unwrap().owner.unwrap()
}

/// Starts runs, takes two steps of each, and closes it.
fn finish_some(store: &Sqlite, prefix: &str) {
    let worker = worker(store);
    for number in 0..RUNS {
        let run = open_run(store, &format!("{prefix}-{number}"), worker);
        apply(store, commit(&run, worker, 1, 1, 300));
        apply(store, closing(commit(&run, worker, 1, 2, 300)));
    }
    say("finished");
}

fn key(id: &str, run_id: &str) -> RunKey {
    RunKey { run_id: run_id.parse::<RunId>().unwrap(), ..start(id, None).run }
}

#[test]
fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let mut process = Process::start(&path, "advance for ever");
    let said: Vec<String> = (0..100).map(|_| process.line().unwrap()).collect();
    let last = process.kill().into_iter().chain(said).map(|line| {
        let (run_id, head) = line.split_once(' ').unwrap();
        (key("advancing", run_id), head.parse::<u64>().unwrap())
    });
    let (run, head) = last.max_by_key(|(_, head)| *head).unwrap();
    let events = events(&Sqlite::open(&path).unwrap(), &run);
    assert!((head..=head + 1).contains(&events), "{head} was acknowledged, {events} are there");
}

#[test]
fn the_runs_of_a_killed_process_are_claimed_at_once() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let mut process = Process::start(&path, "hold until killed");
    let held = key("held", &process.line().unwrap());
    let store = Sqlite::open(&path).unwrap();
    let worker = worker(&store);
    assert!(claimed(&store, worker).runs.is_empty(), "a living process keeps its runs");
    drop(process);
    // Its lease lasts for minutes: only the death of the process can have freed the run.
    let store = Sqlite::open(&path).unwrap();
    let runs = claimed(&store, self::worker(&store)).runs;
    assert_eq!(runs.iter().map(|run| (&run.run, run.token.0)).collect::<Vec<_>>(), [(&held, 2)]);
}

#[test]
fn the_death_of_a_process_wakes_who_waits() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let mut process = Process::start(&path, "hold until killed");
    process.line().unwrap();
    let store = Sqlite::open(&path).unwrap();
    let worker = worker(&store);
    let mut mark = work_changed(&store, Mark::default());
    assert!(claimed(&store, worker).runs.is_empty());
    drop(process);
    while claimed(&store, worker).runs.is_empty() {
        mark = work_changed(&store, mark);
    }
}

#[test]
fn a_death_outlives_the_claim_that_saw_it_and_was_not_committed() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let dead = Sqlite::open(&path).unwrap();
    let run = open_run(&dead, "held", worker(&dead));
    drop(dead);
    let store = Sqlite::open(&path).unwrap();
    let worker = worker(&store);
    let mut mark = work_changed(&store, Mark::default());
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE UPDATE OF owner ON runs BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    // What a kill in the middle leaves, too: all of the claim is undone.
    let _ = block_on(store.claim(&crate::kit::claim(worker)));
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    let taken = loop {
        if let Some(taken) = claimed(&store, worker).runs.pop() {
            break taken;
        }
        mark = work_changed(&store, mark);
    };
    assert_eq!((taken.run, taken.token.0), (run, 2));
}

#[test]
fn processes_take_turns_and_see_each_other() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::open(&path).unwrap();
    let mut process = Process::start(&path, "finish some");
    finish_some(&store, "parent");
    assert_eq!(process.line().as_deref(), Some("finished"));
    let targets: Vec<Target> = ["parent", "child"]
        .iter()
        .flat_map(|prefix| (0..RUNS).map(move |number| format!("{prefix}-{number}")))
        .map(|id| Target { run_id: None, ..start(&id, None).run.into() })
        .collect();
    for found in block_on(store.describe(&targets)).unwrap() {
        let found = found.unwrap();
        assert_eq!(found.status, RunStatus::Closed(CloseStatus::Completed));
        assert_eq!(events(&store, &found.run), 3);
    }
}

#[test]
fn a_commit_of_another_process_wakes_who_waits() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let store = Sqlite::open(&path).unwrap();
    let mut process = Process::start(&path, "wait for work");
    assert_eq!(process.line().as_deref(), Some("waiting"));
    apply(&store, start("a", None));
    assert_eq!(process.line().as_deref(), Some("seen"));
}

#[test]
fn an_unread_message_of_another_process_is_seen() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let (here, there) = (Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap());
    let worker = worker(&here);
    let run = open_run(&here, "a", worker);
    let mut mark = work_changed(&here, Mark::default());
    apply(&there, send(&run));
    let unread = loop {
        mark = work_changed(&here, mark);
        let unread = claimed(&here, worker).unread;
        if !unread.is_empty() {
            break unread;
        }
    };
    assert_eq!((&unread[0].run, unread[0].messages.len()), (&run, 1));
}

#[test]
fn one_of_two_processes_that_start_a_workflow_id_wins() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let stores: Vec<Arc<Sqlite>> = (0..2).map(|_| Arc::new(Sqlite::open(&path).unwrap())).collect();
    let begin = Arc::new(std::sync::Barrier::new(2));
    let threads = stores.into_iter().map(|store| {
        let begin = begin.clone();
        std::thread::spawn(move || {
            let starts: Vec<Start> = (0..100).map(|number| start(&format!("order-{number}"), None)).collect();
            begin.wait();
            let outcomes = starts.into_iter().map(|start| block_on(crate::kit::try_apply(&store, start)));
            outcomes.filter(|outcome| outcome.as_ref().unwrap().is_ok()).count()
        })
    });
    let threads: Vec<_> = threads.collect();
    let started: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(started, 100);
}

#[test]
fn the_files_of_dead_workers_are_cleared_away() {
    let folder = folder();
    let path = folder.path().join("retell.db");
    let clock = ManualClock::default();
    let open = || Sqlite::options(&path).clock(Arc::new(clock.clone())).open().unwrap();
    let files = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().contains("-worker-")).count()
    };
    worker(&open());
    worker(&open());
    assert_eq!(files(), 2, "who died left a file");
    clock.advance(LEASE);
    let store = open();
    claimed(&store, worker(&store));
    assert_eq!(files(), 1, "only who lives has one");
}
