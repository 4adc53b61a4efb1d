//! How values stand in columns: IDs as text or 16 bytes, times as microseconds, the rest as MessagePack.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use retell::vocabulary::{InvalidId, Timestamp};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Result, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// Reads a text ID.
pub(crate) fn text<T>(row: &Row, index: usize, make: fn(&str) -> Result<T, InvalidId>) -> Result<T> {
    let text = row.get_ref(index)?.as_str().map_err(|error| unreadable(index, Type::Text, error))?;
    make(text).map_err(|error| unreadable(index, Type::Text, error))
}

/// Reads a UUID.
pub(crate) fn uuid(row: &Row, index: usize) -> Result<Uuid> {
    optional_uuid(row, index)?.ok_or_else(|| unreadable(index, Type::Null, FromSqlError::InvalidType))
}

/// Reads a UUID that may be missing.
pub(crate) fn optional_uuid(row: &Row, index: usize) -> Result<Option<Uuid>> {
    let bytes = row.get_ref(index)?.as_blob_or_null();
    let bytes = bytes.map_err(|error| unreadable(index, Type::Blob, error))?;
    bytes.map(Uuid::from_slice).transpose().map_err(|error| unreadable(index, Type::Blob, error))
}

/// Reads an instant.
pub(crate) fn time(row: &Row, index: usize) -> Result<Timestamp> {
    row.get(index).map(Timestamp::from_micros)
}

/// Reads an instant that may be missing.
pub(crate) fn optional_time(row: &Row, index: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_micros))
}

/// Reads bytes.
pub(crate) fn bytes(row: &Row, index: usize) -> Result<Bytes> {
    row.get::<_, Vec<u8>>(index).map(Bytes::from)
}

/// Reads a MessagePack value that may be missing.
pub(crate) fn unpacked<T: DeserializeOwned>(row: &Row, index: usize) -> Result<Option<T>> {
    let bytes = row.get_ref(index)?.as_blob_or_null();
    let bytes = bytes.map_err(|error| unreadable(index, Type::Blob, error))?;
    bytes.map(rmp_serde::from_slice).transpose().map_err(|error| unreadable(index, Type::Blob, error))
}

/// A value as MessagePack with field names.
pub(crate) fn packed<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(value).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

/// A map as MessagePack, or NULL where it is empty.
pub(crate) fn packed_map<V: Serialize>(map: &BTreeMap<Arc<str>, V>) -> Result<Option<Vec<u8>>> {
    if map.is_empty() { Ok(None) } else { packed(map).map(Some) }
}

fn unreadable(index: usize, found: Type, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(index, found, Box::new(error))
}

/// A number from outside as SQLite counts: what is beyond its range is beyond everything that is stored.
pub(crate) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
