//! A workflow with its types taken away: what a machine launches.

use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Workflow, WorkflowContext};
use crate::replay::{Conclusion, Definition, World};
use crate::vocabulary::{InvalidId, Payload, PayloadError, WorkflowName, WorkflowType, WorkflowVersion};

struct Erased<W> {
    workflow: WorkflowType,
    code: PhantomData<fn() -> W>,
}

/// The definition of a workflow, for a machine to launch.
///
/// # Errors
/// [`InvalidId`] if its name is none.
pub fn definition<W: Workflow>() -> Result<Arc<dyn Definition>, InvalidId> {
    Ok(Arc::new(Erased::<W> { workflow: workflow_type::<W>()?, code: PhantomData }))
}

/// The name and version of a workflow.
///
/// # Errors
/// [`InvalidId`] if its name is none.
pub fn workflow_type<W: Workflow>() -> Result<WorkflowType, InvalidId> {
    Ok(WorkflowType { name: WorkflowName::new(W::NAME)?, version: WorkflowVersion(W::VERSION) })
}

impl<W: Workflow> Definition for Erased<W> {
    fn workflow_type(&self) -> &WorkflowType {
        &self.workflow
    }

    fn launch(&self, world: World, input: &Payload) -> Result<BoxFuture<'static, Conclusion>, PayloadError> {
        let input = input.decode::<W::Input>()?;
        let function = W::run(WorkflowContext::new(world.clone()), input);
        Ok(Box::pin(async move {
            let returned = function.await.and_then(|output| Ok(Payload::encode(&output)?));
            match returned {
                Ok(result) => Conclusion::Completed(result),
                Err(error) => error.into_conclusion(world.is_cancelled()),
            }
        }))
    }
}
