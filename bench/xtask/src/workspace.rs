//! Where the workspace is and which files it holds.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The workspace's root directory.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("xtask lies two directories below the root")
}

/// The files below `directory` whose names end in `suffix`, sorted; build output and hidden directories are left out.
pub(crate) fn files(directory: &Path, suffix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    pending.push(path);
                }
            } else if name.ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The Rust sources below a directory of the workspace: path from the root, and text.
pub(crate) fn sources(directory: &str) -> io::Result<Vec<(String, String)>> {
    let mut sources = Vec::new();
    for path in files(&root().join(directory), ".rs")? {
        let name = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
        sources.push((name, fs::read_to_string(path)?));
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate that does not take the workspace's lints over could leave documentation out or use `unsafe`.
    #[test]
    fn every_crate_takes_the_lints_over() {
        let manifests = files(root(), "Cargo.toml").unwrap();
        let packages: Vec<_> = manifests
            .iter()
            .map(|path| (path, fs::read_to_string(path).unwrap()))
            .filter(|(_, text)| text.contains("[package]"))
            .collect();
        assert!(packages.len() > 5, "only {packages:?} found");
        for (path, text) in packages {
            assert!(text.contains("[lints]\nworkspace = true"), "{} has lints of its own", path.display());
        }
    }

    #[test]
    fn build_output_is_left_out() {
        let sources = files(root(), ".rs").unwrap();
        assert!(sources.iter().any(|path| path.ends_with("core/src/lib.rs")));
        assert!(!sources.iter().any(|path| path.components().any(|part| part.as_os_str() == "target")));
    }
}
