//! Speaking to workflows whose code is not at hand: by name, with payloads as they are encoded.
//!
//! For tools, for what comes over a wire, and for processes that share no types with those that run the workflows.

use super::{Client, StartCall};
use crate::vocabulary::{InvalidId, Payload, WorkflowId, WorkflowName, WorkflowVersion};
use crate::workflow::{Workflow, WorkflowContext, WorkflowError, WorkflowResult};

/// Stands for whatever workflow a run is of: its handles ask nothing of input and output.
///
/// [`RunHandle::result_payload`](super::RunHandle::result_payload) gives what such a run returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnyWorkflow;

impl Workflow for AnyWorkflow {
    type Input = ();
    type Output = ();
    const NAME: &'static str = "any";

    async fn run(_cx: WorkflowContext, (): ()) -> WorkflowResult<()> {
        Err(WorkflowError::new("AnyWorkflow stands for other workflows, and is none that could run"))
    }
}

/// Which workflow is to be started.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) name: Result<WorkflowName, InvalidId>,
    /// None if none is known.
    pub(super) version: Option<WorkflowVersion>,
}

impl Client {
    /// Starts a run of the workflow of this name, with an input that is encoded already.
    ///
    /// Its version is the one that this process registers under the name: the highest, unless
    /// [`default_version`](crate::Orchestrator::default_version) says another; or the one that
    /// [`version`](StartCall::version) says. The run stays with it. The input is not checked here: code that cannot decode
    /// it parks the run.
    ///
    /// # Errors
    /// The await gives [`StartError`](super::StartError), beside what [`start`](Self::start) gives
    /// [`UnknownWorkflow`](super::StartError::UnknownWorkflow).
    ///
    /// # Examples
    /// ```
    /// use retell::prelude::*;
    /// use retell::vocabulary::Payload;
    ///
    /// # async fn example(engine: Engine) -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Payload::encode(&("tea", 3))?;
    /// let run = engine.client().start_by_name("order", "order-42", order).await?;
    /// let receipt: String = run.result_payload().await?.decode()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_by_name(
        &self,
        workflow: impl TryInto<WorkflowName, Error: Into<InvalidId>>,
        workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>,
        input: Payload,
    ) -> StartCall<AnyWorkflow> {
        let name = workflow.try_into().map_err(Into::into);
        let version = name.as_ref().ok().and_then(|name| self.seams.defaults.get(name).copied());
        let workflow_id = workflow_id.try_into().map_err(Into::into);
        StartCall::of(self.clone(), Named { name, version }, workflow_id, Ok(input))
    }
}

impl StartCall<AnyWorkflow> {
    /// The version of the workflow, whether this process knows it or not.
    pub fn version(mut self, version: WorkflowVersion) -> Self {
        self.named.version = Some(version);
        self
    }
}
