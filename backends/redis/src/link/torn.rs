//! Writes that a crash has torn.
//!
//! A server that is killed while it writes, or loses its power, may leave half a transaction at the end of its append-only
//! file; and each script is one. Started again with `aof-load-truncated yes`, the default, it passes over the half, cuts
//! the file behind the last whole command of it, and goes on writing there. At its next start it takes what came behind for
//! the rest of that transaction and does both: the half of a write that was never acknowledged, and that may have been done
//! anew since (seen in Redis 7.0.15). A rewrite that begins before anything else is written leaves that end behind.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, ServerErrorKind, Value};
use retell::backend::{StoreError, StoreErrorKind};

use super::settings::{info, setting};
use crate::fault::fault;

const OPERATION: &str = "have the append-only file rewritten";
/// How often is looked whether it has: it waits for a snapshot that is being made.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 100;

/// Has the file of a server that was not asked since its start rewritten. Returns when that is done, or has begun and takes
/// its time. A server that would refuse a torn file needs none of it.
///
/// Killed before it is done, the server refuses to start, once, having cut off the half where it belongs.
pub(super) async fn leave_behind(
    connection: &mut MultiplexedConnection,
    told: &HashMap<String, String>,
    settings: &HashMap<String, String>,
) -> Result<(), StoreError> {
    let writes = is(told, "aof_enabled", "1");
    if !writes || has_begun(told) || is(settings, "aof-load-truncated", "no") {
        return Ok(());
    }
    let mut begun = false;
    for _ in 0..LOOKS_MAX {
        if !begun {
            ask(connection).await?;
        }
        let told = info(connection).await?;
        begun = has_begun(&told);
        if begun && is(&told, "aof_rewrite_in_progress", "0") {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if begun { Ok(()) } else { Err(StoreError::new(StoreErrorKind::Unavailable, OPERATION)) }
}

async fn ask(connection: &mut MultiplexedConnection) -> Result<(), StoreError> {
    match connection.send_packed_command(&redis::cmd("BGREWRITEAOF")).await.and_then(Value::extract_error) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoPerm) => {
                Err(setting("aof-load-truncated", "yes", "no, or a user who may BGREWRITEAOF"))
            }
            // Somebody else was first.
            ErrorKind::Server(ServerErrorKind::ResponseError) => Ok(()),
            _ => Err(fault(OPERATION, error)),
        },
    }
}

/// Whether a rewrite has begun since the server was started.
fn has_begun(told: &HashMap<String, String>) -> bool {
    told.contains_key("aof_rewrites") && !is(told, "aof_rewrites", "0")
}

fn is(told: &HashMap<String, String>, name: &str, value: &str) -> bool {
    told.get(name).is_some_and(|told| told == value)
}
