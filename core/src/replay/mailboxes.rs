//! The signals that the code has not read, and who waits for them.
//!
//! A message is taken when its future is polled ready, not when that is woken. While messages lie in a mailbox and all
//! rests, everyone who waits there has been woken for one.

use std::collections::{BTreeMap, VecDeque};

use super::operations::Slot;
use crate::history::SignalReceived;
use crate::vocabulary::SignalName;

/// One mailbox for each name that has messages or waiters.
#[derive(Default)]
pub(super) struct Mailboxes {
    by_name: BTreeMap<SignalName, Mailbox>,
    /// Where someone was woken for a message since all rested.
    woken: Vec<SignalName>,
}

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
        let name = message.signal.clone();
        self.by_name.entry(name.clone()).or_default().messages.push_back((arrival, message));
        self.next(&name)
    }

    /// Who is to be woken next for a message that is there.
    fn next(&mut self, name: &SignalName) -> Option<Slot> {
        let mailbox = self.by_name.get_mut(name).filter(|mailbox| !mailbox.messages.is_empty())?;
        let (_, slot) = mailbox.waiting.pop_first()?;
        self.woken.push(name.clone());
        Some(slot)
    }

    /// All rests: who is to be woken for messages that nobody has taken.
    ///
    /// A future that was woken may be held without being polled; the messages are not only its own.
    pub(super) fn overlooked(&mut self) -> Vec<Slot> {
        let woken = std::mem::take(&mut self.woken);
        woken.iter().filter_map(|name| self.next(name)).collect()
    }

    /// Takes the first message; who takes it waits no longer.
    pub(super) fn take(&mut self, name: &SignalName, waited: Option<u64>) -> Option<SignalReceived> {
        let mailbox = self.by_name.get_mut(name)?;
        let (_, message) = mailbox.messages.pop_front()?;
        waited.and_then(|first_polled| mailbox.waiting.remove(&first_polled));
        self.tidy(name);
        Some(message)
    }

    /// Someone waits, and found no message.
    pub(super) fn wait(&mut self, name: &SignalName, first_polled: u64, slot: Slot) {
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.clone(), Mailbox::default());
        }
        let mailbox = self.by_name.get_mut(name).expect("it was there or has been inserted");
        mailbox.waiting.insert(first_polled, slot);
    }

    /// Someone no longer waits. A message that it was woken for is overlooked, and so goes to the next.
    pub(super) fn leave(&mut self, name: &SignalName, first_polled: u64) {
        if let Some(mailbox) = self.by_name.get_mut(name) {
            mailbox.waiting.remove(&first_polled);
            self.tidy(name);
        }
    }

    /// All that nobody has read, in the order of arrival.
    pub(super) fn unread(&self) -> Vec<(u64, &SignalReceived)> {
        let mut unread: Vec<_> = (self.by_name.values())
            .flat_map(|mailbox| mailbox.messages.iter().map(|(arrival, message)| (*arrival, message)))
            .collect();
        unread.sort_unstable_by_key(|(arrival, _)| *arrival);
        unread
    }

    fn tidy(&mut self, name: &SignalName) {
        if self
            .by_name
            .get(name)
            .is_some_and(|mailbox| mailbox.messages.is_empty() && mailbox.waiting.is_empty())
        {
            self.by_name.remove(name);
        }
    }
}
