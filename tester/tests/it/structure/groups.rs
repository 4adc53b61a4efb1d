//! Steps that share a commit: what that saves, and what a crash repeats.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use retell::prelude::*;
use retell_tester::{Explorer, Tester, Trouble};

use super::{count, names};

const SECOND: Duration = Duration::from_secs(1);

/// What the steps have done, in order, where a crash does not reach it.
type Done = Arc<Mutex<Vec<String>>>;

fn done(done: &Done) -> String {
    done.lock().unwrap().join(" ")
}

async fn note(cx: ActivityContext, name: String) -> Result<String, ActivityError> {
    cx.state::<Done>()?.lock().unwrap().push(name.clone());
    Ok(name)
}

/// Does what it is told, in order: in lower case grouped, in upper case not.
#[retell::workflow]
async fn spells(cx: WorkflowContext, word: String) -> WorkflowResult<String> {
    let mut spelt = String::new();
    for letter in word.chars() {
        let step = cx.step("letter", &letter.to_string(), note);
        spelt += &match letter.is_lowercase() {
            true => step.commit_later().await?,
            false => step.await?,
        };
    }
    Ok(spelt)
}

fn tester(done: &Done) -> Tester {
    Tester::new().workflow(spells).state(done.clone())
}

#[test]
fn a_group_costs_one_commit_together_with_what_comes_after_it() {
    for (word, commits) in [("A", 2), ("abcde", 2), ("abcDefg", 4), ("ABC", 4), ("aB", 3), ("aBCd", 5)] {
        let (done, word) = (Done::default(), word.to_owned());
        let tester = tester(&done);
        let run = tester.start(spells, "spells", word.clone());
        assert_eq!(run.result().unwrap(), word);
        assert_eq!(tester.commits(), commits, "{word}");
        assert_eq!(count(&run.history(), "ActivityCompleted"), word.len());
        assert_eq!(names(&run.history())[..2], ["WorkflowStarted", "ActivityScheduled"]);
    }
}

#[test]
fn a_crash_repeats_the_group_that_was_not_stored_and_nothing_else() {
    // The first commit is that of the start; the second one holds the group.
    let (word, before) = ("abcD", "a b c a b c D");
    let done_by = Done::default();
    let tester = tester(&done_by);
    tester.crash_before_commit(1);
    let run = tester.start(spells, "spells", word.to_owned());
    assert_eq!(run.result().unwrap(), word);
    assert_eq!(done(&done_by), before);
    assert_eq!(count(&run.history(), "ActivityScheduled"), 4);
}

#[test]
fn what_was_stored_with_the_group_is_not_repeated() {
    for (commits, before) in [(2, "a b C C d e"), (3, "a b C d e d e")] {
        let done_by = Done::default();
        let tester = tester(&done_by);
        tester.crash_before_commit(commits);
        assert_eq!(tester.start(spells, "spells", "abCde".to_owned()).result().unwrap(), "abCde");
        assert_eq!(done(&done_by), before);
    }
}

#[test]
fn a_worker_that_dies_between_two_steps_of_a_group_leaves_its_first_one() {
    let done_by = Done::default();
    let tester = tester(&done_by).with_time_by_hand();
    tester.fake_named::<String, String>("letter").when(|letter| letter == "c").times(1).never_returns();
    tester
        .fake_named::<String, String>("letter")
        .answers_with_context(|cx, letter| futures::FutureExt::now_or_never(note(cx, letter)).unwrap());
    let run = tester.start(spells, "spells", "Zabc".to_owned());
    tester.rest();
    let known = ["WorkflowStarted", "ActivityScheduled", "ActivityCompleted", "ActivityScheduled"];
    assert_eq!(names(&run.history()), known, "b and c are known to nobody");
    tester.crash();
    tester.advance(60 * SECOND);
    assert_eq!(run.result().unwrap(), "Zabc");
    assert_eq!(done(&done_by), "Z a b a b c");
}

#[test]
fn in_every_order_of_crashes_and_failures_each_step_is_recorded_once() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(spells).state(Done::default());
        tester.start(spells, "spells", "abC".to_owned());
        tester
    })
    .crashes(2)
    .failures(1)
    .always("three steps", |ending| {
        ending.result(spells, "spells").unwrap().unwrap() == "abC"
            && ending.count("spells", "ActivityCompleted") == 3
    })
    .always("C begins after a and b are stored", |ending| {
        let done = ending.state::<Done>();
        let done = done.lock().unwrap();
        done.iter().skip_while(|letter| *letter != "C").all(|letter| letter == "C")
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

/// What the clock shows around steps that take their time, and around a timer after them.
#[retell::workflow]
async fn takes_time(cx: WorkflowContext) -> WorkflowResult<Vec<u64>> {
    let began = cx.now();
    let mut passed = Vec::new();
    for number in 0..3 {
        cx.step("slow", &number, |_cx, number: u32| async move { Ok(number) }).commit_later().await?;
        passed.push(cx.now().since(began).as_secs());
    }
    cx.sleep(5 * SECOND).await?;
    passed.push(cx.now().since(began).as_secs());
    Ok(passed)
}

#[test]
fn time_passes_within_a_group_and_is_replayed() {
    let tester = Tester::new().workflow(takes_time);
    tester.fake_named::<u32, u32>("slow").takes(10 * SECOND).answers(Ok);
    let run = tester.start(takes_time, "time", ());
    assert_eq!(run.result().unwrap(), [10, 20, 30, 35]);
    assert_eq!(tester.commits(), 3);
    // From the stored records, too.
    tester.crash();
    let history = run.history();
    let ended = history.iter().filter(|event| event.kind.name() == "ActivityCompleted");
    let at = ended.map(|event| event.at.since(history[0].at).as_secs());
    assert_eq!(at.collect::<Vec<_>>(), [10, 20, 30]);
}

/// A group beside which signals come in.
#[retell::workflow]
async fn listens(cx: WorkflowContext, steps: u32) -> WorkflowResult<u32> {
    let heard = cx.share(0);
    heard.handle_signal("say", |heard, (): ()| *heard += 1);
    for step in 0..steps {
        let slow = cx.step("slow", &step, |_cx, step: u32| async move { Ok(step) });
        slow.retry(RetryPolicy::fixed(SECOND).attempts(5)).commit_later().await?;
    }
    Ok(heard.read(|heard| *heard))
}

fn slow(steps: u32) -> (Tester, retell_tester::TestRun<listens>) {
    let tester = Tester::new().with_time_by_hand().workflow(listens);
    tester.fake_named::<u32, u32>("slow").takes(10 * SECOND).answers(Ok);
    let run = tester.start(listens, "listens", steps);
    (tester, run)
}

#[test]
fn a_message_is_stored_at_once_and_takes_the_group_along() {
    let (tester, run) = slow(4);
    tester.advance(25 * SECOND);
    assert_eq!(count(&run.history(), "ActivityCompleted"), 0);
    run.signal("say", &()).unwrap();
    tester.rest();
    let stored = names(&run.history());
    assert_eq!(stored[stored.len() - 2..], ["ActivityScheduled", "SignalReceived"]);
    assert_eq!(count(&run.history(), "ActivityCompleted"), 2);
    tester.advance(25 * SECOND);
    assert_eq!((run.result().unwrap(), tester.commits()), (1, 3));
}

#[test]
fn a_step_that_waits_for_its_next_attempt_has_all_before_it_stored() {
    let tester = Tester::new().with_time_by_hand().workflow(listens);
    let busy = ActivityError::new("Busy", "try again");
    tester.fake_named::<u32, u32>("slow").when(|step| *step == 2).times(2).fails(busy);
    tester.fake_named::<u32, u32>("slow").answers(Ok);
    let run = tester.start(listens, "listens", 4);
    tester.rest();
    assert_eq!(count(&run.history(), "ActivityCompleted"), 2);
    tester.crash();
    tester.advance(60 * SECOND);
    assert_eq!(run.result().unwrap(), 0);
    // 0 and 1 once, 2 twice in vain and once more after the crash, 3 once.
    assert_eq!(tester.calls().count("slow"), 6);
}

#[test]
fn a_long_group_is_stored_in_parts() {
    let tester = Tester::new().workflow(listens);
    tester.fake_named::<u32, u32>("slow").answers(Ok);
    let run = tester.start(listens, "listens", 2_500);
    assert_eq!(run.result().unwrap(), 0);
    assert_eq!(tester.commits(), 4, "the first task, two of 1,000 steps, and the rest");
}

#[retell::workflow]
async fn panics_afterwards(cx: WorkflowContext) -> WorkflowResult<()> {
    for letter in ["a", "b"] {
        cx.step("letter", &letter.to_owned(), note).commit_later().await?;
    }
    panic!("a mistake");
}

#[test]
fn code_that_panics_repeats_its_group_once_and_not_at_each_try() {
    let done_by = Done::default();
    let tester = Tester::new().with_time_by_hand().workflow(panics_afterwards).state(done_by.clone());
    let run = tester.start(panics_afterwards, "panics", ());
    tester.advance(600 * SECOND);
    assert!(run.describe().unwrap().failure.unwrap().count > 5);
    // The first one's outcome was known to be its own.
    assert_eq!(done(&done_by), "a b b");
    let trouble = run.try_result().unwrap_err();
    assert!(matches!(trouble, Trouble::TaskFailed { .. }), "{trouble}");
}

/// Two branches: one of grouped steps, one that ends it.
#[retell::workflow]
async fn is_ended(cx: WorkflowContext) -> WorkflowResult<bool> {
    let scope = cx.scope();
    let works = async {
        for number in 0..100 {
            let slow = scope.cx().step("slow", &number, |_cx, number: u32| async move { Ok(number) });
            slow.commit_later().await?;
        }
        Ok::<_, WorkflowError>(())
    };
    let ends = async {
        cx.sleep(35 * SECOND).await?;
        scope.cancel();
        Ok::<_, WorkflowError>(())
    };
    let (worked, ended) = retell::join!(works, ends);
    ended?;
    Ok(worked.is_err_and(|error| error.is_cancelled()))
}

#[test]
fn a_grouped_step_that_is_let_go_of_is_stopped() {
    let tester = Tester::new().workflow(is_ended);
    tester.fake_named::<u32, u32>("slow").takes(10 * SECOND).answers(Ok);
    let run = tester.start(is_ended, "ended", ());
    assert!(run.result().unwrap());
    let history = run.history();
    assert_eq!((count(&history, "ActivityCompleted"), count(&history, "ActivityCancelled")), (3, 1));
    assert_eq!(tester.calls().count("slow"), 4);
    assert_eq!(tester.commits(), 2);
}
