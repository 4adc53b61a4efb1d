//! What user code tells a case, and how a case holds user code up: marks, gates, and the activities made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use retell::activity::{ActivityContext, ActivityError};
use retell::vocabulary::Failure;
use tokio::sync::watch;

/// Shared by a case, its activities (as shared state) and its workflows (by number, as their input).
#[derive(Debug, Clone)]
pub(crate) struct Probe(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    number: u64,
    marks: watch::Sender<Vec<Mark>>,
    open: watch::Sender<BTreeSet<String>>,
}

/// Something that user code did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    pub(crate) what: String,
    /// For an activity: its idempotency key, its attempt, and what the attempt before left.
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) last_failure: Option<Failure>,
}

/// Workflow code has no shared state: it finds its case's probe here.
static PROBES: Mutex<BTreeMap<u64, Weak<Inner>>> = Mutex::new(BTreeMap::new());

impl Probe {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let inner = Inner { number, marks: watch::Sender::default(), open: watch::Sender::default() };
        let probe = Self(Arc::new(inner));
        PROBES.lock().unwrap().insert(number, Arc::downgrade(&probe.0));
        probe
    }

    /// What workflow code finds it by.
    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// The probe of this number.
    pub(crate) fn of(number: u64) -> Self {
        let inner = PROBES.lock().unwrap().get(&number).and_then(Weak::upgrade);
        Self(inner.expect("the case still runs"))
    }

    pub(crate) fn mark(&self, what: impl Into<String>) {
        self.push(Mark { what: what.into(), ..Mark::default() });
    }

    fn push(&self, mark: Mark) {
        self.0.marks.send_modify(|marks| marks.push(mark));
    }

    /// How often something was done.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.0.marks.borrow().iter().filter(|mark| mark.what == what).count()
    }

    /// What was done, as far as it is called so.
    pub(crate) fn marks(&self, what: &str) -> Vec<Mark> {
        self.0.marks.borrow().iter().filter(|mark| mark.what == what).cloned().collect()
    }

    /// Waits until something was done so often.
    pub(crate) async fn saw(&self, what: &str, times: usize) {
        let enough = |marks: &Vec<Mark>| marks.iter().filter(|mark| mark.what == what).count() >= times;
        let _ = self.0.marks.subscribe().wait_for(enough).await.expect("the probe holds the sender");
    }

    /// Lets through who waits at this gate, now and later.
    pub(crate) fn open(&self, gate: impl Into<String>) {
        self.0.open.send_modify(|open| _ = open.insert(gate.into()));
    }

    /// Shuts a gate again.
    pub(crate) fn shut(&self, gate: &str) {
        self.0.open.send_modify(|open| _ = open.remove(gate));
    }

    /// Waits until a gate is open.
    pub(crate) async fn pass(&self, gate: &str) {
        let open = |open: &BTreeSet<String>| open.contains(gate);
        let _ = self.0.open.subscribe().wait_for(open).await.expect("the probe holds the sender");
    }

    /// Blocks this thread until a gate is open.
    pub(crate) fn pass_blocking(&self, gate: &str) {
        futures::executor::block_on(self.pass(gate));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        PROBES.lock().unwrap().remove(&self.number);
    }
}

fn mark_of(cx: &ActivityContext, what: String) -> Mark {
    Mark {
        what,
        key: cx.idempotency_key(),
        attempt: cx.attempt().0,
        last_failure: cx.last_failure().cloned(),
    }
}

/// Marks its argument, and returns it.
#[retell::activity]
pub(crate) async fn effect(cx: ActivityContext, what: String) -> Result<String, ActivityError> {
    let mark = mark_of(&cx, what.clone());
    cx.state::<Probe>()?.push(mark);
    Ok(what)
}

/// Marks its argument and waits at the gate of that name; marks `<name> stopped` if it is stopped there.
#[retell::activity]
pub(crate) async fn hold(cx: ActivityContext, name: String) -> Result<String, ActivityError> {
    let probe = cx.state::<Probe>()?;
    let mut stopped = Stopped { probe: (*probe).clone(), name: Some(name.clone()) };
    probe.push(mark_of(&cx, name.clone()));
    probe.pass(&name).await;
    stopped.name = None;
    Ok(name)
}

struct Stopped {
    probe: Probe,
    name: Option<String>,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            self.probe.mark(format!("{name} stopped"));
        }
    }
}

/// Marks `flop` and fails as `Flop` until this attempt, which succeeds and returns its number.
#[retell::activity]
pub(crate) async fn flop(cx: ActivityContext, until: u32) -> Result<u32, ActivityError> {
    cx.state::<Probe>()?.push(mark_of(&cx, "flop".to_owned()));
    let attempt = cx.attempt().0;
    if attempt < until {
        return Err(ActivityError::new("Flop", format!("attempt {attempt} flopped")));
    }
    Ok(attempt)
}
