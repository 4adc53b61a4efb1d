//! The command line of the campaign.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lexopt::prelude::{Long, Short, ValueExt};
use retell_samples::store::StoreUrl;

use crate::place::Place;
use crate::rhythm::Rhythm;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Kills `orders`, starts it again on the same store, and checks that nothing was lost or done twice.

Usage: retell-campaign [OPTIONS]

  --server NAME        on a private server, which is started for it: postgres, mariadb, mysql, redis or redis-cluster;
                       given several times, a campaign on each [an SQLite file]
  --store URL          on this store, in a form of `orders --help`, in a namespace of its own
  --processes N        how many processes share the store [1]
  --orders N           orders in a round [1000]
  --kills N            how often to kill, at random moments; when all have ended before, as many orders more come [200]
  --every-ms N         kills one process, or all, each N ms instead, until every order has ended
  --seed N             what chance is drawn from [drawn from the clock, and printed]
  --directory PATH     keeps the files there [a temporary directory]
  --going-on-ms N      fails if it took longer than this, after all were killed, until the first run went on
  -h, --help           prints this";

/// How often to kill, unless the command line says otherwise.
const KILLS: u32 = 200;

/// What to do to `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) places: Vec<Place>,
    pub(crate) processes: usize,
    pub(crate) orders: usize,
    pub(crate) rhythm: Rhythm,
    pub(crate) seed: u64,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) going_on_max: Option<Duration>,
}

/// Reads the command line; `None` asks for help.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Plan>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut plan = Plan {
        places: Vec::new(),
        processes: 1,
        orders: 1_000,
        rhythm: Rhythm::Random { kills: KILLS },
        seed: 0,
        directory: None,
        going_on_max: None,
    };
    let (mut seed, mut kills, mut every) = (None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("server") => plan.places.push(Place::Server(parser.value()?.parse()?)),
            Long("store") => plan.places.push(store(parser.value()?)?),
            Long("processes") => plan.processes = parser.value()?.parse()?,
            Long("orders") => plan.orders = parser.value()?.parse()?,
            Long("kills") => kills = Some(parser.value()?.parse()?),
            Long("every-ms") => every = Some(Duration::from_millis(parser.value()?.parse()?)),
            Long("seed") => seed = Some(parser.value()?.parse()?),
            Long("directory") => plan.directory = Some(parser.value()?.into()),
            Long("going-on-ms") => {
                plan.going_on_max = Some(Duration::from_millis(parser.value()?.parse()?));
            }
            other => return Err(other.unexpected()),
        }
    }
    plan.rhythm = match (kills, every) {
        (Some(_), Some(_)) => return Err("--kills and --every-ms are two ways to kill: choose one".into()),
        (None, Some(every)) => Rhythm::Even { every },
        (kills, None) => Rhythm::Random { kills: kills.unwrap_or(KILLS) },
    };
    if plan.places.is_empty() {
        plan.places.push(Place::File);
    }
    plan.seed = seed.unwrap_or_else(seed_of_the_moment);
    checked(plan).map(Some)
}

fn checked(plan: Plan) -> Result<Plan, lexopt::Error> {
    if plan.processes == 0 || plan.orders == 0 {
        return Err("a campaign needs at least one process and one order".into());
    }
    if plan.rhythm == (Rhythm::Even { every: Duration::ZERO }) {
        return Err("nothing lives without time between the kills".into());
    }
    if plan.directory.is_some() && plan.places.len() > 1 {
        return Err("one directory holds the files of one campaign".into());
    }
    Ok(plan)
}

fn store(word: OsString) -> Result<Place, lexopt::Error> {
    match StoreUrl::from_word(&word).map_err(|error| lexopt::Error::Custom(error.into()))? {
        StoreUrl::Memory => Err("a store in memory forgets what was killed".into()),
        _ => Ok(Place::Url(word)),
    }
}

fn seed_of_the_moment() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since_epoch.subsec_nanos()) ^ since_epoch.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retell_servers::Kind;

    fn check(line: &str) -> Result<Option<Plan>, lexopt::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn plan(line: &str) -> Plan {
        check(line).unwrap().unwrap()
    }

    #[test]
    fn a_seed_is_drawn_only_if_none_is_given() {
        let plan = plan("--kills 20 --processes 2 --seed 7 --going-on-ms 200");
        assert_eq!((plan.processes, plan.orders, plan.seed), (2, 1_000, 7));
        assert_eq!(plan.rhythm, Rhythm::Random { kills: 20 });
        assert_eq!(plan.going_on_max, Some(Duration::from_millis(200)));
    }

    #[test]
    fn a_campaign_runs_on_each_store_that_is_named() {
        assert_eq!(plan("").places, [Place::File]);
        let places = plan("--server postgres --store redis://db --server redis-cluster").places;
        let url = Place::Url("redis://db".into());
        assert_eq!(places, [Place::Server(Kind::Postgres), url, Place::Server(Kind::RedisNode)]);
        assert!(check("--server oracle").is_err());
        assert!(check("--store memory").is_err());
        assert!(check("--server redis --server mariadb --directory here").is_err());
    }

    #[test]
    fn kills_are_counted_or_come_evenly() {
        assert_eq!(plan("").rhythm, Rhythm::Random { kills: 200 });
        assert_eq!(plan("--every-ms 1000").rhythm, Rhythm::Even { every: Duration::from_secs(1) });
        assert!(check("--every-ms 1000 --kills 3").is_err());
        assert!(check("--every-ms 0").is_err());
    }

    #[test]
    fn nothing_to_do_is_refused() {
        assert!(check("--orders 0").is_err());
        assert!(check("--processes 0").is_err());
        assert!(check("--kills").is_err());
        assert_eq!(check("--help").unwrap(), None);
    }
}
