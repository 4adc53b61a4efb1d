//! One fake as it is kept: which calls it takes, how often, and how it answers.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use retell::vocabulary::{ActivityName, Payload};

use super::answer::Answer;

/// Whether a fake takes a call with this input.
pub(crate) type Takes = Box<dyn Fn(&Payload) -> bool + Send>;

/// How often something is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) min: usize,
    /// `None` sets no limit.
    pub(crate) max: Option<usize>,
}

impl Count {
    pub(crate) const ANY: Self = Self { min: 0, max: None };
}

/// What a fake answers.
pub(crate) enum Script {
    /// The same each time.
    Always(Answer),
    /// These, one after another.
    InTurn(VecDeque<Answer>),
}

/// One fake.
pub(crate) struct Rule {
    pub(crate) takes_call: Option<Takes>,
    pub(crate) takes: Option<Duration>,
    pub(crate) script: Script,
    pub(crate) expected: Count,
    pub(crate) taken: usize,
    /// Where the test says so.
    pub(crate) place: &'static Location<'static>,
}

impl Rule {
    /// The answer to an attempt, if this fake takes it.
    pub(crate) fn take(&mut self, input: &Payload) -> Option<(Answer, Option<Duration>)> {
        let used_up = self.expected.max.is_some_and(|max| self.taken >= max);
        if used_up || self.takes_call.as_ref().is_some_and(|takes| !takes(input)) {
            return None;
        }
        let answer = match &mut self.script {
            Script::Always(answer) => answer.clone(),
            Script::InTurn(answers) => answers.pop_front()?,
        };
        self.taken += 1;
        Some((answer, self.takes))
    }

    /// What is missing for its expectation.
    pub(crate) fn unmet(&self, name: &ActivityName) -> Option<String> {
        let Count { min, max } = self.expected;
        if self.taken >= min {
            return None;
        }
        let wanted = match max {
            Some(max) if max == min => format!("{min}"),
            _ => format!("at least {min}"),
        };
        Some(format!(
            "the fake of {name:?} at {} was to take {wanted} attempt{}, but took {}",
            self.place,
            if min == 1 { "" } else { "s" },
            self.taken
        ))
    }
}

impl fmt::Display for Rule {
    /// Where it stands, and why it may take nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used_up = self.expected.max.is_some_and(|max| self.taken >= max)
            || matches!(&self.script, Script::InTurn(answers) if answers.is_empty());
        let why = if used_up { "used up" } else { "its condition is not met" };
        write!(f, "{}: {why}", self.place)
    }
}
