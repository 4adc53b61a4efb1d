//! The signals that the code has not read, and who waits for them.
//!
//! A message is taken when its future is polled ready, not when that is woken. Whenever messages lie in a mailbox,
//! everyone who waits there either has been woken for one of them or stands behind one who has.

use std::collections::{BTreeMap, VecDeque};

use super::operations::Slot;
use crate::history::SignalReceived;
use crate::vocabulary::SignalName;

/// One mailbox for each name that has messages or waiters.
#[derive(Default)]
pub(super) struct Mailboxes(BTreeMap<SignalName, Mailbox>);

#[derive(Default)]
struct Mailbox {
    /// With their place in the order of arrival at the run.
    messages: VecDeque<(u64, SignalReceived)>,
    /// Those that have not been woken, by the order of their first polls.
    waiting: BTreeMap<u64, Slot>,
}

impl Mailboxes {
    /// Puts a message at the end; answers who is to be woken for it.
    pub(super) fn put(&mut self, arrival: u64, message: SignalReceived) -> Option<Slot> {
        let mailbox = self.0.entry(message.signal.clone()).or_default();
        mailbox.messages.push_back((arrival, message));
        mailbox.waiting.pop_first().map(|(_, slot)| slot)
    }

    /// Takes the first message; who takes it waits no longer.
    pub(super) fn take(&mut self, name: &SignalName, waited: Option<u64>) -> Option<SignalReceived> {
        let mailbox = self.0.get_mut(name)?;
        let (_, message) = mailbox.messages.pop_front()?;
        waited.and_then(|first_polled| mailbox.waiting.remove(&first_polled));
        self.tidy(name);
        Some(message)
    }

    /// Someone waits, and found no message.
    pub(super) fn wait(&mut self, name: &SignalName, first_polled: u64, slot: Slot) {
        if !self.0.contains_key(name) {
            self.0.insert(name.clone(), Mailbox::default());
        }
        let mailbox = self.0.get_mut(name).expect("it was there or has been inserted");
        mailbox.waiting.insert(first_polled, slot);
    }

    /// Someone no longer waits. If a message woke it, answers who is to be woken for that instead.
    pub(super) fn leave(&mut self, name: &SignalName, first_polled: u64) -> Option<Slot> {
        let mailbox = self.0.get_mut(name)?;
        let woken = mailbox.waiting.remove(&first_polled).is_none();
        let next = if woken && !mailbox.messages.is_empty() { mailbox.waiting.pop_first() } else { None };
        self.tidy(name);
        next.map(|(_, slot)| slot)
    }

    /// All that nobody has read, in the order of arrival.
    pub(super) fn unread(&self) -> Vec<(u64, &SignalReceived)> {
        let mut unread: Vec<_> = (self.0.values())
            .flat_map(|mailbox| mailbox.messages.iter().map(|(arrival, message)| (*arrival, message)))
            .collect();
        unread.sort_unstable_by_key(|(arrival, _)| *arrival);
        unread
    }

    fn tidy(&mut self, name: &SignalName) {
        if self.0.get(name).is_some_and(|mailbox| mailbox.messages.is_empty() && mailbox.waiting.is_empty()) {
            self.0.remove(name);
        }
    }
}
