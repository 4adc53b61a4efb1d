//! The store under test and its model, side by side.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use retell::backend::{ActivityRequest, Backend, Claim, Claimed, LeaseAction, Renewal, StoreError};
use retell::clock::Clock;
use retell::vocabulary::{FencingToken, Namespace, Timestamp, WorkerId};
use retell_memory::Memory;

use super::draw::Draw;
use super::known::Known;
use super::writes::{Author, Twin};
use crate::StoreUnderTest;
use crate::world::{LEASE, SECOND, World, activity_name, claim_all, order, workflow_type};

/// How many operations a failure tells of.
const SHOWN: usize = 8;

struct Model(Arc<Memory>);

#[async_trait]
impl StoreUnderTest for Model {
    async fn open(&self) -> Result<Arc<dyn Backend>, StoreError> {
        Ok(self.0.clone())
    }
}

/// Both stores and what the driver knows of them.
pub(super) struct Pair {
    subject: World,
    model: World,
    draw: Draw,
    known: Known,
    past: Vec<Twin>,
    log: Vec<String>,
}

impl Pair {
    pub(super) async fn new(subject: World) -> Self {
        let memory = Arc::new(Memory::with_clock(Arc::new(subject.clock.clone())));
        let model = World::open(Arc::new(Model(memory)), subject.clock.clone()).await;
        Self::of(subject, model, Draw::new(0))
    }

    fn of(subject: World, model: World, draw: Draw) -> Self {
        Self { subject, model, draw, known: Known::default(), past: Vec::new(), log: Vec::new() }
    }

    /// Does so many random things in an empty namespace.
    pub(super) async fn round(self, namespace: &str, draw: Draw, steps: u64) -> Self {
        let namespace = Namespace::new(namespace).expect("it is short and plain");
        let (mut subject, mut model) = (self.subject, self.model);
        subject.namespace = namespace.clone();
        model.namespace = namespace;
        let mut pair = Self::of(subject, model, draw);
        pair.register().await;
        for _ in 0..steps {
            pair.pass_time();
            if pair.draw.percent(2) {
                pair.log.push("restart".to_owned());
                pair.subject = pair.subject.restart().await;
                pair.register().await;
            }
            pair.step().await;
            let (subject, model) = (pair.subject.snapshot().await, pair.model.snapshot().await);
            pair.same("what can be read", &subject, &model);
        }
        pair
    }

    fn pass_time(&mut self) {
        let wall = self.model.now();
        match self.draw.below(20) {
            0 => self.model.clock.advance(SECOND * 4),
            1 => self.model.clock.set_wall(wall + SECOND * 5),
            2 => self.model.clock.set_wall(Timestamp::from_micros(wall.as_micros() - 5_000_000)),
            _ => self.model.clock.advance(Duration::from_micros(self.draw.below(200_000))),
        }
        self.log.push(format!("at {} ({:?})", self.model.now(), self.model.clock.elapsed()));
    }

    async fn step(&mut self) {
        match self.draw.below(100) {
            0..5 => self.register().await,
            5..15 => self.renew().await,
            15..45 => self.claim().await,
            _ => {
                let count = 1 + self.draw.below(4);
                let batch: Vec<Twin> = (0..count).filter_map(|_| self.write()).collect();
                self.apply(batch).await;
            }
        }
    }

    fn same<T: PartialEq + Debug>(&self, what: &str, subject: &T, model: &T) {
        if subject != model {
            let last = self.log.len().saturating_sub(SHOWN);
            panic!(
                "after {} operations, of which the last were\n{}\n{what} differs:\n{}",
                self.log.len(),
                self.log[last..].join("\n"),
                difference(subject, model),
            );
        }
    }

    // Leases and claims.

    async fn register(&mut self) {
        let worker = WorkerId::fresh();
        let action = LeaseAction::Register { identity: "random".to_owned(), lease: LEASE };
        self.known.workers.push(worker);
        self.lease(Renewal { worker, action }).await;
    }

    async fn renew(&mut self) {
        let Some(worker) = self.draw.one(&self.known.workers).copied() else { return };
        let action = match self.draw.below(10) {
            0 => LeaseAction::Retire,
            1 => LeaseAction::Register { identity: "again".to_owned(), lease: LEASE },
            _ => LeaseAction::Renew { lease: LEASE },
        };
        self.lease(Renewal { worker, action }).await;
    }

    async fn lease(&mut self, renewal: Renewal) {
        self.log.push(format!("{renewal:?}"));
        let subject = self.subject.store.renew(&renewal).await.map_err(|error| error.kind);
        let model = self.model.store.renew(&renewal).await.map_err(|error| error.kind);
        self.same("the lease", &subject.map(|renewed| renewed.now), &model.map(|renewed| renewed.now));
    }

    /// Claims all or nothing of each kind: which of two equally old ones goes first is a store's own affair.
    async fn claim(&mut self) {
        let Some(worker) = self.draw.one(&self.known.workers).copied() else { return };
        let all_or_none = |all: bool| if all { 1_000 } else { 0 };
        let group = |name: &str, max| ActivityRequest { names: vec![activity_name(name)], max };
        let claim = Claim {
            namespace: self.model.namespace.clone(),
            task_queue: Author { draw: &mut self.draw, known: &self.known, world: &self.model }.queue(),
            workflows: if self.draw.percent(80) {
                vec![order(), workflow_type("other", 1)]
            } else {
                vec![order()]
            },
            runs_max: all_or_none(self.draw.percent(80)),
            activities: vec![
                group("charge", all_or_none(self.draw.percent(80))),
                group("ship", all_or_none(self.draw.percent(50))),
            ],
            ..claim_all(worker)
        };
        self.log.push(format!("{claim:?}"));
        let subject = self.subject.store.claim(&claim).await.map_err(|error| error.kind);
        let model = self.model.store.claim(&claim).await.map_err(|error| error.kind);
        let plain = |claimed: &Result<Claimed, _>| claimed.clone().map(plain);
        self.same("the claim", &plain(&subject), &plain(&model));
        let (Ok(subject), Ok(model)) = (subject, model) else { return };
        self.known.claimed(worker, &subject, model);
    }

    // Writes.

    /// A new write, or an old one once more.
    fn write(&mut self) -> Option<Twin> {
        if self.draw.percent(10) {
            return self.draw.one(&self.past).cloned();
        }
        Author { draw: &mut self.draw, known: &self.known, world: &self.model }.write()
    }

    async fn apply(&mut self, batch: Vec<Twin>) {
        self.log.extend(batch.iter().map(|twin| format!("{:?}", twin.model)));
        let subject = self.subject.apply_all(batch.iter().map(|twin| twin.subject.clone())).await;
        let model = self.model.apply_all(batch.iter().map(|twin| twin.model.clone())).await;
        self.same("the outcome", &subject, &model);
        for (twin, outcome) in batch.iter().zip(&model) {
            self.known.learn(&twin.model, outcome);
        }
        self.past.extend(batch);
    }
}

/// Where two values first differ, with the lines around it.
fn difference<T: Debug>(subject: &T, model: &T) -> String {
    let (subject, model) = (format!("{subject:#?}"), format!("{model:#?}"));
    let same = subject.lines().zip(model.lines()).take_while(|(one, other)| one == other).count();
    let around = |text: &str| {
        let lines: Vec<_> = text.lines().skip(same.saturating_sub(SHOWN)).take(2 * SHOWN).collect();
        lines.join("\n")
    };
    format!("store\n{}\nmodel\n{}", around(&subject), around(&model))
}

/// A claim without what a store may choose: its tokens and the order of what is equally old.
fn plain(mut claimed: Claimed) -> Claimed {
    claimed.runs.sort_by(|one, other| one.run.cmp(&other.run));
    claimed.unread.sort_by(|one, other| one.run.cmp(&other.run));
    claimed.activities.sort_by(|one, other| (&one.run, one.scheduled).cmp(&(&other.run, other.scheduled)));
    claimed.runs.iter_mut().for_each(|run| run.token = FencingToken(0));
    claimed.unread.iter_mut().for_each(|unread| unread.token = FencingToken(0));
    claimed
}
