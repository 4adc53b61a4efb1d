//! How events become bytes: one format byte, then MessagePack.
//!
//! A record is `[1]` followed by `[places, events]` or `[places, events, ages]`: `places` is an array of `[file, line]`,
//! each source line once; an event is `[place, {kind: body}]`, where `place` is an index into `places` or nil, and `body`
//! a map with field names; `ages` says of each event how many microseconds before the record's time it was taken in, and
//! stands there only if they differ. IDs and the time are not repeated inside; the [`Record`] carries them. A lone event
//! kind (an inbox message) is `[1]` followed by `{kind: body}`.

use std::sync::Arc;

use bytes::Bytes;
use serde::ser::SerializeTuple;
use serde::{Deserialize, Serialize, Serializer};

use super::codec::{CodecError, PayloadCodec};
use super::event::{Event, EventKind};
use super::record::Record;
use crate::vocabulary::{EventId, Place, Timestamp, encoded};

/// The format that this engine writes, the first byte of everything that it encodes.
pub const FORMAT_VERSION: u8 = 1;

/// How deep events may be nested; payloads are bytes and do not count. Without a limit damage could end the stack.
const DEPTH_MAX: usize = 64;

/// Stored bytes that this engine cannot read, or events that it cannot store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Written by a newer engine in a format that this one does not know: update this program.
    #[error("history format {0} is newer than this engine's {FORMAT_VERSION}; update this program")]
    NewerFormat(u8),
    /// Holds a kind of event, or of something in one, that this engine does not know: update this program.
    #[error("kind {0:?} is not known to this engine; update this program")]
    UnknownKind(String),
    /// The bytes are damaged.
    #[error("the stored bytes are damaged: {0}")]
    Damaged(String),
    /// The payload codec refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A record as it is written.
struct Written<'events> {
    /// Each source line once, in the order in which the events name them.
    places: Vec<&'events Place>,
    events: &'events [Event],
    /// What the events are to a store, if that is not what they are.
    changed: Option<Vec<EventKind>>,
    ages: Vec<u64>,
}

/// A record as it is read.
#[derive(Deserialize)]
struct Read(Vec<(Arc<str>, u32)>, Vec<(Option<u32>, EventKind)>, #[serde(default)] Vec<u64>);

/// Encodes the events of one workflow task; their payloads pass `codec`. The record's time is that of the last one.
///
/// # Errors
/// [`HistoryError::Codec`], and [`HistoryError::Damaged`] if a value does not encode.
pub fn encode_record(events: &[Event], codec: &dyn PayloadCodec) -> Result<Bytes, HistoryError> {
    let changed = if codec.changes_nothing() {
        None
    } else {
        Some(events.iter().map(|event| outward(event.kind.clone(), codec)).collect::<Result<_, _>>()?)
    };
    write(&Written { places: places_of(events), events, changed, ages: ages_of(events) })
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_tuple(if self.ages.is_empty() { 2 } else { 3 })?;
        record.serialize_element(&Sequence(|| self.places.iter().map(|place| (&place.file, place.line))))?;
        record.serialize_element(&Sequence(|| (0..self.events.len()).map(|index| self.event(index))))?;
        if !self.ages.is_empty() {
            record.serialize_element(&self.ages)?;
        }
        record.end()
    }
}

impl Written<'_> {
    /// An event as it is written: the index of its place, and what it is.
    fn event(&self, index: usize) -> (Option<usize>, &EventKind) {
        let event = &self.events[index];
        let kind = self.changed.as_ref().map_or(&event.kind, |changed| &changed[index]);
        (event.place.as_ref().and_then(|place| place_in(&self.places, place)), kind)
    }
}

/// What is written one after another without being gathered first.
struct Sequence<F>(F);

impl<F: Fn() -> I, I: ExactSizeIterator<Item: Serialize>> Serialize for Sequence<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0())
    }
}

/// The places of events, each once. There are few, and most calls are from where the call before was.
fn places_of(events: &[Event]) -> Vec<&Place> {
    let mut places = Vec::new();
    for place in events.iter().filter_map(|event| event.place.as_ref()) {
        if place_in(&places, place).is_none() {
            places.push(place);
        }
    }
    places
}

fn place_in(places: &[&Place], place: &Place) -> Option<usize> {
    places.iter().rposition(|known| *known == place)
}

/// Decodes a record into its events; their payloads pass `codec`.
///
/// # Errors
/// [`HistoryError`] if any of it cannot be read; never a part of a record.
pub fn decode_record(record: &Record, codec: &dyn PayloadCodec) -> Result<Vec<Event>, HistoryError> {
    let Read(places, encoded, ages) = read(&record.bytes)?;
    if encoded.len() != record.count as usize {
        let reason = format!("a record of {} events holds {}", record.count, encoded.len());
        return Err(HistoryError::Damaged(reason));
    }
    if !ages.is_empty() && ages.len() != encoded.len() {
        let reason = format!("a record of {} events holds {} ages", encoded.len(), ages.len());
        return Err(HistoryError::Damaged(reason));
    }
    let at = |index: usize| {
        let age = ages.get(index).copied().unwrap_or(0);
        Timestamp::from_micros(record.at.as_micros().saturating_sub_unsigned(age))
    };
    let place = |index: u32| match places.get(index as usize) {
        Some((file, line)) => Ok(Place { file: file.clone(), line: *line }),
        None => Err(HistoryError::Damaged(format!("place {index} of {} does not exist", places.len()))),
    };
    let mut events = Vec::with_capacity(encoded.len());
    for (index, (line, kind)) in encoded.into_iter().enumerate() {
        let (id, kind) = (EventId(record.first.0 + index as u64), inward(kind, codec)?);
        events.push(Event { id, at: at(index), place: line.map(place).transpose()?, kind });
    }
    Ok(events)
}

/// How long before the last event each was taken in; empty if all were at one time.
fn ages_of(events: &[Event]) -> Vec<u64> {
    let last = events.last().map_or(0, |event| event.at.as_micros());
    let age = |event: &Event| u64::try_from(last.saturating_sub(event.at.as_micros())).unwrap_or(0);
    if events.iter().all(|event| age(event) == 0) { Vec::new() } else { events.iter().map(age).collect() }
}

/// Encodes a lone event kind, as an inbox message carries it.
///
/// # Errors
/// As [`encode_record`].
pub fn encode_kind(kind: EventKind, codec: &dyn PayloadCodec) -> Result<Bytes, HistoryError> {
    write(&outward(kind, codec)?)
}

/// Decodes a lone event kind.
///
/// # Errors
/// As [`decode_record`].
pub fn decode_kind(bytes: &[u8], codec: &dyn PayloadCodec) -> Result<EventKind, HistoryError> {
    inward(read(bytes)?, codec)
}

fn outward(mut kind: EventKind, codec: &dyn PayloadCodec) -> Result<EventKind, HistoryError> {
    if !codec.changes_nothing() {
        kind.change_payloads(|payload| codec.encode(payload.clone()).map(|changed| *payload = changed))?;
    }
    Ok(kind)
}

fn inward(mut kind: EventKind, codec: &dyn PayloadCodec) -> Result<EventKind, HistoryError> {
    if !codec.changes_nothing() {
        kind.change_payloads(|payload| codec.decode(payload.clone()).map(|changed| *payload = changed))?;
    }
    Ok(kind)
}

fn write(value: &impl Serialize) -> Result<Bytes, HistoryError> {
    let written = encoded(|bytes| {
        bytes.push(FORMAT_VERSION);
        // The outer tuples are arrays whatever the struct mode is; only the bodies are maps with field names.
        value.serialize(&mut rmp_serde::Serializer::new(bytes).with_struct_map())
    });
    written.map_err(|error| HistoryError::Damaged(error.to_string()))
}

fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, HistoryError> {
    let rest = match bytes.split_first() {
        None => return Err(HistoryError::Damaged("they are empty".to_owned())),
        Some((&FORMAT_VERSION, rest)) => rest,
        Some((&version, _)) if version > FORMAT_VERSION => return Err(HistoryError::NewerFormat(version)),
        Some((version, _)) => {
            return Err(HistoryError::Damaged(format!("no format has the number {version}")));
        }
    };
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(rest);
    deserializer.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut deserializer).map_err(|error| reason(&error))?;
    // The deserializer hides how far it came, but at the end there is no marker of a further value to be read.
    match bool::deserialize(&mut deserializer) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(HistoryError::Damaged("further bytes follow their end".to_owned())),
    }
}

/// Tells what a newer engine wrote from damage.
fn reason(error: &rmp_serde::decode::Error) -> HistoryError {
    let text = error.to_string();
    let unknown = text.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`'));
    match unknown {
        Some((kind, _)) => HistoryError::UnknownKind(kind.to_owned()),
        None => HistoryError::Damaged(text),
    }
}
