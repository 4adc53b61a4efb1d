//! The ledger: the outside world of the sample, in which every effect can be counted.
//!
//! An append-only text file, a line an effect: `key`, `kind`, `order` and `amount` in cents, between tabs. Appending the
//! same key again changes nothing. Several processes may share a file.

mod file;
mod group;

pub use file::{LedgerFile, LedgerTail, entries};
pub use group::Ledger;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The longest entry in bytes. A longer end of a file is no half-written entry, and is not cut off.
const ENTRY_BYTES_MAX: usize = 512;

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    key: String,
    kind: String,
    order: String,
    amount_cents: u64,
}

impl Entry {
    /// The effect of this kind for an order; its key is `order/kind`.
    ///
    /// # Errors
    /// [`LedgerError::Unfit`] if a text is empty or holds a control character, or if both are too long for a line.
    pub fn new(order: &str, kind: &str, amount_cents: u64) -> Result<Self, LedgerError> {
        let unfit = |text: &str| text.is_empty() || text.chars().any(char::is_control);
        if unfit(order) || unfit(kind) {
            return Err(LedgerError::Unfit(format!("{order:?} {kind:?}")));
        }
        let key = format!("{order}/{kind}");
        let entry = Self { key, kind: kind.to_owned(), order: order.to_owned(), amount_cents };
        if entry.to_string().len() > ENTRY_BYTES_MAX {
            return Err(LedgerError::Unfit(entry.key));
        }
        Ok(entry)
    }

    /// Under which it counts once.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What kind of effect it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// For which order.
    #[must_use]
    pub fn order(&self) -> &str {
        &self.order
    }

    /// The amount that it moves, in cents.
    #[must_use]
    pub fn amount_cents(&self) -> u64 {
        self.amount_cents
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t{}\t{}", self.key, self.kind, self.order, self.amount_cents)
    }
}

impl FromStr for Entry {
    type Err = MalformedEntry;

    fn from_str(line: &str) -> Result<Self, MalformedEntry> {
        let malformed = || MalformedEntry(line.chars().take(80).collect());
        let fields: Vec<_> = line.split('\t').collect();
        let [key, kind, order, amount] = fields[..] else { return Err(malformed()) };
        let amount_cents = amount.parse().map_err(|_| malformed())?;
        let entry = Self::new(order, kind, amount_cents).map_err(|_| malformed())?;
        if entry.key == key { Ok(entry) } else { Err(malformed()) }
    }
}

/// A text that is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not `key, kind, order, amount` between tabs")]
pub struct MalformedEntry(String);

/// What came of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The effect is new.
    New,
    /// Its key stood there already; nothing was changed.
    Known,
}

/// A ledger that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file system refused; trying again is safe.
    #[error("cannot {operation} ledger {}", path.display())]
    Io {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A whole line that is no entry, or a file that became shorter: another program wrote here.
    #[error("ledger {} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An entry that no line can carry.
    #[error("a ledger cannot carry the entry {0}")]
    Unfit(String),
    /// The ledger was closed, or could not be synced: what it holds on disk is not known, so it takes nothing more.
    #[error("the ledger is closed")]
    Closed,
}

fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io { operation, path, source }
}
