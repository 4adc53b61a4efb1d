//! A workflow with interceptors around it: what a machine launches in its place.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Interceptor, OutboundCall};
use crate::history::{SignalReceived, UpdateRequested};
use crate::replay::{Around, Conclusion, Definition, Manner, Request, World};
use crate::vocabulary::{Failure, Headers, Payload, PayloadError, QueryName, WorkflowType};
use crate::workflow::WorkflowContext;

/// Puts interceptors around a workflow, the first one outermost: what an engine does with each that is registered. For
/// the [replay check](crate::replay::check), which needs the code with all that stands around it.
#[must_use]
pub fn intercepted(
    definition: Arc<dyn Definition>,
    interceptors: impl IntoIterator<Item = Arc<dyn Interceptor>>,
) -> Arc<dyn Definition> {
    let interceptors: Arc<[_]> = interceptors.into_iter().collect();
    if interceptors.is_empty() { definition } else { Arc::new(Intercepted { definition, interceptors }) }
}

struct Intercepted {
    definition: Arc<dyn Definition>,
    interceptors: Interceptors,
}

type Interceptors = Arc<[Arc<dyn Interceptor>]>;

impl Definition for Intercepted {
    fn workflow_type(&self) -> &WorkflowType {
        self.definition.workflow_type()
    }

    fn launch(&self, world: World, input: &Payload) -> Result<BoxFuture<'static, Conclusion>, PayloadError> {
        world.surround(Arc::new(Surrounded(self.interceptors.clone())));
        let cx = WorkflowContext::new(world.clone());
        let (function, going_on, interceptors) =
            (self.definition.launch(world, input)?, cx.clone(), self.interceptors.clone());
        let body: BoxFuture<'static, Conclusion> = Box::pin(async move {
            let mut conclusion = function.await;
            if let Conclusion::ContinueAsNew { workflow, input, headers } = &mut conclusion {
                for interceptor in &*interceptors {
                    let mut call = OutboundCall::ContinueAsNew { workflow, input, headers };
                    interceptor.outbound(&going_on, &mut call);
                }
            }
            conclusion
        });
        Ok(self.interceptors.iter().rfold(body, |body, interceptor| interceptor.run(&cx, body)))
    }
}

/// What the machine calls.
struct Surrounded(Interceptors);

impl Around for Surrounded {
    fn outbound(&self, world: &World, manner: &Manner, request: &mut Request) {
        let cx = WorkflowContext::of(world.clone(), manner);
        let mut call = match request {
            Request::Activity(call) | Request::Step(call, _) => OutboundCall::Activity(Arc::make_mut(call)),
            Request::SleepFor(length) => OutboundCall::Sleep { until: world.now() + *length },
            Request::SleepUntil(until) => OutboundCall::Sleep { until: *until },
            Request::SideEffect(_) => OutboundCall::SideEffect,
            Request::Child(child) => OutboundCall::Child(&mut child.body),
            Request::ExternalSignal(signal) => OutboundCall::ExternalSignal(signal),
            Request::ExternalCancel(request) => OutboundCall::ExternalCancel(request),
        };
        let local = |call: &OutboundCall<'_>| match call {
            OutboundCall::Activity(call) => call.local,
            _ => false,
        };
        let was_local = local(&call);
        self.0.iter().for_each(|interceptor| interceptor.outbound(&cx, &mut call));
        if let OutboundCall::Activity(call) = call {
            call.local = was_local;
        }
    }

    fn signal(&self, world: &World, signal: &SignalReceived) {
        let cx = WorkflowContext::new(world.clone()).carrying(signal.headers.clone());
        self.0.iter().for_each(|interceptor| interceptor.signal(&cx, signal));
    }

    fn admit_update(&self, world: &World, update: &UpdateRequested) -> Result<(), Box<Failure>> {
        let cx = WorkflowContext::new(world.clone()).carrying(update.headers.clone());
        self.0.iter().try_for_each(|interceptor| interceptor.admit_update(&cx, update))
    }

    fn update(
        &self,
        world: &World,
        update: &UpdateRequested,
        handler: BoxFuture<'static, Result<Payload, Failure>>,
    ) -> BoxFuture<'static, Result<Payload, Failure>> {
        let cx = WorkflowContext::new(world.clone()).carrying(update.headers.clone());
        self.0.iter().rfold(handler, |body, interceptor| interceptor.update(&cx, update, body))
    }

    fn admit_query(
        &self,
        query: &QueryName,
        argument: &Payload,
        headers: &Headers,
    ) -> Result<(), Box<Failure>> {
        self.0.iter().try_for_each(|interceptor| interceptor.admit_query(query, argument, headers))
    }
}
