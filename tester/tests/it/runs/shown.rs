//! Memos and attributes: set at the start, changed by the code, read and listed by without waking anybody.

use std::time::Duration;

use retell::backend::StatusFilter;
use retell::client::ReadError;
use retell::prelude::*;
use retell::vocabulary::{AttributeValue, SearchKey};
use retell_tester::Tester;

const CUSTOMER: SearchKey<String> = SearchKey::new("customer");
const CENTS: SearchKey<i64> = SearchKey::new("cents");
const PAID: SearchKey<bool> = SearchKey::new("paid");

/// Is paid in parts, and goes on as a new run after the first.
#[retell::workflow]
async fn bill(cx: WorkflowContext, rest: i64) -> WorkflowResult<String> {
    let paid = cx.signal::<i64>("paid").await?;
    let rest = rest - paid;
    cx.upsert_attribute(CENTS, rest);
    cx.upsert_attribute(PAID, rest == 0);
    cx.upsert_memo("last", &format!("{paid} paid"))?;
    if rest > 0 {
        return cx.continue_as_new(bill, &rest);
    }
    cx.remove_attribute(CUSTOMER);
    cx.remove_memo("note");
    Ok(format!("{:?} {:?} {:?}", cx.attribute(CENTS), cx.attribute(CUSTOMER), cx.memo::<String>("last")?))
}

#[test]
fn memo_and_attributes_change_with_the_code_and_go_along() {
    for crash in [false, true] {
        let tester = Tester::new().workflow(bill);
        let run = tester
            .start_with(bill, "bill", 10, |call| {
                call.attribute(CUSTOMER, "anna").attribute(CENTS, 10).memo("note", "a gift")
            })
            .unwrap();
        let info = run.describe().unwrap();
        assert_eq!((info.attribute(CUSTOMER).as_deref(), info.attribute(CENTS)), (Some("anna"), Some(10)));
        run.signal("paid", &4).unwrap();
        tester.rest();
        if crash {
            tester.crash();
        }
        let open = tester.run(bill, "bill");
        let client = tester.client();
        let handle = client.handle(bill, "bill").unwrap();
        let info = tester.call(handle.describe()).unwrap();
        assert_ne!(info.run, open.key().clone(), "it has continued as new");
        assert_eq!((info.attribute(CUSTOMER).as_deref(), info.attribute(CENTS)), (Some("anna"), Some(6)));
        assert_eq!(client.memo::<String>(&info, "note").unwrap().as_deref(), Some("a gift"));
        assert_eq!(tester.call(handle.memo::<String>("last")).unwrap().as_deref(), Some("4 paid"));
        assert!(matches!(client.memo::<u64>(&info, "last"), Err(ReadError::Payload(_))));
        run.signal("paid", &6).unwrap();
        assert_eq!(run.result().unwrap(), "Some(0) None Some(\"6 paid\")");
        let info = tester.call(handle.describe()).unwrap();
        assert_eq!((info.attribute(CUSTOMER), info.attribute(PAID)), (None, Some(true)));
        assert_eq!(client.memo::<String>(&info, "note").unwrap(), None);
    }
}

#[test]
fn runs_are_found_by_typed_keys() {
    let tester = Tester::new().workflow(bill);
    for (id, customer, cents) in [("a", "anna", 5), ("b", "anna", 50), ("c", "bert", 500)] {
        let options = |call: retell::client::StartCall<bill>| {
            call.attribute(CUSTOMER, customer).attribute("cents", AttributeValue::Integer(cents))
        };
        tester.start_with(bill, id, cents, options).unwrap();
    }
    let client = tester.client();
    let found = |list: retell::client::ListCall| {
        let page = tester.call(list.into_future()).unwrap();
        page.runs.iter().map(|run| run.run.workflow_id.to_string()).collect::<Vec<_>>()
    };
    let open = || client.runs().workflow(bill).status(StatusFilter::Open);
    assert_eq!(found(open().attribute(CUSTOMER.is("anna"))), ["b", "a"]);
    assert_eq!(found(open().attribute(CENTS.at_least(50))), ["c", "b"]);
    assert_eq!(found(open().attribute(CENTS.at_most(50)).attribute(CUSTOMER.is("anna"))), ["b", "a"]);
    assert_eq!(found(open().attribute(PAID.is(true))), [""; 0]);
    assert_eq!(found(open().workflow_id("c")), ["c"]);
    tester.run(bill, "a").signal("paid", &5).unwrap();
    tester.rest();
    assert_eq!(found(client.runs().attribute(PAID.is(true))), ["a"], "closed runs are found, too");
    let first = tester.call(client.runs().page_size(2).into_future()).unwrap();
    assert_eq!(found(client.runs().page_size(2).after(first.next.unwrap())), ["a"]);
}

#[test]
fn a_value_that_the_code_computes_anew_comes_from_history() {
    #[retell::workflow]
    async fn keeps(cx: WorkflowContext) -> WorkflowResult<Option<i64>> {
        cx.upsert_attribute(CENTS, 7);
        cx.sleep(Duration::from_secs(60)).await?;
        Ok(cx.attribute(CENTS))
    }
    let tester = Tester::new().workflow(keeps);
    let run = tester.start(keeps, "keeps", ());
    tester.crash_before_commit(0);
    assert_eq!(run.result().unwrap(), Some(7));
    assert_eq!(run.describe().unwrap().attribute(CENTS), Some(7));
}
