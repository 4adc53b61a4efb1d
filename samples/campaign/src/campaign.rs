//! The campaign itself: start, wait, kill, until it was often enough; then run to the end and count.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

use retell_samples::orders::ledger::{LedgerError, entries};
use retell_samples::orders::sample::orders_csv;

use crate::chance::Chance;
use crate::child::{Files, Life};
use crate::figures::Figures;
use crate::options::Plan;
use crate::watch::Watch;

/// How often the ledger and the children are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long all orders may take to end once nobody kills any more.
const END_WITHIN: Duration = Duration::from_secs(120);
/// The most that arrivals and confirmations are stretched; beyond that, more orders come instead.
const PACE_MAX: usize = 10;
/// How long an order waits for its confirmation: longer than the latest one at [`PACE_MAX`].
const CONFIRM_WITHIN_MS: u64 = 3_000;
const LOG_LINES_SHOWN: usize = 20;

/// Why a campaign could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CampaignError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("orders ended by itself with {status}; its last words:\n{log}")]
    ChildFailed { status: ExitStatus, log: String },
    #[error("the orders did not end within {END_WITHIN:?}; the last words of orders:\n{log}")]
    NeverEnding { log: String },
}

/// Runs a campaign in the plan's directory, or in a temporary one.
pub(crate) fn run(plan: &Plan) -> Result<Figures, CampaignError> {
    match &plan.directory {
        Some(directory) => {
            fs::create_dir_all(directory)?;
            run_in(directory, plan)
        }
        None => run_in(tempfile::tempdir()?.path(), plan),
    }
}

fn run_in(directory: &Path, plan: &Plan) -> Result<Figures, CampaignError> {
    let began = Instant::now();
    let mut campaign = Campaign::new(directory, plan)?;
    campaign.more_orders()?;
    while campaign.figures.kills < plan.kills {
        campaign.live_and_die()?;
    }
    campaign.run_to_the_end()?;
    let consistent = campaign.files.check()?.success();
    let effects = entries(&campaign.files.ledger())?.len();
    Ok(Figures { consistent, effects, took: began.elapsed(), ..campaign.figures })
}

struct Campaign<'a> {
    plan: &'a Plan,
    files: Files,
    chance: Chance,
    pace: usize,
    lives: Vec<Option<Life>>,
    figures: Figures,
}

impl<'a> Campaign<'a> {
    fn new(directory: &Path, plan: &'a Plan) -> Result<Self, CampaignError> {
        // At this pace the orders of one round arrive for about as long as the kills take.
        let pace = (plan.kills as usize * 120 / plan.orders).clamp(1, PACE_MAX);
        Ok(Self {
            plan,
            files: Files::below(directory),
            chance: Chance::of_seed(plan.seed),
            pace,
            lives: (0..plan.processes).map(|_| None).collect(),
            figures: Figures::default(),
        })
    }

    /// Adds a round of orders to the file; those of before keep their place.
    fn more_orders(&mut self) -> Result<(), CampaignError> {
        self.figures.orders += self.plan.orders;
        let whole = self.files.orders();
        let half = whole.with_extension("new");
        fs::write(&half, orders_csv(self.figures.orders))?;
        fs::rename(half, whole)?;
        Ok(())
    }

    /// Fills every place, waits for a random time, and kills one process or all.
    fn live_and_die(&mut self) -> Result<(), CampaignError> {
        let all_new = self.lives.iter().all(Option::is_none);
        let mut watch = if all_new { Watch::begin(&self.files.ledger())? } else { None };
        self.fill()?;
        let until = Instant::now() + self.chance.life();
        while Instant::now() < until {
            if let Some(time) = watch.as_ref().map(Watch::gone_on).transpose()?.flatten() {
                self.figures.going_on.push(time);
                watch = None;
            }
            if self.all_ended()? {
                self.more_orders()?;
                return Ok(());
            }
            sleep(LOOK_EVERY);
        }
        let everyone = self.chance.below(4) == 0;
        let one = self.chance.below(self.lives.len());
        for (index, place) in self.lives.iter_mut().enumerate() {
            if (everyone || index == one)
                && let Some(life) = place.take()
                && life.kill()?
            {
                self.figures.kills += 1;
            }
        }
        Ok(())
    }

    fn run_to_the_end(&mut self) -> Result<(), CampaignError> {
        self.fill()?;
        let until = Instant::now() + END_WITHIN;
        while !self.all_ended()? {
            if Instant::now() > until {
                return Err(CampaignError::NeverEnding { log: self.last_words() });
            }
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), CampaignError> {
        for place in self.lives.iter_mut().filter(|place| place.is_none()) {
            *place = Some(self.files.start(self.pace, CONFIRM_WITHIN_MS)?);
        }
        Ok(())
    }

    /// Whether every process has done its work and ended well.
    fn all_ended(&mut self) -> Result<bool, CampaignError> {
        for index in 0..self.lives.len() {
            let Some(life) = &mut self.lives[index] else { continue };
            match life.ended()? {
                None => {}
                Some(status) if status.success() => self.lives[index] = None,
                Some(status) => {
                    return Err(CampaignError::ChildFailed { status, log: self.last_words() });
                }
            }
        }
        Ok(self.lives.iter().all(Option::is_none))
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.files.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}
