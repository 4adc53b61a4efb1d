//! What a run can be found by, and its memo: as it was started with, and as its code has changed it since.
//!
//! What history holds counts: at replay the values come from there, also after a change of the code.

use std::panic::Location;

use super::State;
use crate::command::CommandKind;
use crate::history::{AttributesUpserted, EventKind, MemoUpserted};
use crate::vocabulary::{Attributes, Memo};

/// See the module.
#[derive(Default)]
pub(in crate::replay) struct Shown {
    pub(in crate::replay) attributes: Attributes,
    pub(in crate::replay) memo: Memo,
    /// Whether they have changed since the driver took them.
    attributes_changed: bool,
    memo_changed: bool,
}

impl Shown {
    pub(super) fn start(&mut self, attributes: Attributes, memo: Memo) {
        (self.attributes, self.memo) = (attributes, memo);
    }

    pub(in crate::replay) fn take_attributes(&mut self) -> Option<Attributes> {
        std::mem::take(&mut self.attributes_changed).then(|| self.attributes.clone())
    }

    pub(in crate::replay) fn take_memo(&mut self) -> Option<Memo> {
        std::mem::take(&mut self.memo_changed).then(|| self.memo.clone())
    }
}

impl State {
    /// The code changes what the run can be found by. It sees that at once.
    pub(in crate::replay) fn upsert_attributes(
        &mut self,
        location: &'static Location<'static>,
        body: AttributesUpserted,
    ) {
        body.apply(&mut self.shown.attributes);
        self.command(CommandKind::UpsertAttributes(body), Some(location));
    }

    /// As [`upsert_attributes`](Self::upsert_attributes), for the memo.
    pub(in crate::replay) fn upsert_memo(
        &mut self,
        location: &'static Location<'static>,
        body: MemoUpserted,
    ) {
        body.apply(&mut self.shown.memo);
        self.command(CommandKind::UpsertMemo(body), Some(location));
    }

    /// A command has become an event, or has been found as one.
    pub(in crate::replay) fn show(&mut self, kind: &EventKind, replaying: bool) {
        match kind {
            EventKind::AttributesUpserted(body) => {
                body.apply(&mut self.shown.attributes);
                self.shown.attributes_changed |= !replaying;
            }
            EventKind::MemoUpserted(body) => {
                body.apply(&mut self.shown.memo);
                self.shown.memo_changed |= !replaying;
            }
            _ => {}
        }
    }
}
