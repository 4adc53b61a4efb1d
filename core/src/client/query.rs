//! Asking a run: the worker of this process where it holds the run live, else the run's history, told to a machine of its
//! own.
//!
//! Persists nothing and takes no lease. Whatever closed or holds the run, a process that has its code can answer.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::RunHandle;
use super::error::{QueryError, ReadError};
use crate::around::ClientOperation;
use crate::replay::Definition;
use crate::vocabulary::{Headers, Payload, QueryName, RunKey};
use crate::worker::{NoAnswer, Question, ask_history};
use crate::workflow::{NamesQuery, Workflow};

impl<W: Workflow> RunHandle<W> {
    /// Asks the run, live or closed, what it tells of itself: by a [`QueryType`](crate::workflow::QueryType), or a name.
    ///
    /// Answered by this process: by its worker if that holds the run live, else from the run's history, for which the
    /// workflow's code must be registered here, with a worker ([`Orchestrator::start`](crate::Orchestrator::start)) or
    /// without ([`Orchestrator::client`](crate::Orchestrator::client)). The answer knows every event whose commit was
    /// acknowledged before this was called; a message that was accepted and not taken in yet is none.
    ///
    /// # Errors
    /// [`QueryError`]; the run notices nothing of it.
    pub async fn query<I, O>(&self, query: impl NamesQuery<I, O>, argument: &I) -> Result<O, QueryError>
    where
        I: Serialize + ?Sized,
        O: DeserializeOwned,
    {
        let query = query.query_name().map_err(QueryError::InvalidId)?;
        let argument = Payload::encode(argument).map_err(QueryError::Payload)?;
        self.query_payload(query, argument).await?.decode().map_err(QueryError::Payload)
    }

    /// As [`query`](Self::query), for an argument that is encoded already: one that came over a wire. The answer is as
    /// the handler encoded it.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn query_payload(&self, query: QueryName, argument: Payload) -> Result<Payload, QueryError> {
        let call = self.call(ClientOperation::Query(query.clone()));
        self.client.around(call, async |headers| self.ask(query, argument, headers).await).await
    }

    async fn ask(
        &self,
        query: QueryName,
        argument: Payload,
        headers: Headers,
    ) -> Result<Payload, QueryError> {
        let info = self.describe().await?;
        if let Some(local) = &self.client.seams.local {
            let (answer, answered) = oneshot::channel();
            let (run_id, query, argument) = (info.run.run_id, query.clone(), argument.clone());
            let headers = headers.clone();
            local.shards.ask(Question { run_id, query, argument, headers, answer });
            if let Ok(answer) = answered.await {
                return answer.map_err(QueryError::Refused);
            }
        }
        let Some(definition) = self.client.seams.workflows.get(&info.workflow) else {
            return Err(QueryError::NotServed(info.workflow));
        };
        self.ask_history(definition.clone(), info.run, (query, argument, headers)).await
    }

    /// Asks a machine that is made for this, and thrown away.
    async fn ask_history(
        &self,
        definition: Arc<dyn Definition>,
        run: RunKey,
        (query, argument, headers): (QueryName, Payload, Headers),
    ) -> Result<Payload, QueryError> {
        let records = self.client.records(&run).await?;
        let codec = self.client.seams.codec.clone();
        let ask =
            move || ask_history(definition, run, &records, codec.as_ref(), (&query, &argument, &headers));
        let answered = self.client.seams.home.run_workflow_code(ask).await;
        answered.ok_or(QueryError::Stopped)?.map_err(|error| match error {
            NoAnswer::Query(fault) => QueryError::Refused(fault),
            NoAnswer::Replay(error) => QueryError::Replay(error),
            NoAnswer::History(error) => QueryError::Read(ReadError::History(error)),
        })
    }
}
