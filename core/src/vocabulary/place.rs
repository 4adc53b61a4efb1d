//! Places in the user's source, so that errors and the UI can point at them.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A file, relative to its crate, and a line. Line 0 stands for an unknown place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The path from the crate's root, with forward slashes.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl Place {
    /// The place of a `#[track_caller]` location.
    #[must_use]
    pub fn of(location: &'static Location<'static>) -> Self {
        Self { file: Arc::from(crate_relative(location.file())), line: location.line() }
    }

    /// A place that nobody knows.
    #[must_use]
    pub fn unknown() -> Self {
        Self { file: Arc::from("?"), line: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Cuts what stands before the last `src`, `tests`, `examples` or `benches` folder.
fn crate_relative(path: &str) -> &str {
    let start = ["src", "tests", "examples", "benches"]
        .into_iter()
        .filter_map(|folder| {
            path.rmatch_indices(folder).map(|(at, _)| at).find(|&at| {
                let before = at == 0 || path[..at].ends_with(['/', '\\']);
                before && path[at + folder.len()..].starts_with(['/', '\\'])
            })
        })
        .max();
    start.map_or(path, |at| &path[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_their_crate() {
        assert_eq!(crate_relative("samples/src/bin/orders.rs"), "src/bin/orders.rs");
        assert_eq!(crate_relative("/home/a/src/shop/tests/it/main.rs"), "tests/it/main.rs");
        assert_eq!(crate_relative("build.rs"), "build.rs");
    }
}
