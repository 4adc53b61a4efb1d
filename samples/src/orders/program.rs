//! Runs orders: opens what is needed, attends to every order, sums up.

use std::time::Duration;

use retell::{Engine, Orchestrator};
use tokio::time::Instant;

use super::activities::{Outside, bill, charge, credit, recall, refund, release, reserve, ship};
use super::audit::runs;
use super::desk::Desk;
use super::error::OrdersError;
use super::ledger::Ledger;
use super::options::Options;
use super::order::Order;
use super::summary::Summary;
use super::workflow::process_order;

/// How long an effect takes at pace 1.
const WORK: Duration = Duration::from_millis(1);
/// The longest that an effect takes at any pace.
const WORK_MAX: Duration = Duration::from_millis(5);

/// What [`run`] did.
#[derive(Debug)]
pub struct Report {
    /// How orders ended, those that had ended before included.
    pub summary: Summary,
    /// How many had ended before this process began.
    pub ended_before: usize,
    /// How long this process took.
    pub took: Duration,
    /// Whether the user stopped it before all orders ended.
    pub interrupted: bool,
}

/// Runs all orders to their end, or until the user interrupts.
///
/// # Errors
/// [`OrdersError`] if the store or the ledger cannot be used. What was started goes on at the next start.
pub async fn run(options: &Options, orders: Vec<Order>) -> Result<Report, OrdersError> {
    let began = Instant::now();
    let work = options.paced(WORK).min(WORK_MAX);
    let outside = Outside { ledger: Ledger::open(&options.ledger)?, work };
    let acks = options.acks.as_deref().map(Ledger::open).transpose()?;
    let engine = engine(options, outside).await?;
    let known = runs(engine.client()).await?;
    let ended = |order: &&Order| known.get(&order.id).is_some_and(|runs| runs.closing.is_some());
    let ended_before = orders.iter().filter(ended).count();
    let desk = Desk::new(engine.client().clone(), options.clone(), known, acks);
    let mut summary = Summary::default();
    let attended = tokio::select! {
        attended = desk.attend_to_all(orders, &mut summary) => Some(attended),
        // Where there are no signals nobody can interrupt.
        Ok(()) = tokio::signal::ctrl_c() => None,
    };
    engine.shutdown().await;
    let interrupted = attended.is_none();
    attended.transpose()?;
    Ok(Report { summary, ended_before, took: began.elapsed(), interrupted })
}

async fn engine(options: &Options, outside: Outside) -> Result<Engine, OrdersError> {
    let orchestrator = Orchestrator::new(options.store.open().await?)
        .namespace(options.namespace.clone())
        .workflow(process_order)
        .activity(reserve)
        .activity(charge)
        .activity(ship)
        .activity(bill)
        .activity(release)
        .activity(refund)
        .activity(recall)
        .activity(credit)
        .state(outside);
    Ok(orchestrator.start().await?)
}
