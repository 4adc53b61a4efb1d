//! Gathers what orders left behind: runs and histories from the store, effects from the ledger.

use std::collections::BTreeMap;

use futures::stream::{StreamExt, TryStreamExt, iter};
use retell::Orchestrator;
use retell::client::{Client, ReadError};
use retell::history::{Event, EventKind, Plain, decode_kind};
use retell::vocabulary::{RunId, Timestamp};

use super::check::{Evidence, RunEvidence};
use super::desk::{CONFIRMED, ENDED, STARTED};
use super::error::OrdersError;
use super::ledger;
use super::options::Options;
use super::order::{Order, OrderOutcome};
use super::workflow::{CONFIRMATION, process_order};
use crate::store::StoreUrl;

/// How many runs are read at a time.
const PAGE: usize = 1_000;
/// How many histories are read side by side: a server's answers take their time.
const HISTORIES: usize = 16;

/// The runs of one order's workflow ID: one, if all is well.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsOfOrder {
    /// How many there are.
    pub count: usize,
    /// The newest of them.
    pub run_id: RunId,
    /// When that started.
    pub started_at: Timestamp,
    /// What closed it, once it is closed.
    pub closing: Option<EventKind>,
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
            let closing = run.outcome.as_ref().map(|event| decode_kind(event, &Plain)).transpose()?;
            let (run_id, started_at) = (run.run.run_id, run.started_at);
            let newest = || RunsOfOrder { count: 0, run_id, started_at, closing };
            // The newest are listed first.
            found.entry(run.run.workflow_id.as_str().to_owned()).or_insert_with(newest).count += 1;
        }
        request.after = page.next;
        if request.after.is_none() {
            return Ok(found);
        }
    }
}

/// How an order ended whose run was closed by this event; `None` if it did not end as an order does.
#[must_use]
pub fn outcome_of(closing: &EventKind) -> Option<OrderOutcome> {
    match closing {
        EventKind::WorkflowCompleted(body) => body.result.decode().ok(),
        _ => None,
    }
}

/// Gathers everything that is left behind by orders.
///
/// # Errors
/// [`OrdersError`] if the store or a ledger cannot be read.
pub async fn gather(options: &Options, orders: Vec<Order>) -> Result<Evidence, OrdersError> {
    if options.store == StoreUrl::Memory {
        return Err(OrdersError::NothingLeft);
    }
    let store = options.store.open().await?;
    let client = Orchestrator::new(store).namespace(options.namespace.clone()).client();
    let histories = iter(runs(&client).await?).map(async |(id, of_order)| {
        let run = client.handle(process_order, id.as_str())?.with_run(of_order.run_id);
        let history = run.history().await?;
        Ok::<_, OrdersError>((id, RunEvidence { runs: of_order.count, ..run_evidence(&history) }))
    });
    let mut evidence = Evidence {
        orders,
        effects: ledger::entries(&options.ledger)?,
        runs: histories.buffer_unordered(HISTORIES).try_collect().await?,
        ..Evidence::default()
    };
    if let Some(acks) = &options.acks {
        let acks = ledger::entries(acks)?;
        let of_kind = |kind: &str| {
            acks.iter().filter(|ack| ack.kind() == kind).map(|ack| ack.order().to_owned()).collect()
        };
        evidence.acknowledged_starts = of_kind(STARTED);
        evidence.acknowledged_confirmations = of_kind(CONFIRMED);
        evidence.acknowledged_ends = of_kind(ENDED);
    }
    Ok(evidence)
}

fn run_evidence(history: &[Event]) -> RunEvidence {
    let is_confirmation = |event: &&Event| matches!(&event.kind, EventKind::SignalReceived(body) if body.signal.as_str() == CONFIRMATION);
    RunEvidence {
        runs: 1,
        outcome: history.last().and_then(|event| outcome_of(&event.kind)),
        event_ids: history.iter().map(|event| event.id.0).collect(),
        confirmations: history.iter().filter(is_confirmation).count(),
    }
}
