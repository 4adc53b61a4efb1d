//! Patches: whether this run goes the new way or the old one, decided once and for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use super::State;
use crate::command::CommandKind;
use crate::history::{Event, EventKind, PatchRecorded};
use crate::vocabulary::{EventId, PatchId};

/// What is known of patches.
#[derive(Default)]
pub(super) struct Patches {
    /// How it was decided, for as long as the run lives.
    decided: BTreeMap<PatchId, bool>,
    /// The markers that history holds for the step that is told.
    foreseen: BTreeMap<EventId, PatchId>,
    /// Those of them that the code has asked for.
    asked: BTreeSet<PatchId>,
}

impl Patches {
    /// The next event that is no marker of this step: what a command of the code becomes, wherever markers stand.
    pub(super) fn skip(&self, mut id: EventId) -> EventId {
        while self.foreseen.contains_key(&id) {
            id = id.next();
        }
        id
    }
}

impl State {
    /// Begins a step of which history holds these commands; of a live one it holds none.
    pub(in crate::replay) fn foresee<'events>(&mut self, commands: impl IntoIterator<Item = &'events Event>) {
        let marker = |event: &Event| match &event.kind {
            EventKind::PatchRecorded(body) => Some((event.id, body.patch.clone())),
            _ => None,
        };
        self.patches.foreseen.clear();
        self.patches.foreseen.extend(commands.into_iter().filter_map(marker));
        self.patches.asked.clear();
    }

    /// Whether the run goes the new way. The first time, that is decided: live, it does; in a history, it does if the
    /// marker stands in this step. Only the new way leaves a marker.
    pub(in crate::replay) fn decide_patch(
        &mut self,
        patch: PatchId,
        deprecated: bool,
        replaying: bool,
        location: &'static Location<'static>,
    ) -> bool {
        if let Some(decided) = self.patches.decided.get(&patch) {
            return *decided;
        }
        let applies = !replaying || self.patches.foreseen.values().any(|foreseen| *foreseen == patch);
        self.patches.decided.insert(patch.clone(), applies);
        if applies && replaying {
            self.patches.asked.insert(patch);
        } else if applies {
            self.command(CommandKind::RecordPatch { patch, deprecated }, Some(location));
        }
        applies
    }

    /// Whether the code has asked for this marker, wherever it stands in its step. One that is deprecated may be missing.
    pub(in crate::replay) fn match_patch(&mut self, marker: &PatchRecorded) -> bool {
        self.patches.asked.remove(&marker.patch) || marker.deprecated
    }
}
