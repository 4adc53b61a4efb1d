//! What can go wrong with a server.

use std::io;
use std::process::Command;

use crate::Kind;

/// Why a server can't be had or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its programs are not here and could not be installed, or the environment says that there is none. A test fails for
    /// it, save for [`Kind::Mysql`], which not every machine can have: there it says so and ends.
    #[error("no {kind} here: {remedy}")]
    Missing {
        /// Which software.
        kind: Kind,
        /// What to install, or why it can't be.
        remedy: String,
    },
    /// A name of no server.
    #[error("no server is called {0:?}; there are postgres, mariadb, mysql, redis and redis-cluster")]
    Unknown(String),
    /// One of its programs failed.
    #[error("{operation} failed: {details}")]
    Failed {
        /// What was tried.
        operation: String,
        /// What the program said, or the end of its log.
        details: String,
    },
}

impl Error {
    /// Whether the software can't be had on this machine.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    pub(crate) fn failed(operation: impl Into<String>, details: impl ToString) -> Self {
        Self::Failed { operation: operation.into(), details: details.to_string() }
    }
}

/// Runs a program to its end and answers with what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error: io::Error| Error::failed(&name, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::failed(name, format!("{}: {}", output.status, String::from_utf8_lossy(&said).trim())))
}
