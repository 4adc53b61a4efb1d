//! Events and values as text.

use std::fmt::{Formatter, Result, Write};

use super::super::event::Event;
use crate::vocabulary::{Place, Value};

/// One event's line, without its end.
pub(super) fn event(f: &mut Formatter<'_>, event: &Event, fields: &Value) -> Result {
    write!(f, "{} {} {}", event.id, event.at, event.kind.name())?;
    if let Value::Map(fields) = fields {
        for (name, field) in fields {
            match name {
                Value::Text(name) => write!(f, " {name}=")?,
                other => value(f, other)?,
            }
            value(f, field)?;
        }
    }
    event.place.as_ref().map_or(Ok(()), |at| place(f, at))
}

fn place(f: &mut Formatter<'_>, place: &Place) -> Result {
    f.write_str(" @ ")?;
    let plain = !place.file.is_empty()
        && !place.file.contains(|c: char| c == '"' || c.is_whitespace() || c.is_control());
    if plain {
        f.write_str(&place.file)?
    } else {
        text(f, &place.file)?
    }
    write!(f, ":{}", place.line)
}

pub(super) fn value(f: &mut Formatter<'_>, shown: &Value) -> Result {
    if let Some((seconds, nanos)) = duration(shown) {
        return if nanos == 0 {
            write!(f, "{seconds}s")
        } else {
            write!(f, "{seconds}.{}s", format!("{nanos:09}").trim_end_matches('0'))
        };
    }
    match shown {
        Value::Null => f.write_str("null"),
        Value::Bool(flag) => write!(f, "{flag}"),
        Value::Unsigned(number) => write!(f, "{number}"),
        Value::Negative(number) => write!(f, "{number}"),
        // Debug keeps the decimal point and prints the shortest digits that read back to the same number.
        Value::Single(number) => write!(f, "{number:?}f32"),
        Value::Double(number) => write!(f, "{number:?}"),
        Value::Text(characters) => text(f, characters),
        Value::Bytes(bytes) => {
            f.write_str("0x")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
        Value::List(items) => list(f, ('[', ']'), items, value),
        Value::Map(entries) => list(f, ('{', '}'), entries, |f, (key, item)| {
            value(f, key)?;
            f.write_char(':')?;
            value(f, item)
        }),
    }
}

/// What serde makes of a `Duration`.
fn duration(value: &Value) -> Option<(u64, u32)> {
    let Value::Map(entries) = value else { return None };
    let [(Value::Text(first), Value::Unsigned(seconds)), (Value::Text(second), Value::Unsigned(nanos))] =
        &entries[..]
    else {
        return None;
    };
    let nanos = u32::try_from(*nanos).ok().filter(|&nanos| nanos < 1_000_000_000)?;
    (first == "secs" && second == "nanos").then_some((*seconds, nanos))
}

fn list<T>(
    f: &mut Formatter<'_>,
    (open, close): (char, char),
    items: &[T],
    item: impl Fn(&mut Formatter<'_>, &T) -> Result,
) -> Result {
    f.write_char(open)?;
    for (index, shown) in items.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        item(f, shown)?;
    }
    f.write_char(close)
}

/// A JSON string. Whatever a viewer could take for the end of a line is escaped.
fn text(f: &mut Formatter<'_>, characters: &str) -> Result {
    f.write_char('"')?;
    for character in characters.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{2028}' | '\u{2029}' => write!(f, "\\u{:04x}", u32::from(character))?,
            other if other.is_control() => write!(f, "\\u{:04x}", u32::from(other))?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}
