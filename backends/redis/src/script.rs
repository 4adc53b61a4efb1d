//! The scripts: Lua, put together from files that share what they are made of.
//!
//! Each is loaded into a server once and called by its hash. A server that was restarted, flushed of its scripts or
//! promoted does not know it; then it is loaded again.

use std::sync::{LazyLock, OnceLock};

/// A script and, once a server has told it, its hash.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) code: String,
    hash: OnceLock<String>,
}

macro_rules! script {
    ($flags:literal, $($file:literal),+) => {
        LazyLock::new(|| Script {
            // Refused as a whole, before it begins, by a server that is at its `maxmemory`.
            code: concat!("#!lua", $flags, "\n", $(include_str!(concat!("lua/", $file, ".lua"))),+).to_owned(),
            hash: OnceLock::new(),
        })
    };
}

pub(crate) static APPLY: LazyLock<Script> =
    script!("", "base", "history", "run", "inbox", "request", "task", "start", "message", "commit", "apply");
pub(crate) static CLAIM: LazyLock<Script> = script!("", "base", "run", "inbox", "task", "lease", "claim");
pub(crate) static RENEW: LazyLock<Script> = script!("", "base", "lease", "renew");
pub(crate) static SIGNS: LazyLock<Script> = script!("", "base", "lease", "signs");
pub(crate) static READ: LazyLock<Script> = script!(" flags=no-writes", "base", "history", "read");
pub(crate) static SCHEMA: LazyLock<Script> = script!("", "base", "schema");

impl Script {
    pub(crate) fn hash(&self) -> Option<&str> {
        self.hash.get().map(String::as_str)
    }

    /// What a server said on loading it; each says the same.
    pub(crate) fn loaded(&self, hash: String) {
        let _ = self.hash.set(hash);
    }
}
