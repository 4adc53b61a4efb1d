//! The attribute macros, where they work.

use std::sync::Arc;

use retell::activity::{
    Activity, ActivityContext, ActivityDefinition, ActivityError, ActivityInfo, ActivityRun, CancelFlag,
    NamesActivity, SharedState,
};
use retell::vocabulary::{ActivityName, Attempt, EventId, Namespace, Payload, RunId, RunKey, WorkflowId};
use retell::workflow::{NamesWorkflow, Workflow, WorkflowContext, WorkflowResult, workflow_type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    amount: u32,
}

/// Charges, and takes its input apart.
#[retell::activity(name = "charge-v1")]
async fn charge(
    cx: ActivityContext,
    Order { id, mut amount }: Order,
) -> Result<(u64, String), ActivityError> {
    amount += 1;
    Ok((id, format!("{amount} for {}", cx.idempotency_key())))
}

#[retell::activity]
fn r#move(_cx: ActivityContext, text: String) -> Result<usize, ActivityError> {
    if text.is_empty() {
        return Err(ActivityError::new("Empty", "nothing to move"));
    }
    Ok(text.len())
}

type Outcome = Result<(), ActivityError>;

#[retell::activity]
async fn ping(_: ActivityContext) -> Result<(), ActivityError> {
    let done: Outcome = Ok(());
    done
}

mod elsewhere {
    /// Found from outside its module as a function would be.
    #[retell::activity(crate = retell)]
    pub(super) fn double(
        _cx: retell::activity::ActivityContext,
        n: u32,
    ) -> Result<u32, super::ActivityError> {
        Ok(n * 2)
    }
}

/// Goes on as itself: its own name means the workflow inside of its body too.
#[retell::workflow(name = "count-down", version = 3)]
pub(crate) async fn count_down(cx: WorkflowContext, mut n: u32) -> WorkflowResult<Vec<u64>> {
    if n > 0 {
        n -= 1;
        return cx.continue_as_new(count_down, &n);
    }
    let (first, second) =
        retell::join!(cx.activity(charge, &Order { id: 1, amount: 2 }), cx.activity(ping, &()));
    second?;
    Ok(vec![first?.0])
}

/// A variable may have the name of what it came from, and so may an argument.
#[retell::workflow]
async fn shadows(cx: WorkflowContext, double: u32) -> WorkflowResult<u32> {
    let doubled = cx.activity(elsewhere::double, &double).await?;
    let (charge, _) = cx.activity(charge, &Order { id: 1, amount: doubled }).await?;
    let shadows = u32::try_from(charge)?;
    Ok(shadows)
}

#[retell::workflow]
async fn once(_cx: WorkflowContext) -> WorkflowResult<()> {
    Ok(())
}

fn context() -> ActivityContext {
    let info = ActivityInfo {
        run: RunKey {
            namespace: Namespace::default(),
            workflow_id: WorkflowId::new("order-42").unwrap(),
            run_id: RunId(Uuid::nil()),
        },
        activity: ActivityName::new("test").unwrap(),
        scheduled: EventId(2),
        attempt: Attempt(1),
        last_failure: None,
        heartbeat_details: None,
    };
    ActivityContext::new(info, Arc::new(SharedState::default()), CancelFlag::default())
}

fn call<A: Activity, M>(_activity: impl NamesActivity<A, M>, input: &A::Input) -> A::Output {
    let payload = Payload::encode(input).unwrap();
    let result = match ActivityDefinition::of::<A>().unwrap().start(context(), &payload) {
        ActivityRun::Async(future) => futures::executor::block_on(future),
        ActivityRun::Blocking(body) => body(),
    };
    result.unwrap().decode().unwrap()
}

#[test]
fn an_async_function_becomes_an_activity() {
    assert_eq!(charge::NAME, "charge-v1");
    let (id, text) = call(charge, &Order { id: 7, amount: 1 });
    assert_eq!((id, text.as_str()), (7, "2 for 00000000-0000-0000-0000-000000000000/2"));
}

#[test]
fn a_plain_function_becomes_a_blocking_activity() {
    assert_eq!(ActivityDefinition::of::<r#move>().unwrap().name().as_str(), "move");
    assert!(ActivityDefinition::of::<r#move>().unwrap().blocking());
    assert_eq!(call(r#move, &"four".to_owned()), 4);
    assert_eq!(call(elsewhere::double, &4), 8);
}

#[test]
fn an_activity_may_have_no_input() {
    call(ping, &());
    assert_eq!(format!("{:?}", ping()), "ping");
}

#[test]
fn a_variable_may_have_the_name_of_an_activity_or_a_workflow() {
    assert_eq!(named(shadows), "shadows");
    let (once, ping) = (named(once), named_activity(ping));
    assert_eq!((once, ping), ("once", "ping"));
}

#[test]
fn a_value_of_a_type_names_what_it_implements() {
    struct ByHand;

    impl Activity for ByHand {
        type Input = ();
        type Output = ();
        const NAME: &'static str = "by_hand";

        async fn run(_cx: ActivityContext, _input: ()) -> Result<(), ActivityError> {
            Ok(())
        }
    }

    assert_eq!(named_activity(ByHand), "by_hand");
    assert_eq!(named_activity(ping()), "ping");
}

fn named<W: Workflow, M>(_workflow: impl NamesWorkflow<W, M>) -> &'static str {
    W::NAME
}

fn named_activity<A: Activity, M>(_activity: impl NamesActivity<A, M>) -> &'static str {
    A::NAME
}

#[test]
fn an_async_function_becomes_a_workflow() {
    assert_eq!(workflow_type::<count_down>().unwrap().to_string(), "count-down v3");
    assert_eq!((once::NAME, once::VERSION), ("once", 1));
    let input: <once as Workflow>::Input = ();
    assert_eq!((input, format!("{:?}", once())), ((), "once".to_owned()));
}
