//! A wall clock of a server's own, which a test puts forward and back: by `libfaketime`, which stands between a program
//! and the system's clock. Waiting and timeouts go on as ever.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{SETPRIV, SETPRIV_ARGUMENTS};
use crate::{Error, Kind, programs};

/// Where the library lies, by the machine's kind.
const FOLDERS: [&str; 3] =
    ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
/// The one for programs of several threads.
const LIBRARY: &str = "libfaketimeMT.so.1";
/// By how much a server's clock differs.
const OFFSET: &str = "clock";

/// Finds the library, after installing it if that is needed and allowed.
pub(crate) fn find(kind: Kind) -> Result<PathBuf, Error> {
    let folders = FOLDERS.map(PathBuf::from);
    let [library] = programs::ensure(kind, &["libfaketime"], || [programs::find(LIBRARY, &folders)])?;
    Ok(library)
}

/// The same command with the clock that [`set`] sets.
///
/// The library comes in by `env`, at the end: what it keeps beside a process must not be made before that has become
/// another user.
pub(crate) fn give(command: &Command, library: &Path, folder: &Path) -> Command {
    let (program, arguments) = (command.get_program(), command.get_args());
    let becoming = if program == SETPRIV { SETPRIV_ARGUMENTS } else { 0 };
    let (before, rest): (Vec<_>, Vec<_>) = if becoming > 0 {
        let all: Vec<_> = std::iter::once(program).chain(arguments).collect();
        (all[..=becoming].to_vec(), all[becoming + 1..].to_vec())
    } else {
        (Vec::new(), std::iter::once(program).chain(arguments).collect())
    };
    let mut words = before.into_iter().chain([OsStr::new("env")]);
    let mut given = Command::new(words.next().unwrap_or_default());
    given.args(words);
    // It reads the file again after one to two seconds.
    given.args(["FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_RESET=1"]);
    given.arg(format!("FAKETIME_TIMESTAMP_FILE={}", folder.join(OFFSET).display()));
    // Some other allocator than the system's asks for the time before the library is ready to answer.
    given.arg(format!("LD_PRELOAD={}:libc.so.6", library.display())).args(rest);
    given
}

/// Sets the clock so many seconds before or after the true time. Seen by the program within [`SEEN_WITHIN`].
pub(crate) fn set(folder: &Path, seconds: i64) -> Result<(), Error> {
    let (written, offset) = (folder.join("clock.new"), folder.join(OFFSET));
    fs::write(&written, format!("{seconds:+}\n"))
        .and_then(|()| fs::rename(written, offset))
        .map_err(|error| Error::failed("setting a server's clock", error))
}

/// How soon a program sees its clock set.
pub(crate) const SEEN_WITHIN: Duration = Duration::from_millis(2_500);
