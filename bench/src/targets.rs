//! What we want to reach, and whether a session did.

use crate::measure::Figures;
use crate::session::{FULL, MEMORY, RETELL, Session};

/// A figure that is to be reached.
struct Target {
    text: &'static str,
    figure: fn(&Session) -> Option<f64>,
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

const fn target(text: &'static str, bound: Bound, figure: fn(&Session) -> Option<f64>) -> Target {
    Target { text, figure, bound }
}

const TARGETS: &[Target] = &[
    target("w1, activities/s", AtLeast(60_000.0), |s| rate(s, "w1", FULL)),
    target("w1, times duroxide's fastest on SQLite", AtLeast(150.0), |s| {
        over(s, "w1", "duroxide", FULL, "SQLite")
    }),
    target("w1, times durare's fastest on SQLite", AtLeast(12.0), |s| {
        over(s, "w1", "durare", FULL, "SQLite")
    }),
    target("w2, activities/s", AtLeast(60_000.0), |s| rate(s, "w2", FULL)),
    target("w3, p50 in ms", AtMost(0.6), |s| p50(s, "w3")),
    target("w3, p99 in ms", AtMost(2.0), |s| Some(own(s, "w3", FULL)?.latency.as_ref()?.p99_ms)),
    target("w4, s", AtMost(0.3), |s| Some(own(s, "w4", FULL)?.took_s)),
    target("long, last thousand over the first", AtMost(1.1), |s| extra(s, "long", "last thousand / first")),
    target("w5, s", AtMost(1.05), |s| Some(own(s, "w5", FULL)?.took_s)),
    target("steps, p50 in ms", AtMost(1.0), |s| p50(s, "steps")),
    target("parallel, 10,000 over 5,000", AtMost(2.2), |s| extra(s, "parallel", "all / half of them")),
    target("w1 in memory, activities/s", AtLeast(300_000.0), |s| rate(s, "w1", MEMORY)),
    target("w1 in memory, times durare's", AtLeast(1.0), |s| over(s, "w1", "durare", MEMORY, MEMORY)),
    target("tree, times go-workflows' fastest on SQLite", AtLeast(30.0), |s| {
        over(s, "tree", "go-workflows", FULL, "SQLite")
    }),
    target("tree in memory, times go-workflows'", AtLeast(30.0), |s| {
        over(s, "tree", "go-workflows", MEMORY, MEMORY)
    }),
    target("long, events replayed in a second on one core", AtLeast(2e6), |s| extra(s, "long", "replay")),
    target("sleepers, idle CPU in percent", AtMost(0.5), |s| extra(s, "sleepers", "idle CPU")),
    target("sleepers, memory in MiB", AtMost(400.0), |s| extra(s, "sleepers", "memory, all asleep")),
    target("sleepers, ready after a restart in s", AtMost(2.0), |s| {
        extra(s, "sleepers", "restart until a new run has ended")
    }),
    // One more than there are activities, for the start.
    target("w4, commits for each activity", AtMost(1.01), |s| own(s, "w4", FULL)?.commits_each),
    target("w3, bytes written for a workflow of one activity alone", AtMost(60_000.0), |s| {
        own(s, "w3", FULL)?.written_each
    }),
    target("burst, bytes written for a workflow of one activity under load", AtMost(4_000.0), |s| {
        own(s, "burst", FULL)?.written_each
    }),
];

/// Prints what this session can say of the targets.
pub(crate) fn print(session: &Session) {
    let lines = lines(session);
    if !lines.is_empty() {
        println!("\ntargets (SQLite, synchronous=FULL, unless named otherwise)");
        lines.iter().for_each(|line| println!("{line}"));
    }
}

fn lines(session: &Session) -> Vec<String> {
    let line = |target: &Target| {
        let figure = (target.figure)(session)?;
        let (reached, bound) = match target.bound {
            AtLeast(bound) => (figure >= bound, format!("at least {bound}")),
            AtMost(bound) => (figure <= bound, format!("at most {bound}")),
        };
        let verdict = if reached { "reached    " } else { "NOT REACHED" };
        Some(format!("  {verdict}  {}: {figure:.3} ({bound})", target.text))
    };
    TARGETS.iter().filter_map(line).collect()
}

fn own<'a>(session: &'a Session, workload: &str, store: &str) -> Option<&'a Figures> {
    session.find(workload, RETELL, store).map(|measured| &measured.figures)
}

fn rate(session: &Session, workload: &str, store: &str) -> Option<f64> {
    Some(own(session, workload, store)?.per_second)
}

fn p50(session: &Session, workload: &str) -> Option<f64> {
    Some(own(session, workload, FULL)?.latency.as_ref()?.p50_ms)
}

fn extra(session: &Session, workload: &str, name: &str) -> Option<f64> {
    own(session, workload, FULL)?.extra(name)
}

/// How many times a peer's fastest settings.
fn over(session: &Session, workload: &str, peer: &str, store: &str, peers_store: &str) -> Option<f64> {
    let peer = session.fastest(workload, peer, peers_store)?;
    Some(rate(session, workload, store)? / peer.figures.per_second)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::{Sample, Unit};
    use crate::session::{DEFAULTS, Measured};

    fn measured(contender: &str, store: &str, milliseconds: u64) -> Measured {
        let sample =
            Sample { operations: 2_000, took: Duration::from_millis(milliseconds), ..Sample::default() };
        Measured {
            workload: "w1".to_owned(),
            contender: contender.to_owned(),
            store: store.to_owned(),
            settings: DEFAULTS.to_owned(),
            count: 200,
            figures: Figures::of(Unit::Activities, &[sample]),
            limit_per_second: None,
        }
    }

    #[test]
    fn only_what_was_measured_is_judged() {
        let mut session = Session::begin();
        assert!(lines(&session).is_empty());
        session.results.push(measured(RETELL, FULL, 20));
        session.results.push(measured("durare 0.5.0", "SQLite, synchronous=NORMAL", 400));
        session.results.push(measured("durare 0.5.0", "SQLite, synchronous=FULL", 100));
        let lines = lines(&session);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("reached") && lines[0].contains("100000.000"), "{lines:?}");
        assert!(lines[1].contains("NOT REACHED") && lines[1].contains("durare"), "{lines:?}");
    }
}
