//! Context that travels: on whose behalf a run was started is known wherever it is worked on, without an argument.

use std::error::Error;

use retell::around::ContextPropagator;
use retell::prelude::*;
use retell::vocabulary::{Headers, Propagated};
use retell_memory::Memory;
use serde::{Deserialize, Serialize};

/// The customer whose data a request may touch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tenant(String);

impl Propagated for Tenant {
    const HEADER: &'static str = "tenant";
}

tokio::task_local! {
    /// Set once, where a request comes in.
    static TENANT: Tenant;
}

/// Takes the tenant along with every call, and sets it again where that is carried out.
struct Tenants;

impl ContextPropagator for Tenants {
    fn inject(&self, headers: &mut Headers) {
        // No tenant is set, or it does not encode: the call goes without.
        let _ = TENANT.try_with(|tenant| headers.set(tenant));
    }

    fn within(&self, headers: &Headers, work: &mut dyn FnMut()) {
        match headers.find::<Tenant>() {
            Ok(Some(tenant)) => TENANT.sync_scope(tenant, work),
            _ => work(),
        }
    }
}

/// Some layer far below, which knows of no workflow.
fn table() -> String {
    TENANT.try_with(|tenant| format!("invoices_{}", tenant.0)).unwrap_or_else(|_| "nothing".to_owned())
}

#[retell::activity]
async fn export(_cx: ActivityContext, month: String) -> Result<String, ActivityError> {
    Ok(format!("{month} of {}", table()))
}

#[retell::workflow]
async fn report(cx: WorkflowContext, month: String) -> WorkflowResult<String> {
    // Workflow code reads it from its history, so that it is the same at each replay.
    let Some(Tenant(tenant)) = cx.propagated()? else {
        return Err(WorkflowError::new("nobody asks for this"));
    };
    let exported = cx.activity(export, &month).await?;
    Ok(format!("for {tenant}: {exported}"))
}

async fn run() -> Result<String, Box<dyn Error>> {
    let engine = Orchestrator::new(Memory::new()).propagate(Tenants).workflow(report).activity(export);
    let engine = engine.start().await?;
    let request = engine.start(report, "report-acme", "May".to_owned()).into_future();
    let told = TENANT.scope(Tenant("acme".to_owned()), request).await?.result().await?;
    engine.shutdown().await;
    Ok(told)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", run().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use retell_tester::Tester;

    use super::*;

    #[tokio::test]
    async fn the_tenant_of_the_caller_is_found_far_below() {
        assert_eq!(run().await.unwrap(), "for acme: May of invoices_acme");
    }

    #[test]
    fn a_test_says_on_whose_behalf() {
        let tester = Tester::new().propagate(Tenants).workflow(report).activity(export);
        let mut headers = Headers::new();
        headers.set(&Tenant("bolt".to_owned())).unwrap();
        let started =
            tester.start_with(report, "report", "May".to_owned(), |call| call.headers(headers.clone()));
        assert_eq!(started.unwrap().result().unwrap(), "for bolt: May of invoices_bolt");
        tester.start(report, "nobody", "May".to_owned()).result().unwrap_err();
    }
}
