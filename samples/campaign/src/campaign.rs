//! The campaign itself: start, wait, kill, until it was often enough; then run to the end and count.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

use retell_samples::orders::ENDED;
use retell_samples::orders::ledger::{LedgerError, LedgerTail, entries};
use retell_samples::orders::sample::orders_csv;

use crate::chance::Chance;
use crate::child::{Files, Life};
use crate::figures::Figures;
use crate::options::Plan;
use crate::place::Place;
use crate::watch::{Killed, Watch};

/// How often the ledger and the children are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long it may take until the next order ends.
const NEXT_WITHIN: Duration = Duration::from_secs(120);
/// How long an order waits for its confirmation: longer than the latest one at the slowest pace.
const CONFIRM_WITHIN_MS: u64 = 3_000;
const LOG_LINES_SHOWN: usize = 20;

/// Why a campaign could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CampaignError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no store: {0}")]
    NoStore(String),
    #[error("the directory holds the files of another campaign")]
    DirectoryTaken,
    #[error("orders ended by itself with {status}; its last words:\n{log}")]
    ChildFailed { status: ExitStatus, log: String },
    #[error("no order ended for {NEXT_WITHIN:?}; the last words of orders:\n{log}")]
    NeverEnding { log: String },
}

/// Runs a campaign in the plan's directory, or in a temporary one.
pub(crate) fn run(plan: &Plan, place: &Place) -> Result<Figures, CampaignError> {
    match &plan.directory {
        Some(directory) => {
            fs::create_dir_all(directory)?;
            run_in(directory, plan, place)
        }
        None => run_in(tempfile::tempdir()?.path(), plan, place),
    }
}

fn run_in(directory: &Path, plan: &Plan, place: &Place) -> Result<Figures, CampaignError> {
    let store = place.url(directory).map_err(CampaignError::NoStore)?;
    let files = Files::below(directory, store);
    if files.ledger().exists() {
        return Err(CampaignError::DirectoryTaken);
    }
    let began = Instant::now();
    let mut campaign = Campaign::new(files, plan);
    campaign.more_orders()?;
    while !plan.rhythm.is_over(campaign.figures.kills, campaign.all_told()) {
        campaign.live_and_die()?;
    }
    campaign.run_to_the_end()?;
    let took = began.elapsed();
    let consistent = campaign.files.check()?.success();
    let effects = entries(&campaign.files.ledger())?.len();
    let times = campaign.watch.times().clone();
    Ok(Figures { consistent, effects, took, times, ..campaign.figures })
}

struct Campaign<'a> {
    plan: &'a Plan,
    files: Files,
    chance: Chance,
    lives: Vec<Option<Life>>,
    watch: Watch,
    acks: LedgerTail,
    /// How many orders ended, as the store told of it, and when the last one did.
    ended: usize,
    last_ended: Instant,
    figures: Figures,
}

impl<'a> Campaign<'a> {
    fn new(files: Files, plan: &'a Plan) -> Self {
        Self {
            plan,
            chance: Chance::of_seed(plan.seed),
            lives: (0..plan.processes).map(|_| None).collect(),
            watch: Watch::over(&files.ledger()),
            acks: LedgerTail::of(&files.acks()),
            files,
            ended: 0,
            last_ended: Instant::now(),
            figures: Figures::default(),
        }
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

    /// Whether the store has told of the end of every order.
    fn all_told(&self) -> bool {
        self.ended == self.figures.orders
    }

    /// Fills every place, waits until it is time, and kills one process or all.
    fn live_and_die(&mut self) -> Result<(), CampaignError> {
        self.fill()?;
        let until = Instant::now() + self.plan.rhythm.life(&mut self.chance);
        while Instant::now() < until {
            self.look()?;
            if self.all_exited()? {
                return self.more_if_kills_are_left();
            }
            sleep(LOOK_EVERY);
        }
        self.kill()
    }

    fn more_if_kills_are_left(&mut self) -> Result<(), CampaignError> {
        self.look()?;
        if self.plan.rhythm.is_over(self.figures.kills, self.all_told()) {
            return Ok(());
        }
        self.more_orders()
    }

    fn kill(&mut self) -> Result<(), CampaignError> {
        let everyone = self.chance.below(4) == 0;
        let one = self.chance.below(self.lives.len());
        let now = Instant::now();
        for (index, place) in self.lives.iter_mut().enumerate() {
            if (everyone || index == one)
                && let Some(life) = place.take()
                && life.kill()?
            {
                self.figures.kills += 1;
            }
        }
        let who = if self.lives.iter().all(Option::is_none) { Killed::All } else { Killed::Some };
        self.watch.killed(now, who)?;
        Ok(())
    }

    fn run_to_the_end(&mut self) -> Result<(), CampaignError> {
        self.fill()?;
        while !self.all_exited()? {
            self.look()?;
            sleep(LOOK_EVERY);
        }
        self.look()
    }

    /// Reads what the children did meanwhile.
    fn look(&mut self) -> Result<(), CampaignError> {
        self.watch.look()?;
        let ended = self.acks.more()?.iter().filter(|ack| ack.kind() == ENDED).count();
        if ended > 0 {
            self.ended += ended;
            self.last_ended = Instant::now();
        }
        if self.last_ended.elapsed() > NEXT_WITHIN {
            return Err(CampaignError::NeverEnding { log: self.last_words() });
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), CampaignError> {
        let pace = self.plan.rhythm.pace(self.plan.orders);
        for place in self.lives.iter_mut().filter(|place| place.is_none()) {
            *place = Some(self.files.start(pace, CONFIRM_WITHIN_MS)?);
        }
        Ok(())
    }

    /// Whether every process has done its work and ended well.
    fn all_exited(&mut self) -> Result<bool, CampaignError> {
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
