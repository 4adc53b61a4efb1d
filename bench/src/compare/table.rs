//! What came out, as a table in Markdown.

use crate::session::{FLOOR, FULL, MEMORY, Measured, RETELL, Session};

/// A table for each workload that has contenders: all of them, fastest first, and Retell's speed against each.
pub(crate) fn table(session: &Session) -> String {
    let mut text = String::new();
    let mut workloads: Vec<&str> =
        session.results.iter().map(|measured| measured.workload.as_str()).collect();
    workloads.dedup();
    for workload in workloads {
        if session.results.iter().filter(|measured| measured.workload == workload).count() < 2 {
            continue;
        }
        let unit =
            session.results.iter().find(|m| m.workload == workload).map_or("", |m| m.figures.unit.name());
        text += &format!("\n### {workload}\n\n");
        text += &format!(
            "| contender | store | settings | {unit}/s | time of the whole, s | p50 ms | p99 ms | Retell by default against it | Retell as durable as it | lost |\n"
        );
        text += "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
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
    let [by_default, as_durable] = against(session, measured);
    // Some contenders did a tenth: all are shown by the whole.
    let whole = session.find(workload, RETELL, "").map_or(figures.operations, |own| own.figures.operations);
    let took = whole as f64 / figures.per_second;
    let [p50, p99] = [latency(|latency| latency.p50_ms), latency(|latency| latency.p99_ms)];
    let bold = if contender == RETELL { "**" } else { "" };
    format!(
        "| {bold}{contender}{bold} | {store} | {settings} | {:.0} | {took:.3} | {p50} | {p99} | {by_default} | {as_durable} | {lost} |\n",
        figures.per_second
    )
}

/// Retell's speed against a contender's: with its defaults, and as durable as the contender. Against a floor, what part
/// of it is reached.
fn against(session: &Session, measured: &Measured) -> [String; 2] {
    let own = |store: &str| Some(session.find(&measured.workload, RETELL, store)?.figures.per_second);
    let share = |own: Option<f64>| own.map(|own| own / measured.figures.per_second);
    let times = |own| share(own).map_or(String::new(), |times| format!("{times:.2} times"));
    match measured.contender.as_str() {
        RETELL => Default::default(),
        FLOOR => {
            let percent = share(own(&measured.store)).map(|share| format!("{:.1} percent", share * 100.0));
            [String::new(), percent.unwrap_or_default()]
        }
        _ if measured.store.starts_with(MEMORY) => [String::new(), times(own(MEMORY))],
        _ => [times(own(FULL)), times(own(&measured.store))],
    }
}
