//! The way to the servers: which node has a partition, one connection to each, and what to do when one is lost.
//!
//! Whatever is sent may be sent again: writes and claims have identities. So a connection that is lost in the middle is
//! made again at once and asked once more; only then is the fault told.

mod node;
mod place;
mod settings;
mod torn;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, PushInfo, RedisError, ServerErrorKind, Value};
use retell::backend::{StoreError, StoreErrorKind};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::fault::fault;
use crate::key::{Keys, hex};
use crate::options::Options;
use crate::pack::{Context, packed};
use crate::script::Script;

pub(crate) use place::{Place, Seeds};

use node::{Nodes, is_missing};

/// How often a call is sent along before its fault is told: once, and after a lost connection, a missing script and a
/// moved slot each once more.
const SENT_MAX: usize = 4;

/// The servers of a store.
pub(crate) struct Link {
    pub(crate) keys: Keys,
    /// Whose changes are its own.
    pub(crate) handle: String,
    nodes: Nodes,
    channel: String,
    requests: AtomicU64,
}

/// A connection that hears a channel.
pub(crate) struct Subscription {
    pub(crate) messages: UnboundedReceiver<PushInfo>,
    pub(crate) connection: MultiplexedConnection,
}

/// What is to be done about an error of a call.
enum Remedy {
    /// The script is to be loaded.
    Load,
    /// The slot is to be looked for, or the master.
    Look,
    /// The connection is to be made again.
    Connect,
    /// It is the caller's to try again.
    Tell,
}

impl Link {
    pub(crate) fn new(options: Options, keys: Keys) -> Result<Self, StoreError> {
        let channel = keys.channel();
        let nodes = Nodes::new(options)?;
        let handle = hex(uuid::Uuid::now_v7());
        Ok(Self { keys, handle, nodes, channel, requests: AtomicU64::new(0) })
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Calls a script on a partition.
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        partition: u16,
        script: Script,
        args: &[Bytes],
    ) -> Result<Value, StoreError> {
        self.send(operation, partition, script, args, SENT_MAX).await
    }

    /// Calls a script that must not be called again when its answer is lost.
    pub(crate) async fn call_once(
        &self,
        operation: &'static str,
        partition: u16,
        script: Script,
        args: &[Bytes],
    ) -> Result<Value, StoreError> {
        self.send(operation, partition, script, args, 0).await
    }

    /// Calls a script on all partitions, side by side; answers in their order.
    pub(crate) async fn call_all(
        &self,
        operation: &'static str,
        script: Script,
        arg: Bytes,
    ) -> Result<Vec<Value>, StoreError> {
        let args = [arg];
        try_join_all(self.keys.all().map(|partition| self.call(operation, partition, script, &args))).await
    }

    /// Hears of changes from now on.
    pub(crate) async fn subscribe(&self) -> Result<Subscription, StoreError> {
        self.nodes.subscribe(&self.keys, &self.channel).await
    }

    async fn send(
        &self,
        operation: &'static str,
        partition: u16,
        script: Script,
        args: &[Bytes],
        again_max: usize,
    ) -> Result<Value, StoreError> {
        let tag = self.keys.tag(partition);
        let (now, elapsed) = self.nodes.time();
        let context = Context { now, elapsed, partition, channel: &self.channel, handle: &self.handle };
        let context = packed(&context);
        let mut sent = 0;
        loop {
            let node = self.nodes.of(&self.keys, partition).await;
            let node = node.map_err(|error| told(operation, error))?;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let error = match node.invoke(script, &tag, &context, args).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            sent += 1;
            let remedy = remedy(&error);
            match remedy {
                Remedy::Load => {}
                Remedy::Look => self.nodes.look_again(&node).await,
                Remedy::Connect => self.nodes.lost(&node).await,
                Remedy::Tell => return Err(fault(operation, error)),
            }
            // What was not begun may always be sent again.
            let was_begun = matches!(remedy, Remedy::Connect);
            if sent >= SENT_MAX || (was_begun && sent > again_max.min(1)) {
                // Nodes that do not agree yet which of them has a slot will.
                let is_moving = self.nodes.is_cluster() && matches!(remedy, Remedy::Look);
                return Err(match is_moving {
                    true => StoreError::new(StoreErrorKind::Unavailable, operation).because(error),
                    false => fault(operation, error),
                });
            }
        }
    }
}

/// An error on the way to a node, as an error of what was being done.
fn told(operation: &'static str, error: StoreError) -> StoreError {
    match error.kind {
        StoreErrorKind::Unavailable => StoreError { operation: operation.to_owned(), ..error },
        _ => error,
    }
}

fn remedy(error: &RedisError) -> Remedy {
    match error.kind() {
        _ if is_missing(error) => Remedy::Load,
        ErrorKind::Server(
            ServerErrorKind::Moved | ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown,
        ) => Remedy::Look,
        // `Ask` too: a slot is on its way to another node, and neither has all of its keys. The key that a script is
        // called with is none that is ever written, so no server runs one meanwhile; the partition waits.
        ErrorKind::Server(_) | ErrorKind::Extension => Remedy::Tell,
        _ => Remedy::Connect,
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("keys", &self.keys).finish_non_exhaustive()
    }
}
