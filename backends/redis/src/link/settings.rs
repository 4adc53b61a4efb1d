//! The settings on which promises rest, read back on every connection (promise H14).

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, ServerErrorKind, Value};
use retell::backend::{StoreError, StoreErrorKind};

use super::torn;
use crate::fault::fault;
use crate::options::Durability;
use crate::reply::Reply;

const OPERATION: &str = "read the server's settings";
/// The first version with all that scripts use.
const VERSION_MIN: u32 = 7;
/// What a server is asked for.
const NAMES: [&str; 5] = ["appendonly", "appendfsync", "aof-load-truncated", "maxmemory", "maxmemory-policy"];

/// What a server says of itself.
pub(crate) struct Server {
    /// The name of its history since it was a replica; `None` if it never was one.
    pub(crate) epoch: Option<String>,
    pub(crate) is_replica: bool,
}

/// Checks a server; answers what it is.
pub(crate) async fn check(
    connection: &mut MultiplexedConnection,
    durability: Durability,
    is_declared: bool,
) -> Result<Server, StoreError> {
    let info = info(connection).await?;
    let is_replica = info.get("role").is_some_and(|role| role == "slave");
    let version = info.get("redis_version").cloned().unwrap_or_default();
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < VERSION_MIN {
        return Err(setting("redis_version", &version, "7.0 or later"));
    }
    match settings(connection).await? {
        Some(settings) => {
            check_durability(&settings, durability)?;
            check_eviction(&settings)?;
            if !is_replica {
                torn::leave_behind(connection, &info, &settings).await?;
            }
        }
        None if is_declared => {}
        None => return Err(setting("appendfsync", "hidden by the server", wanted(durability))),
    }
    let was_replica = info.get("master_replid2").is_some_and(|id| id.bytes().any(|byte| byte != b'0'));
    Ok(Server { epoch: info.get("master_replid").filter(|_| was_replica).cloned(), is_replica })
}

pub(super) async fn info(
    connection: &mut MultiplexedConnection,
) -> Result<HashMap<String, String>, StoreError> {
    let told = |error| fault(OPERATION, error);
    let info = connection.send_packed_command(&redis::cmd("INFO")).await;
    let info = info.and_then(Value::extract_error).map_err(told)?;
    let text = match info {
        Value::VerbatimString { text, .. } => text,
        other => other.text(OPERATION)?,
    };
    let line = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(text.lines().filter_map(line).collect())
}

/// The server's settings; `None` if it hides them.
async fn settings(
    connection: &mut MultiplexedConnection,
) -> Result<Option<HashMap<String, String>>, StoreError> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(&NAMES);
    let found = match connection.send_packed_command(&command).await.and_then(Value::extract_error) {
        Ok(found) => found,
        // Refused, or renamed away: this says so, whatever the words.
        Err(error) => match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::ResponseError)
            | ErrorKind::Extension => return Ok(None),
            _ => return Err(fault(OPERATION, error)),
        },
    };
    let mut settings = HashMap::new();
    let mut list = found.list(OPERATION)?.into_iter();
    while let (Some(name), Some(value)) = (list.next(), list.next()) {
        settings.insert(name.text(OPERATION)?, value.text(OPERATION)?);
    }
    Ok(if settings.contains_key("appendonly") { Some(settings) } else { None })
}

fn check_durability(settings: &HashMap<String, String>, durability: Durability) -> Result<(), StoreError> {
    let get = |name: &str| settings.get(name).map(String::as_str).unwrap_or_default();
    if durability == Durability::None {
        return Ok(());
    }
    if get("appendonly") != "yes" {
        return Err(setting("appendonly", get("appendonly"), "yes"));
    }
    let is_synced = match get("appendfsync") {
        "always" => true,
        "everysec" => durability == Durability::EverySecond,
        _ => false,
    };
    if is_synced { Ok(()) } else { Err(setting("appendfsync", get("appendfsync"), wanted(durability))) }
}

/// A server that throws keys away when its memory is full would throw away runs. Those with an end are leases of old.
fn check_eviction(settings: &HashMap<String, String>) -> Result<(), StoreError> {
    let policy = settings.get("maxmemory-policy").map(String::as_str).unwrap_or_default();
    let is_bounded = settings.get("maxmemory").is_some_and(|bytes| bytes != "0");
    if is_bounded && policy.starts_with("allkeys") {
        return Err(setting("maxmemory-policy", policy, "noeviction"));
    }
    Ok(())
}

fn wanted(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "always",
        Durability::EverySecond => "everysec",
        Durability::None => "any",
    }
}

pub(super) fn setting(setting: &str, found: &str, wanted: &str) -> StoreError {
    let kind = StoreErrorKind::Setting {
        setting: setting.to_owned(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
    };
    StoreError::new(kind, OPERATION)
}
