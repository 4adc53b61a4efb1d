//! The corpus: bugs as engineers write them, each found by the explorer with the shortest script that tells it, and
//! each beside its fix, in which all schedules are tried and nothing is found.
//!
//! The world outside is [`Outside`], a new one for each schedule: activities change it, invariants look at it.

mod cancellation;
mod compensation;
mod concurrency;
mod continue_as_new;
mod crashes;
mod messages;
mod timers;

use std::sync::Mutex;
use std::time::Duration;

use retell::prelude::*;
use retell_tester::{Ending, Explorer, Tester};

/// The most schedules until a bug is found: a schedule takes milliseconds, so that is a few seconds.
const SCHEDULES_MAX: usize = 500;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Checks that the explorer of the faulty code finds what breaks, with this script and no shorter one, that the script
/// leads there again, and that the mended code holds in all schedules.
#[track_caller]
fn check(faulty: &Explorer, mended: &Explorer, breaks: &str, script: &[&str]) {
    let found = faulty.try_run().expect_err("the bug is found");
    assert_eq!((found.what.as_str(), &found.script[..]), (breaks, &owned(script)[..]), "{found}");
    assert_eq!(found.seed, None, "it was found by drawing lots: {found}");
    assert!(found.schedules <= SCHEDULES_MAX, "it took {} schedules", found.schedules);
    let again = faulty.try_follow(script).expect_err("the script leads there again");
    assert_eq!((again.what.as_str(), &again.told), (breaks, &found.told));
    let explored = mended.run();
    assert!(explored.complete(), "{explored}");
}

fn owned(script: &[&str]) -> Vec<String> {
    script.iter().map(|step| (*step).to_owned()).collect()
}

/// What activities have done to the world outside, in order.
#[derive(Default)]
struct Outside(Mutex<Vec<String>>);

impl Outside {
    fn did(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn times(&self, what: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|did| *did == what).count()
    }
}

/// What an ending has of it.
fn times(ending: &Ending<'_>, what: &str) -> usize {
    ending.state::<Outside>().times(what)
}

/// Does something, as [`Outside`] then shows.
fn did(cx: &ActivityContext, what: impl Into<String>) -> Result<(), ActivityError> {
    cx.state::<Outside>()?.did(what);
    Ok(())
}

#[retell::activity]
async fn charge(cx: ActivityContext) -> Result<(), ActivityError> {
    did(&cx, "charge")
}

/// Gives back what was charged; if nothing was, nothing.
#[retell::activity]
async fn refund(cx: ActivityContext) -> Result<(), ActivityError> {
    let outside = cx.state::<Outside>()?;
    if outside.times("refund") < outside.times("charge") {
        outside.did("refund");
    }
    Ok(())
}

#[retell::activity]
async fn ship(cx: ActivityContext) -> Result<(), ActivityError> {
    did(&cx, "ship")
}

/// A run of the workflow under the ID `order`, with the activities of a shop.
#[track_caller]
fn order<W: Workflow<Input = ()>, M>(workflow: impl NamesWorkflow<W, M> + Copy) -> Explorer {
    order_with(workflow, |tester| tester)
}

/// As [`order`], with more activities.
#[track_caller]
fn order_with<W: Workflow<Input = ()>, M>(
    workflow: impl NamesWorkflow<W, M> + Copy,
    more: fn(Tester) -> Tester,
) -> Explorer {
    Explorer::new(move |tester| {
        let shop = tester.state(Outside::default()).activity(charge).activity(refund).activity(ship);
        let tester = more(shop).workflow(workflow);
        tester.start(workflow, "order", ());
        tester
    })
}

const GOODS_OR_MONEY: &str = "who has paid gets the goods or the money back, and not both";

/// [`GOODS_OR_MONEY`].
fn goods_or_money(ending: &Ending<'_>) -> bool {
    times(ending, "charge") == times(ending, "ship") + times(ending, "refund")
}
