//! Choices: what can happen next, under names that a script repeats.

use std::fmt;

use retell::vocabulary::{Attempt, WorkflowId};

use crate::fakes::{Call, FAILS};

/// One thing that can happen when the world is at rest.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Choice {
    /// An attempt ends, in one of so many ways.
    Ends { call: Box<Call>, outcome: usize, of: usize },
    /// Time passes until something is due.
    Time,
    /// One of the actions from outside.
    Action(String),
    /// A message that was sent before is delivered again.
    Again(String),
    /// The worker dies where it stands, and another takes over.
    Crash,
    /// This happens, and closes its run; but before its commit reaches the store, that message is there.
    Overtaken(Box<Choice>, String),
    /// This happens; the worker dies when its commit is stored, before it hears of that.
    Unheard(Box<Choice>),
    /// This happens and leads to several commits; the worker dies before the store hears of that one, from 2.
    Unstored(Box<Choice>, usize),
}

/// What a choice costs of the explorer's allowances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    Nothing,
    Failure,
    Duplicate,
    Crash,
}

impl Choice {
    /// What it counts as.
    pub(super) fn cost(&self) -> Cost {
        match self {
            Self::Ends { outcome: FAILS, .. } => Cost::Failure,
            Self::Ends { .. } | Self::Time | Self::Action(_) | Self::Overtaken(..) => Cost::Nothing,
            Self::Again(_) => Cost::Duplicate,
            Self::Crash | Self::Unheard(_) | Self::Unstored(..) => Cost::Crash,
        }
    }

    /// The workflow ID that alone it concerns; `None` if it may concern all.
    pub(super) fn concerns(&self) -> Option<&WorkflowId> {
        match self {
            Self::Ends { call, .. } => Some(&call.run.workflow_id),
            _ => None,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends { call, outcome, of } => {
                write!(f, "{}: {}#{}", call.run.workflow_id, call.activity, call.number)?;
                if call.attempt > Attempt(1) {
                    write!(f, " (attempt {})", call.attempt)?;
                }
                match *outcome {
                    FAILS => f.write_str(" fails"),
                    _ if *of <= 1 => f.write_str(" ends"),
                    outcome => write!(f, " ends as {} of {of}", outcome + 1),
                }
            }
            Self::Time => f.write_str("time passes"),
            Self::Action(name) => f.write_str(name),
            Self::Again(name) => write!(f, "{name}, again"),
            Self::Crash => f.write_str("the worker dies"),
            Self::Overtaken(choice, name) => write!(f, "{choice}, overtaken by {name}"),
            Self::Unheard(choice) => write!(f, "{choice}, and the worker dies unheard"),
            Self::Unstored(choice, commit) => {
                write!(f, "{choice}, and the worker dies before commit {commit}")
            }
        }
    }
}
