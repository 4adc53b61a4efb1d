//! Continue-as-new: what the next run is not told.

use std::collections::BTreeSet;

use retell::prelude::*;
use retell_tester::{Ending, Explorer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{HOUR, Outside, check, did, times};

#[retell::activity]
async fn send(cx: ActivityContext, what: String) -> Result<(), ActivityError> {
    did(&cx, what)
}

/// A run of the workflow under the ID `desk`.
#[track_caller]
fn desk<W: Workflow, M>(workflow: impl NamesWorkflow<W, M> + Copy, first: fn() -> W::Input) -> Explorer {
    Explorer::new(move |tester| {
        let tester = tester.state(Outside::default()).activity(send).workflow(workflow);
        tester.start(workflow, "desk", first());
        tester
    })
}

/// The next signal of a name, or `None` when the desk closes.
async fn next<T: DeserializeOwned + Serialize>(
    cx: &WorkflowContext,
    name: &str,
    closes: Timestamp,
) -> WorkflowResult<Option<T>> {
    Ok(retell::select! {
        next = cx.signal::<T>(name) => Some(next?),
        timer = cx.sleep_until(closes) => { timer?; None }
    })
}

/// The bug: the next run does not know which invoices were paid.
#[retell::workflow]
async fn forgets_what_it_paid(cx: WorkflowContext, closes: Timestamp) -> WorkflowResult<()> {
    let mut paid = BTreeSet::new();
    for _ in 0..2 {
        let Some(invoice) = next::<u32>(&cx, "pay", closes).await? else { return Ok(()) };
        if paid.insert(invoice) {
            cx.activity(send, &format!("pay {invoice}")).await?;
        }
    }
    cx.continue_as_new(forgets_what_it_paid, &closes)
}

#[retell::workflow]
async fn tells_what_it_paid(
    cx: WorkflowContext,
    (mut paid, closes): (BTreeSet<u32>, Timestamp),
) -> WorkflowResult<()> {
    for _ in 0..2 {
        let Some(invoice) = next::<u32>(&cx, "pay", closes).await? else { return Ok(()) };
        if paid.insert(invoice) {
            cx.activity(send, &format!("pay {invoice}")).await?;
        }
    }
    cx.continue_as_new(tells_what_it_paid, &(paid, closes))
}

#[test]
fn state_is_not_carried_over() {
    const ONCE: &str = "an invoice is paid once";
    let explorer = |desk: Explorer| {
        [7, 8, 7]
            .iter()
            .fold(desk, |desk, invoice| desk.signal("desk", "pay", invoice))
            .always(ONCE, |ending| times(ending, "pay 7") <= 1)
    };
    check(
        &explorer(desk(forgets_what_it_paid, in_an_hour)),
        &explorer(desk(tells_what_it_paid, || (BTreeSet::new(), in_an_hour()))),
        ONCE,
        &["desk: signal pay", "desk: signal pay (2)", "desk: signal pay (3)"],
    );
}

/// An hour after worlds begin.
fn in_an_hour() -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000) + HOUR
}

/// The bug: what was read and not sent yet is not read again by the next run.
#[retell::workflow]
async fn forgets_what_it_read(cx: WorkflowContext, closes: Timestamp) -> WorkflowResult<()> {
    let mut lines = Vec::new();
    for _ in 0..3 {
        let Some(line) = next::<String>(&cx, "line", closes).await? else {
            return sent(&cx, &mut lines, 1).await;
        };
        lines.push(line);
        sent(&cx, &mut lines, 2).await?;
    }
    cx.continue_as_new(forgets_what_it_read, &closes)
}

#[retell::workflow]
async fn tells_what_it_read(
    cx: WorkflowContext,
    (mut lines, closes): (Vec<String>, Timestamp),
) -> WorkflowResult<()> {
    for _ in 0..3 {
        let Some(line) = next::<String>(&cx, "line", closes).await? else {
            return sent(&cx, &mut lines, 1).await;
        };
        lines.push(line);
        sent(&cx, &mut lines, 2).await?;
    }
    cx.continue_as_new(tells_what_it_read, &(lines, closes))
}

/// Sends the lines, as soon as there are so many.
async fn sent(cx: &WorkflowContext, lines: &mut Vec<String>, enough: usize) -> WorkflowResult<()> {
    if lines.len() >= enough {
        for line in lines.drain(..) {
            cx.activity(send, &line).await?;
        }
    }
    Ok(())
}

#[test]
fn signals_read_and_not_carried_over() {
    const ALL: &str = "what came before the desk closed is sent";
    let explorer = |desk: Explorer| {
        ["a", "b", "c"]
            .iter()
            .fold(desk, |desk, line| desk.signal("desk", "line", line))
            .always(ALL, |ending| read(ending).iter().all(|line| times(ending, line) == 1))
    };
    check(
        &explorer(desk(forgets_what_it_read, in_an_hour)),
        &explorer(desk(tells_what_it_read, || (Vec::new(), in_an_hour()))),
        ALL,
        &["desk: signal line", "desk: signal line (2)", "desk: signal line (3)"],
    );
}

/// The lines that came before the desk closed.
fn read(ending: &Ending<'_>) -> Vec<String> {
    use retell::history::EventKind::{SignalReceived, TimerFired};
    let histories = ending.histories("desk");
    let events = histories.iter().flat_map(|(_, events)| events);
    let open = events.take_while(|event| !matches!(event.kind, TimerFired(_)));
    open.filter_map(|event| match &event.kind {
        SignalReceived(signal) => Some(signal.input.decode().unwrap()),
        _ => None,
    })
    .collect()
}

/// The bug: the next run gives an hour anew.
#[retell::workflow]
async fn starts_its_hour_anew(cx: WorkflowContext, left: u32) -> WorkflowResult<()> {
    let closes = cx.now() + HOUR;
    while let Some(wait) = next::<bool>(&cx, "knock", closes).await? {
        if wait {
            cx.sleep(HOUR / 2).await?;
        }
        if left > 0 {
            return cx.continue_as_new(starts_its_hour_anew, &(left - 1));
        }
    }
    Ok(())
}

#[retell::workflow]
async fn tells_when_it_closes(cx: WorkflowContext, (left, closes): (u32, Timestamp)) -> WorkflowResult<()> {
    while let Some(wait) = next::<bool>(&cx, "knock", closes).await? {
        if wait {
            cx.sleep(HOUR / 2).await?;
        }
        if left > 0 {
            return cx.continue_as_new(tells_when_it_closes, &(left - 1, closes));
        }
    }
    Ok(())
}

#[test]
fn a_deadline_not_carried_over() {
    const IN_TIME: &str = "the desk closes after an hour";
    let explorer = |desk: Explorer| {
        desk.signal("desk", "knock", &true).always(IN_TIME, |ending| {
            let histories = ending.histories("desk");
            let last = histories.iter().flat_map(|(_, events)| events).map(|event| event.at).max();
            last == Some(in_an_hour())
        })
    };
    check(
        &explorer(desk(starts_its_hour_anew, || 1)),
        &explorer(desk(tells_when_it_closes, || (1, in_an_hour()))),
        IN_TIME,
        &["desk: signal knock"],
    );
}
