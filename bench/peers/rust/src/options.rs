//! What the benchmark asks for.

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::{Long, ValueExt};

/// Which peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerName {
    Dbos,
    Durare,
    Duroxide,
}

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    /// As it comes.
    Default,
    /// As fast as it can be made without changing what its store promises.
    Best,
    /// As durable as Retell by default: each commit on disk before it is acknowledged.
    Durable,
}

/// Where it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreName {
    Sqlite,
    Memory,
    Postgres,
}

/// One workload, by the shape of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Activities, one after the other.
    Chain(u32),
    /// Activities, all at once.
    Fan(u32),
    /// A sleep of one second.
    Sleep,
}

/// A workload: how many runs, of which shape, and whether all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) runs: u32,
    pub(crate) shape: Shape,
    pub(crate) at_once: bool,
}

impl Workload {
    fn of_name(name: &str) -> Result<Self, String> {
        let (runs, shape, at_once) = match name {
            "w1" => (200, Shape::Chain(10), true),
            "w2" => (20, Shape::Fan(50), true),
            "w3" => (300, Shape::Chain(1), false),
            "w4" => (1, Shape::Chain(1_000), false),
            "w5" => (1_000, Shape::Sleep, true),
            _ => return Err(format!("no peer runs {name:?}")),
        };
        Ok(Self { runs, shape, at_once })
    }

    /// The same with another number of runs, or of activities if it is one run. Named before its size.
    fn sized(self, count: u32) -> Self {
        match self.shape {
            Shape::Chain(_) if self.runs == 1 => Self { shape: Shape::Chain(count), ..self },
            _ => Self { runs: count, ..self },
        }
    }

    /// A tenth of it, to warm up with.
    pub(crate) fn tenth(self) -> Self {
        match self.shape {
            Shape::Chain(length) if self.runs == 1 => Self { shape: Shape::Chain(length / 10), ..self },
            _ => Self { runs: self.runs / 10, ..self },
        }
    }

    /// Activities that all runs call together; runs, where they call none.
    pub(crate) fn operations(self) -> u64 {
        let each = match self.shape {
            Shape::Chain(length) | Shape::Fan(length) => length,
            Shape::Sleep => 1,
        };
        u64::from(self.runs) * u64::from(each)
    }
}

/// What the benchmark asks for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) peer: PeerName,
    pub(crate) settings: Settings,
    pub(crate) store: StoreName,
    pub(crate) workload: Workload,
    /// How long a turn lasts, unless a single sample takes longer.
    pub(crate) at_least: Duration,
    pub(crate) directory: PathBuf,
    /// Of a database on a server.
    pub(crate) url: Option<String>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Box<dyn Error>> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut options = Self {
            peer: PeerName::Durare,
            settings: Settings::Default,
            store: StoreName::Sqlite,
            workload: Workload::of_name("w1")?,
            at_least: Duration::from_secs(1),
            directory: "target/bench".into(),
            url: None,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("count") => options.workload = options.workload.sized(parser.value()?.parse()?),
                Long("peer") => options.peer = parser.value()?.parse_with(peer)?,
                Long("settings") => options.settings = parser.value()?.parse_with(settings)?,
                Long("store") => options.store = parser.value()?.parse_with(store)?,
                Long("workload") => options.workload = parser.value()?.parse_with(Workload::of_name)?,
                Long("milliseconds") => options.at_least = Duration::from_millis(parser.value()?.parse()?),
                Long("url") => options.url = Some(parser.value()?.string()?),
                Long("directory") => options.directory = parser.value()?.into(),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

fn peer(name: &str) -> Result<PeerName, String> {
    match name {
        "dbos" => Ok(PeerName::Dbos),
        "durare" => Ok(PeerName::Durare),
        "duroxide" => Ok(PeerName::Duroxide),
        _ => Err(format!("there is no peer {name:?}")),
    }
}

fn settings(name: &str) -> Result<Settings, String> {
    match name {
        "default" => Ok(Settings::Default),
        "best" => Ok(Settings::Best),
        "durable" => Ok(Settings::Durable),
        _ => Err(format!("there are no settings {name:?}")),
    }
}

fn store(name: &str) -> Result<StoreName, String> {
    match name {
        "sqlite" => Ok(StoreName::Sqlite),
        "postgres" => Ok(StoreName::Postgres),
        "memory" => Ok(StoreName::Memory),
        _ => Err(format!("no peer stores in {name:?}")),
    }
}
