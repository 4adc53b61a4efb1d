//! Snapshots: a history as a text that is the same each time, compared with the one that was looked at and kept.
//!
//! Pure text work over the text form of a history; only [`assert_matches`] reads and writes a file.

mod difference;
mod stable;

use std::io::ErrorKind;
use std::path::Path;

use retell::history::Event;

pub use stable::stable_text;

/// The environment variable that makes [`assert_matches`] write.
const UPDATE: &str = "RETELL_UPDATE";

/// Compares a history's [`stable_text`] with a file, whose path is relative to the package in a test.
///
/// With `RETELL_UPDATE=1` in the environment the file is written instead if it differs or is missing, and that is said
/// on standard error: look at it before you commit it.
///
/// # Panics
/// If they differ, with the lines that do; if there is no such file; if it cannot be read or written.
#[track_caller]
pub fn assert_matches(events: &[Event], path: impl AsRef<Path>) {
    let update = std::env::var_os(UPDATE).is_some_and(|value| !value.is_empty() && value != "0");
    let mode = if update { Mode::Update } else { Mode::Compare };
    if let Err(trouble) = compare(&stable_text(events), path.as_ref(), mode) {
        panic!("{trouble}");
    }
}

/// Compares a history's [`stable_text`] with a text in the test itself. Blanks around lines do not count.
///
/// # Panics
/// If they differ, with the lines that do and the whole new text.
///
/// # Examples
/// ```
/// use retell::history::from_text;
///
/// let history = from_text(
///     r#"
///     retell history 1
///     7 2026-11-21T06:55:00.000000Z TimerStarted due="2026-11-21T06:55:30.000000Z" @ src/main.rs:7
///     8 2026-11-21T06:55:30.000000Z TimerFired started=7
///     "#,
/// )?;
/// retell_tester::snapshot::assert_inline(
///     &history,
///     r#"
///     retell history 1
///     7 2000-01-01T00:00:00.000000Z TimerStarted due="2000-01-01T00:00:30.000000Z"
///     8 2000-01-01T00:00:30.000000Z TimerFired started=7
///     "#,
/// );
/// # Ok::<(), retell::history::TextError>(())
/// ```
#[track_caller]
pub fn assert_inline(events: &[Event], expected: &str) {
    let found = stable_text(events);
    if let Some(difference) = difference::of(expected, &found) {
        panic!("the history is not as expected\n\n{difference}\nthe history:\n\n{found}");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Compare,
    Update,
}

fn compare(found: &str, path: &Path, mode: Mode) -> Result<(), String> {
    let shown = path.display();
    let kept = match std::fs::read_to_string(path) {
        Ok(kept) => Some(kept),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(format!("the snapshot {shown} cannot be read: {error}")),
    };
    let trouble = match kept.map(|kept| difference::of(&kept, found)) {
        Some(None) => return Ok(()),
        Some(Some(difference)) => format!("the history is not as in {shown}\n\n{difference}"),
        None => format!("there is no snapshot {shown}"),
    };
    match mode {
        Mode::Compare => Err(format!("{trouble}\nrun again with {UPDATE}=1 to write it")),
        Mode::Update => {
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(path, found))
                .map_err(|error| format!("the snapshot {shown} cannot be written: {error}"))?;
            eprintln!("{UPDATE}: wrote the snapshot {shown}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_written_only_when_asked_for() {
        let folder = std::env::temp_dir().join(format!("retell-snapshot-{}", uuid::Uuid::now_v7()));
        let path = folder.join("below/order.txt");
        let missing = compare("a\n", &path, Mode::Compare).unwrap_err();
        assert!(missing.contains("there is no snapshot") && missing.contains("RETELL_UPDATE=1"), "{missing}");
        assert!(!folder.exists());
        compare("a\n", &path, Mode::Update).unwrap();
        compare("a\n", &path, Mode::Compare).unwrap();
        let differs = compare("b\n", &path, Mode::Compare).unwrap_err();
        assert!(differs.contains("- a\n") && differs.contains("+ b\n"), "{differs}");
        compare("b\n", &path, Mode::Update).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
