//! Where something was measured. What the system does not tell is left empty.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The machine and the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    pub(crate) system: String,
    pub(crate) compiler: String,
    pub(crate) sqlite: String,
    pub(crate) retell: String,
    /// How many tasks ran or waited to run in the last minute, before the first measurement.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let commit = said("git", &["rev-parse", "--short", "HEAD"]);
        Self {
            processor: line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: line("/proc/meminfo", "MemTotal"),
            system: said("uname", &["-sr"]),
            compiler: said("rustc", &["--version"]),
            sqlite: rusqlite::version().to_owned(),
            retell: format!("{} {commit}", env!("CARGO_PKG_VERSION")).trim().to_owned(),
            load: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split_whitespace().next().map(str::to_owned))
                .unwrap_or_default(),
        }
    }
}

fn line(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let found =
        text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':').map(|(_, value)| value));
    found.unwrap_or_default().trim().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
