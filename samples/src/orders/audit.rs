//! Gathers what orders left behind: runs and histories from the store, effects from the ledger.

use std::collections::BTreeMap;

use retell::Orchestrator;
use retell::backend::RunStatus;
use retell::client::{Client, ReadError};
use retell::history::{Event, EventKind};

use super::check::{Evidence, RunEvidence};
use super::desk::{CONFIRMED, STARTED};
use super::error::OrdersError;
use super::ledger;
use super::options::{Options, Store};
use super::order::Order;
use super::store;
use super::workflow::{CONFIRMATION, process_order};

/// How many runs are read at a time.
const PAGE: usize = 1_000;

/// The runs of one order's workflow ID: one, if all is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunsOfOrder {
    /// How many there are.
    pub count: usize,
    /// How many of them are open.
    pub open: usize,
}

impl RunsOfOrder {
    /// Whether none is open any more.
    #[must_use]
    pub fn ended(self) -> bool {
        self.open == 0
    }
}

/// The runs that a store holds, by workflow ID. Reads no history.
///
/// # Errors
/// [`ReadError`] if the store does not answer.
pub async fn runs(client: &Client) -> Result<BTreeMap<String, RunsOfOrder>, ReadError> {
    let mut found: BTreeMap<String, RunsOfOrder> = BTreeMap::new();
    let mut request = client.list_request();
    request.page_size = PAGE;
    loop {
        let page = client.list(&request).await?;
        for run in page.runs {
            let of_order = found.entry(run.run.workflow_id.as_str().to_owned()).or_default();
            of_order.count += 1;
            of_order.open += usize::from(run.status == RunStatus::Running);
        }
        request.after = page.next;
        if request.after.is_none() {
            return Ok(found);
        }
    }
}

/// Gathers everything that is left behind by orders.
///
/// # Errors
/// [`OrdersError`] if the store or a ledger cannot be read.
pub async fn gather(options: &Options, orders: Vec<Order>) -> Result<Evidence, OrdersError> {
    if options.store == Store::Memory {
        return Err(OrdersError::NothingLeft);
    }
    let client = Orchestrator::new(store::open(&options.store)?).client();
    let mut evidence = Evidence { orders, effects: ledger::entries(&options.ledger)?, ..Evidence::default() };
    for (id, of_order) in runs(&client).await? {
        let history = client.handle(process_order, id.as_str())?.history().await?;
        evidence.runs.insert(id, RunEvidence { runs: of_order.count, ..run_evidence(&history) });
    }
    if let Some(acks) = &options.acks {
        let acks = ledger::entries(acks)?;
        let of_kind = |kind: &str| {
            acks.iter().filter(|ack| ack.kind() == kind).map(|ack| ack.order().to_owned()).collect()
        };
        evidence.acknowledged_starts = of_kind(STARTED);
        evidence.acknowledged_confirmations = of_kind(CONFIRMED);
    }
    Ok(evidence)
}

fn run_evidence(history: &[Event]) -> RunEvidence {
    let outcome = history.last().and_then(|event| match &event.kind {
        EventKind::WorkflowCompleted(body) => body.result.decode().ok(),
        _ => None,
    });
    let is_confirmation = |event: &&Event| matches!(&event.kind, EventKind::SignalReceived(body) if body.signal.as_str() == CONFIRMATION);
    RunEvidence {
        runs: 1,
        outcome,
        event_ids: history.iter().map(|event| event.id.0).collect(),
        confirmations: history.iter().filter(is_confirmation).count(),
    }
}
