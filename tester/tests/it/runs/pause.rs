//! Runs that are paused and resumed.

use std::time::Duration;

use retell::backend::StatusFilter;
use retell::client::{ResultError, UpdateError};
use retell::prelude::*;
use retell::vocabulary::{RequestId, TimeoutKind};
use retell::workflow::UpdateType;
use retell::write::CloseStatus;
use retell_tester::{TestRun, Tester};

const MINUTE: Duration = Duration::from_secs(60);
const ADD: UpdateType<u32, u32> = UpdateType::new("add");

#[retell::activity]
async fn fetch(_cx: ActivityContext, page: u32) -> Result<u32, ActivityError> {
    Ok(page)
}

/// Tells what it noticed, and when, in minutes since its start.
#[retell::workflow]
async fn diary(cx: WorkflowContext) -> WorkflowResult<String> {
    let began = cx.now();
    let pages = cx.share(Vec::<String>::new());
    pages.handle_query("pages", |pages, ()| pages.join(", "));
    pages.handle_update(ADD, async |_cx, pages, page| Ok(pages.with(|pages| pages.len() as u32 + page)));
    let note = |what: &str| {
        let minutes = cx.now().since(began).as_secs() / 60;
        pages.with(|pages| pages.push(format!("{what} {minutes}")));
    };
    let reads = async {
        let page = cx.activity(fetch, &1).await?;
        note(&format!("page {page}"));
        Ok::<_, WorkflowError>(())
    };
    let sleeps = async {
        cx.sleep(2 * MINUTE).await?;
        note("woken");
        Ok::<_, WorkflowError>(())
    };
    let hears = async {
        for _ in 0..2 {
            let word = cx.signal::<String>("word").await?;
            note(&word);
            cx.upsert_memo(word.as_str(), &true)?;
        }
        Ok::<_, WorkflowError>(())
    };
    let (read, slept, heard) = retell::join!(reads, sleeps, hears);
    read?;
    slept?;
    heard?;
    Ok(pages.with(|pages| pages.join(", ")))
}

fn pages(run: &TestRun<diary>) -> String {
    run.query("pages", &()).unwrap()
}

fn paused(tester: &Tester) -> usize {
    let page = tester.call(tester.client().runs().status(StatusFilter::Paused).into_future());
    page.unwrap().runs.len()
}

/// A diary that is paused after a minute; an activity ends, words come, and a timer is due before it is resumed.
fn paused_diary(tester: &Tester) -> TestRun<diary> {
    tester.fake(fetch).takes(MINUTE * 3 / 2).returns(1);
    let run = tester.start(diary, "diary", ());
    tester.advance(MINUTE);
    run.pause("a look at it").unwrap();
    tester.rest();
    run.signal("word", "one").unwrap();
    tester.advance(2 * MINUTE);
    run.signal("word", "two").unwrap();
    tester.rest();
    run
}

#[test]
fn what_comes_to_a_paused_run_waits_and_is_applied_in_order_when_it_is_resumed() {
    for crash in [false, true] {
        let tester = Tester::new().workflow(diary);
        let run = paused_diary(&tester);
        assert_eq!(paused(&tester), 1);
        assert!(run.describe().unwrap().paused);
        assert_eq!(pages(&run), "", "nothing is told to the code");
        if crash {
            tester.crash();
            tester.rest();
            assert_eq!((pages(&run), paused(&tester)), (String::new(), 1));
        }
        let kinds: Vec<_> = run.history().iter().map(|event| event.kind.name()).collect();
        assert_eq!(
            kinds[3..],
            ["WorkflowPaused", "SignalReceived", "ActivityCompleted", "SignalReceived"],
            "it is recorded as it came"
        );
        tester.advance(MINUTE);
        run.resume().unwrap();
        assert_eq!(run.result().unwrap(), "one 4, page 1 4, two 4, woken 4");
        assert_eq!(paused(&tester), 0);
        assert_eq!(tester.calls().count("fetch"), 1);
    }
}

#[test]
fn a_paused_run_can_be_terminated_and_its_limits_go_on() {
    let tester = Tester::new().workflow(diary);
    let run = paused_diary(&tester);
    run.terminate("enough").unwrap();
    assert!(matches!(run.result(), Err(ResultError::Terminated(_))));
    tester.fake(fetch).returns(1);
    let run = tester.start_with(diary, "limited", (), |call| call.run_timeout(10 * MINUTE)).unwrap();
    run.pause("for ever").unwrap();
    run.signal("word", "unread").unwrap();
    assert!(matches!(run.result(), Err(ResultError::TimedOut(TimeoutKind::Run))));
    assert_eq!(run.closed(), Some(CloseStatus::TimedOut));
}

#[test]
fn updates_and_cancel_requests_wait_for_the_resumption() {
    let tester = Tester::new().workflow(diary);
    let run = paused_diary(&tester);
    let sent = run.send_update(ADD, &5).unwrap();
    tester.advance(MINUTE);
    assert_eq!(run.closed(), None);
    let resumes = run.clone();
    tester.after(MINUTE, move |_| resumes.resume().unwrap());
    // It comes after the two words and the page.
    assert_eq!(run.answer(&sent).unwrap(), 8);
    let run = tester.start(diary, "cancelled", ());
    run.pause("a look at it").unwrap();
    run.cancel("enough").unwrap();
    let sent = run.send_update(ADD, &5).unwrap();
    tester.advance(10 * MINUTE);
    assert_eq!(run.closed(), None, "the code is not asked");
    run.resume().unwrap();
    assert!(matches!(run.result(), Err(ResultError::Cancelled)));
    assert!(matches!(run.answer(&sent), Err(UpdateError::RunEnded { .. })));
}

#[test]
fn pausing_twice_and_resuming_what_runs_changes_nothing() {
    let tester = Tester::new().workflow(diary).activity(fetch);
    let run = tester.start(diary, "diary", ());
    run.resume().unwrap();
    run.pause("one").unwrap();
    run.pause("two").unwrap();
    run.signal("word", "one").unwrap();
    run.resume().unwrap();
    run.signal("word", "two").unwrap();
    assert_eq!(run.result().unwrap(), "page 1 0, one 0, two 0, woken 2");
}

#[test]
fn a_pause_sent_twice_under_one_request_id_counts_once() {
    let tester = Tester::new().workflow(diary).activity(fetch);
    let run = tester.start(diary, "diary", ());
    let client = tester.client();
    let handle = client.handle(diary, "diary").unwrap();
    let (pause, resume) = (RequestId::from_key("pause"), RequestId::from_key("resume"));
    for _ in 0..2 {
        tester.call(handle.pause_with("once", pause)).unwrap();
        tester.call(handle.resume_with(resume)).unwrap();
    }
    tester.rest();
    let of = |name| run.history().iter().filter(|event| event.kind.name() == name).count();
    assert_eq!((of("WorkflowPaused"), of("WorkflowResumed")), (1, 1));
}

#[test]
fn pauses_that_come_while_a_run_continues_as_new_are_for_the_next() {
    #[retell::workflow]
    async fn twice(cx: WorkflowContext, number: u32) -> WorkflowResult<u32> {
        if number == 0 {
            cx.sleep(MINUTE).await?;
            return cx.continue_as_new(twice, &1);
        }
        cx.signal::<()>("go").await?;
        Ok(number)
    }
    let tester = Tester::new().workflow(twice);
    let run = tester.start(twice, "twice", 0);
    run.pause("a while").unwrap();
    tester.advance(2 * MINUTE);
    assert_eq!(run.histories().len(), 1);
    run.signal("go", &()).unwrap();
    run.resume().unwrap();
    assert_eq!(run.result().unwrap(), 1);
}
