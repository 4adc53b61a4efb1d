//! The desk: starts each order when it arrives, answers for whoever confirms it, and waits for how it ends.
//!
//! Every call carries an identity that is made of the order's ID, so that all of it may be done again after a kill:
//! nothing starts twice, and no confirmation counts twice.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::{Either, select};
use retell::client::{Client, IdConflict, ResultError, RunHandle, SendError, StartError};
use retell::vocabulary::{RequestId, Timestamp};
use retell::write::IdReusePolicy;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::audit::{RunsOfOrder, outcome_of};
use super::error::OrdersError;
use super::ledger::{Entry, Ledger};
use super::options::Options;
use super::order::{Confirmation, Order, OrderOutcome};
use super::progress::Progress;
use super::summary::Summary;
use super::workflow::{Answer, CONFIRMATION, OrderRequest, process_order};

/// The kind of entry that stands for an acknowledged start.
pub(super) const STARTED: &str = "started";
/// The kind of entry that stands for an acknowledged confirmation.
pub(super) const CONFIRMED: &str = "confirmed";
/// The kind of entry, among the acknowledgements, that stands for an end that the store told of.
pub const ENDED: &str = "ended";

/// How far apart orders arrive at pace 1.
const ARRIVAL: Duration = Duration::from_millis(1);
/// The most orders that are attended to at once; the others wait for one of them to end. A process that is killed leaves
/// so many open at most, and the next one has to ask the store for no more than these.
const AT_ONCE_MAX: usize = 1_000;

/// One process's desk.
pub(super) struct Desk {
    client: Client,
    options: Options,
    /// The runs that orders had before this process began.
    known: BTreeMap<String, RunsOfOrder>,
    acks: Option<Ledger>,
    places: Semaphore,
}

impl Desk {
    pub(super) fn new(
        client: Client,
        options: Options,
        known: BTreeMap<String, RunsOfOrder>,
        acks: Option<Ledger>,
    ) -> Arc<Self> {
        Arc::new(Self { client, options, known, acks, places: Semaphore::new(AT_ONCE_MAX) })
    }

    /// Attends to all orders, those that had begun before first, and counts how they end.
    pub(super) async fn attend_to_all(
        self: &Arc<Self>,
        orders: Vec<Order>,
        summary: &mut Summary,
    ) -> Result<(), OrdersError> {
        let mut progress = Progress::new(orders.len());
        let mut attending = JoinSet::new();
        let (known, new): (Vec<_>, Vec<_>) =
            orders.into_iter().partition(|order| self.known.contains_key(&order.id));
        for order in known {
            attending.spawn(self.clone().attend(order, Duration::ZERO));
        }
        for (order, number) in new.into_iter().zip(0_u32..) {
            attending.spawn(self.clone().attend(order, self.options.paced(ARRIVAL * number)));
        }
        let mut ticks = interval(progress.every());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                ended = attending.join_next() => match ended {
                    None => return Ok(()),
                    Some(ended) => summary.add(ended.unwrap_or_else(pass_panic_on)?.as_ref()),
                },
                _ = ticks.tick() => progress.show(summary.ended()),
            }
        }
    }

    /// One order from its arrival to its end.
    async fn attend(
        self: Arc<Self>,
        order: Order,
        arrives_in: Duration,
    ) -> Result<Option<OrderOutcome>, OrdersError> {
        sleep(arrives_in).await;
        let _place = self.places.acquire().await;
        let closing = self.known.get(&order.id).and_then(|runs| runs.closing.as_ref());
        let outcome = match closing {
            Some(closing) => outcome_of(closing),
            None => self.see_to_the_end(&order).await?,
        };
        self.acknowledged(&order, ENDED).await?;
        Ok(outcome)
    }

    /// Starts an order that has no run, confirms it, and waits for its end.
    async fn see_to_the_end(&self, order: &Order) -> Result<Option<OrderOutcome>, OrdersError> {
        let run = match self.known.get(&order.id) {
            Some(runs) => self.client.handle(process_order, order.id.as_str())?.with_run(runs.run_id),
            None => self.start(order).await?,
        };
        let outcome = match &order.confirmation {
            None => run.result().await,
            Some(confirmation) => {
                let confirmed = pin!(self.confirm(order, confirmation, &run));
                match select(pin!(run.result()), confirmed).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right((sent, outcome)) => {
                        sent?;
                        outcome.await
                    }
                }
            }
        };
        match outcome {
            Ok(outcome) => Ok(Some(outcome)),
            Err(ResultError::Failed(_) | ResultError::Cancelled | ResultError::Terminated(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts an order, or finds the run that another process has started meanwhile.
    async fn start(&self, order: &Order) -> Result<RunHandle<process_order>, OrdersError> {
        loop {
            let request =
                OrderRequest { order: order.clone(), confirm_within: self.options.confirm_within() };
            let start = self
                .client
                .start(process_order, order.id.as_str(), request)
                .request_id(RequestId::from_key(&format!("start {}", order.id)))
                .id_conflict(IdConflict::UseExisting)
                .id_reuse(IdReusePolicy::Reject);
            match start.await {
                Ok(run) => {
                    self.acknowledged(order, STARTED).await?;
                    return Ok(run);
                }
                Err(StartError::IdTaken(existing)) => {
                    let handle = self.client.handle(process_order, order.id.as_str())?;
                    return Ok(handle.with_run(existing.run.run_id));
                }
                Err(StartError::Unavailable(error)) => eprintln!("orders: {error}; trying again"),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends an order's confirmation when its time has come.
    async fn confirm(
        &self,
        order: &Order,
        confirmation: &Confirmation,
        run: &RunHandle<process_order>,
    ) -> Result<(), OrdersError> {
        sleep(self.until_confirmed(order, confirmation)).await;
        let answer = Answer { by: confirmation.by.clone(), approved: confirmation.approved };
        let request_id = RequestId::from_key(&format!("confirm {}", order.id));
        loop {
            match run.signal_with(CONFIRMATION, &answer, request_id).await {
                Ok(()) => return self.acknowledged(order, CONFIRMED).await,
                // It ended without: it failed, or nobody confirmed it in time.
                Err(SendError::Closed(_)) => return Ok(()),
                Err(SendError::Unavailable(error)) => eprintln!("orders: {error}; trying again"),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How long it is until the order's confirmation comes, counted from its start, whichever process that was in.
    fn until_confirmed(&self, order: &Order, confirmation: &Confirmation) -> Duration {
        let after = self.options.paced(Duration::from_millis(confirmation.after_ms));
        match self.known.get(&order.id) {
            None => after,
            Some(runs) => after.saturating_sub(Timestamp::from(SystemTime::now()).since(runs.started_at)),
        }
    }

    async fn acknowledged(&self, order: &Order, kind: &str) -> Result<(), OrdersError> {
        if let Some(acks) = &self.acks {
            acks.append(Entry::new(&order.id, kind, 0)?).await?;
        }
        Ok(())
    }
}

fn pass_panic_on<T>(error: JoinError) -> T {
    std::panic::resume_unwind(error.into_panic())
}
