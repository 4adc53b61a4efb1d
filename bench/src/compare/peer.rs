//! The peers: programs of their own, which run one workload and print one line of JSON.
//!
//! They are built on demand, each by its own tool, and left out with a clear line where that is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::{TURN, Turn};
use crate::Failure;
use crate::measure::Sample;
use crate::place::Place;
use crate::store::StoreKind;
use crate::workload::Workload;

/// A peer as it is to be set.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: PathBuf,
    peer: &'static str,
    store: &'static str,
    settings: &'static str,
    /// Polls so seldom by default that some workloads are cut to a tenth.
    polls: bool,
}

/// The peers that could be built.
#[derive(Debug, Default)]
pub(super) struct Programs(Vec<Program>);

/// How each peer is set: store, settings, and whether it polls.
const DURARE: &[(&str, &str, bool)] = &[
    ("sqlite", "default", false),
    ("sqlite", "best", false),
    ("sqlite", "durable", false),
    ("memory", "default", false),
];
const POLLING: &[(&str, &str, bool)] =
    &[("sqlite", "default", true), ("sqlite", "best", false), ("memory", "best", false)];
const DBOS: &[(&str, &str, bool)] = &[("postgres", "default", false), ("postgres", "best", false)];

impl Programs {
    /// Builds what the peers of this list need that store where these are.
    pub(super) fn build(peers: &[String], stores: &[StoreKind]) -> Self {
        let stands_in = |peer: &str| match peer {
            "dbos" => stores.contains(&StoreKind::Postgres),
            _ => stores.contains(&StoreKind::SqliteFull),
        };
        let wanted = |name: &str| peers.iter().any(|peer| peer == name) && stands_in(name);
        let mut programs = Self::default();
        let rust = [("durare", DURARE), ("duroxide", POLLING), ("dbos", DBOS)];
        if rust.iter().any(|(peer, _)| wanted(peer)) {
            match build_rust() {
                Ok(path) => {
                    for (peer, settings) in rust {
                        if wanted(peer) {
                            programs.add(&path, peer, settings);
                        }
                    }
                }
                Err(error) => println!("the peers in Rust are left out: {error}"),
            }
        }
        if wanted("go-workflows") {
            match build_go() {
                Ok(path) => programs.add(&path, "go-workflows", POLLING),
                Err(error) => println!("go-workflows is left out: {error}"),
            }
        }
        programs
    }

    fn add(&mut self, path: &Path, peer: &'static str, all: &'static [(&str, &str, bool)]) {
        let program =
            |(store, settings, polls)| Program { path: path.to_owned(), peer, store, settings, polls };
        self.0.extend(all.iter().copied().map(program));
    }

    /// Those that run a workload, in order.
    pub(super) fn of(&self, workload: Workload) -> Vec<Program> {
        let runs = |program: &&Program| workload != Workload::Tree || program.peer == "go-workflows";
        self.0.iter().filter(runs).cloned().collect()
    }
}

/// The folder of the peers, beside this crate.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

fn build_rust() -> Result<PathBuf, Failure> {
    let folder = folder("rust");
    println!("building {}", folder.display());
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--quiet"]).current_dir(&folder);
    // Its lock and its output are its own.
    done(cargo.env_remove("CARGO_TARGET_DIR"))?;
    Ok(folder.join("target/release/retell-bench-peers"))
}

fn build_go() -> Result<PathBuf, Failure> {
    let folder = folder("go");
    println!("building {}", folder.display());
    let program = folder.join("target").join("go-workflows");
    let build = |go: &Path| {
        let mut go = Command::new(go);
        done(go.args(["build", "-o"]).arg(&program).arg(".").current_dir(&folder))
    };
    let [on_path, usual] = [Path::new("go"), Path::new("/usr/local/go/bin/go")];
    let here = |go: &Path| Command::new(go).arg("version").stdout(Stdio::null()).status().is_ok();
    match [on_path, usual].into_iter().find(|go| here(go)) {
        Some(go) => build(go).map(|()| program),
        None => Err("there is no `go` on the path, nor where it is usually installed".into()),
    }
}

fn done(command: &mut Command) -> Result<(), Failure> {
    let status = command.stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// What a peer prints.
#[derive(Debug, Deserialize)]
struct Told {
    version: String,
    durability: String,
    settings: String,
    samples: Vec<ToldSample>,
}

#[derive(Debug, Deserialize)]
struct ToldSample {
    operations: u64,
    took_ns: u64,
    failed: u64,
    latencies_ns: Vec<u64>,
}

pub(super) fn turn(program: &Program, workload: Workload, place: &Place) -> Result<Turn, Failure> {
    std::fs::create_dir_all(&place.directory)?;
    let whole = workload.about().count;
    let count = match workload {
        Workload::W3 | Workload::W4 if program.polls => whole / 10,
        _ => whole,
    };
    let mut command = Command::new(&program.path);
    command
        .args(["--peer", program.peer, "--store", program.store, "--settings", program.settings])
        .args(["--workload", workload.name(), "--count", &count.to_string()])
        .args(["--milliseconds", &TURN.as_millis().to_string()])
        .arg("--directory")
        .arg(std::path::absolute(&place.directory)?);
    if program.store == "postgres" {
        command.args(["--url", &place.fresh_database()?]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(format!("{}", output.status).into());
    }
    told(&String::from_utf8(output.stdout)?, program, count)
}

/// Reads the last line of what a peer printed.
fn told(text: &str, program: &Program, count: u32) -> Result<Turn, Failure> {
    let line = text.lines().last().ok_or("it printed nothing")?;
    let told: Told = serde_json::from_str(line)?;
    let settings = match program.settings {
        "default" => told.settings,
        other => format!("{other}: {}", told.settings),
    };
    let sample = |sample: ToldSample| Sample {
        operations: sample.operations,
        took: Duration::from_nanos(sample.took_ns),
        failed: sample.failed,
        latencies: sample.latencies_ns.into_iter().map(Duration::from_nanos).collect(),
        ..Sample::default()
    };
    let samples = told.samples.into_iter().map(sample).collect();
    Ok(Turn { name: told.version, store: told.durability, settings, count, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_understood_by_its_last_line() {
        let program =
            Program { path: PathBuf::new(), peer: "durare", store: "sqlite", settings: "best", polls: false };
        let line = r#"{"version":"durare 1","durability":"SQLite","settings":"small","samples":
            [{"operations":10,"took_ns":2000000,"failed":1,"latencies_ns":[5]}]}"#;
        let turn = told(&format!("a warning\n{}", line.replace('\n', "")), &program, 3).unwrap();
        assert_eq!((turn.name.as_str(), turn.settings.as_str()), ("durare 1", "best: small"));
        assert_eq!((turn.samples[0].took, turn.samples[0].failed), (Duration::from_millis(2), 1));
        assert!(told("", &program, 3).is_err());
    }
}
