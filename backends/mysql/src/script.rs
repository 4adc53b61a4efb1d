//! Statements as one text with all their values in it: they cross in one packet, and are answered together.

use std::fmt::Write;

use retell_sql::{Cell, Param, Statement};

/// A text that grows by statements.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    bytes_max: usize,
}

impl Script {
    /// An empty one, of about so many bytes of values at most.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), bytes_max }
    }

    /// Appends a statement without values.
    pub(crate) fn push(&mut self, statement: &str) {
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(statement);
    }

    /// Appends a statement, each value in its place. No text of a statement has a question mark that is no place.
    pub(crate) fn add(&mut self, Statement { text, params }: Statement) {
        let mut parts = text.split('?');
        self.push(parts.next().unwrap_or_default());
        for (part, param) in parts.zip(&params) {
            literal(&mut self.text, param);
            self.text.push_str(part);
        }
    }

    /// The text, unless it came to be longer than a packet should be.
    pub(crate) fn done(self) -> Option<String> {
        // A byte is two digits.
        (self.text.len() <= 2 * self.bytes_max).then_some(self.text)
    }
}

fn literal(text: &mut String, param: &Param) {
    let bytes: &[u8] = match param {
        Param::One(_, Cell::Int(number)) => {
            let _ = write!(text, "{number}");
            return;
        }
        Param::One(_, Cell::Text(value)) => value.as_bytes(),
        Param::One(_, Cell::Bytes(value)) => value,
        Param::One(_, Cell::Null) | Param::Many(..) => {
            text.push_str("NULL");
            return;
        }
    };
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(2 * bytes.len() + 3);
    text.push_str("x'");
    for some in bytes.chunks(64) {
        let mut digits = [b'0'; 128];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(some) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        text.push_str(std::str::from_utf8(&digits[..2 * some.len()]).expect("digits are ASCII"));
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;
    use retell_sql::Type;

    #[test]
    fn values_stand_in_their_places_whatever_they_hold() {
        let mut script = Script::new(64);
        script.push("BEGIN");
        let text = |value: &str| Param::One(Type::Text, value.into());
        let params = vec![
            Param::One(Type::Int, Cell::Int(-7)),
            text("it's; ?"),
            text(""),
            Param::One(Type::Int, Cell::Null),
        ];
        script.add(Statement { text: "INSERT INTO t VALUES (?, ?, ?, ?)".to_owned(), params });
        let whole = "BEGIN; INSERT INTO t VALUES (-7, x'697427733b203f', x'', NULL)";
        assert_eq!(script.done().as_deref(), Some(whole));
    }

    #[test]
    fn what_is_too_long_is_none() {
        let mut script = Script::new(8);
        script.push("SELECT 1 FROM dual");
        assert_eq!(script.done(), None);
    }
}
