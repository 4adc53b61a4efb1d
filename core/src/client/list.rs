//! Finding runs: a list by what they are, where they stand and what they can be found by.

use std::future::IntoFuture;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;

use super::error::ReadError;
use super::{Client, RunHandle};
use crate::backend::{AttributeFilter, ListRequest, Page, PageToken, RunInfo, StatusFilter};
use crate::history::HistoryError;
use crate::vocabulary::{InvalidId, WorkflowId};
use crate::workflow::{NamesWorkflow, Workflow, workflow_type};

/// A list of runs that is read when it is awaited: newest start first, 100 on a page.
#[derive(Debug, Clone)]
#[must_use = "nothing is read until this is awaited"]
pub struct ListCall {
    client: Client,
    request: ListRequest,
    problem: Option<InvalidId>,
}

impl ListCall {
    /// Only runs of this workflow, in all its versions.
    pub fn workflow<W: Workflow, M>(mut self, workflow: impl NamesWorkflow<W, M>) -> Self {
        let _ = workflow;
        match workflow_type::<W>() {
            Ok(workflow) => self.request.workflow = Some(workflow.name),
            Err(error) => self.problem = Some(error),
        }
        self
    }

    /// Only runs of this workflow ID.
    pub fn workflow_id(mut self, workflow_id: impl TryInto<WorkflowId, Error: Into<InvalidId>>) -> Self {
        match workflow_id.try_into() {
            Ok(workflow_id) => self.request.workflow_id = Some(workflow_id),
            Err(error) => self.problem = Some(error.into()),
        }
        self
    }

    /// Only runs that stand so.
    pub fn status(mut self, status: StatusFilter) -> Self {
        self.request.status = status;
        self
    }

    /// Only runs that meet this too: `CENTS.at_least(10_000)`, by a [`SearchKey`](crate::vocabulary::SearchKey).
    pub fn attribute(mut self, filter: AttributeFilter) -> Self {
        self.request.attributes.push(filter);
        self
    }

    /// So many runs on a page, 1 to 1,000.
    pub fn page_size(mut self, runs: usize) -> Self {
        self.request.page_size = runs.clamp(1, 1_000);
        self
    }

    /// Goes on where a page ended.
    pub fn after(mut self, page: PageToken) -> Self {
        self.request.after = Some(page);
        self
    }
}

impl IntoFuture for ListCall {
    type Output = Result<Page, ReadError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.problem {
                Some(problem) => Err(problem.into()),
                None => self.client.list(&self.request).await,
            }
        })
    }
}

impl Client {
    /// The runs of this client's namespace, to be narrowed down and awaited. No history is read.
    ///
    /// # Examples
    /// ```no_run
    /// # use retell::backend::StatusFilter;
    /// # use retell::vocabulary::SearchKey;
    /// const CENTS: SearchKey<i64> = SearchKey::new("cents");
    /// # async fn large(client: retell::client::Client) -> Result<(), retell::client::ReadError> {
    /// let page = client.runs().status(StatusFilter::Open).attribute(CENTS.at_least(10_000)).await?;
    /// for run in page.runs {
    ///     println!("{}: {:?} cents", run.run.workflow_id, run.attribute(CENTS));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn runs(&self) -> ListCall {
        ListCall { client: self.clone(), request: self.list_request(), problem: None }
    }

    /// A value of the memo of a run that was described or listed; `None` if it has none of this name.
    ///
    /// # Errors
    /// [`ReadError::Payload`] if that is no `T`, [`ReadError::History`] if the codec refuses it.
    pub fn memo<T: DeserializeOwned>(&self, run: &RunInfo, name: &str) -> Result<Option<T>, ReadError> {
        let Some(value) = run.memo.get(name) else { return Ok(None) };
        let value = self.seams.codec.decode(value.clone()).map_err(HistoryError::from)?;
        value.decode().map(Some).map_err(ReadError::Payload)
    }
}

impl<W: Workflow> RunHandle<W> {
    /// A value of the run's memo, if there is one of this name. Wakes nobody.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn memo<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ReadError> {
        self.client.memo(&self.describe().await?, name)
    }
}
