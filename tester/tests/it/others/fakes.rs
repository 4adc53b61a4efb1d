//! Fakes of child workflows: real runs with a stand-in's code.

use std::time::Duration;

use retell::prelude::*;
use retell::workflow::{ChildError, try_all};
use retell_tester::{Explorer, Tester};

const HOUR: Duration = Duration::from_secs(3_600);

#[retell::workflow]
async fn label(_cx: WorkflowContext, _item: u32) -> WorkflowResult<String> {
    panic!("tests fake it")
}

#[retell::workflow]
async fn parcel(cx: WorkflowContext, items: Vec<u32>) -> WorkflowResult<String> {
    let labels = try_all(items.iter().map(|item| cx.child(label, item).id(format!("label-{item}"))));
    match labels.await {
        Ok(labels) => Ok(labels.join(" ")),
        Err(ChildError::Failed(failure)) if &*failure.error_type == "NoPaper" => Ok("no paper".to_owned()),
        Err(error) => Err(error.into()),
    }
}

#[test]
fn a_faked_child_is_counted_answered_and_timed_as_a_faked_activity() {
    let tester = Tester::new().workflow(parcel);
    tester.fake_child(label).when(|item| *item == 7).takes(HOUR).times(1).returns("seven".to_owned());
    tester.fake_child(label).answers(|item| Ok(format!("item {item}")));
    let run = tester.start(parcel, "parcel", vec![7, 8]);
    let began = tester.now();
    assert_eq!(run.result().unwrap(), "seven item 8");
    assert_eq!(tester.now(), began + HOUR);
    let inputs: Vec<u32> = tester.calls().of_child(label).into_iter().map(|call| call.input).collect();
    assert_eq!(inputs, [7, 8]);
    assert_eq!(tester.run(label, "label-8").result().unwrap(), "item 8");
}

#[test]
fn a_fake_that_fails_is_the_childs_failure() {
    let tester = Tester::new().workflow(parcel);
    tester.fake_child(label).fails(ActivityError::new("NoPaper", "the printer is empty"));
    assert_eq!(tester.start(parcel, "parcel", vec![1]).result().unwrap(), "no paper");
}

#[test]
fn an_explorer_ends_faked_children_in_every_way_and_order() {
    let explored = Explorer::new(|tester| {
        let tester = tester.workflow(parcel);
        let printer = || Err(ActivityError::new("NoPaper", "the printer is empty"));
        tester.fake_child(label).one_of([Ok("printed".to_owned()), printer()]);
        tester.start(parcel, "parcel", vec![1, 2]);
        tester
    })
    .always("it is printed, or there is no paper", |ending| {
        let told = ending.result(parcel, "parcel").unwrap().unwrap();
        ["printed printed", "no paper"].contains(&told.as_str())
    })
    .run();
    assert!(explored.complete());
}
