//! Attributes as a table keeps them: numbers of every type as whole numbers, texts as bytes, so that values of
//! one type compare as they should on every server.

use bytes::Bytes;
use retell::backend::{AttributeFilter, AttributeMatch};
use retell::vocabulary::{AttributeValue, Attributes};

use crate::dialect::Query;
use crate::fault::{Fault, FaultKind};
use crate::value::{Cell, Param, Type};

/// The most bytes of a text that an index holds; longer texts are compared by these first.
const INDEXED_BYTES_MAX: usize = 512;

/// How a value stands in a row: the number of its type, and a number or a text.
struct Stored {
    kind: i64,
    number: Cell,
    text: Cell,
}

/// The rows by which a run is found.
pub(crate) fn rows(run: i64, namespace: i64, attributes: &Attributes) -> Result<Vec<Vec<Cell>>, Fault> {
    let row = |(name, value): (&std::sync::Arc<str>, &AttributeValue)| {
        let Stored { kind, number, text } = stored(value)?;
        let name = Bytes::copy_from_slice(name.as_bytes());
        Ok(vec![run.into(), name.into(), namespace.into(), kind.into(), number, text])
    };
    attributes.iter().map(row).collect()
}

fn stored(value: &AttributeValue) -> Result<Stored, Fault> {
    let number = |kind, number| Stored { kind, number: Cell::Int(number), text: Cell::Null };
    Ok(match value {
        AttributeValue::Text(text) => {
            let text = Cell::Bytes(Bytes::copy_from_slice(text.as_bytes()));
            Stored { kind: 1, number: Cell::Null, text }
        }
        AttributeValue::Integer(value) => number(2, *value),
        // What is not a number compares with nothing.
        AttributeValue::Float(value) if value.is_nan() => {
            Stored { kind: 3, number: Cell::Null, text: Cell::Null }
        }
        AttributeValue::Float(value) => number(3, ordered(*value)),
        AttributeValue::Bool(yes) => number(4, i64::from(*yes)),
        AttributeValue::Time(at) => number(5, at.as_micros()),
        unknown => {
            let reason = format!("the attribute {unknown:?} is of a type that this schema does not know");
            return Err(Fault::new(FaultKind::Data, reason));
        }
    })
}

/// A whole number for each floating-point number, in the same order; not all servers know infinities.
fn ordered(value: f64) -> i64 {
    // Adding zero makes the two zeros one.
    let bits = (value + 0.0).to_bits().cast_signed();
    bits ^ (((bits >> 63).cast_unsigned() >> 1).cast_signed())
}

/// Appends a condition on runs.
pub(crate) fn condition(query: &mut Query, filter: &AttributeFilter) -> Result<(), Fault> {
    let (compares, wanted) = match &filter.value {
        AttributeMatch::Is(wanted) => ("=", wanted),
        AttributeMatch::AtLeast(wanted) => (">=", wanted),
        AttributeMatch::AtMost(wanted) => ("<=", wanted),
    };
    let Stored { kind, number, text } = stored(wanted)?;
    query.push(
        "runs.id IN (SELECT attributes.run FROM attributes WHERE attributes.namespace = runs.namespace",
    );
    query.push(" AND attributes.name = ").bytes(Bytes::copy_from_slice(filter.name.as_bytes()));
    query.push(" AND attributes.type = ").int(kind);
    if let Cell::Bytes(text) = text {
        // What is equal or ordered whole is so in its beginning, which is what the index holds.
        let beginning = text.slice(..text.len().min(INDEXED_BYTES_MAX));
        query.push(" AND substring(attributes.text, 1, 512) ").push(compares).push(" ").bytes(beginning);
        query.push(" AND attributes.text ").push(compares).push(" ").bytes(text);
    } else {
        let number = Param::One(Type::Int, number);
        query.push(" AND attributes.number ").push(compares).push(" ").bind(number);
    }
    query.push(")");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn floats_keep_their_order_as_whole_numbers() {
        let floats = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            0.0,
            f64::MIN_POSITIVE,
            0.1,
            1.5,
            f64::INFINITY,
        ];
        assert!(floats.map(ordered).is_sorted_by(|one, other| one < other));
        assert_eq!(ordered(-0.0), ordered(0.0));
    }
}
