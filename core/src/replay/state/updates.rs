//! Updates: waiting for their handlers, or refused for want of one.

use std::collections::{BTreeMap, VecDeque};
use std::panic::Location;
use std::task::Waker;

use super::super::operations::{Kind, Slot};
use super::{Aftermath, Manner, Released, State};
use crate::command::CommandKind;
use crate::history::{UpdateRefusal, UpdateRejected, UpdateRequested};
use crate::vocabulary::{EventId, Failure, UpdateName};

/// The updates that no handler has taken, and the handlers.
#[derive(Default)]
pub(in crate::replay) struct Counter {
    /// In order of arrival at the run.
    waiting: BTreeMap<UpdateName, VecDeque<(u64, UpdateRequested)>>,
    /// Each handler's place while it waits.
    handlers: BTreeMap<UpdateName, Option<Slot>>,
    /// How many handlers run, those of signals among them.
    running: usize,
    /// Who waits for those to end.
    finishing: Vec<Waker>,
}

impl Counter {
    /// The handlers are gone; what comes from now on waits for a successor.
    pub(super) fn close(&mut self) {
        self.handlers.clear();
    }

    pub(in crate::replay) fn unread(&self) -> impl Iterator<Item = (u64, &UpdateRequested)> {
        self.waiting.values().flatten().map(|(arrival, update)| (*arrival, update))
    }
}

impl State {
    /// Registers the handler of a name; whether there was none.
    pub(in crate::replay) fn handle_updates(&mut self, name: &UpdateName) -> bool {
        self.updates.handlers.insert(name.clone(), None).is_none()
    }

    /// An update was taken in.
    pub(super) fn put_update(&mut self, update: UpdateRequested, aftermath: &mut Aftermath) {
        self.payload_bytes += update.input.data.len();
        let (name, arrival) = (update.update.clone(), self.arrival());
        let slot = self.updates.handlers.get(&name).copied().flatten();
        self.updates.waiting.entry(name).or_default().push_back((arrival, update));
        if let Some(slot) = slot {
            self.wake(slot, aftermath);
        }
    }

    /// The first update of a name, or the handler's place in wait of one.
    pub(in crate::replay) fn next_update(
        &mut self,
        name: &UpdateName,
        place: &mut Option<Slot>,
        manner: &Manner,
        waker: &Waker,
    ) -> (Option<UpdateRequested>, Released) {
        if let Some(update) = self.take_update(name) {
            return (Some(update), Released::default());
        }
        let released = match *place {
            Some(slot) => self.remember(slot, waker),
            None => {
                let kind = Kind::Updates;
                *place = Some(self.insert(
                    kind,
                    EventId(0),
                    &Manner { shielded: true, scope: None, ..manner.clone() },
                    Some(waker),
                ));
                Released::default()
            }
        };
        self.updates.handlers.insert(name.clone(), *place);
        (None, released)
    }

    fn take_update(&mut self, name: &UpdateName) -> Option<UpdateRequested> {
        let waiting = self.updates.waiting.get_mut(name)?;
        let (_, update) = waiting.pop_front()?;
        if waiting.is_empty() {
            self.updates.waiting.remove(name);
        }
        self.payload_bytes -= update.input.data.len();
        Some(update)
    }

    /// All rests: once the code handles updates, those that wait for no handler of its are refused.
    pub(in crate::replay) fn refuse_unknown_updates(&mut self) {
        if self.updates.handlers.is_empty() || self.updates.waiting.is_empty() {
            return;
        }
        let known: Vec<&str> = self.updates.handlers.keys().map(UpdateName::as_str).collect();
        let known = known.join(", ");
        let unknown = |name: &&UpdateName| !self.updates.handlers.contains_key(*name);
        let unknown: Vec<UpdateName> = self.updates.waiting.keys().filter(unknown).cloned().collect();
        for name in unknown {
            while let Some(update) = self.take_update(&name) {
                let message = format!("the workflow handles no update {name:?}; it handles: {known}");
                let failure = Failure::new("UnknownUpdate", message).non_retryable();
                let (request_id, refusal) = (update.request_id, UpdateRefusal::Unknown);
                let body = UpdateRejected { request_id, refusal, failure };
                self.command(CommandKind::RejectUpdate(body), None);
            }
        }
    }

    /// Whether handlers run, or are about to; the waker is handed out when the last has ended.
    pub(in crate::replay) fn handlers_run(&mut self, waker: &Waker) -> bool {
        let handled = |name: &UpdateName| self.updates.handlers.contains_key(name);
        let run = self.updates.running > 0 || self.updates.waiting.keys().any(handled);
        if run && !self.updates.finishing.iter().any(|held| held.will_wake(waker)) {
            self.updates.finishing.push(waker.clone());
        }
        run
    }

    /// Decides about an update; whoever waits for the last handler to end is to be woken.
    #[must_use]
    pub(in crate::replay) fn decide(
        &mut self,
        command: CommandKind,
        location: &'static Location<'static>,
    ) -> Vec<Waker> {
        self.location = Some(location);
        match command {
            CommandKind::AcceptUpdate(_) => self.updates.running += 1,
            CommandKind::CompleteUpdate(_) | CommandKind::FailUpdate(_) => self.updates.running -= 1,
            _ => {}
        }
        self.command(command, Some(location));
        self.all_finished()
    }

    pub(in crate::replay) fn handler_begins(&mut self) {
        self.updates.running += 1;
    }

    /// A handler has ended; whoever waits for the last one is to be woken.
    #[must_use]
    pub(in crate::replay) fn handler_ends(&mut self) -> Vec<Waker> {
        self.updates.running -= 1;
        self.all_finished()
    }

    fn all_finished(&mut self) -> Vec<Waker> {
        if self.updates.running == 0 { std::mem::take(&mut self.updates.finishing) } else { Vec::new() }
    }
}
