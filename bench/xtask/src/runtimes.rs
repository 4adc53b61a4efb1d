//! The pure half of `core` (its feature `worker` off) must bring no async runtime with it.

/// Crates that are an async runtime or its reactor.
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "async-executor", "mio", "polling"];

/// The runtimes in the output of `cargo tree --prefix none`.
pub(crate) fn named_in(tree: &str) -> Vec<String> {
    let mut found: Vec<_> = tree
        .lines()
        .filter(|line| line.split_whitespace().next().is_some_and(|name| RUNTIMES.contains(&name)))
        .map(str::to_owned)
        .collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_in_the_tree_is_found() {
        assert_eq!(named_in("retell v0.1.0 (/x)\nserde v1.0.0\ntokio v1.54.1\n"), ["tokio v1.54.1"]);
    }

    #[test]
    fn similar_names_pass() {
        assert!(named_in("retell v0.1.0\ntokio-macros v2.0.0\nmiow v0.6.0\n").is_empty());
    }
}
