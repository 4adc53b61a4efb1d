//! Who a run has to do with: its parent, and its children that have not ended. A fold over its events.
//!
//! Kept by the machine while the run lives, and made again of a stored history when a run was ended from outside.

use std::collections::BTreeMap;

use crate::history::{EventKind, ParentClosePolicy, ParentLink};
use crate::vocabulary::{EventId, RunId, WorkflowId};

/// A run's parent and open children, as far as its history tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    parent: Option<ParentLink>,
    children: BTreeMap<EventId, Child>,
}

/// A child that has not ended, and that its parent has not let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its workflow ID.
    pub workflow_id: WorkflowId,
    /// Its first run.
    pub run_id: RunId,
    /// What becomes of it when its parent closes.
    pub parent_close: ParentClosePolicy,
    /// Whether another run goes on with it.
    pub continued: bool,
}

impl Family {
    /// Takes an event of the run in.
    pub fn take(&mut self, event: EventId, kind: &EventKind) {
        match kind {
            EventKind::WorkflowStarted(body) => self.parent.clone_from(&body.parent),
            EventKind::ChildWorkflowScheduled(body) if !body.unheard => {
                let (workflow_id, run_id) = (body.workflow_id.clone(), body.run_id);
                let child = Child { workflow_id, run_id, parent_close: body.parent_close, continued: false };
                self.children.insert(event, child);
            }
            EventKind::ChildWorkflowDropped(body) => _ = self.children.remove(&body.scheduled),
            EventKind::ChildWorkflowContinued(body) => {
                if let Some(child) = self.children.get_mut(&body.scheduled) {
                    child.continued = true;
                }
            }
            other if other.outcome_of().is_some() => {
                if let Some((scheduled, _)) = other.told_by_child() {
                    self.children.remove(&scheduled);
                }
            }
            _ => {}
        }
    }

    /// The parent.
    #[must_use]
    pub fn parent(&self) -> Option<&ParentLink> {
        self.parent.as_ref()
    }

    /// The children, in the order in which they were scheduled.
    pub fn children(&self) -> impl Iterator<Item = (EventId, &Child)> {
        self.children.iter().map(|(event, child)| (*event, child))
    }

    /// Whether this event scheduled a child that has not ended, and whose first run is this.
    #[must_use]
    pub fn has_child(&self, scheduled: EventId, run_id: RunId) -> bool {
        self.children.get(&scheduled).is_some_and(|child| child.run_id == run_id)
    }

    /// Whether others are to be told if the run is ended from outside: a parent that waits to hear of it, or children that
    /// do not simply go on.
    #[must_use]
    pub fn depends(&self) -> bool {
        self.parent.as_ref().is_some_and(|parent| !parent.unheard)
            || self.children.values().any(|child| child.parent_close != ParentClosePolicy::Abandon)
    }
}
