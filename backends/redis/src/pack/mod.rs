//! Writes and questions as scripts read them: MessagePack maps, numbers that may be large as decimal text, payloads as
//! bytes that no script looks into.

mod commit;
mod start;
mod step;
mod text;
mod write;

use std::time::Duration;

use bytes::Bytes;
use retell::vocabulary::{RequestId, RunKey, TaskQueue, WorkerId};
use retell::write::NewMessage;
use serde::Serialize;

use crate::key::{hex, of_namespace};

pub(crate) use start::Queue;
pub(crate) use step::step;
pub(crate) use write::pack as write;

/// How many bytes an argument begins with room for.
const ROOM: usize = 512;

/// A value as a script reads it.
pub(crate) fn packed<T: Serialize>(value: &T) -> Bytes {
    let mut bytes = named(value);
    text::bytes_as_text(&mut bytes);
    bytes.into()
}

/// A value that no script reads, as it stands in a row.
pub(crate) fn blob<T: Serialize>(value: &T) -> Bytes {
    named(value).into()
}

fn named<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROOM);
    rmp_serde::encode::write_named(&mut bytes, value)
        .expect("a vector takes all bytes, and all that is packed has a form");
    bytes
}

/// What every script is told.
#[derive(Serialize)]
pub(crate) struct Context<'a> {
    /// Wall time, where a test drives it.
    pub(crate) now: Option<String>,
    /// The age that leases run on, where a test drives it.
    pub(crate) elapsed: Option<String>,
    pub(crate) partition: u16,
    pub(crate) channel: &'a str,
    pub(crate) handle: &'a str,
}

/// A workflow ID, and perhaps one run of it.
#[derive(Serialize)]
pub(crate) struct Place<'a> {
    pub(crate) ns: String,
    pub(crate) id: &'a str,
    pub(crate) run: Option<String>,
}

impl<'a> Place<'a> {
    pub(crate) fn of(run: &'a RunKey) -> Self {
        Self { ns: of_namespace(&run.namespace), id: run.workflow_id.as_str(), run: Some(hex(run.run_id.0)) }
    }
}

#[derive(Serialize)]
struct Message {
    request: String,
    body: Bytes,
}

fn message(message: &NewMessage) -> Message {
    Message { request: request(message.request_id), body: message.body.clone() }
}

fn request(request_id: RequestId) -> String {
    hex(request_id.0)
}

/// A change of a worker's lease.
pub(crate) fn renewal(worker: WorkerId, action: &'static str, lease: Duration) -> Bytes {
    #[derive(Serialize)]
    struct Renewal {
        worker: String,
        action: &'static str,
        lease: u64,
    }
    let lease = u64::try_from(lease.as_micros()).unwrap_or(u64::MAX);
    packed(&Renewal { worker: hex(worker.0), action, lease })
}

/// Entries of a run's outbox, asked for.
pub(crate) fn outgoing(run: &RunKey) -> Bytes {
    #[derive(Serialize)]
    struct Outgoing<'a> {
        what: &'static str,
        #[serde(flatten)]
        run: Place<'a>,
    }
    packed(&Outgoing { what: "outgoing", run: Place::of(run) })
}

/// What was done of a run's outbox: the numbers of entries, and whether each was accepted.
pub(crate) fn settle(run: &RunKey, done: &[(String, bool)]) -> Bytes {
    #[derive(Serialize)]
    struct Settle<'a> {
        what: &'static str,
        #[serde(flatten)]
        run: Place<'a>,
        done: &'a [(String, bool)],
    }
    packed(&Settle { what: "settle", run: Place::of(run), done })
}

/// Whether a run is held by the worker that its start named.
pub(crate) fn held(run: &RunKey, worker: WorkerId) -> Bytes {
    #[derive(Serialize)]
    struct IsHeld<'a> {
        what: &'static str,
        #[serde(flatten)]
        run: Place<'a>,
        worker: String,
    }
    packed(&IsHeld { what: "held", run: Place::of(run), worker: hex(worker.0) })
}

/// The name of a queue within its namespace.
pub(crate) fn queue(queue: &TaskQueue) -> String {
    format!("{}/{queue}", queue.as_str().len())
}
