//! Recorded histories: runs as fixtures, replayed against today's code.
//!
//! A run of production, or of a test, is kept as a text file and from then on proves of each change that it still
//! replays. [`replay`] is a test in one line; [`replay_folder!`](crate::replay_folder) makes one of each file of a
//! folder. Stands on `retell::replay::check`, which is pure; nothing here needs an async runtime.

#[doc(hidden)]
pub mod folder;
mod replay;
mod text;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use retell::history::{Event, TextError};
use retell::vocabulary::RunKey;

pub use replay::{IntoRecorded, ReplayError, replay, try_replay};

/// A run's history as a fixture, and whose it is.
///
/// `Display` is its text form: that of a history, with the run in comment lines. What is printed is read back exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The run; what the code sees as its own.
    pub run: RunKey,
    /// Its events, from event 1 on.
    pub events: Vec<Event>,
}

/// A recorded history that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordedError {
    /// The file could not be read: look at the path, which is relative to the package in a test.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not a recorded history: look at the line.
    #[error("{}{text}", path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default())]
    Text {
        /// The file, if it came from one.
        path: Option<PathBuf>,
        /// The line and what is wrong there; part of this error's own text, and so not its source.
        text: TextError,
    },
}

impl Recorded {
    /// Reads the text form. A text without comment lines that name the run gets a placeholder: namespace `default`,
    /// workflow ID `recorded`, and the nil run ID.
    ///
    /// # Errors
    /// [`TextError`] with the first line that is not as it should be; a history without events is refused at line 1.
    ///
    /// # Examples
    /// ```
    /// use retell_tester::Recorded;
    ///
    /// let recorded = Recorded::from_text(
    ///     r#"
    ///     retell history 1
    ///     ## workflow_id: order-42
    ///     1 2026-11-21T06:55:00.000000Z WorkflowStarted workflow={"name":"pay","version":1} semantics=1 task_queue="default" input=5 seed=7
    ///     "#,
    /// )?;
    /// assert_eq!(recorded.run.workflow_id.as_str(), "order-42");
    /// assert_eq!(Recorded::from_text(&recorded.to_string())?, recorded);
    /// # Ok::<(), retell::history::TextError>(())
    /// ```
    pub fn from_text(text: &str) -> Result<Self, TextError> {
        text::read(text)
    }

    /// Reads a file in the text form.
    ///
    /// # Errors
    /// [`RecordedError::Read`] and [`RecordedError::Text`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RecordedError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecordedError::Read { path: path.to_owned(), source })?;
        Self::from_text(&text).map_err(|text| RecordedError::Text { path: Some(path.to_owned()), text })
    }

    /// Writes the text form to a file, over what is there; the folder is made if it is missing.
    ///
    /// # Errors
    /// [`RecordedError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), RecordedError> {
        let path = path.as_ref();
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(path, self.to_string()))
            .map_err(|source| RecordedError::Write { path: path.to_owned(), source })
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(f, self)
    }
}
