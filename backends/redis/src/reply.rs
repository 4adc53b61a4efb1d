//! Reading what scripts answer.

use std::str::FromStr;

use bytes::Bytes;
use redis::Value;
use retell::backend::StoreError;
use retell::vocabulary::{InvalidId, Timestamp};
use uuid::Uuid;

use crate::fault::unreadable;

/// An answer of a script, or a part of one. Each method names what was being done, for the fault.
pub(crate) trait Reply: Sized {
    /// A list.
    fn list(self, operation: &str) -> Result<Vec<Value>, StoreError>;
    /// Bytes.
    fn bytes(self, operation: &str) -> Result<Bytes, StoreError>;
    /// Whether it is this text.
    fn is_text(&self, text: &[u8]) -> bool;
    /// Whether there is something.
    fn is_there(&self) -> bool;

    /// A list of so many.
    fn fields<const N: usize>(self, operation: &str) -> Result<[Value; N], StoreError> {
        let list = self.list(operation)?;
        let found = list.len();
        <[Value; N]>::try_from(list)
            .map_err(|_| unreadable(operation, format!("{found} fields where {N} should be")))
    }

    /// Text.
    fn text(self, operation: &str) -> Result<String, StoreError> {
        let bytes = self.bytes(operation)?;
        String::from_utf8(bytes.into()).map_err(|_| unreadable(operation, "text is no UTF-8"))
    }

    /// A value that is written as text.
    fn parsed<T: FromStr>(self, operation: &str) -> Result<T, StoreError> {
        let text = self.text(operation)?;
        text.parse().map_err(|_| unreadable(operation, format!("{text:?} is no value of its kind")))
    }

    /// An instant.
    fn time(self, operation: &str) -> Result<Timestamp, StoreError> {
        self.parsed(operation).map(Timestamp::from_micros)
    }

    /// What may be missing.
    fn optional<T>(self, read: impl FnOnce(Self) -> Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        if self.is_there() { read(self).map(Some) } else { Ok(None) }
    }
}

impl Reply for Value {
    fn list(self, operation: &str) -> Result<Vec<Value>, StoreError> {
        match self {
            Self::Array(list) | Self::Set(list) => Ok(list),
            other => Err(unreadable(operation, format!("{other:?} where a list should be"))),
        }
    }

    fn bytes(self, operation: &str) -> Result<Bytes, StoreError> {
        match self {
            Self::BulkString(bytes) => Ok(bytes.into()),
            Self::SimpleString(text) => Ok(text.into_bytes().into()),
            Self::Int(number) => Ok(number.to_string().into_bytes().into()),
            other => Err(unreadable(operation, format!("{other:?} where bytes should be"))),
        }
    }

    fn is_text(&self, text: &[u8]) -> bool {
        matches!(self, Self::BulkString(bytes) if bytes == text)
    }

    fn is_there(&self) -> bool {
        !matches!(self, Self::Nil)
    }
}

/// Reads a UUID as keys hold it.
pub(crate) fn uuid(hex: &str, operation: &str) -> Result<Uuid, StoreError> {
    Uuid::try_parse(hex).map_err(|_| unreadable(operation, format!("{hex:?} is no ID")))
}

/// Reads a text ID.
pub(crate) fn text_id<T>(made: Result<T, InvalidId>, operation: &str) -> Result<T, StoreError> {
    made.map_err(|error| unreadable(operation, error.to_string()))
}
