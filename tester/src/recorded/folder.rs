//! A folder of recorded histories as tests: what `replay_folder!` expands to calls this.

use std::path::Path;
use std::sync::Arc;

use retell::replay::Definition;
use retell::vocabulary::InvalidId;
use retell::workflow::Workflow;

use super::replay::{replay_one_of, told};
use super::{Recorded, RecordedError, ReplayError};

/// Makes the test of each recorded history of a folder: `replay_folder!("tests/histories", [process_order, ship])`.
///
/// The path is relative to the package. Each `*.txt` file in it, not in folders below, becomes one `#[test]` that is
/// named after folder and file: `histories_order_42`. The history's first event says which of the listed workflows it
/// is replayed against; name and version must both be listed. One more test, `histories_added_since_the_build`,
/// replays the files that came after the tests were built, so that none is passed over. A folder that is missing or
/// holds no history does not compile.
///
/// Keep a history for as long as runs like it may be open; [`Recorded::save`] makes one.
///
/// # Examples
/// ```no_run
/// # // The folder of this package's own tests.
/// mod tests {
///     use retell::prelude::*;
///
///     #[retell::workflow]
///     async fn greet(_cx: WorkflowContext, name: String) -> WorkflowResult<String> {
///         Ok(format!("Hello, {name}!"))
///     }
///
///     retell_tester::replay_folder!("tests/histories", [greet]);
/// }
/// ```
#[macro_export]
macro_rules! replay_folder {
    ($($arguments:tt)*) => {
        $crate::recorded::folder::tests! { $crate; $($arguments)* }
    };
}

pub use retell_macros::replay_folder as tests;

/// A workflow of the list.
pub type Listed = fn() -> Result<Arc<dyn Definition>, InvalidId>;

/// A workflow of the list.
///
/// # Errors
/// If its name is none.
pub fn definition<W: Workflow>() -> Result<Arc<dyn Definition>, InvalidId> {
    retell::workflow::definition::<W>()
}

/// Replays a file that was there when the tests were built.
///
/// # Panics
/// If it does not replay.
pub fn replay_included(folder: &str, file: &str, text: &str, workflows: &[Listed]) {
    let path = Path::new(folder).join(file);
    let recorded = Recorded::from_text(text)
        .map_err(|text| RecordedError::Text { path: Some(path.clone()), text }.into());
    let replayed = recorded.and_then(|recorded| replay_listed(&recorded, workflows));
    if let Some(trouble) = trouble(&path, replayed) {
        panic!("{trouble}");
    }
}

/// Replays the files that were not there when the tests were built.
///
/// # Panics
/// If one does not replay, or the folder cannot be read; all that do not replay are told.
pub fn replay_added(root: &str, folder: &str, built: &[&str], workflows: &[Listed]) {
    let absolute = Path::new(root).join(folder);
    let entries = std::fs::read_dir(&absolute).unwrap_or_else(|error| {
        panic!("the folder {folder:?} of recorded histories cannot be read: {error}")
    });
    let mut added: Vec<_> = entries
        .map(|entry| entry.expect("a folder that could be opened can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .filter(|path| !path.file_name().is_some_and(|name| built.iter().any(|built| name == *built)))
        .collect();
    added.sort();
    let troubles: Vec<_> = (added.iter())
        .filter_map(|path| {
            let recorded = Recorded::load(path).map_err(ReplayError::from);
            trouble(path, recorded.and_then(|recorded| replay_listed(&recorded, workflows)))
        })
        .collect();
    assert!(troubles.is_empty(), "{}", troubles.join("\n\n"));
}

fn replay_listed(recorded: &Recorded, workflows: &[Listed]) -> Result<(), ReplayError> {
    let definitions = workflows.iter().map(|workflow| workflow()).collect::<Result<Vec<_>, _>>()?;
    replay_one_of(&definitions, recorded)
}

fn trouble(path: &Path, replayed: Result<(), ReplayError>) -> Option<String> {
    replayed.err().map(|error| format!("{} does not replay\n\n{}", path.display(), told(&error)))
}
