//! The table of the suites: how many cases passed on each store, with a cache and without.
//!
//! Cases add their names to a file as they pass; what fails, or was not run, is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{fs, io};

use crate::workspace;

/// The variable that names the file.
pub(crate) const PASSED: &str = "RETELL_SUITE_PASSED";

/// Which suite and how.
const MODES: [&str; 3] = ["store", "engine, cached", "engine, uncached"];

/// Where the file is.
pub(crate) fn path() -> PathBuf {
    workspace::root().join("target/suite-passed")
}

/// Forgets what passed before.
pub(crate) fn begin() -> io::Result<()> {
    fs::create_dir_all(workspace::root().join("target"))?;
    fs::write(path(), "")
}

/// The table, a line for each store.
pub(crate) fn table() -> io::Result<Vec<String>> {
    Ok(lines(&fs::read_to_string(path())?))
}

fn lines(passed: &str) -> Vec<String> {
    let mut cases: BTreeMap<&str, [BTreeSet<&str>; 3]> = BTreeMap::new();
    for line in passed.lines() {
        let mut words = line.splitn(3, ' ');
        if let (Some(package), Some(program), Some(name)) = (words.next(), words.next(), words.next()) {
            cases.entry(store(package, program, name)).or_default()[mode(name)].insert(name);
        }
    }
    let row =
        |first: &str, rest: [String; 3]| format!("{first:<16}{:>8}{:>16}{:>18}", rest[0], rest[1], rest[2]);
    let mut lines = vec![row("cases passed", MODES.map(str::to_owned))];
    lines.extend(cases.iter().map(|(store, of)| row(store, of.each_ref().map(|of| of.len().to_string()))));
    lines
}

fn store<'p>(package: &'p str, program: &str, name: &str) -> &'p str {
    match package.trim_start_matches("retell-") {
        "conformance" => "memory",
        "sqlite" => "SQLite",
        "postgres" => "PostgreSQL",
        "mysql" if program.starts_with("mysql") => "MySQL",
        "mysql" => "MariaDB",
        "redis" if name.starts_with("cluster::") => "Redis cluster",
        "redis" => "Redis",
        other => other,
    }
}

/// By the modules of the test, as the suites' macros make them.
fn mode(name: &str) -> usize {
    let is_in = |module| name.split("::").any(|part| part == module);
    match (is_in("cached"), is_in("uncached")) {
        (true, _) => 1,
        (_, true) => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_counted_once_by_store_and_mode() {
        let passed = "retell-mysql it-1 conformance::door::a\nretell-mysql it-1 conformance::door::a\n\
                      retell-mysql mysql-2 conformance::engine::cached::door::a\n\
                      retell-redis it-3 cluster::engine::uncached::door::a\n\
                      retell-conformance it-4 door::a\n";
        let table = lines(passed);
        let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = table[1..].iter().map(words).collect();
        assert_eq!(
            rows,
            [
                vec!["MariaDB", "1", "0", "0"],
                vec!["MySQL", "0", "1", "0"],
                vec!["Redis", "cluster", "0", "0", "1"],
                vec!["memory", "1", "0", "0"],
            ]
        );
    }
}
