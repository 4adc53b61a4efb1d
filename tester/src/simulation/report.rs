//! What a simulation tells: what it did, and what it found.

use std::fmt;

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What simulated schedules did. Adds up.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Figures {
            $($(#[$doc])* pub $name: u64,)+
            /// A hash of every history and of the number of polls: the same for the same seed. It does not add up; sums
            /// are mixed.
            pub course: u64,
        }

        impl Figures {
            /// Adds what other schedules did.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
                self.course = self.course.rotate_left(1) ^ other.course;
            }
        }

        impl fmt::Display for Figures {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let figures = [$((stringify!($name), self.$name),)+];
                let mut lines = figures.chunks(6).peekable();
                while let Some(line) = lines.next() {
                    let line: Vec<String> =
                        line.iter().map(|(name, count)| format!("{} {count}", name.replace('_', " "))).collect();
                    write!(f, "{}", line.join(", "))?;
                    if lines.peek().is_some() {
                        f.write_str(",\n")?;
                    }
                }
                Ok(())
            }
        }
    };
}

figures! {
    /// Schedules that went to their end.
    schedules,
    /// Polls of all tasks of all processes.
    polls,
    /// Seconds that passed for the engines.
    virtual_seconds,
    /// Runs that were opened.
    runs,
    /// Of these, children.
    children,
    /// Workflow tasks that the store committed.
    commits,
    /// Events that histories hold.
    events,
    /// Messages that the store accepted.
    messages,
    /// Activity attempts that began.
    bodies,
    /// Runs that a worker claimed.
    claims,
    /// Claims of runs that a dead worker had held.
    takeovers,
    /// Attempts that were taken over from dead workers.
    attempts_taken_over,
    /// Closing commits that met an inbox which had advanced.
    doors_shut,
    /// Commits that the store refused for their token or lease.
    fenced_off,
    /// Requests that failed before the store heard of them.
    errors_before,
    /// Requests that the store did, and whose answer was lost.
    answers_lost,
    /// Requests and answers that were held up.
    delays,
    /// Requests and answers that were held up beyond a lease.
    hangs,
    /// Renewals that did not reach the store.
    renewals_lost,
    /// Processes that were killed.
    kills,
    /// Processes that were shut down in good order.
    shutdowns,
    /// Processes that were paused.
    pauses,
    /// Jumps of the wall clock.
    clock_jumps,
}

/// A promise that was broken in a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The schedule's seed.
    pub seed: u64,
    /// Which promise, as `DESIGN.md` numbers them: `H4`. `engine` for a panic of the engine itself.
    pub promise: &'static str,
    /// What happened.
    pub what: String,
    /// The histories of all runs in their text form.
    pub histories: String,
    /// The last things that went over the links between processes and store, the oldest first.
    pub links: Vec<String>,
    /// How the schedule was drawn.
    pub plan: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is broken: {}", self.promise, self.what)?;
        writeln!(f, "\nseed {}; {}", self.seed, self.plan)?;
        writeln!(f, "\nthe last on the links:")?;
        self.links.iter().try_for_each(|link| writeln!(f, "  {link}"))?;
        writeln!(f, "\nthe histories:\n{}", self.histories)?;
        write!(
            f,
            "again with: cargo run --release -p retell-tester --bin simulate -- --schedules 1 --seed {}",
            self.seed
        )
    }
}

impl std::error::Error for Violation {}

/// The first promise that an oracle saw broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) promise: &'static str,
    pub(super) what: String,
}

impl Broken {
    pub(super) fn new(promise: &'static str, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }
}

/// Fails with a broken promise unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $promise:literal, $($what:tt)+) => {
        if !$condition {
            return Err($crate::simulation::report::Broken::new($promise, format!($($what)+)));
        }
    };
}

pub(super) use ensure;
