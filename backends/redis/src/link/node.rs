//! The nodes: a connection to each, checked when it is made and made again when it is lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ProtocolVersion, RedisError, RedisResult, Value,
};
use retell::backend::{StoreError, StoreErrorKind};
use tokio::sync::{Mutex, mpsc};

use super::Subscription;
use super::place::{Place, Seeds, Slots, address, master, moved, slots};
use super::settings;
use crate::fault::{fault, unreadable};
use crate::key::Keys;
use crate::options::Options;
use crate::pack::{Context, packed};
use crate::schema;
use crate::script::{SCHEMA, Script, library};

const CONNECT: &str = "connect to a Redis";

/// A checked connection to a server.
#[derive(Clone)]
pub(super) struct Node {
    address: String,
    /// Which connection it is, of all that were made.
    number: u64,
    connection: MultiplexedConnection,
}

/// All nodes, as far as they are known.
pub(super) struct Nodes {
    options: Options,
    seeds: Seeds,
    made: AtomicU64,
    /// By address, each locked while its connection is made: one that is away holds up nobody else's calls.
    connected: StdMutex<HashMap<String, Arc<Mutex<Option<Node>>>>>,
    routes: Mutex<Routes>,
}

/// Where things are, by the servers' last word.
#[derive(Default)]
struct Routes {
    master: Option<String>,
    slots: Option<Arc<Slots>>,
}

impl Nodes {
    pub(super) fn new(options: Options) -> Result<Self, StoreError> {
        let seeds = options.seeds()?;
        Ok(Self {
            options,
            seeds,
            made: AtomicU64::new(0),
            connected: StdMutex::default(),
            routes: Mutex::default(),
        })
    }

    /// Wall time and the age that leases run on, where a clock was given.
    pub(super) fn time(&self) -> (Option<String>, Option<String>) {
        let clock = self.options.clock.as_ref();
        let now = clock.map(|clock| clock.now().as_micros().to_string());
        (now, clock.map(|clock| clock.elapsed().as_micros().to_string()))
    }

    /// The node that has a partition.
    pub(super) async fn of(&self, keys: &Keys, partition: u16) -> Result<Node, StoreError> {
        let address = self.address(keys.slot(partition)).await?;
        self.connected(keys, address).await
    }

    /// Asks again where slots and the master are, when they are next needed; and checks a node that is not what it was
    /// when it comes back to be.
    pub(super) async fn look_again(&self, node: &Node) {
        *self.routes.lock().await = Routes::default();
        if self.is_cluster() {
            self.cells().remove(&node.address);
        } else {
            // A name may lead to another server now.
            self.cells().clear();
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.options.place, Place::Cluster { .. })
    }

    /// A connection is lost.
    pub(super) async fn lost(&self, node: &Node) {
        *self.routes.lock().await = Routes::default();
        let cell = self.cell(&node.address);
        let mut connected = cell.lock().await;
        if connected.as_ref().is_some_and(|other| other.number == node.number) {
            *connected = None;
        }
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<Option<Node>>>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cell(&self, address: &str) -> Arc<Mutex<Option<Node>>> {
        let mut cells = self.cells();
        match cells.get(address) {
            Some(cell) => Arc::clone(cell),
            None => Arc::clone(cells.entry(address.to_owned()).or_default()),
        }
    }

    pub(super) async fn subscribe(&self, keys: &Keys, channel: &str) -> Result<Subscription, StoreError> {
        let address = self.address(keys.slot(0)).await?;
        match self.subscribe_at(&address, channel).await {
            Ok(subscription) => Ok(subscription),
            Err(error) => {
                *self.routes.lock().await = Routes::default();
                Err(fault("hear of changes", error))
            }
        }
    }

    async fn subscribe_at(&self, address: &str, channel: &str) -> RedisResult<Subscription> {
        let (sender, messages) = mpsc::unbounded_channel();
        let info = self.info(address);
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let config = self.config().set_push_sender(sender);
        let client = Client::open(info.set_redis_settings(settings))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(channel).await?;
        Ok(Subscription { messages, connection })
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_wait))
            .set_response_timeout(Some(self.options.response_wait))
    }

    fn info(&self, at: &str) -> ConnectionInfo {
        match self.options.place {
            Place::Single => self.seeds.first.clone(),
            _ => moved(&self.seeds.first, at),
        }
    }

    async fn connect(&self, info: ConnectionInfo) -> RedisResult<MultiplexedConnection> {
        Client::open(info)?.get_multiplexed_async_connection_with_config(&self.config()).await
    }

    async fn address(&self, slot: u16) -> Result<String, StoreError> {
        match &self.options.place {
            Place::Single => Ok(address(&self.seeds.first)),
            Place::Sentinels { master, .. } => {
                let mut routes = self.routes.lock().await;
                match &routes.master {
                    Some(address) => Ok(address.clone()),
                    None => Ok(routes.master.insert(self.find_master(master).await?).clone()),
                }
            }
            Place::Cluster { .. } => {
                let nobody = || StoreError::new(StoreErrorKind::Unavailable, format!("find slot {slot}"));
                self.slots().await?.address(slot).map(str::to_owned).ok_or_else(nobody)
            }
        }
    }

    async fn slots(&self) -> Result<Arc<Slots>, StoreError> {
        let mut routes = self.routes.lock().await;
        match &routes.slots {
            Some(slots) => Ok(Arc::clone(slots)),
            None => Ok(Arc::clone(routes.slots.insert(Arc::new(self.find_slots().await?)))),
        }
    }

    async fn find_master(&self, name: &str) -> Result<String, StoreError> {
        let mut last = StoreError::new(StoreErrorKind::Unavailable, format!("find the master {name}"));
        for sentinel in &self.seeds.others {
            let asked = async {
                let mut connection = self.connect(sentinel.clone()).await?;
                master(&mut connection, name).await
            };
            match asked.await {
                Ok(Some(address)) => return Ok(address),
                Ok(None) => {}
                Err(error) => last = fault("ask a sentinel", error),
            }
        }
        Err(last)
    }

    /// Asks a node that is connected, else one after another of those that the user named.
    async fn find_slots(&self) -> Result<Slots, StoreError> {
        let mut last = unreadable("look for slots", "no node was named");
        let cells: Vec<_> = self.cells().values().cloned().collect();
        for cell in cells {
            // One that is being connected is passed over.
            let node = cell.try_lock().ok().and_then(|node| node.clone());
            if let Some(Node { mut connection, address, .. }) = node
                && let Ok(slots) = slots(&mut connection, &address).await
            {
                return slots;
            }
        }
        for seed in std::iter::once(&self.seeds.first).chain(&self.seeds.others) {
            let asked = async {
                let mut connection = self.connect(seed.clone()).await?;
                slots(&mut connection, &address(seed)).await
            };
            match asked.await {
                Ok(slots) => return slots,
                Err(error) => last = fault("look for slots", error),
            }
        }
        Err(last)
    }

    async fn connected(&self, keys: &Keys, address: String) -> Result<Node, StoreError> {
        let cell = self.cell(&address);
        let mut connected = cell.lock().await;
        match &*connected {
            Some(node) => Ok(node.clone()),
            None => Ok(connected.insert(self.checked(keys, address).await?).clone()),
        }
    }

    /// Connects to a server and checks it.
    async fn checked(&self, keys: &Keys, address: String) -> Result<Node, StoreError> {
        let told = |error| fault(CONNECT, error);
        let connected = self.connect(self.info(&address)).await;
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                *self.routes.lock().await = Routes::default();
                return Err(told(error));
            }
        };
        let Options { durability, is_declared, .. } = self.options;
        let server = settings::check(&mut connection, durability, is_declared).await?;
        if server.is_replica {
            *self.routes.lock().await = Routes::default();
            return Err(StoreError::new(StoreErrorKind::Unavailable, "find the master"));
        }
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let mut node = Node { address, number, connection };
        if let Some(epoch) = server.epoch {
            // By its own word: others may not have heard of its promotion yet.
            let own = match self.is_cluster() {
                true => Some(slots(&mut node.connection, &node.address).await.map_err(told)??),
                false => None,
            };
            let has = |partition: &u16| {
                own.as_ref().is_none_or(|own| own.address(keys.slot(*partition)) == Some(&node.address))
            };
            for partition in keys.all().filter(has) {
                self.promoted(&node, keys, partition, &epoch).await.map_err(told)?;
            }
        }
        Ok(node)
    }

    /// Tells a partition that its node was a replica before.
    async fn promoted(&self, node: &Node, keys: &Keys, partition: u16, epoch: &str) -> RedisResult<()> {
        let (now, elapsed) = self.time();
        let context = packed(&Context { now, elapsed, partition, channel: "", handle: "" });
        let asked =
            packed(&schema::Asked { version: String::new(), partitions: String::new(), epoch: Some(epoch) });
        let tag = keys.tag(partition);
        let first = node.invoke(SCHEMA, &tag, &context, std::slice::from_ref(&asked)).await;
        match first {
            Err(error) if is_missing(&error) => node.invoke(SCHEMA, &tag, &context, &[asked]).await.map(drop),
            first => first.map(drop),
        }
    }
}

impl Node {
    /// Calls a function. Where it is missing the library is loaded, for the next call.
    pub(super) async fn invoke(
        &self,
        script: Script,
        tag: &str,
        context: &Bytes,
        args: &[Bytes],
    ) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let mut call = redis::cmd("FCALL");
        call.arg(script.name()).arg(1).arg(tag).arg(context.as_ref());
        args.iter().for_each(|arg| _ = call.arg(arg.as_ref()));
        let answer = connection.send_packed_command(&call).await.and_then(Value::extract_error);
        match answer {
            Err(error) if is_missing(&error) => {
                self.load().await?;
                Err(error)
            }
            answer => answer,
        }
    }

    async fn load(&self) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        let mut load: Cmd = redis::cmd("FUNCTION");
        load.arg("LOAD").arg(library());
        match connection.send_packed_command(&load).await.and_then(Value::extract_error) {
            // Somebody else was first.
            Err(error) if error.detail().is_some_and(|detail| detail.ends_with("already exists")) => Ok(()),
            loaded => loaded.map(drop),
        }
    }
}

/// Whether a server does not know a function.
pub(super) fn is_missing(error: &RedisError) -> bool {
    error.detail() == Some("Function not found")
}
