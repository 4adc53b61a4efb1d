//! Actions: what may happen from outside.

use std::fmt;
use std::sync::Arc;

use retell::client::{AnyWorkflow, ReadError, RunHandle, SendError, UpdateError};
use retell::vocabulary::{InvalidId, Payload, RequestId, SignalName, UpdateName, WorkflowId};

use crate::tester::Tester;

/// Something that may happen from outside.
#[derive(Clone)]
pub(super) struct Action {
    name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Message(WorkflowId, Message),
    Custom(Arc<dyn Fn(&Tester) -> bool + Send + Sync>),
}

/// What may be sent to a workflow ID.
#[derive(Clone)]
pub(super) enum Message {
    Signal(SignalName, Payload),
    Update(UpdateName, Payload),
    Cancel,
    Terminate,
}

impl Action {
    pub(super) fn message(name: String, workflow_id: WorkflowId, message: Message) -> Self {
        Self { name, kind: Kind::Message(workflow_id, message) }
    }

    pub(super) fn custom(name: String, act: Arc<dyn Fn(&Tester) -> bool + Send + Sync>) -> Self {
        Self { name, kind: Kind::Custom(act) }
    }

    pub(super) fn name(&self) -> &String {
        &self.name
    }

    /// The workflow ID that it speaks to.
    pub(super) fn target(&self) -> Option<&WorkflowId> {
        match &self.kind {
            Kind::Message(workflow_id, _) => Some(workflow_id),
            Kind::Custom(_) => None,
        }
    }

    /// The identity under which it is sent, if it is a message that an inbox holds.
    pub(super) fn request(&self) -> Option<RequestId> {
        match &self.kind {
            Kind::Message(_, Message::Signal(..) | Message::Update(..) | Message::Cancel) => {
                Some(RequestId::from_key(&self.name))
            }
            Kind::Message(_, Message::Terminate) | Kind::Custom(_) => None,
        }
    }

    /// Whether it is the same to deliver it again.
    pub(super) fn may_come_twice(&self) -> bool {
        self.request().is_some()
    }

    /// Does it; whether it was accepted.
    ///
    /// # Errors
    /// In words, if it could not be done at all.
    pub(super) fn act(&self, tester: &Tester) -> Result<bool, String> {
        let (workflow_id, message) = match &self.kind {
            Kind::Custom(act) => return Ok(act(tester)),
            Kind::Message(workflow_id, message) => (workflow_id, message),
        };
        let run = run_of(tester, workflow_id).map_err(|error| error.to_string())?;
        let request = RequestId::from_key(&self.name);
        let sent = match message {
            Message::Signal(signal, value) => {
                tester.call(run.signal_payload(signal.clone(), value.clone(), request))
            }
            Message::Update(update, argument) => {
                let sent = run.send_update_payload::<()>(update.clone(), argument.clone(), request);
                tester.call(sent).map(drop)
            }
            Message::Cancel => tester.call(run.cancel_with("explored", request)),
            Message::Terminate => tester.call(run.terminate("explored")),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(SendError::Closed(_)) => Ok(false),
            Err(SendError::NotFound) => Err(ReadError::NotFound.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Action {
    /// What has come of it, if it is an update: `None` as long as nothing has.
    pub(super) fn answer(&self, tester: &Tester) -> Result<Option<Payload>, UpdateError> {
        let Kind::Message(workflow_id, Message::Update(..)) = &self.kind else { return Ok(None) };
        let run = run_of(tester, workflow_id).map_err(SendError::from)?;
        tester.call(run.sent_update::<()>(RequestId::from_key(&self.name)).try_result_payload())
    }

    /// Whether it is one that is answered.
    pub(super) fn is_update(&self) -> bool {
        matches!(self.kind, Kind::Message(_, Message::Update(..)))
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Action").field(&self.name).finish()
    }
}

fn run_of(tester: &Tester, workflow_id: &WorkflowId) -> Result<RunHandle<AnyWorkflow>, InvalidId> {
    tester.client().handle(AnyWorkflow, workflow_id.clone())
}
