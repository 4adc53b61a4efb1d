//! One life of one `orders` process.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use retell_servers::unique_name;

/// The argument that turns this executable into `orders`.
pub(crate) const AS_ORDERS: &str = "orders";

/// What all lives share: the files, and the store.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    directory: PathBuf,
    store: OsString,
    /// No other campaign's, so that a store may hold more than one.
    namespace: String,
}

impl Files {
    pub(crate) fn below(directory: &Path, store: OsString) -> Self {
        let namespace = format!("campaign-{}", unique_name());
        Self { directory: directory.to_owned(), store, namespace }
    }

    pub(crate) fn orders(&self) -> PathBuf {
        self.directory.join("orders.csv")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.directory.join("orders.ledger")
    }

    pub(crate) fn acks(&self) -> PathBuf {
        self.directory.join("orders.acks")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("orders.log")
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(AS_ORDERS).stdin(Stdio::null());
        Ok(command)
    }

    fn add_options(&self, command: &mut Command) {
        command.arg(self.orders());
        command.arg("--store").arg(&self.store).arg("--namespace").arg(&self.namespace);
        command.arg("--ledger").arg(self.ledger());
        command.arg("--acks").arg(self.acks());
    }

    fn log_to_append(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log())
    }

    /// Starts `orders`; its words go to the log.
    pub(crate) fn start(&self, pace: usize, confirm_within_ms: u64) -> io::Result<Life> {
        let mut command = self.command()?;
        self.add_options(&mut command);
        command.arg("--pace").arg(pace.to_string());
        command.arg("--confirm-within").arg(confirm_within_ms.to_string());
        command.stdout(self.log_to_append()?).stderr(self.log_to_append()?);
        Ok(Life { child: command.spawn()? })
    }

    /// Runs `orders check`; its words go to this program's own output.
    pub(crate) fn check(&self) -> io::Result<ExitStatus> {
        let mut command = self.command()?;
        command.arg("check");
        self.add_options(&mut command);
        command.status()
    }
}

/// A living `orders` process; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Life {
    child: Child,
}

impl Life {
    /// How it ended by itself, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Kills it with SIGKILL and waits until it is gone. `false` if it had ended by itself before.
    pub(crate) fn kill(mut self) -> io::Result<bool> {
        self.child.kill()?;
        Ok(self.child.wait()?.code().is_none())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // It may be gone already, which is all that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
