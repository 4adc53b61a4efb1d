//! The command line of `orders`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value, ValueExt};
use retell::vocabulary::Namespace;

use crate::store::{FORMS, StoreUrl};

/// What [`usage`] is made of.
const USAGE: &str = "\
Runs one workflow for each order of a file. Kill it at any moment and start it again: it goes on where it was.

Usage: orders [FILE] [OPTIONS]          runs the orders of FILE (`-` for standard input; the 1,000 that come
                                        with it if there is none)
       orders check [FILE] [OPTIONS]    proves that every order ended and that each effect counts once
       orders generate COUNT            prints COUNT orders as CSV

Options:
  --store URL      what keeps the histories, in a form of those below [orders.db]
  --db PATH        the same for an SQLite file
  --namespace NAME keeps these orders apart from all others in the store [default]
  --ledger PATH    where effects are counted [orders.ledger]
  --acks PATH      writes down every start, confirmation and end that the store told of; `check` looks for them
  --pace FACTOR    stretches arrivals, work and confirmations; 0 waits for nothing [1]
  --confirm-within MS
                   how long an order waits for its confirmation [1000 times the pace, at least 1000]
  -h, --help       prints this

Stores:
{stores}

Exit status: 0 all is well; 1 something failed, or `check` found something missing or done twice; 2 the command line is
wrong; 3 malformed lines were left out, all others ran.";

/// What `--help` prints.
#[must_use]
pub fn usage() -> String {
    let stores: Vec<_> = FORMS.lines().map(|form| format!("  {form}")).collect();
    USAGE.replace("{stores}", &stores.join("\n"))
}

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Runs orders.
    Run(Options),
    /// Checks what became of them.
    Check(Options),
    /// Prints this many orders.
    Generate(usize),
    /// Prints [`usage`].
    Help,
}

/// Where everything is, and how fast it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where the orders come from.
    pub source: Source,
    /// What keeps the histories.
    pub store: StoreUrl,
    /// Which of the orders in the store are meant.
    pub namespace: Namespace,
    /// Where effects are counted.
    pub ledger: PathBuf,
    /// Where starts, confirmations and ends that the store told of are written down, if anywhere.
    pub acks: Option<PathBuf>,
    /// What all waiting is multiplied by.
    pub pace: f64,
    /// How long an order waits for its confirmation, if not as long as the pace says.
    pub confirm_within: Option<Duration>,
}

/// Where orders come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The file that comes with the program.
    BuiltIn,
    /// Standard input.
    StandardInput,
    /// A file.
    File(PathBuf),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source: Source::BuiltIn,
            store: StoreUrl::Sqlite("orders.db".into()),
            namespace: Namespace::default(),
            ledger: "orders.ledger".into(),
            acks: None,
            pace: 1.0,
            confirm_within: None,
        }
    }
}

impl Options {
    /// How long an order waits for its confirmation.
    #[must_use]
    pub fn confirm_within(&self) -> Duration {
        self.confirm_within.unwrap_or_else(|| Duration::from_secs_f64(self.pace.max(1.0)))
    }

    /// A time of pace 1 at this pace.
    #[must_use]
    pub fn paced(&self, time: Duration) -> Duration {
        time.mul_f64(self.pace)
    }
}

/// Reads the command line, without the program's name.
///
/// # Errors
/// What is wrong with it.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options::default();
    let mut words: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Long("db") => options.store = StoreUrl::Sqlite(parser.value()?.into()),
            Long("store") => {
                let url = StoreUrl::from_word(&parser.value()?);
                options.store = url.map_err(|error| lexopt::Error::Custom(error.into()))?;
            }
            Long("namespace") => {
                options.namespace = parser.value()?.parse_with(|name| Namespace::new(name))?
            }
            Long("ledger") => options.ledger = parser.value()?.into(),
            Long("acks") => options.acks = Some(parser.value()?.into()),
            Long("confirm-within") => {
                options.confirm_within = Some(Duration::from_millis(parser.value()?.parse::<u32>()?.into()));
            }
            Long("pace") => options.pace = parser.value()?.parse_with(pace)?,
            Value(word) => words.push(word),
            other => return Err(other.unexpected()),
        }
    }
    command(words, options)
}

fn command(words: Vec<OsString>, mut options: Options) -> Result<Command, lexopt::Error> {
    let mut words = words.into_iter();
    let first = words.next();
    let (make, source): (fn(Options) -> Command, _) = match first.as_ref().and_then(|word| word.to_str()) {
        Some("generate") => {
            let count = words.next().ok_or("generate wants a count")?.parse()?;
            return nothing_after(words, Command::Generate(count));
        }
        Some("check") => (Command::Check, words.next()),
        _ => (Command::Run, first),
    };
    options.source = match source {
        None => Source::BuiltIn,
        Some(word) if word == "-" => Source::StandardInput,
        Some(path) => Source::File(path.into()),
    };
    nothing_after(words, make(options))
}

fn nothing_after(
    mut words: impl Iterator<Item = OsString>,
    command: Command,
) -> Result<Command, lexopt::Error> {
    match words.next() {
        None => Ok(command),
        Some(word) => Err(lexopt::Error::UnexpectedArgument(word)),
    }
}

fn pace(text: &str) -> Result<f64, &'static str> {
    let reason = "the pace is a number from 0 to 100000";
    let pace: f64 = text.parse().map_err(|_| reason)?;
    if (0.0..=100_000.0).contains(&pace) { Ok(pace) } else { Err(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_arguments_the_built_in_orders_run() {
        assert_eq!(check(""), Ok(Command::Run(Options::default())));
    }

    #[test]
    fn options_may_stand_anywhere() {
        let options = Options {
            source: Source::File("a.csv".into()),
            store: StoreUrl::Sqlite("x.db".into()),
            pace: 0.5,
            ..Options::default()
        };
        assert_eq!(check("--pace 0.5 a.csv --db x.db"), Ok(Command::Run(options.clone())));
        assert_eq!(check("check --db=x.db a.csv --pace 0.5"), Ok(Command::Check(options)));
    }

    #[test]
    fn a_store_is_named_by_its_url() {
        let store = |line: &str| match check(line) {
            Ok(Command::Run(options)) => options.store,
            other => panic!("{line} is {other:?}"),
        };
        assert_eq!(store("- --store memory"), StoreUrl::Memory);
        assert_eq!(store("--store sqlite:x.db"), store("--db x.db"));
        assert_eq!(store("--store redis://db"), StoreUrl::Redis("redis://db".to_owned()));
    }

    #[test]
    fn a_slow_pace_stretches_the_time_to_confirm() {
        let confirm_within = |line: &str| match check(line) {
            Ok(Command::Run(options)) => options.confirm_within().as_millis(),
            other => panic!("{line} is {other:?}"),
        };
        assert_eq!(confirm_within(""), 1_000);
        assert_eq!(confirm_within("--pace 0"), 1_000);
        assert_eq!(confirm_within("--pace 3"), 3_000);
        assert_eq!(confirm_within("--pace 3 --confirm-within 50"), 50);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(check("--pase 1").unwrap_err().contains("--pase"));
        assert!(check("a b").unwrap_err().contains("\"b\""));
        assert!(check("--store redys://db").unwrap_err().contains("redys"));
        assert!(check("--namespace ").is_err());
        assert!(check("--pace -1").unwrap_err().contains("0 to 100000"));
        assert!(check("--pace NaN").unwrap_err().contains("0 to 100000"));
        assert!(check("generate").unwrap_err().contains("count"));
        assert_eq!(check("--help"), Ok(Command::Help));
    }
}
