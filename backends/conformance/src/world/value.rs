//! Names, messages and questions that cases use unless they say otherwise.

use bytes::Bytes;
use retell::backend::{ActivityRequest, Claim, InboxMessage, ListRequest, StatusFilter};
use retell::vocabulary::{
    ActivityName, Namespace, Position, RequestId, SemanticsVersion, TaskQueue, WorkerId, WorkflowId,
    WorkflowName, WorkflowType, WorkflowVersion,
};
use retell::write::{Applied, ClosingEvent, NewMessage, Target};

pub(crate) fn workflow_id(id: &str) -> WorkflowId {
    WorkflowId::new(id).expect("the case's ID is valid")
}

/// The open run of a workflow ID, whichever it is.
pub(crate) fn open_run_of(id: &str) -> Target {
    Target { namespace: Namespace::default(), workflow_id: workflow_id(id), run_id: None }
}

/// The workflow type that cases use unless they say otherwise.
pub(crate) fn order() -> WorkflowType {
    workflow_type("order", 1)
}

pub(crate) fn workflow_type(name: &str, version: u32) -> WorkflowType {
    let name = WorkflowName::new(name).expect("the case's name is valid");
    WorkflowType { name, version: WorkflowVersion(version) }
}

/// The activity that cases use unless they say otherwise.
pub(crate) fn charge() -> ActivityName {
    activity_name("charge")
}

pub(crate) fn activity_name(name: &str) -> ActivityName {
    ActivityName::new(name).expect("the case's name is valid")
}

pub(crate) fn message(text: &str) -> NewMessage {
    NewMessage { request_id: RequestId::fresh(), body: Bytes::copy_from_slice(text.as_bytes()) }
}

pub(crate) fn closing_event() -> ClosingEvent {
    ClosingEvent {
        record: Bytes::from_static(b"terminated record"),
        outcome: Bytes::from_static(b"terminated"),
    }
}

/// Everything that a worker of `order` and `charge` can get.
pub(crate) fn claim_all(worker: WorkerId) -> Claim {
    Claim {
        worker,
        number: 0,
        namespace: Namespace::default(),
        task_queue: TaskQueue::default(),
        workflows: vec![order()],
        semantics: SemanticsVersion::CURRENT,
        runs_max: 1_000,
        activities: vec![ActivityRequest { names: vec![charge()], max: 1_000 }],
    }
}

/// All runs of the namespace, some to a page.
pub(crate) fn list_all() -> ListRequest {
    ListRequest {
        namespace: Namespace::default(),
        workflow_id: None,
        workflow: None,
        status: StatusFilter::Any,
        attributes: Vec::new(),
        page_size: 100,
        after: None,
    }
}

/// What a commit without errands is answered with.
pub(crate) fn committed_at(inbox: u64) -> Applied {
    Applied::Committed { inbox: Position(inbox), started: Vec::new() }
}

/// The texts of messages, in their order.
pub(crate) fn texts(messages: &[InboxMessage]) -> Vec<String> {
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}
