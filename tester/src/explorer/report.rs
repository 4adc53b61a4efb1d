//! What an exploration came to.

use std::fmt;
use std::panic::Location;

use super::Explorer;
use super::search::Walked;

/// An exploration that has found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exploration {
    /// How many schedules were tried one after another.
    pub schedules: usize,
    /// The length of the longest script among them.
    pub script_max: usize,
    /// The length of the longest schedule.
    pub steps_max: usize,
    /// How many schedules were drawn beyond, because there were more than the limit.
    pub samples: usize,
    /// The seed of the samples.
    pub seed: Option<u64>,
}

impl Exploration {
    /// Whether all schedules were tried that there are.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.seed.is_none()
    }

    pub(super) fn note(&mut self, script: usize, steps: usize) {
        self.schedules += 1;
        self.script_max = self.script_max.max(script);
        self.steps_max = self.steps_max.max(steps);
    }
}

impl fmt::Display for Exploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} schedules of up to {} steps", self.schedules, self.steps_max)?;
        match self.seed {
            Some(seed) => write!(f, " and {} samples (seed {seed})", self.samples),
            None => Ok(()),
        }
    }
}

/// A schedule in which something does not hold. `Display` is the whole report, with a test to paste.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// What does not hold.
    pub what: String,
    /// How that shows.
    pub detail: String,
    /// The steps that lead there, by name; then the default course goes on.
    pub script: Vec<String>,
    /// All steps that were taken: those of the script, then the default course.
    pub steps: Vec<String>,
    /// The histories and the calls at the end, for a person.
    pub told: String,
    /// How many schedules it took to find it, itself included; shrinking does not count.
    pub schedules: usize,
    /// The seed by which it was drawn, if it was.
    pub seed: Option<u64>,
    explorer: &'static Location<'static>,
}

impl Violation {
    pub(super) fn of(
        explorer: &Explorer,
        script: Vec<String>,
        walked: &Walked,
        seed: Option<u64>,
    ) -> Option<Box<Self>> {
        let broken = walked.broken.clone()?;
        Some(Box::new(Self {
            what: broken.what,
            detail: broken.detail,
            script,
            steps: walked.taken.iter().map(|(_, choice)| choice.to_string()).collect(),
            told: walked.told.clone(),
            schedules: 1,
            seed,
            explorer: explorer.place,
        }))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "this does not hold: {}", self.what)?;
        self.detail.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "\nA test that leads there, with the explorer of {}:\n", self.explorer)?;
        writeln!(f, "#[test]\nfn found_by_the_explorer() {{")?;
        if self.script.is_empty() {
            writeln!(f, "    explorer().follow(&[]);")?;
        } else {
            writeln!(f, "    explorer().follow(&[")?;
            self.script.iter().try_for_each(|step| writeln!(f, "        {step:?},"))?;
            writeln!(f, "    ]);")?;
        }
        writeln!(f, "}}")?;
        match (self.seed, self.schedules) {
            (Some(seed), count) => writeln!(f, "\nDrawn by seed {seed} as schedule {count}, then shrunk.")?,
            (None, 1) => {}
            (None, count) => writeln!(f, "\nFound in schedule {count}.")?,
        }
        if self.steps.len() > self.script.len() {
            let of_itself = &self.steps[self.script.len()..];
            writeln!(f, "\nAfter the script, the default course went on: {}.", of_itself.join(", "))?;
        }
        write!(f, "\n{}", self.told)
    }
}

impl std::error::Error for Violation {}
