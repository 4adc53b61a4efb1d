//! The command line of the benchmark.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Parser;
use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::store::StoreKind;
use crate::workload::{Tree, Workload};

const USAGE: &str = "\
How fast Retell is, beside its stores' own limits and its peers.

Usage: retell-bench run [OPTIONS]
       retell-bench compare [OPTIONS]
       retell-bench show FILE...                   prints what --json kept
       retell-bench plot FILE... [--out DIRECTORY]  draws it

run: medians of several repetitions of a workload, after one to warm up
  --workload NAME     may be given several times; `all` for all [those marked *]
  --store KIND        sqlite, memory, or a server: postgres, mysql, redis, or its URL [sqlite]
  --sync MODE         full, or normal, which can lose the last commits at a power cut [full]
  --repetitions N     [as the workload says]
  --count N, --runs N the workload's own number (#)
  --seconds N         how long `open` offers runs [120]
  --depth N, --fanout N, --leaffanout N, --activities N, --resultsize N
                      the shape of `tree`, as in go-workflows' own benchmark [2, 2, 2, 2, 100]
compare: Retell, the store's floor and the peers in turn, in one session, and their ratios
  --workload NAME     w1 to w5; may be given several times [all of them]
  --store KIND        embedded, which is SQLite and memory, or a server, as above [embedded]
  --rounds N          turns of each; one that is slower than 10 s has one [3]
  --peers LIST        of durare, duroxide, go-workflows, dbos, parted by commas, or none [all]
both
  --json FILE         keeps what was measured
  --directory PATH    where SQLite files are made; must lie on a disk [target/bench]
  -h, --help          prints this

A server that is named by its kind alone is started for the session, with durable settings; MariaDB for mysql. At a URL,
a fresh schema or database is made, and stays.

Workloads:";

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Run(RunOptions),
    Compare(CompareOptions),
    /// The files to print.
    Show(Vec<PathBuf>),
    Plot(PlotOptions),
}

/// How large a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Its own number; `None` for what it says itself.
    pub(crate) count: Option<u32>,
    /// How long an open loop lasts.
    pub(crate) lasting: Duration,
    pub(crate) tree: Tree,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { count: None, lasting: Duration::from_secs(120), tree: Tree::default() }
    }
}

/// What to measure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunOptions {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) store: StoreKind,
    /// Of a server that runs already.
    pub(crate) url: Option<String>,
    /// `None` for what each workload says.
    pub(crate) repetitions: Option<usize>,
    pub(crate) sizes: Sizes,
    pub(crate) directory: PathBuf,
    pub(crate) json: Option<PathBuf>,
}

/// What to compare.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompareOptions {
    pub(crate) workloads: Vec<Workload>,
    /// `None` for those that need no server.
    pub(crate) server: Option<StoreKind>,
    /// Of a server that runs already.
    pub(crate) url: Option<String>,
    pub(crate) rounds: usize,
    pub(crate) peers: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) json: Option<PathBuf>,
}

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlotOptions {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) out: PathBuf,
}

/// The peers that there are.
pub(crate) const PEERS: [&str; 4] = ["durare", "duroxide", "go-workflows", "dbos"];

/// What `--help` prints.
pub(crate) fn usage() -> String {
    let mut text = USAGE.to_owned();
    for about in Workload::ALL.map(Workload::about) {
        let mark = if about.usual { '*' } else { ' ' };
        text += &format!("\n{mark} {:<14}{} [{}]", about.name, about.text, about.count);
    }
    text
}

/// Reads the command line; `None` asks for help.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Command>, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let command = match parser.next()? {
        None | Some(Short('h') | Long("help")) => return Ok(None),
        Some(Value(word)) if word == "run" => run(&mut parser)?.map(Command::Run),
        Some(Value(word)) if word == "compare" => compare(&mut parser)?.map(Command::Compare),
        Some(Value(word)) if word == "show" => show(&mut parser)?.map(Command::Show),
        Some(Value(word)) if word == "plot" => plot(&mut parser)?.map(Command::Plot),
        Some(other) => return Err(other.unexpected()),
    };
    Ok(command)
}

fn run(parser: &mut Parser) -> Result<Option<RunOptions>, lexopt::Error> {
    let mut options = RunOptions {
        workloads: Vec::new(),
        store: StoreKind::SqliteFull,
        url: None,
        repetitions: None,
        sizes: Sizes::default(),
        directory: "target/bench".into(),
        json: None,
    };
    let mut sync = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("workload") => match parser.value()?.string()?.as_str() {
                "all" => options.workloads.extend(Workload::ALL),
                name => options.workloads.push(Workload::of_name(name)?),
            },
            Long("store") => match parser.value()?.string()?.as_str() {
                "sqlite" => options.store = StoreKind::SqliteFull,
                "memory" => options.store = StoreKind::Memory,
                word => (options.store, options.url) = server(word)?,
            },
            Long("sync") => sync = Some(one_of(&parser.value()?.string()?, ["full", "normal"])?),
            Long("repetitions") => options.repetitions = Some(at_least_one(parser)?),
            Long("depth") => options.sizes.tree.depth = number(parser)?,
            Long("fanout") => options.sizes.tree.fanout = number(parser)?,
            Long("leaffanout") => options.sizes.tree.leaffanout = number(parser)?,
            Long("activities") => options.sizes.tree.activities = number(parser)?,
            Long("resultsize") => options.sizes.tree.resultsize = number(parser)?,
            Long("count" | "runs") => options.sizes.count = Some(at_least_one(parser)? as u32),
            Long("seconds") => options.sizes.lasting = Duration::from_secs(at_least_one(parser)? as u64),
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("directory") => options.directory = parser.value()?.into(),
            other => return Err(other.unexpected()),
        }
    }
    if options.workloads.is_empty() {
        options.workloads.extend(Workload::ALL.into_iter().filter(|workload| workload.about().usual));
    }
    options.store = match (options.store, sync) {
        (store, None) => store,
        (StoreKind::SqliteFull, Some(false)) => StoreKind::SqliteFull,
        (StoreKind::SqliteFull, Some(true)) => StoreKind::SqliteNormal,
        (store, Some(_)) => return Err(format!("--sync says nothing about {store}").into()),
    };
    Ok(Some(options))
}

fn compare(parser: &mut Parser) -> Result<Option<CompareOptions>, lexopt::Error> {
    let mut options = CompareOptions {
        workloads: Vec::new(),
        server: None,
        url: None,
        rounds: 3,
        peers: PEERS.map(str::to_owned).to_vec(),
        directory: "target/bench".into(),
        json: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("workload") => options.workloads.push(parser.value()?.parse_with(Workload::of_name)?),
            Long("store") => match parser.value()?.string()?.as_str() {
                "embedded" => (options.server, options.url) = (None, None),
                word => {
                    let (server, url) = server(word)?;
                    (options.server, options.url) = (Some(server), url);
                }
            },
            Long("rounds") => options.rounds = at_least_one(parser)?,
            Long("peers") => options.peers = peers(&parser.value()?.string()?)?,
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("directory") => options.directory = parser.value()?.into(),
            other => return Err(other.unexpected()),
        }
    }
    if options.workloads.is_empty() {
        options.workloads = Workload::COMPARED.to_vec();
    }
    if let Some(other) = options.workloads.iter().find(|workload| !Workload::COMPARED.contains(workload)) {
        return Err(format!("the peers do not run {}; see `run`", other.name()).into());
    }
    Ok(Some(options))
}

fn peers(list: &str) -> Result<Vec<String>, lexopt::Error> {
    let named: Vec<_> = list.split(',').filter(|name| *name != "none").map(str::to_owned).collect();
    match named.iter().find(|name| !PEERS.contains(&name.as_str())) {
        Some(unknown) => Err(format!("there is no peer {unknown:?}; there are {}", PEERS.join(", ")).into()),
        None => Ok(named),
    }
}

fn show(parser: &mut Parser) -> Result<Option<Vec<PathBuf>>, lexopt::Error> {
    let mut files = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Value(file) => files.push(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    if files.is_empty() { Err("show wants the files that --json wrote".into()) } else { Ok(Some(files)) }
}

fn plot(parser: &mut Parser) -> Result<Option<PlotOptions>, lexopt::Error> {
    let mut options = PlotOptions { files: Vec::new(), out: "bench/plots".into() };
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("out") => options.out = parser.value()?.into(),
            Value(file) => options.files.push(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    if options.files.is_empty() {
        Err("plot wants the files that --json wrote".into())
    } else {
        Ok(Some(options))
    }
}

fn number(parser: &mut Parser) -> Result<u32, lexopt::Error> {
    parser.value()?.parse()
}

fn at_least_one(parser: &mut Parser) -> Result<usize, lexopt::Error> {
    match parser.value()?.parse::<u32>()? {
        0 => Err("a number here is at least 1".into()),
        number => Ok(number as usize),
    }
}

/// A kind of server, or the URL of one.
fn server(word: &str) -> Result<(StoreKind, Option<String>), String> {
    let (name, url) = match word.split_once("://") {
        Some((scheme, _)) => (scheme, Some(word.to_owned())),
        None => (word, None),
    };
    let store = match name {
        "postgres" | "postgresql" => StoreKind::Postgres,
        "mysql" | "mariadb" => StoreKind::MySql,
        "redis" | "rediss" => StoreKind::Redis,
        _ => return Err(format!("{word:?} is no store: sqlite, memory, postgres, mysql, redis, or a URL")),
    };
    Ok((store, url))
}

/// Whether a word is the second of two.
fn one_of(word: &str, [first, second]: [&str; 2]) -> Result<bool, lexopt::Error> {
    match word {
        _ if word == first => Ok(false),
        _ if word == second => Ok(true),
        _ => Err(format!("{word:?} is neither {first} nor {second}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Result<Option<Command>, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    fn check_run(line: &str) -> RunOptions {
        match check(line) {
            Ok(Some(Command::Run(options))) => options,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn defaults_are_what_users_get() {
        let options = check_run("run");
        assert_eq!(options.store, StoreKind::SqliteFull);
        assert!(
            options.workloads.contains(&Workload::W1) && !options.workloads.contains(&Workload::Sleepers)
        );
    }

    #[test]
    fn a_workload_and_a_store_can_be_chosen() {
        let options = check_run("run --workload w3 --store sqlite --sync normal --repetitions 2 --count 7");
        assert_eq!(options.workloads, [Workload::W3]);
        assert_eq!((options.store, options.repetitions), (StoreKind::SqliteNormal, Some(2)));
        assert_eq!(options.sizes.count, Some(7));
        assert_eq!(check_run("run --workload all").workloads, Workload::ALL);
    }

    #[test]
    fn a_server_is_named_by_its_kind_or_by_where_it_is() {
        let options = check_run("run --store redis");
        assert_eq!((options.store, options.url), (StoreKind::Redis, None));
        let options = check_run("run --store postgres://bench@there/bench");
        assert_eq!(options.store, StoreKind::Postgres);
        assert_eq!(options.url.as_deref(), Some("postgres://bench@there/bench"));
        let Ok(Some(Command::Compare(options))) = check("compare --store mysql") else {
            panic!("it is a comparison");
        };
        assert_eq!(options.server, Some(StoreKind::MySql));
    }

    #[test]
    fn peers_are_compared_by_what_they_run() {
        let Ok(Some(Command::Compare(options))) = check("compare --peers durare --workload w1") else {
            panic!("it is a comparison");
        };
        assert_eq!(options.peers, ["durare"]);
        assert!(check("compare --workload sleepers").unwrap_err().contains("do not run sleepers"));
        assert!(check("compare --peers temporal").unwrap_err().contains("no peer"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(check("run --workload w9").unwrap_err().contains("w1, w2, w3"));
        assert!(check("run --sync off").unwrap_err().contains("neither full nor normal"));
        assert!(check("run --store memory --sync normal").is_err());
        assert!(check("run --store postgres --sync normal").is_err());
        assert!(check("run --store oracle").unwrap_err().contains("no store"));
        assert!(check("run --repetitions 0").is_err());
        assert!(check("plot").is_err() && check("show").is_err());
        assert!(check("walk").is_err());
        assert_eq!(check(""), Ok(None));
    }

    #[test]
    fn help_names_every_workload() {
        let usage = usage();
        Workload::ALL.into_iter().for_each(|workload| assert!(usage.contains(workload.name())));
    }
}
