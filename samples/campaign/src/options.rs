//! The command line of the campaign.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lexopt::prelude::{Long, Short, ValueExt};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Kills `orders` at random moments, starts it again on the same files, and checks that nothing was lost or done twice.

Usage: retell-campaign [OPTIONS]

  --kills N            how often to kill [200]
  --processes N        how many processes share the files [1]
  --orders N           orders in a round; when all have ended and kills are left, as many more come [1000]
  --seed N             what the moments are drawn from [drawn from the clock, and printed]
  --directory PATH     keeps the files there [a temporary directory]
  --going-on-ms N      fails if a restart took longer than this until the first run went on
  -h, --help           prints this";

/// What to do to `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) kills: u32,
    pub(crate) processes: usize,
    pub(crate) orders: usize,
    pub(crate) seed: u64,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) going_on_max: Option<Duration>,
}

/// Reads the command line; `None` asks for help.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Plan>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut plan =
        Plan { kills: 200, processes: 1, orders: 1_000, seed: 0, directory: None, going_on_max: None };
    let mut seed = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("kills") => plan.kills = parser.value()?.parse()?,
            Long("processes") => plan.processes = parser.value()?.parse()?,
            Long("orders") => plan.orders = parser.value()?.parse()?,
            Long("seed") => seed = Some(parser.value()?.parse()?),
            Long("directory") => plan.directory = Some(parser.value()?.into()),
            Long("going-on-ms") => {
                plan.going_on_max = Some(Duration::from_millis(parser.value()?.parse()?));
            }
            other => return Err(other.unexpected()),
        }
    }
    if plan.processes == 0 || plan.orders == 0 {
        return Err("a campaign needs at least one process and one order".into());
    }
    plan.seed = seed.unwrap_or_else(seed_of_the_moment);
    Ok(Some(plan))
}

fn seed_of_the_moment() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since_epoch.subsec_nanos()) ^ since_epoch.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Option<Plan>, lexopt::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_seed_is_drawn_only_if_none_is_given() {
        let plan = check("--kills 20 --processes 2 --seed 7 --going-on-ms 200").unwrap().unwrap();
        assert_eq!((plan.kills, plan.processes, plan.orders, plan.seed), (20, 2, 1_000, 7));
        assert_eq!(plan.going_on_max, Some(Duration::from_millis(200)));
    }

    #[test]
    fn nothing_to_do_is_refused() {
        assert!(check("--orders 0").is_err());
        assert!(check("--processes 0").is_err());
        assert!(check("--kills").is_err());
        assert_eq!(check("--help").unwrap(), None);
    }
}
