//! `unsafe` is for tests only. The lint denies it everywhere; this finds who allows it again.

use std::io;

use crate::{source, workspace};

/// The places outside tests that hold `unsafe` code or allow it, each with its file and line.
pub(crate) fn check() -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for (path, text) in workspace::sources("")? {
        for line in outside_tests(&path, &text) {
            found.push(format!("{path}:{line}: `unsafe` is for tests only"));
        }
    }
    Ok(found)
}

fn outside_tests(path: &str, text: &str) -> Vec<usize> {
    if path.split('/').any(|part| part == "tests" || part == "tests.rs") {
        return Vec::new();
    }
    let tests_begin = text.find("#[cfg(test)]").unwrap_or(text.len());
    source::tokens(&text[..tests_begin])
        .iter()
        .filter(|token| matches!(token.text, "unsafe" | "unsafe_code"))
        .map(|token| token.line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_outside_tests_only() {
        assert_eq!(outside_tests("core/src/a.rs", "fn f() {\n unsafe { g() }\n}"), [2]);
        assert_eq!(outside_tests("core/src/a.rs", "#![allow(unsafe_code)]"), [1]);
        assert!(
            outside_tests("core/src/a.rs", "// unsafe\n#[cfg(test)]\nmod tests { unsafe {} }").is_empty()
        );
        assert!(outside_tests("core/tests/it/a.rs", "unsafe {}").is_empty());
    }

    #[test]
    fn the_repository_has_none() {
        let found = check().unwrap();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
