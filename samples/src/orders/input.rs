//! Reads orders from CSV: one line is one order, and a line that is wrong costs only itself.
//!
//! Fields are separated by commas; a field in double quotes may hold commas, and `""` for a quote. A line break always
//! ends the order, so that a quote left open cannot swallow those that follow.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead, Read};

use super::order::{Confirmation, Failing, Order};

/// The columns, as the first line names them.
pub const HEADER: &str = "order,customer,sku,quantity,amount,confirmed_by,after_ms,answer,fails";

/// The longest line in bytes; a longer one is malformed.
pub const LINE_BYTES_MAX: usize = 64 * 1_024;

const COLUMNS: usize = 9;
/// An order's ID becomes a workflow ID and, with a step, a key of the ledger.
const ID_BYTES_MAX: usize = 200;

/// What a file held.
#[derive(Debug, Default)]
pub struct Input {
    /// The orders, in the file's order.
    pub orders: Vec<Order>,
    /// The lines that are no orders.
    pub malformed: Vec<Malformed>,
}

/// A line that is no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: LineError,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Longer than [`LINE_BYTES_MAX`].
    #[error("it is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
    /// A quote that is not closed, or text beside one.
    #[error("the quotes of field {0} do not match")]
    Quotes(usize),
    /// Too few or too many fields.
    #[error("it has {0} fields, not {COLUMNS}")]
    Fields(usize),
    /// A field that does not say what its column wants.
    #[error("{column} {found:?} is not {wanted}")]
    Field {
        /// Which column.
        column: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        wanted: &'static str,
    },
    /// The same order again.
    #[error("order {id:?} stands on line {first} already")]
    Duplicate {
        /// Its ID.
        id: String,
        /// The line that counts.
        first: usize,
    },
}

/// Reads all orders. A first line that equals [`HEADER`] and empty lines are passed over.
///
/// # Errors
/// Only when the source cannot be read; malformed lines are part of the answer.
pub fn read(mut source: impl BufRead) -> io::Result<Input> {
    let mut input = Input::default();
    let mut lines_of: HashMap<String, usize> = HashMap::new();
    let mut bytes = Vec::new();
    let mut number = 0;
    while next_line(&mut source, &mut bytes)? {
        number += 1;
        let order = match line_of(&bytes, number).map(|text| text.map(order)) {
            Ok(None) => continue,
            Ok(Some(order)) => order,
            Err(reason) => Err(reason),
        };
        let order = order.and_then(|order| match lines_of.get(&order.id) {
            Some(&first) => Err(LineError::Duplicate { id: order.id, first }),
            None => Ok(order),
        });
        match order {
            Ok(order) => {
                lines_of.insert(order.id.clone(), number);
                input.orders.push(order);
            }
            Err(reason) => input.malformed.push(Malformed { line: number, reason }),
        }
    }
    Ok(input)
}

/// Puts the next line into `bytes`, cut one byte beyond the limit; `false` at the end.
fn next_line(source: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<bool> {
    bytes.clear();
    let limit = LINE_BYTES_MAX as u64 + 2;
    if source.by_ref().take(limit).read_until(b'\n', bytes)? == 0 {
        return Ok(false);
    }
    if bytes.len() as u64 == limit && bytes.last() != Some(&b'\n') {
        source.skip_until(b'\n')?;
    }
    Ok(true)
}

/// The line as text without its end; `None` if there is nothing on it.
fn line_of(bytes: &[u8], number: usize) -> Result<Option<&str>, LineError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.len() > LINE_BYTES_MAX {
        return Err(LineError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| LineError::NotText)?;
    let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
    let passed_over = text.trim().is_empty() || (number == 1 && text == HEADER);
    Ok((!passed_over).then_some(text))
}

/// The order that a line means.
fn order(line: &str) -> Result<Order, LineError> {
    let fields = fields(line)?;
    let count = fields.len();
    let [id, customer, sku, quantity, amount, by, after, answer, fails] =
        <[String; COLUMNS]>::try_from(fields).map_err(|_| LineError::Fields(count))?;
    let fits = (1..=ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c == '/');
    if !fits {
        return wrong("order", &id, "an ID of 1 to 200 bytes without `/` and control characters");
    }
    let quantity = match quantity.parse() {
        Ok(quantity) if quantity > 0 => quantity,
        _ => return wrong("quantity", &quantity, "a whole number above 0"),
    };
    let amount_cents = match cents(&amount) {
        Some(cents) => cents,
        None => return wrong("amount", &amount, "an amount such as 12.50"),
    };
    let confirmation = confirmation(by, &after, &answer)?;
    let failing = failing(&fails)?;
    Ok(Order { id, customer, sku, quantity, amount_cents, confirmation, failing })
}

fn confirmation(by: String, after: &str, answer: &str) -> Result<Option<Confirmation>, LineError> {
    if by == "nobody" {
        return Ok(None);
    }
    if by.is_empty() {
        return wrong("confirmed_by", &by, "a name, or `nobody`");
    }
    let Ok(after_ms) = after.parse() else {
        return wrong("after_ms", after, "a whole number of milliseconds");
    };
    let approved = match answer {
        "yes" => true,
        "no" => false,
        _ => return wrong("answer", answer, "`yes` or `no`"),
    };
    Ok(Some(Confirmation { by, after_ms, approved }))
}

/// `none`, a step that fails for good, or a step and how many attempts fail, as in `charge:2`.
fn failing(text: &str) -> Result<Option<Failing>, LineError> {
    let wanted =
        "`none`, a step (reserve, charge, ship, bill), or a step and its failing attempts (charge:2)";
    if matches!(text, "" | "none") {
        return Ok(None);
    }
    let (step, attempts) = match text.split_once(':') {
        None => (text, None),
        Some((step, attempts)) => match attempts.parse() {
            Ok(attempts) => (step, Some(attempts)),
            Err(_) => return wrong("fails", text, wanted),
        },
    };
    match step.parse() {
        Ok(step) => Ok(Some(Failing { step, attempts })),
        Err(_) => wrong("fails", text, wanted),
    }
}

fn wrong<T>(column: &'static str, found: &str, wanted: &'static str) -> Result<T, LineError> {
    let found = found.chars().take(64).collect();
    Err(LineError::Field { column, found, wanted })
}

/// `12`, `12.5` and `12.50` in cents.
fn cents(text: &str) -> Option<u64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<2}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction)
}

/// Splits a line at its commas, and takes the quotes off.
fn fields(line: &str) -> Result<Vec<String>, LineError> {
    let mut fields = Vec::new();
    let mut rest = Some(line);
    while let Some(text) = rest {
        let number = fields.len() + 1;
        let (field, tail) = match text.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted).ok_or(LineError::Quotes(number))?,
            None => {
                let (field, tail) = text.split_once(',').map_or((text, None), |(f, t)| (f, Some(t)));
                if field.contains('"') {
                    return Err(LineError::Quotes(number));
                }
                (field.trim().to_owned(), tail)
            }
        };
        fields.push(field);
        rest = tail;
    }
    Ok(fields)
}

/// The field that begins after an opening quote, and what comes after its comma.
fn quoted_field(text: &str) -> Option<(String, Option<&str>)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, tail) = rest.split_once('"')?;
        field.push_str(part);
        match tail.chars().next() {
            None => return Some((field, None)),
            Some(',') => return Some((field, Some(&tail[1..]))),
            Some('"') => field.push('"'),
            Some(_) => return None,
        }
        rest = &tail[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::order::Step;

    const GOOD: &str = "order-1,Ada,sku-1,2,12.50,Ada,30,yes,none";

    fn read_text(text: &str) -> Input {
        read(text.as_bytes()).unwrap()
    }

    fn check_malformed(line: &str, reason: &str) {
        let input = read_text(&format!("{HEADER}\n{line}\n{GOOD}\n"));
        assert_eq!(input.orders.len(), 1, "the line after {line:?} did not run");
        let found: Vec<_> = input.malformed.iter().map(ToString::to_string).collect();
        assert_eq!(found, [format!("line 2: {reason}")]);
    }

    #[test]
    fn a_line_is_an_order() {
        let input = read_text(GOOD);
        assert_eq!(
            input.orders,
            [Order {
                id: "order-1".to_owned(),
                customer: "Ada".to_owned(),
                sku: "sku-1".to_owned(),
                quantity: 2,
                amount_cents: 1_250,
                confirmation: Some(Confirmation { by: "Ada".to_owned(), after_ms: 30, approved: true }),
                failing: None,
            }]
        );
    }

    #[test]
    fn quoted_fields_hold_commas_and_quotes() {
        let input = read_text("a,\"Lovelace, \"\"Ada\"\"\",s,1,1,nobody,,,charge:2");
        assert_eq!(input.orders[0].customer, "Lovelace, \"Ada\"");
        assert_eq!(input.orders[0].confirmation, None);
        assert_eq!(input.orders[0].failing, Some(Failing { step: Step::Charge, attempts: Some(2) }));
    }

    #[test]
    fn byte_order_mark_blank_lines_and_carriage_returns_pass() {
        let input = read_text(&format!("\u{feff}{HEADER}\r\n\r\n{GOOD}\r\n   \n"));
        assert_eq!((input.orders.len(), input.malformed.len()), (1, 0));
    }

    #[test]
    fn a_malformed_line_costs_only_itself() {
        check_malformed("order-2,Ada,s,1,1", "it has 5 fields, not 9");
        check_malformed("order-2,\"Ada,s,1,1,Ada,1,yes,none", "the quotes of field 2 do not match");
        check_malformed("order-2,A\"da,s,1,1,Ada,1,yes,none", "the quotes of field 2 do not match");
        check_malformed("o,Ada,s,0,1,Ada,1,yes,none", "quantity \"0\" is not a whole number above 0");
        check_malformed("o,Ada,s,1,1.234,Ada,1,yes,none", "amount \"1.234\" is not an amount such as 12.50");
        check_malformed(
            "o,Ada,s,1,1,Ada,soon,yes,none",
            "after_ms \"soon\" is not a whole number of milliseconds",
        );
        check_malformed("o,Ada,s,1,1,Ada,1,maybe,none", "answer \"maybe\" is not `yes` or `no`");
        check_malformed("o,Ada,s,1,1,,1,yes,none", "confirmed_by \"\" is not a name, or `nobody`");
        check_malformed(
            "a/b,Ada,s,1,1,Ada,1,yes,none",
            "order \"a/b\" is not an ID of 1 to 200 bytes without `/` and control characters",
        );
    }

    #[test]
    fn an_unknown_step_is_named() {
        let input = read_text("o,Ada,s,1,1,Ada,1,yes,pack");
        assert!(input.malformed[0].to_string().starts_with("line 1: fails \"pack\" is not `none`, a step"));
    }

    #[test]
    fn an_order_counts_once() {
        let input = read_text(&format!("{HEADER}\n{GOOD}\n{GOOD}"));
        assert_eq!(input.orders.len(), 1);
        assert_eq!(input.malformed[0].to_string(), "line 3: order \"order-1\" stands on line 2 already");
    }

    #[test]
    fn bytes_and_endless_lines_are_refused() {
        let mut bytes = vec![b'x'; 3 * LINE_BYTES_MAX];
        bytes.extend(b"\n\xff\xfe\n");
        bytes.extend(GOOD.as_bytes());
        let input = read(bytes.as_slice()).unwrap();
        assert_eq!(input.orders.len(), 1);
        let reasons: Vec<_> = input.malformed.into_iter().map(|line| (line.line, line.reason)).collect();
        assert_eq!(reasons, [(1, LineError::TooLong), (2, LineError::NotText)]);
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(cents("12"), Some(1_200));
        assert_eq!(cents("0.5"), Some(50));
        assert_eq!(cents("7.05"), Some(705));
        assert_eq!(cents("-1"), None);
        assert_eq!(cents("1."), None);
        assert_eq!(cents("99999999999999999999"), None);
        assert_eq!(cents("184467440737095516.16"), None);
    }
}
