//! What ends a server whose owner can't any more: it was killed, interrupted, or has left by `exit`.
//!
//! A small shell waits at the end of a pipe that closes with the owner, whatever becomes of it. Then it kills the server
//! and removes its folder.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::Error;

/// Each line is the server that lives now, 0 for none.
const SCRIPT: &str = r#"
while read -r line; do server=$line; done
if [ "${server:-0}" -gt 1 ]; then
    kill -STOP "$server"
    for stat in /proc/[0-9]*/stat; do
        read -r id name state parent rest <"$stat" && [ "$parent" = "$server" ] && kill -KILL "$id"
    done
    kill -KILL "$server"
fi
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

/// Watches over one server at a time, and over its folder.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn over(folder: &Path) -> Result<Self, Error> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "retell-watchdog"]).arg(folder);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = shell.spawn().map_err(|error| Error::failed("starting a watchdog", error))?;
        let pipe = shell.stdin.take();
        Ok(Self { shell, pipe })
    }

    /// Says which process lives now.
    pub(crate) fn watch(&mut self, server: u32) -> Result<(), Error> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        writeln!(pipe, "{server}").map_err(|error| Error::failed("telling the watchdog", error))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // If it is gone, somebody ended it; the server is ended by its owner in any case.
        let _ = self.watch(0);
        self.pipe = None;
        let _ = self.shell.wait();
    }
}
