//! Steps of runs that are remembered: a list instead of a map, with what is to be written ready to be written.

use bytes::Bytes;
use retell::vocabulary::RunKey;
use serde::Serialize;

use super::packed;
use crate::key::{hex, of_namespace, tail};
use crate::remembered::Step;
use crate::state;

/// A step as the script takes it.
pub(crate) fn step(run: &RunKey, step: &Step<'_>) -> Bytes {
    let Step { before, after, .. } = step;
    packed(&(
        hex(before.worker.0),
        of_namespace(&run.namespace),
        tail(run),
        state::of(before),
        state::of(after),
        Text(record(step)),
    ))
}

/// Bytes, written as such.
struct Text(Vec<u8>);

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// A record as `history.lua` reads it.
fn record(step: &Step<'_>) -> Vec<u8> {
    let Step { before, after, record } = step;
    let head =
        format!("{}/{}/{}/{}/", before.token, before.head.0 + 1, record.count, after.last_at.as_micros());
    [head.as_bytes(), &record.bytes].concat()
}
