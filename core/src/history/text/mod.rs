//! The one text form of a history: for failing tests, fixtures, downloads and bug reports.
//!
//! A header line, then one line for each event:
//!
//! ```text
//! retell history 1
//! 1 2026-11-21T06:55:00.000000Z WorkflowStarted workflow={"name":"order","version":1} input={"id":42} seed=7 ...
//! 2 2026-11-21T06:55:00.000000Z ActivityScheduled activity="charge" input={"id":42} start_to_close=30s @ src/main.rs:12
//! ```
//!
//! Fields stand in the order in which they are stored, under their stored names; there is no code for any one kind
//! here, so that a new kind needs none. Values are JSON with a few more words: bytes are `0x` and hexadecimal digits,
//! durations are seconds as in `1.5s`, numbers keep their type (`1` is whole, `1.0` a double, `1.0f32` a single), keys
//! may be of any type. A payload is the value that it holds; one that is no plain MessagePack is
//! `{"$encoding":"zstd","$data":"28b5"}`. Blank lines and lines that begin with `#` are passed over. What is printed
//! is read back exactly.

mod read;
mod write;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{Event, EventKind};
use crate::vocabulary::{EventId, Payload, Value};
use read::Reader;

/// The first line.
const HEADER: &str = "retell history 1";

/// A text that is not a history, and where it stops being one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// A history to be printed in its text form.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a>(pub &'a [Event]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.0.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}

impl fmt::Display for Event {
    /// Its line in the text form of a history.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::event(f, self, &fields(&self.kind).ok_or(fmt::Error)?)
    }
}

/// A payload to be printed as the value that it holds, as in the text form of a history.
#[derive(Debug, Clone, Copy)]
pub struct PayloadText<'a>(pub &'a Payload);

impl fmt::Display for PayloadText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::value(f, &readable(self.0).ok_or(fmt::Error)?)
    }
}

/// Prints a history in its text form.
#[must_use]
pub fn to_text(events: &[Event]) -> String {
    Text(events).to_string()
}

/// Reads a history in its text form. Event numbers are taken as they stand, so that a part of a history can be read.
///
/// # Errors
/// [`TextError`] with the first line that is not as [`to_text`] prints it, give or take blanks and fields that may be
/// left out. A field that its event does not have is refused.
pub fn from_text(text: &str) -> Result<Vec<Event>, TextError> {
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    match lines.next() {
        Some((_, line)) if line.trim() == HEADER => {}
        first => {
            let line = first.map_or(1, |(line, _)| line);
            return Err(TextError { line, reason: format!("a history begins with {HEADER:?}") });
        }
    }
    lines.map(|(line, text)| event(text).map_err(|reason| TextError { line, reason })).collect()
}

fn event(line: &str) -> Result<Event, String> {
    let mut reader = Reader::new(line);
    let id = EventId(reader.word().parse().map_err(|_| "an event begins with its number".to_owned())?);
    let at = reader.word().parse().map_err(|error| format!("{error}"))?;
    let name = reader.word();
    if !EventKind::NAMES.contains(&name) {
        return Err(format!("event kind {name:?} is not known to this engine"));
    }
    let given = reader.fields()?;
    let place = reader.place()?;
    let kind = kind(name, &given)?;
    Ok(Event { id, at, place, kind })
}

/// An event kind as a map from its field names to readable values.
fn fields(kind: &EventKind) -> Option<Value> {
    readable(kind)?.field(kind.name()).cloned()
}

fn readable<T: Serialize>(of: &T) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
    of.serialize(&mut serializer).ok()?;
    rmp_serde::from_slice(&bytes).ok()
}

fn kind(name: &str, given: &Value) -> Result<EventKind, String> {
    let whole = Value::Map(vec![(Value::Text(name.to_owned()), given.clone())]);
    let bytes = whole.to_message_pack().ok_or("the values are nested too deeply")?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(&bytes).with_human_readable();
    let kind = EventKind::deserialize(&mut deserializer).map_err(|error| format!("{name}: {error}"))?;
    let kept = fields(&kind).ok_or("the values do not encode")?;
    match unknown(given, &kept) {
        Some(field) => Err(format!("{name} has no field {field:?}, or this is what it holds when left out")),
        None => Ok(kind),
    }
}

/// The first field that was given and not kept. Serde passes over such fields; a mistyped one must not pass.
fn unknown<'a>(given: &'a Value, kept: &Value) -> Option<&'a str> {
    match (given, kept) {
        (Value::Map(entries), kept) => entries.iter().find_map(|(key, value)| match key {
            Value::Text(name) => kept.field(name).map_or(Some(name.as_str()), |kept| unknown(value, kept)),
            _ => None,
        }),
        (Value::List(given), Value::List(kept)) => {
            given.iter().zip(kept).find_map(|(given, kept)| unknown(given, kept))
        }
        _ => None,
    }
}
