//! How events become bytes: one format byte, then MessagePack.
//!
//! A record is `[1]` followed by `[places, events]` or `[places, events, ages]`: `places` is an array of `[file, line]`,
//! each source line once; an event is `[place, {kind: body}]`, where `place` is an index into `places` or nil, and `body`
//! a map with field names; `ages` says of each event how many microseconds before the record's time it was taken in, and
//! stands there only if they differ. IDs and the time are not repeated inside; the [`Record`] carries them. A lone event
//! kind (an inbox message) is `[1]` followed by `{kind: body}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::{CodecError, PayloadCodec};
use super::event::{Event, EventKind};
use super::record::Record;
use crate::vocabulary::{EventId, Place, Timestamp};

/// The format that this engine writes, the first byte of everything that it encodes.
pub const FORMAT_VERSION: u8 = 1;

/// How deep events may be nested; payloads are bytes and do not count. Without a limit damage could end the stack.
const DEPTH_MAX: usize = 64;

/// What the names of an event's kind and fields take, beside their values.
const NAMES_BYTES: usize = 192;

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

#[derive(Serialize, Deserialize)]
struct EncodedEvent<K>(Option<u32>, K);

#[derive(Serialize, Deserialize)]
struct EncodedRecord<K>(
    Vec<(Arc<str>, u32)>,
    Vec<EncodedEvent<K>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")] Vec<u64>,
);

/// Encodes the events of one workflow task; their payloads pass `codec`. The record's time is that of the last one.
///
/// # Errors
/// [`HistoryError::Codec`], and [`HistoryError::Damaged`] if a value does not encode.
pub fn encode_record(events: &[Event], codec: &dyn PayloadCodec) -> Result<Bytes, HistoryError> {
    let mut places: Vec<(Arc<str>, u32)> = Vec::new();
    let mut index: BTreeMap<&Place, u32> = BTreeMap::new();
    let mut encoded = Vec::with_capacity(events.len());
    for event in events {
        let place = event.place.as_ref().map(|place| {
            *index.entry(place).or_insert_with(|| {
                places.push((place.file.clone(), place.line));
                u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
            })
        });
        encoded.push(EncodedEvent(place, outward(event.kind.clone(), codec)?));
    }
    let about = events.iter().map(|event| about(&event.kind)).sum();
    write(&EncodedRecord(places, encoded, ages_of(events)), about)
}

/// Decodes a record into its events; their payloads pass `codec`.
///
/// # Errors
/// [`HistoryError`] if any of it cannot be read; never a part of a record.
pub fn decode_record(record: &Record, codec: &dyn PayloadCodec) -> Result<Vec<Event>, HistoryError> {
    let EncodedRecord(places, encoded, ages) = read::<EncodedRecord<EventKind>>(&record.bytes)?;
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
    for (index, EncodedEvent(line, kind)) in encoded.into_iter().enumerate() {
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
    let about = about(&kind);
    write(&outward(kind, codec)?, about)
}

/// Decodes a lone event kind.
///
/// # Errors
/// As [`decode_record`].
pub fn decode_kind(bytes: &[u8], codec: &dyn PayloadCodec) -> Result<EventKind, HistoryError> {
    inward(read(bytes)?, codec)
}

fn outward(mut kind: EventKind, codec: &dyn PayloadCodec) -> Result<EventKind, HistoryError> {
    kind.change_payloads(|payload| codec.encode(payload.clone()).map(|changed| *payload = changed))?;
    Ok(kind)
}

fn inward(mut kind: EventKind, codec: &dyn PayloadCodec) -> Result<EventKind, HistoryError> {
    kind.change_payloads(|payload| codec.decode(payload.clone()).map(|changed| *payload = changed))?;
    Ok(kind)
}

/// About how many bytes an event is written as, rather more than less.
fn about(kind: &EventKind) -> usize {
    usize::try_from(kind.size()).unwrap_or(0).saturating_add(NAMES_BYTES)
}

/// Writes a value of about so many bytes; what it took too much room for is given back.
fn write<T: Serialize>(value: &T, about: usize) -> Result<Bytes, HistoryError> {
    let mut bytes = Vec::with_capacity(about);
    bytes.push(FORMAT_VERSION);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    // The outer tuples are arrays whatever the struct mode is; only the bodies are maps with field names.
    value.serialize(&mut serializer).map_err(|error| HistoryError::Damaged(error.to_string()))?;
    Ok(bytes.into_boxed_slice().into())
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
