//! Values as they go to a server and come back: a handful of types that every SQL database has.

use bytes::Bytes;
use retell::vocabulary::{InvalidId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::fault::{Fault, FaultKind};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// A whole number of 64 bits; flags and times too.
    Int,
    /// Text whose bytes are compared: an ID.
    Text,
    /// Bytes.
    Bytes,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cell {
    /// None.
    #[default]
    Null,
    /// Of [`Type::Int`].
    Int(i64),
    /// Of [`Type::Text`].
    Text(String),
    /// Of [`Type::Bytes`].
    Bytes(Bytes),
}

/// What a statement is given in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// One value.
    One(Type, Cell),
    /// Many values, in databases that have arrays.
    Many(Type, Vec<Cell>),
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Int)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<Timestamp> for Cell {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_micros())
    }
}

impl From<Option<Timestamp>> for Cell {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Null, Self::from)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Bytes> for Cell {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Option<Bytes>> for Cell {
    fn from(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Null, Self::Bytes)
    }
}

impl From<Uuid> for Cell {
    fn from(id: Uuid) -> Self {
        Self::Bytes(Bytes::copy_from_slice(id.as_bytes()))
    }
}

/// A number of the engine's as databases count: what is beyond their range is beyond everything that is stored.
pub(crate) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A value as MessagePack with field names.
pub(crate) fn packed<T: Serialize>(value: &T) -> Result<Bytes, Fault> {
    rmp_serde::to_vec_named(value).map(Bytes::from).map_err(|error| Fault::new(FaultKind::Data, error))
}

/// A row that a statement answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row(Vec<Cell>);

impl Row {
    /// A row of these values.
    #[must_use]
    pub fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    fn cell(&self, index: usize) -> &Cell {
        self.0.get(index).unwrap_or(&Cell::Null)
    }

    /// A number, or `None` where there is none.
    pub(crate) fn maybe_int(&self, index: usize) -> Result<Option<i64>, Fault> {
        match self.cell(index) {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(*number)),
            other => Err(unreadable(index, "a number", other)),
        }
    }

    pub(crate) fn int(&self, index: usize) -> Result<i64, Fault> {
        self.maybe_int(index)?.ok_or_else(|| unreadable(index, "a number", &Cell::Null))
    }

    /// A number that the server tells as text.
    pub(crate) fn number_in_text(&self, index: usize) -> Result<u64, Fault> {
        let text = match self.cell(index) {
            Cell::Text(text) => text.as_bytes(),
            Cell::Bytes(bytes) => bytes,
            other => return Err(unreadable(index, "a number in text", other)),
        };
        let text = std::str::from_utf8(text).map_err(|error| damaged(index, error))?;
        text.parse().map_err(|error| damaged(index, error))
    }

    /// A number that the engine counts from zero.
    pub(crate) fn count<T: TryFrom<i64>>(&self, index: usize) -> Result<T, Fault> {
        let number = self.int(index)?;
        T::try_from(number).map_err(|_| unreadable(index, "a count", &Cell::Int(number)))
    }

    pub(crate) fn flag(&self, index: usize) -> Result<bool, Fault> {
        Ok(self.int(index)? != 0)
    }

    pub(crate) fn time(&self, index: usize) -> Result<Timestamp, Fault> {
        self.int(index).map(Timestamp::from_micros)
    }

    pub(crate) fn maybe_time(&self, index: usize) -> Result<Option<Timestamp>, Fault> {
        Ok(self.maybe_int(index)?.map(Timestamp::from_micros))
    }

    pub(crate) fn maybe_bytes(&self, index: usize) -> Result<Option<Bytes>, Fault> {
        match self.cell(index) {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes.clone())),
            other => Err(unreadable(index, "bytes", other)),
        }
    }

    pub(crate) fn bytes(&self, index: usize) -> Result<Bytes, Fault> {
        self.maybe_bytes(index)?.ok_or_else(|| unreadable(index, "bytes", &Cell::Null))
    }

    pub(crate) fn maybe_uuid(&self, index: usize) -> Result<Option<Uuid>, Fault> {
        let Some(bytes) = self.maybe_bytes(index)? else { return Ok(None) };
        Uuid::from_slice(&bytes).map(Some).map_err(|error| damaged(index, error))
    }

    pub(crate) fn uuid(&self, index: usize) -> Result<Uuid, Fault> {
        self.maybe_uuid(index)?.ok_or_else(|| unreadable(index, "a UUID", &Cell::Null))
    }

    /// A text ID.
    pub(crate) fn id<T>(&self, index: usize, make: fn(&str) -> Result<T, InvalidId>) -> Result<T, Fault> {
        make(self.as_text(index)?).map_err(|error| damaged(index, error))
    }

    /// A text; an empty one where there is none.
    pub(crate) fn text(&self, index: usize) -> Result<String, Fault> {
        if *self.cell(index) == Cell::Null {
            Ok(String::new())
        } else {
            self.as_text(index).map(str::to_owned)
        }
    }

    fn as_text(&self, index: usize) -> Result<&str, Fault> {
        match self.cell(index) {
            Cell::Text(text) => Ok(text),
            Cell::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|error| damaged(index, error)),
            other => Err(unreadable(index, "text", other)),
        }
    }

    /// A value of MessagePack that may be missing.
    pub(crate) fn unpacked<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, Fault> {
        let bytes = self.maybe_bytes(index)?;
        bytes.map(|bytes| rmp_serde::from_slice(&bytes).map_err(|error| damaged(index, error))).transpose()
    }
}

fn unreadable(index: usize, wanted: &str, found: &Cell) -> Fault {
    Fault::damaged(format!("column {index} holds {found:?}, not {wanted}"))
}

fn damaged(index: usize, error: impl std::fmt::Display) -> Fault {
    Fault::damaged(format!("column {index}: {error}"))
}
