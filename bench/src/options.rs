//! The command line of the benchmark.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::store::StoreKind;
use crate::workload::Workload;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Measures Retell, a workload at a time: medians of several repetitions after one to warm up.

Usage: retell-bench run [OPTIONS]

  --workload NAME     w1, w3 or w4; may be given several times [all]
                        w1  200 runs at once, each 10 sequential activities, 100-byte payloads
                        w3  one run at a time, one activity, from start to result
                        w4  one run, 1,000 sequential activities
  --store KIND        sqlite or memory [sqlite]
  --sync MODE         full, or normal, which can lose the last commits at a power cut [full]
  --runs N            repetitions [5]
  --directory PATH    where SQLite files are made; must lie on a disk [target/bench]
  -h, --help          prints this";

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) store: StoreKind,
    pub(crate) repetitions: usize,
    pub(crate) directory: PathBuf,
}

/// Reads the command line; `None` asks for help.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut options = Options {
        workloads: Vec::new(),
        store: StoreKind::SqliteFull,
        repetitions: 5,
        directory: "target/bench".into(),
    };
    let mut asked_to_run = false;
    let (mut memory, mut normal) = (false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("workload") => options.workloads.push(parser.value()?.parse_with(Workload::of_name)?),
            Long("store") => memory = one_of(&parser.value()?.string()?, ["sqlite", "memory"])?,
            Long("sync") => normal = one_of(&parser.value()?.string()?, ["full", "normal"])?,
            Long("runs") => options.repetitions = parser.value()?.parse()?,
            Long("directory") => options.directory = parser.value()?.into(),
            Value(word) if word == "run" && !asked_to_run => asked_to_run = true,
            other => return Err(other.unexpected()),
        }
    }
    if !asked_to_run {
        return Ok(None);
    }
    if options.repetitions == 0 {
        return Err("--runs wants at least 1".into());
    }
    if options.workloads.is_empty() {
        options.workloads = Workload::ALL.to_vec();
    }
    options.store = match (memory, normal) {
        (false, false) => StoreKind::SqliteFull,
        (false, true) => StoreKind::SqliteNormal,
        (true, false) => StoreKind::Memory,
        (true, true) => return Err("--sync says nothing about memory".into()),
    };
    Ok(Some(options))
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

    fn check(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_what_users_get() {
        let options = check("run").unwrap().unwrap();
        assert_eq!(options.store, StoreKind::SqliteFull);
        assert_eq!(options.workloads, Workload::ALL);
    }

    #[test]
    fn a_workload_and_a_store_can_be_chosen() {
        let options = check("run --workload w3 --store sqlite --sync normal --runs 2").unwrap().unwrap();
        assert_eq!(options.workloads, [Workload::W3]);
        assert_eq!((options.store, options.repetitions), (StoreKind::SqliteNormal, 2));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(check("run --workload w9").unwrap_err().contains("w1, w3 and w4"));
        assert!(check("run --sync off").unwrap_err().contains("neither full nor normal"));
        assert!(check("run --store memory --sync normal").is_err());
        assert!(check("walk").is_err());
        assert_eq!(check(""), Ok(None));
    }
}
