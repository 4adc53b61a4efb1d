//! Plans: what is to be done from outside at a time, or when something is so.

use retell::vocabulary::Timestamp;

use super::Tester;

/// Something that a test does from outside.
pub(crate) type Action = Box<dyn FnOnce(&Tester) + Send>;

/// When a plan is carried out.
pub(crate) enum Trigger {
    /// At a time, before anything else that is due then.
    At(Timestamp),
    /// When this is so, looked at whenever nothing more can happen without time passing.
    When(Box<dyn FnMut(&Tester) -> bool + Send>),
}

/// A plan that waits.
pub(crate) struct Plan {
    pub(crate) trigger: Trigger,
    pub(crate) action: Action,
}

/// The plans that wait, in the order in which they were made.
#[derive(Default)]
pub(crate) struct Plans(Vec<Plan>);

impl Plans {
    pub(crate) fn add(&mut self, trigger: Trigger, action: Action) {
        self.0.push(Plan { trigger, action });
    }

    /// When the next one that has a time is due.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let times = self.0.iter().filter_map(|plan| match plan.trigger {
            Trigger::At(time) => Some(time),
            Trigger::When(_) => None,
        });
        times.min()
    }

    /// Puts these back before those that were made meanwhile.
    pub(crate) fn put_back(&mut self, before: Self) {
        let meanwhile = std::mem::replace(&mut self.0, before.0);
        self.0.extend(meanwhile);
    }

    /// Takes the first one out that is to be carried out now.
    pub(crate) fn take_due(&mut self, tester: &Tester) -> Option<Action> {
        let now = tester.now();
        let index = self.0.iter_mut().position(|plan| match &mut plan.trigger {
            Trigger::At(time) => *time <= now,
            Trigger::When(is_so) => is_so(tester),
        })?;
        Some(self.0.remove(index).action)
    }
}
