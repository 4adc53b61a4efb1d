//! What is open when the function returns: activities and timers are cancelled, by a stated rule.

use std::time::Duration;

use retell::prelude::*;
use retell_tester::Tester;

use super::{names, work};

#[retell::workflow]
async fn returns_early(cx: WorkflowContext, fails: bool) -> WorkflowResult<()> {
    cx.activity(work, &1).detach()?;
    let never = async {
        let waited =
            retell::join!(cx.activity(work, &2), cx.sleep(Duration::from_secs(9)), cx.signal::<()>("go"));
        waited.0.map(drop)
    };
    retell::select! {
        done = never => done?,
        failed = async {
            cx.sleep(Duration::from_secs(1)).await?;
            if fails { Err(WorkflowError::new("early")) } else { Ok(()) }
        } => failed?,
    }
    Ok(())
}

#[test]
fn open_activities_and_timers_are_cancelled_before_the_run_closes() {
    for fails in [false, true] {
        let tester = Tester::new().workflow(returns_early);
        tester.fake(work).never_returns();
        let run = tester.start(returns_early, "early", fails);
        assert_eq!(run.result().is_err(), fails);
        let history = run.history();
        let closed = if fails { "WorkflowFailed" } else { "WorkflowCompleted" };
        assert_eq!(
            names(&history)[5..],
            ["TimerFired", "ActivityCancelled", "TimerCancelled", "ActivityCancelled", closed],
            "the losers of the select first, then what was detached"
        );
    }
}
