//! Where the servers are: one, the master that sentinels name, or the nodes of a cluster and their slots.

use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, RedisResult, Value};
use retell::backend::StoreError;

use crate::fault::unreadable;
use crate::reply::Reply;

/// What kind of servers a URL leads to.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// One.
    Single,
    /// The master of this name.
    Sentinels { master: String, sentinels: Vec<String> },
    /// The nodes of a cluster.
    Cluster { others: Vec<String> },
}

/// The URL, and those of sentinels or of other nodes.
#[derive(Debug, Clone)]
pub(crate) struct Seeds {
    pub(crate) first: ConnectionInfo,
    pub(crate) others: Vec<ConnectionInfo>,
}

/// Which address has which slots.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slots(Vec<(u16, u16, String)>);

impl Slots {
    pub(crate) fn address(&self, slot: u16) -> Option<&str> {
        let holds = |(first, last, _): &&(u16, u16, String)| (*first..=*last).contains(&slot);
        self.0.iter().find(holds).map(|(_, _, address)| address.as_str())
    }
}

/// The host and port of a connection.
pub(crate) fn address(info: &ConnectionInfo) -> String {
    match info.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            format!("{host}:{port}")
        }
        other => other.to_string(),
    }
}

/// The same connection to another host and port.
pub(crate) fn moved(info: &ConnectionInfo, to: &str) -> ConnectionInfo {
    let Some((host, port)) = to.rsplit_once(':') else { return info.clone() };
    let (Ok(new_port), new_host) = (port.parse(), host.trim_matches(['[', ']']).to_owned()) else {
        return info.clone();
    };
    let mut addr = info.addr().clone();
    match &mut addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            *host = new_host;
            *port = new_port;
        }
        _ => {}
    }
    info.clone().set_addr(addr)
}

/// Asks a node of a cluster which node has which slots; `asked` stands in for a node that does not know its own host.
pub(crate) async fn slots(
    connection: &mut MultiplexedConnection,
    asked: &str,
) -> RedisResult<Result<Slots, StoreError>> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let found = connection.send_packed_command(&command).await?.extract_error()?;
    Ok(read_slots(found, asked))
}

fn read_slots(found: Value, asked: &str) -> Result<Slots, StoreError> {
    const OPERATION: &str = "look for slots";
    let own_host = asked.rsplit_once(':').map_or(asked, |(host, _)| host);
    let mut slots = Vec::new();
    for range in found.list(OPERATION)? {
        let mut range = range.list(OPERATION)?.into_iter();
        let mut next = || range.next().ok_or_else(|| unreadable(OPERATION, "a range without a node"));
        let (first, last) = (next()?.parsed(OPERATION)?, next()?.parsed(OPERATION)?);
        let mut node = next()?.list(OPERATION)?.into_iter();
        let host = node.next().unwrap_or_default().optional(|host| host.text(OPERATION))?;
        let port: u16 = node.next().unwrap_or_default().parsed(OPERATION)?;
        let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| own_host.to_owned());
        slots.push((first, last, format!("{host}:{port}")));
    }
    Ok(Slots(slots))
}

/// Asks a sentinel where the master of this name is.
pub(crate) async fn master(
    connection: &mut MultiplexedConnection,
    name: &str,
) -> RedisResult<Option<String>> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let found = connection.send_packed_command(&command).await?.extract_error()?;
    let Value::Array(parts) = found else { return Ok(None) };
    let mut parts = parts.into_iter().map(|part| part.text("ask a sentinel").ok());
    Ok(match (parts.next().flatten(), parts.next().flatten()) {
        (Some(host), Some(port)) => Some(format!("{host}:{port}")),
        _ => None,
    })
}
