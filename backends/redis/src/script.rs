//! The scripts: one library of functions in Lua, put together from files.
//!
//! A server makes the functions once, when the library is loaded, and keeps them with its data; a script of `EVAL` would
//! make them anew with each call. The library's name carries a hash of what is in it, so programs of several versions call
//! each their own. A server that does not know it is told it: a new one, one that was promoted before it had heard of it,
//! or whose functions were flushed.

use std::sync::LazyLock;

/// A function of the library, by its name there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script(&'static str);

pub(crate) const APPLY: Script = Script("apply");
pub(crate) const CLAIM: Script = Script("claim");
pub(crate) const RENEW: Script = Script("renew");
pub(crate) const SIGNS: Script = Script("signs");
pub(crate) const READ: Script = Script("read");
pub(crate) const SCHEMA: Script = Script("schema");

macro_rules! files {
    ($($file:literal),+) => { concat!($(include_str!(concat!("lua/", $file, ".lua"))),+) };
}

/// What the library is made of; each file knows those before it.
const CODE: &str = files!(
    "base", "history", "state", "run", "inbox", "request", "task", "lease", "start", "message", "commit",
    "apply", "claim", "renew", "signs", "read", "schema"
);

/// What the names of its functions begin with.
static NAME: LazyLock<String> = LazyLock::new(|| format!("retell_{:016x}_", hash(CODE.as_bytes())));

impl Script {
    /// The name by which a server calls it.
    pub(crate) fn name(self) -> String {
        format!("{}{}", *NAME, self.0)
    }
}

/// The library, as a server loads it.
pub(crate) fn library() -> String {
    let name = NAME.as_str();
    format!("#!lua name={}\nlocal NAME = '{name}'\n{CODE}", name.trim_end_matches('_'))
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
