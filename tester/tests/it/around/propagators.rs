//! Context propagators: what is current where a call is made is current again in activities.

use std::cell::RefCell;
use std::time::Duration;

use retell::around::ContextPropagator;
use retell::prelude::*;
use retell::vocabulary::Headers;
use retell::workflow::SignalType;
use retell_tester::Tester;

use super::{Tenant, of, tenant};

const HOUR: Duration = Duration::from_secs(3_600);

thread_local! {
    static CURRENT: RefCell<Option<Tenant>> = const { RefCell::new(None) };
}

fn current() -> Option<Tenant> {
    CURRENT.with_borrow(Clone::clone)
}

/// Does something on behalf of somebody.
fn on_behalf<T>(of: Option<Tenant>, work: impl FnOnce() -> T) -> T {
    let before = CURRENT.replace(of);
    let done = work();
    CURRENT.set(before);
    done
}

struct Tenants;

impl ContextPropagator for Tenants {
    fn inject(&self, headers: &mut Headers) {
        if let Some(tenant) = current() {
            headers.set(&tenant).unwrap();
        }
    }

    fn within(&self, headers: &Headers, work: &mut dyn FnMut()) {
        on_behalf(headers.find().unwrap(), work);
    }
}

#[retell::activity]
async fn whose(cx: ActivityContext, fails: u32) -> Result<Option<Tenant>, ActivityError> {
    let before = current();
    // Polled twice, perhaps by two threads.
    tokio::task::yield_now().await;
    assert_eq!(before, current());
    if cx.attempt().0 <= fails { Err(ActivityError::new("Again", "not yet")) } else { Ok(current()) }
}

/// The tenant that an activity finds, that a step does, and that the code itself does.
#[retell::workflow]
async fn asks(cx: WorkflowContext, fails: u32) -> WorkflowResult<[Option<Tenant>; 3]> {
    let called = cx.activity(whose, &fails).retry(RetryPolicy::fixed(HOUR)).await?;
    let step = cx.step("whose", &(), async |_, ()| Ok(current())).await?;
    // The test's own thread goes on only after it has done what it does on somebody's behalf.
    cx.sleep(HOUR).await?;
    Ok([called, step, current()])
}

fn tester() -> Tester {
    Tester::new().propagate(Tenants).workflow(asks).workflow(relays).activity(whose)
}

#[test]
fn what_is_current_at_a_start_is_current_in_activities_and_never_in_the_code() {
    let tester = tester();
    tester.fake(whose).times(1).answers(|_| Ok(current()));
    let run = on_behalf(Some(tenant("acme")), || tester.start(asks, "asks", 0));
    assert_eq!(run.result().unwrap(), [Some(tenant("acme")), Some(tenant("acme")), None]);
    assert_eq!(current(), None);
}

#[test]
fn it_is_current_again_in_each_attempt_on_whichever_worker() {
    let tester = tester();
    tester.after(HOUR / 2, |tester| tester.crash());
    let run = on_behalf(Some(tenant("acme")), || tester.start(asks, "asks", 2));
    assert_eq!(run.result().unwrap()[0], Some(tenant("acme")));
}

const SAID: SignalType<()> = SignalType::new("said");

#[retell::workflow]
async fn relays(cx: WorkflowContext) -> WorkflowResult<Option<Tenant>> {
    let ((), headers) = cx.signal(SAID).with_headers().await?;
    Ok(headers.find()?)
}

#[test]
fn a_propagator_adds_to_what_the_caller_says_and_to_every_message() {
    let tester = tester();
    let run = tester.start(relays, "relays", ());
    let mut said = of("bolt");
    said.insert("trace", &7).unwrap();
    on_behalf(Some(tenant("acme")), || run.with_headers(said).signal(SAID, &()).unwrap());
    assert_eq!(run.result().unwrap(), Some(tenant("acme")));
}
