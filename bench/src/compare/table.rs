//! What came out, as a table in Markdown.

use crate::session::{FLOOR, Measured, RETELL, Session};

/// A table for each workload: all contenders, fastest first, and how many times slower than Retell on SQLite they are.
pub(super) fn table(session: &Session) -> String {
    let mut text = String::new();
    let mut workloads: Vec<&str> =
        session.results.iter().map(|measured| measured.workload.as_str()).collect();
    workloads.dedup();
    for workload in workloads {
        let unit =
            session.results.iter().find(|m| m.workload == workload).map_or("", |m| m.figures.unit.name());
        text += &format!("\n### {workload}\n\n");
        text += &format!(
            "| contender | store | settings | {unit}/s | time of the whole, s | p50 ms | p99 ms | Retell's speed against it | lost |\n"
        );
        text += "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
        let mut rows: Vec<_> =
            session.results.iter().filter(|measured| measured.workload == workload).collect();
        rows.sort_by(|a, b| b.figures.per_second.total_cmp(&a.figures.per_second));
        rows.iter().for_each(|measured| text += &row(session, measured));
    }
    text
}

fn row(session: &Session, measured: &Measured) -> String {
    let Measured { workload, contender, store, settings, figures, .. } = measured;
    let latency = |of: fn(&crate::measure::LatencyFigures) -> f64| match &figures.latency {
        Some(latency) => format!("{:.2}", of(latency)),
        None => String::new(),
    };
    let lost = if figures.failed > 0 { figures.failed.to_string() } else { String::new() };
    let against = against(session, measured).unwrap_or_default();
    // Some contenders did a tenth: all are shown by the whole.
    let whole = session.find(workload, RETELL, "").map_or(figures.operations, |own| own.figures.operations);
    let took = whole as f64 / figures.per_second;
    let [p50, p99] = [latency(|latency| latency.p50_ms), latency(|latency| latency.p99_ms)];
    let bold = if contender == RETELL { "**" } else { "" };
    format!(
        "| {bold}{contender}{bold} | {store} | {settings} | {:.0} | {took:.3} | {p50} | {p99} | {against} | {lost} |\n",
        figures.per_second
    )
}

/// Retell's speed against a contender's: on the same kind of store, and on SQLite as durable as by default. Against a
/// floor, what part of it is reached.
fn against(session: &Session, measured: &Measured) -> Option<String> {
    let own = |store: &str| Some(session.find(&measured.workload, RETELL, store)?.figures.per_second);
    let theirs = measured.figures.per_second;
    match measured.contender.as_str() {
        RETELL => None,
        FLOOR => Some(format!("{:.1} percent", own(&measured.store)? / theirs * 100.0)),
        _ if measured.store.starts_with("memory") => Some(format!("{:.2} times", own("memory")? / theirs)),
        _ => Some(format!("{:.2} times", own("SQLite, synchronous=FULL")? / theirs)),
    }
}
