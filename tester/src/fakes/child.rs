//! A stand-in for a child workflow: a real run of the workflow's name, whose code is one call of a fake.

use std::marker::PhantomData;

use retell::activity::{Activity, ActivityContext, ActivityError};
use retell::vocabulary::RetryPolicy;
use retell::workflow::{Workflow, WorkflowContext, WorkflowResult};

/// Stands in for the code of `W`.
pub(crate) struct StandIn<W>(PhantomData<fn() -> W>);

/// What the stand-in calls: an activity of the workflow's name, which only fakes answer.
struct Answers<W>(PhantomData<fn() -> W>);

impl<W: Workflow> Workflow for StandIn<W> {
    type Input = W::Input;
    type Output = W::Output;
    const NAME: &'static str = W::NAME;
    const VERSION: u32 = W::VERSION;

    async fn run(cx: WorkflowContext, input: W::Input) -> WorkflowResult<W::Output> {
        let call = cx.activity(Answers::<W>(PhantomData), &input);
        drop(input);
        // A fake that fails is the child's failure, once and for all.
        Ok(call.retry(RetryPolicy::exponential().attempts(1)).await?)
    }
}

impl<W: Workflow> Activity for Answers<W> {
    type Input = W::Input;
    type Output = W::Output;
    const NAME: &'static str = W::NAME;

    async fn run(_cx: ActivityContext, _input: W::Input) -> Result<W::Output, ActivityError> {
        Err(ActivityError::new("NotFaked", "the child workflow has a stand-in, but no fake that answers"))
    }
}
