//! Which members of a batch are read, planned and written together.

use std::collections::HashSet;
use std::ops::Range;

use retell::vocabulary::{Namespace, WorkflowId};
use retell::write::Write;

/// Cuts a batch into rounds. A removal may show an older run of its workflow ID, which only the next round reads; so
/// removals stand apart from other members, and from one another if they are of one workflow ID.
pub(crate) fn rounds(writes: &[&Write]) -> Vec<Range<usize>> {
    let mut rounds = Vec::new();
    let mut first = 0;
    let mut removed: HashSet<(&Namespace, &WorkflowId)> = HashSet::new();
    for (index, write) in writes.iter().enumerate() {
        let id = match write {
            Write::Remove(remove) => Some((&remove.run.namespace, &remove.run.workflow_id)),
            _ => None,
        };
        let goes_on = match id {
            Some(id) => !removed.contains(&id) && (removed.len() == index - first),
            None => removed.is_empty(),
        };
        if !goes_on {
            rounds.push(first..index);
            first = index;
            removed.clear();
        }
        removed.extend(id);
    }
    if first < writes.len() {
        rounds.push(first..writes.len());
    }
    rounds
}
