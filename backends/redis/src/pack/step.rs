//! Steps of runs that are remembered: a list instead of a map, with what is to be written ready to be written.

use bytes::Bytes;
use retell::vocabulary::{RunKey, Timestamp};
use serde::Serialize;

use super::packed;
use crate::key::{hex, of_namespace, tail};
use crate::remembered::{Standing, Step};

/// A step as the script takes it.
pub(crate) fn step(run: &RunKey, step: &Step<'_>) -> Bytes {
    let Step { before, after, .. } = step;
    let (there, gone) = changes(before, after);
    packed(&(
        hex(before.worker.0),
        of_namespace(&run.namespace),
        tail(run),
        before.version.to_string(),
        before.token.to_string(),
        before.head.to_string(),
        Text(record(step)),
        there,
        gone,
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

/// The fields of the row that get values, each with its own, and those that go.
fn changes(before: &Standing, after: &Standing) -> (Vec<String>, Vec<&'static str>) {
    let mut there = Vec::with_capacity(12);
    let mut gone = Vec::new();
    let micros = |at: Timestamp| at.as_micros().to_string();
    let flag = |flag: bool| flag.then(|| "1".to_owned());
    there.extend([
        "version".to_owned(),
        after.version.to_string(),
        "head".to_owned(),
        after.head.to_string(),
    ]);
    if after.last_at != before.last_at {
        there.extend(["last_at".to_owned(), micros(after.last_at)]);
    }
    for (field, was, is) in [
        ("wake", before.wake_at.map(micros), after.wake_at.map(micros)),
        ("rowless", flag(before.rowless), flag(after.rowless)),
        ("dependents", flag(before.dependents), flag(after.dependents)),
    ] {
        match is {
            Some(value) if was.as_ref() != Some(&value) => there.extend([field.to_owned(), value]),
            None if was.is_some() => gone.push(field),
            _ => {}
        }
    }
    (there, gone)
}
