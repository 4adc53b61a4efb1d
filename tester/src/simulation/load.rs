//! The load: what clients do, each deed a task of its own on some process.

use std::future::IntoFuture;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use retell::client::{Client, IdConflict, ResultError, RunHandle, StartError};
use retell::vocabulary::{Namespace, Payload, RequestId, RunId, RunKey};
use retell::workflow::Workflow;

use super::oracle::Told;
use super::plan::{Conflict, Deed, StartDeed};
use super::program::{Interpreter, News, SIGNAL};
use super::report::Broken;
use super::stage::Stage;

/// How often a client that was not answered asks once more under the same identity.
const ASKS_MAX: u32 = 4;

/// The workflow ID of this number.
pub(super) fn workflow_id(id: u32) -> String {
    format!("w{id}")
}

/// What a client does, as a task.
pub(super) fn perform(deed: Deed, client: Client, stage: Arc<Stage>) -> BoxFuture<'static, ()> {
    match deed {
        Deed::Start(deed) => start(*deed, client, stage).boxed(),
        Deed::Signals { sender, id, count, twice } => {
            signals(sender, id, count, twice, client, stage).boxed()
        }
        Deed::Cancel { id } => cancel(workflow_id(id), client).boxed(),
        Deed::Terminate { id } => async move {
            if let Ok(run) = client.handle(Interpreter, workflow_id(id)) {
                // Whether it was there in time is the schedule's affair.
                let _ = run.terminate("the schedule says so").await;
            }
        }
        .boxed(),
        Deed::Await { id } => async move {
            let Ok(handle) = client.handle(Interpreter, workflow_id(id)) else { return };
            let Ok(info) = handle.describe().await else { return };
            let run_id = info.run.run_id;
            wait(handle.with_run(run_id), run_id, &stage).await;
        }
        .boxed(),
        Deed::Own(start) => start(client, stage),
    }
}

/// Asks whatever is open under a workflow ID to cancel.
pub(super) async fn cancel(workflow_id: String, client: Client) {
    if let Ok(run) = client.handle(Interpreter, workflow_id) {
        // There may be nobody to hear it.
        let _ = run.cancel("the schedule says so").await;
    }
}

async fn start(deed: StartDeed, client: Client, stage: Arc<Stage>) {
    for _ in 0..ASKS_MAX {
        let conflict = match deed.conflict {
            Conflict::Reject => IdConflict::Reject,
            Conflict::UseExisting => IdConflict::UseExisting,
            Conflict::Terminate => IdConflict::Terminate("another start".into()),
        };
        let call = client
            .start(Interpreter, workflow_id(deed.id), deed.program.clone())
            .request_id(RequestId::from_key(&format!("start {}", deed.key)))
            .id_conflict(conflict)
            .id_reuse(deed.reuse);
        match call.into_future().await {
            Ok(handle) => return started(handle, deed.awaits, &stage).await,
            Err(StartError::Unavailable(_)) => {}
            Err(StartError::IdTaken(_)) => return,
            Err(error) => {
                return stage.judge(|_, _| Err(Broken::new("H13", format!("a start was refused: {error}"))));
            }
        }
    }
}

/// A start was acknowledged: tells the oracle, and waits for the end if that is wanted.
pub(super) async fn started<W: Workflow>(handle: RunHandle<W>, awaits: bool, stage: &Arc<Stage>) {
    let Some(run_id) = handle.run_id() else { return };
    let run = key(&handle, run_id);
    stage.judge(|oracle, _| oracle.told(Told::Started(run)));
    if awaits {
        wait(handle, run_id, stage).await;
    }
}

async fn wait<W: Workflow>(handle: RunHandle<W>, run_id: RunId, stage: &Arc<Stage>) {
    let run = key(&handle, run_id);
    let result = match handle.result().await {
        Ok(value) => Payload::encode(&value).map_err(ResultError::from),
        Err(error) => Err(error),
    };
    stage.judge(|oracle, _| oracle.told(Told::Result(run, result)));
}

fn key<W: Workflow>(handle: &RunHandle<W>, run_id: RunId) -> RunKey {
    RunKey { namespace: Namespace::default(), workflow_id: handle.workflow_id().clone(), run_id }
}

async fn signals(sender: u32, id: u32, count: u32, twice: bool, client: Client, stage: Arc<Stage>) {
    let Ok(run) = client.handle(Interpreter, workflow_id(id)) else { return };
    for number in 0..count {
        let request_id = RequestId::from_key(&format!("signal {sender} {number}"));
        let mut asked = 0;
        let mut wanted = if twice { 2 } else { 1 };
        while wanted > 0 && asked < ASKS_MAX {
            asked += 1;
            if run.signal_with(SIGNAL, &News { sender, number }, request_id).await.is_ok() {
                wanted -= 1;
                let told = Told::Sent(run.workflow_id().clone(), request_id);
                stage.judge(|oracle, _| oracle.told(told));
            }
        }
    }
}
