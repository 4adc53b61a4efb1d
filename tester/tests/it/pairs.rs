//! Abilities that meet each other: scopes and updates, steps and limits, patches and updates.

use std::time::Duration;

use retell::client::UpdateError;
use retell::history::Event;
use retell::prelude::*;
use retell::vocabulary::{FailureKind, TimeoutKind};
use retell::workflow::{CancelScope, QueryType, UpdateType, definition};
use retell_tester::{Explorer, Tester};

const SECOND: Duration = Duration::from_secs(1);
const PRINT: UpdateType<u32, u32> = UpdateType::new("print");
const STOP: UpdateType<(), usize> = UpdateType::new("stop");
const PRINTING: QueryType<(), usize> = QueryType::new("printing");

#[retell::activity]
async fn work(_cx: ActivityContext, number: u32) -> Result<u32, ActivityError> {
    Ok(number)
}

fn count(history: &[Event], name: &str) -> usize {
    history.iter().filter(|event| event.kind.name() == name).count()
}

/// What handlers and main body share: the scopes of the jobs that run, and whether there are to be more.
#[derive(Default)]
struct Jobs {
    open: Vec<CancelScope>,
    stopped: bool,
}

/// Each print job is an update in a scope of its own; stopping ends those that run, and then the run.
#[retell::workflow]
async fn printer(cx: WorkflowContext) -> WorkflowResult<()> {
    let jobs = cx.share(Jobs::default());
    jobs.handle_update(PRINT, async |cx, jobs, pages| {
        let scope = cx.scope();
        jobs.with(|jobs| jobs.open.push(scope.clone()));
        let printed = scope.cx().activity(work, &pages).await;
        jobs.with(|jobs| jobs.open.pop());
        Ok(printed?)
    });
    jobs.handle_update(STOP, async |_, jobs, ()| {
        // Their handlers are woken here, and run when this one rests.
        jobs.read(|jobs| jobs.open.iter().for_each(CancelScope::cancel));
        Ok(jobs.with(|jobs| {
            jobs.stopped = true;
            jobs.open.len()
        }))
    });
    jobs.handle_query(PRINTING, |jobs, ()| jobs.open.len());
    cx.wait_until(&jobs, |jobs| jobs.stopped).await?;
    Ok(cx.handlers_finished().await?)
}

#[test]
fn one_update_cancels_the_scopes_of_others_and_a_query_sees_it() {
    let tester = Tester::new().with_time_by_hand().workflow(printer);
    tester.fake(work).takes(60 * SECOND).answers(Ok);
    let run = tester.start(printer, "printer", ());
    let jobs: Vec<_> = (1..=3).map(|pages| run.send_update(PRINT, &pages).unwrap()).collect();
    tester.rest();
    assert_eq!(run.query(PRINTING, &()).unwrap(), 3);
    assert_eq!(run.update(STOP, &()).unwrap(), 3);
    for job in &jobs {
        let error = run.answer(job).unwrap_err();
        let UpdateError::Failed(failure) = &error else { panic!("{error}") };
        assert_eq!(failure.kind, FailureKind::Cancelled);
    }
    // The scopes were cancelled, and not the run; what it knows is asked after its end, too.
    run.result().unwrap();
    assert_eq!(run.query(PRINTING, &()).unwrap(), 0);
    assert_eq!(count(&run.history(), "ActivityCancelled"), 3);
}

#[test]
fn in_every_order_each_job_is_printed_or_stopped_and_says_which() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(printer).activity(work);
        tester.start(printer, "printer", ());
        tester
    })
    .update("printer", "print", &7)
    .update("printer", "stop", &())
    .crashes(1)
    .may_stay_open()
    .always("what is printed is told, and what is stopped", |ending| {
        match ending.answer::<u32>("printer: update print") {
            Some(Ok(pages)) => pages == 7 && ending.count("printer", "ActivityCompleted") == 1,
            Some(Err(UpdateError::Failed(failure))) => {
                failure.kind == FailureKind::Cancelled && ending.count("printer", "ActivityCancelled") == 1
            }
            Some(Err(UpdateError::RunEnded { .. })) | None => true,
            Some(Err(_)) => false,
        }
    })
    .run();
    assert!(explored.complete(), "{explored}");
}

/// Two steps that share a commit, each limited, and all of it within a time.
#[retell::workflow]
async fn limited(cx: WorkflowContext, within: u64) -> WorkflowResult<u32> {
    let steps = async {
        let mut sum = 0;
        for number in 1..=2 {
            sum += cx
                .step("slow", &number, |_cx, number: u32| async move { Ok(number) })
                .start_to_close(5 * SECOND)
                .retry(RetryPolicy::fixed(SECOND).attempts(2))
                .commit_later()
                .await?;
        }
        Ok::<_, WorkflowError>(sum)
    };
    cx.timeout(Duration::from_secs(within), steps).await?
}

#[test]
fn a_step_that_takes_too_long_is_tried_again_and_then_fails() {
    for (slow, ends) in [(1, None), (2, Some(TimeoutKind::StartToClose))] {
        let tester = Tester::new().workflow(limited);
        tester.fake_named::<u32, u32>("slow").when(|number| *number == 2).times(slow).never_returns();
        tester.fake_named::<u32, u32>("slow").answers(Ok);
        let run = tester.start(limited, "limited", 3_600);
        match (run.result(), ends) {
            (Ok(sum), None) => assert_eq!(sum, 3),
            (Err(retell::client::ResultError::Failed(failure)), Some(kind)) => {
                assert_eq!(failure.timeout_kind(), Some(kind));
            }
            (result, _) => panic!("{result:?}"),
        }
        assert_eq!(tester.calls().count("slow"), 3);
        assert_eq!(count(&run.history(), "ActivityCancelled"), 0);
    }
}

#[test]
fn a_time_limit_around_grouped_steps_ends_the_one_that_runs() {
    let tester = Tester::new().workflow(limited);
    tester.fake_named::<u32, u32>("slow").when(|number| *number == 2).times(1).never_returns();
    tester.fake_named::<u32, u32>("slow").answers(Ok);
    let run = tester.start(limited, "limited", 3);
    assert!(run.result().unwrap_err().to_string().contains("the time was up"));
    let history = run.history();
    assert_eq!((count(&history, "ActivityCompleted"), count(&history, "ActivityCancelled")), (1, 1));
}

/// Carries updates out in both ways of a change, until it is told to stop.
#[retell::workflow]
async fn changed(cx: WorkflowContext) -> WorkflowResult<()> {
    let stopped = cx.share(false);
    stopped.handle_update(PRINT, async |cx, _, pages| {
        let pages = if cx.patched("both sides") { pages.div_ceil(2) } else { pages };
        Ok(cx.activity(work, &pages).await?)
    });
    stopped.handle_update(STOP, async |_, stopped, ()| {
        stopped.with(|stopped| *stopped = true);
        Ok(0)
    });
    cx.wait_until(&stopped, |stopped| *stopped).await?;
    Ok(cx.handlers_finished().await?)
}

mod before {
    use super::*;

    #[retell::workflow]
    pub(super) async fn changed(cx: WorkflowContext) -> WorkflowResult<()> {
        let stopped = cx.share(false);
        stopped.handle_update(PRINT, async |cx, _, pages| Ok(cx.activity(work, &pages).await?));
        stopped.handle_update(STOP, async |_, stopped, ()| {
            stopped.with(|stopped| *stopped = true);
            Ok(0)
        });
        cx.wait_until(&stopped, |stopped| *stopped).await?;
        Ok(cx.handlers_finished().await?)
    }
}

#[test]
fn updates_of_a_run_that_passed_before_a_patch_go_the_old_way() {
    let tester = Tester::new().workflow(before::changed).activity(work);
    let run = tester.start(before::changed, "old", ());
    assert_eq!(run.update(PRINT, &10).unwrap(), 10);
    run.update(STOP, &()).unwrap();
    run.result().unwrap();
    let (new, history) = (definition::<changed>().unwrap(), run.history());
    // Closed, and open behind the first update.
    for open in [history.len(), 6] {
        retell::replay::check(&new, run.key(), &history[..open]).unwrap();
    }
}

#[test]
fn updates_of_a_new_run_go_the_new_way_and_hold_one_marker() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(changed).activity(work);
        tester.start(changed, "new", ());
        tester
    })
    .update("new", "print", &10)
    .update("new", "print", &20)
    .update("new", "stop", &())
    .crashes(1)
    .may_stay_open()
    .always("the new way", |ending| {
        let printed = [("new: update print", 5), ("new: update print (2)", 10)];
        let way = |(action, pages): &(&str, u32)| match ending.answer::<u32>(action) {
            Some(Ok(printed)) => printed == *pages,
            Some(Err(UpdateError::RunEnded { .. })) | None => true,
            Some(Err(_)) => false,
        };
        let began = usize::from(ending.count("new", "ActivityScheduled") > 0);
        printed.iter().all(way) && ending.count("new", "PatchRecorded") == began
    })
    .run();
    assert!(explored.complete(), "{explored}");
}
