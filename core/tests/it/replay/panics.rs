//! Code that panics.

use retell::replay::{MachineOptions, PanicPolicy, TaskError};
use retell::vocabulary::FailureKind;
use retell::workflow::Workflow;

use super::kit::*;

workflow!(Panicking, |cx| {
    let mut ship = cx.activity(Ship, &"a".to_owned());
    let _ = poll_once(&mut ship).await;
    let mut charge = cx.activity(Charge, &"c".to_owned());
    let _ = poll_once(&mut charge).await;
    cx.signal::<String>("go").await?;
    let _bill = cx.activity(Bill, &"b".to_owned());
    panic!("out of {}", "luck");
});

#[test]
fn a_panic_fails_the_task_and_leaves_nothing_of_it() {
    let mut run = Run::start::<Panicking>(&());
    let (events, signal) = (run.events.clone(), run.signal_event("go", ""));
    let error = run.try_take_in(signal).unwrap_err();
    let TaskError::Panic { message, place } = &error else { panic!("{error}") };
    assert_eq!(message, "out of luck");
    assert_eq!(&*place.as_ref().unwrap().file, "tests/it/replay/panics.rs");
    assert_eq!(run.events, events);
}

#[test]
fn a_panic_fails_the_run_where_the_user_chose_so() {
    let options = MachineOptions { panics: PanicPolicy::FailRun, ..Default::default() };
    let mut run = Run::try_start::<Panicking>(&(), options.clone()).unwrap();
    run.signal("go", "");
    // What the unwinding drops cancels nothing by itself; the end of the run does.
    assert_eq!(run.told()[4..], ["cancelled 2", "cancelled 3", "WorkflowFailed"]);
    assert_eq!((run.failure().kind, &*run.failure().message), (FailureKind::Panic, "out of luck"));
    let mut again = machine::<Panicking>(options);
    again.replay(run.events.clone()).unwrap();
    again.replayed().unwrap();
}

#[test]
fn a_panic_before_the_first_await_and_in_a_drop_is_caught() {
    struct Eager;
    impl Workflow for Eager {
        type Input = ();
        type Output = ();
        const NAME: &'static str = "W";
        #[allow(clippy::manual_async_fn)]
        fn run(
            _cx: retell::workflow::WorkflowContext,
            _input: (),
        ) -> impl Future<Output = retell::workflow::WorkflowResult<()>> + Send + 'static {
            assert!(std::env::args().next().is_none(), "eagerly");
            async { Ok(()) }
        }
    }
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    workflow!(Dropping, |cx| {
        let _bomb = Bomb;
        cx.sleep(seconds(1)).await?;
        Ok(String::new())
    });
    let error = Run::try_start::<Eager>(&(), MachineOptions::default()).map(drop).unwrap_err();
    assert!(error.to_string().contains("eagerly"), "{error}");
    // At eviction it is nobody's.
    drop(Run::start::<Dropping>(&()));
    let mut run = Run::start::<Dropping>(&());
    run.now = run.now + seconds(1);
    let fired = retell::history::TimerFired { started: retell::vocabulary::EventId(2) };
    assert!(run.try_take_in(fired.into()).unwrap_err().to_string().contains("dropped"));
}
