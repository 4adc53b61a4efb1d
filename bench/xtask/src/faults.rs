//! The table of faults names the tests that would find them: each of them must exist, and be run.

use std::path::Path;
use std::{fs, io};

use crate::{source, workspace};

/// The table.
const TABLE: &str = "core/docs/faults.md";

/// Where the tests stand whose names begin so, and whether a list beside them says which are run.
const PLACES: [(&str, &str, bool); 8] = [
    ("store", "backends/conformance/src/cases", true),
    ("engine", "backends/conformance/src/engine/cases", true),
    ("replay", "core/tests/it/replay", false),
    ("core", "core/tests/it", false),
    ("unit", "core/src", false),
    ("sqlite", "backends/sqlite/tests/it", false),
    ("redis", "backends/redis/tests/it", false),
    ("tester", "tester/tests/it", false),
];

/// The tests that a line of the table names, as in `engine::signals::a_case`.
fn named(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).filter(|span| span.contains("::")).collect()
}

/// The rows that hold a fault each; what comes before the first section explains.
fn faults(document: &str) -> impl Iterator<Item = &str> {
    let rows = document.lines().skip_while(|line| !line.starts_with("## "));
    rows.filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| fault |"))
}

/// Whether this test exists below `root` and is run.
fn exists(root: &Path, test: &str) -> io::Result<bool> {
    let mut path: Vec<_> = test.split("::").collect();
    let place = PLACES.iter().find(|(name, ..)| *name == path[0]);
    let (Some((_, folder, listed)), Some(function)) = (place, path.pop()) else { return Ok(false) };
    let folder = root.join(folder);
    let file = path[1..].iter().fold(folder.clone(), |folder, name| folder.join(name));
    let file = if file.is_dir() { file.join("mod.rs") } else { file.with_extension("rs") };
    if !file.exists() {
        return Ok(false);
    }
    let text = fs::read_to_string(file)?;
    let words: Vec<_> = source::tokens(&text).iter().map(|token| token.text).collect();
    if !listed {
        return Ok(words.windows(6).any(|words| words == ["#", "[", "test", "]", "fn", function]));
    }
    let list = fs::read_to_string(folder.join("mod.rs"))?;
    let is_listed = source::tokens(&list).iter().any(|token| token.text == function);
    Ok(is_listed && words.windows(2).any(|words| words == ["fn", function]))
}

#[test]
fn every_test_that_the_table_names_exists() {
    let root = workspace::root();
    let document = fs::read_to_string(root.join(TABLE)).unwrap();
    let tests: Vec<_> = faults(&document).flat_map(named).collect();
    assert!(tests.len() > 80, "only {tests:?} found");
    let lost: Vec<_> = tests.into_iter().filter(|test| !exists(root, test).unwrap()).collect();
    assert!(lost.is_empty(), "{TABLE} names tests that are gone: {lost:#?}");
}

#[test]
fn every_fault_has_a_test() {
    let document = fs::read_to_string(workspace::root().join(TABLE)).unwrap();
    let bare: Vec<_> = faults(&document).filter(|row| named(row).is_empty()).collect();
    assert!(bare.is_empty(), "{bare:#?}");
}

#[test]
fn a_test_that_is_gone_is_found() {
    let root = workspace::root();
    for gone in [
        "engine::signals::nothing_of_the_kind",
        "engine::nowhere::a_case",
        "elsewhere::a::b",
        "store::door::shut",
        "sqlite::kit::worker",
    ] {
        assert!(!exists(root, gone).unwrap(), "{gone}");
    }
    assert_eq!(named("| `database is locked` | `a::b`, `c::d::e` |"), ["a::b", "c::d::e"]);
}
