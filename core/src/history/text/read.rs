//! Values from text.

use crate::vocabulary::{Place, Value};

/// How deep values may be nested; the stack holds that many.
const DEPTH_MAX: u32 = 128;

/// Reads one line from left to right.
pub(super) struct Reader<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line.trim_ascii(), depth: 0 }
    }

    /// What stands before the next blank.
    pub(super) fn word(&mut self) -> &'a str {
        let word = self.take_while(|character| !character.is_ascii_whitespace());
        self.skip_blanks();
        word
    }

    /// `name=value name=value ...`, up to the place or the end.
    pub(super) fn fields(&mut self) -> Result<Value, String> {
        let mut fields = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with('@') {
            let name = self.take_while(|character| character.is_ascii_alphanumeric() || character == '_');
            self.skip_blanks();
            if name.is_empty() || !self.take("=") {
                return Err(format!("expected `name=value` or `@ file:line` at {}", self.shown()));
            }
            let value = self.value().map_err(|reason| format!("field {name:?}: {reason}"))?;
            fields.push((Value::Text(name.to_owned()), value));
            self.skip_blanks();
        }
        Ok(Value::Map(fields))
    }

    /// `@ file:line`, or nothing.
    pub(super) fn place(&mut self) -> Result<Option<Place>, String> {
        if !self.take("@") {
            return Ok(None);
        }
        let place = match self.rest.starts_with('"') {
            true => self.text().ok().zip(self.rest.strip_prefix(':')),
            false => self.rest.rsplit_once(':').map(|(file, line)| (file.to_owned(), line)),
        };
        let (file, line) = place.ok_or("a place is `@ file:line`")?;
        let line = line.parse().map_err(|_| "a place is `@ file:line`".to_owned())?;
        Ok(Some(Place { file: file.into(), line }))
    }

    fn value(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("values are nested more than {DEPTH_MAX} deep"));
        }
        let value = match self.rest.chars().next() {
            Some('"') => Value::Text(self.text()?),
            Some('[') => Value::List(self.items("[", "]", Self::value)?),
            Some('{') => Value::Map(self.items("{", "}", Self::entry)?),
            _ => self.scalar()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn entry(&mut self) -> Result<(Value, Value), String> {
        let key = self.value()?;
        self.skip_blanks();
        self.expect(":")?;
        Ok((key, self.value()?))
    }

    fn items<T>(
        &mut self,
        open: &str,
        close: &str,
        item: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        self.expect(open)?;
        let mut items = Vec::new();
        while !self.take(close) {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(item(self)?);
            self.skip_blanks();
        }
        Ok(items)
    }

    fn scalar(&mut self) -> Result<Value, String> {
        let at = self.rest;
        let word =
            self.take_while(|character| character.is_ascii_alphanumeric() || "+-._".contains(character));
        scalar(word).ok_or_else(|| format!("expected a value at {}", Reader { rest: at, depth: 0 }.shown()))
    }

    /// A JSON string.
    fn text(&mut self) -> Result<String, String> {
        let open = self.shown();
        let mut characters = self.rest.char_indices().skip(1);
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => {
                    let (escaped, used) = escape(&self.rest[at + 1..]).ok_or_else(|| {
                        format!("not an escape: {}", Reader { rest: &self.rest[at..], depth: 0 }.shown())
                    })?;
                    text.push(escaped);
                    characters.nth(used - 1);
                }
                other => text.push(other),
            }
        }
        Err(format!("a text has no end: {open}"))
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("expected `{token}` at {}", self.shown())) }
    }

    fn take(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        self.skip_blanks();
        true
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !wanted(character)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// What comes next, for an error.
    fn shown(&self) -> String {
        if self.rest.is_empty() {
            "the line's end".to_owned()
        } else {
            format!("{:?}", self.rest.chars().take(24).collect::<String>())
        }
    }
}

fn scalar(word: &str) -> Option<Value> {
    match word {
        "null" => return Some(Value::Null),
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        _ => {}
    }
    if let Some(digits) = word.strip_prefix("0x") {
        return bytes(digits).map(Value::Bytes);
    }
    if let Some(number) = word.strip_suffix("f32") {
        return number.parse().ok().map(Value::Single);
    }
    if let Some(seconds) = word.strip_suffix('s') {
        return duration(seconds);
    }
    if let Ok(number) = word.parse() {
        return Some(Value::Unsigned(number));
    }
    if let Ok(number) = word.parse() {
        return Some(Value::Negative(number));
    }
    // A whole number that is too large is a mistake, not a double.
    let whole = word.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if whole { None } else { word.parse().ok().map(Value::Double) }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair.first()? * 16 + pair.get(1)?).ok();
    digits?.chunks(2).map(byte).collect()
}

fn duration(seconds: &str) -> Option<Value> {
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits =
        !fraction.is_empty() && fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let nanos = if digits { format!("{fraction:0<9}").parse().ok()? } else { return None };
    Some(Value::Map(vec![
        (Value::Text("secs".to_owned()), Value::Unsigned(seconds.parse().ok()?)),
        (Value::Text("nanos".to_owned()), Value::Unsigned(nanos)),
    ]))
}

/// The character that an escape stands for, and the escape's length behind the backslash.
fn escape(rest: &str) -> Option<(char, usize)> {
    let character = match rest.chars().next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        quoted @ ('"' | '\\' | '/') => quoted,
        'u' => {
            let digits =
                rest.get(1..5).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            return Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 5));
        }
        _ => return None,
    };
    Some((character, 1))
}
