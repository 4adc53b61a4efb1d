//! Attributes as sorted sets keep them: bytes that sort as the values do, and a set for each name and type.

use bytes::{BufMut, Bytes, BytesMut};
use retell::backend::{AttributeFilter, AttributeMatch};
use retell::vocabulary::{AttributeValue, Attributes};
use serde::Serialize;

/// A value in its sorted set: the set's name and the bytes that its members begin with.
pub(crate) type Entry = (String, Bytes);

/// What a run is found by. A value that compares with nothing is left out.
pub(crate) fn entries(attributes: &Attributes) -> Vec<Entry> {
    let entry = |(name, value): (_, &AttributeValue)| {
        let (letter, bytes, _) = sortable(value)?;
        Some((format!("{letter}/{name}"), bytes))
    };
    attributes.iter().filter_map(entry).collect()
}

/// A condition as a range of a sorted set.
#[derive(Serialize, Clone)]
pub(crate) struct Range {
    key: String,
    min: Bytes,
    max: Bytes,
    /// How many bytes of a member are the value; 0 where it ends with a mark.
    width: usize,
}

/// The range that meets a condition; `None` if nothing can.
pub(crate) fn range(filter: &AttributeFilter) -> Option<Range> {
    let (AttributeMatch::Is(wanted) | AttributeMatch::AtLeast(wanted) | AttributeMatch::AtMost(wanted)) =
        &filter.value;
    let (letter, value, width) = sortable(wanted)?;
    let bound = |end: &[u8]| Bytes::from([b"[", &value[..], end].concat());
    // A value is followed by the ID of a run, in hex.
    let (from, upto) = (bound(b""), bound(b"\xff"));
    let (least, greatest) = (Bytes::from_static(b"-"), Bytes::from_static(b"+"));
    let (min, max) = match filter.value {
        AttributeMatch::Is(_) => (from, upto),
        AttributeMatch::AtLeast(_) => (from, greatest),
        AttributeMatch::AtMost(_) => (least, upto),
    };
    Some(Range { key: format!("{letter}/{}", filter.name), min, max, width })
}

/// The letter of a value's type, bytes that sort as it does, and their number, 0 if it varies.
fn sortable(value: &AttributeValue) -> Option<(char, Bytes, usize)> {
    const SIGN: u64 = 1 << 63;
    let number = |number: u64| Bytes::copy_from_slice(&number.to_be_bytes());
    Some(match value {
        AttributeValue::Text(text) => {
            let mut bytes = BytesMut::with_capacity(text.len() + 2);
            for byte in text.bytes() {
                bytes.put_u8(byte);
                // So that the end mark sorts before all that a longer text goes on with.
                if byte == 0 {
                    bytes.put_u8(0xff);
                }
            }
            bytes.put_slice(&[0, 1]);
            ('t', bytes.freeze(), 0)
        }
        AttributeValue::Integer(value) => ('i', number(value.cast_unsigned() ^ SIGN), 8),
        AttributeValue::Time(at) => ('@', number(at.as_micros().cast_unsigned() ^ SIGN), 8),
        AttributeValue::Bool(yes) => ('b', Bytes::from_static(if *yes { b"1" } else { b"0" }), 1),
        AttributeValue::Float(value) if !value.is_nan() => {
            // Both zeros are one.
            let bits = (value + 0.0).to_bits();
            ('f', number(if bits & SIGN == 0 { bits ^ SIGN } else { !bits }), 8)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use retell::vocabulary::AttributeValue;

    use super::sortable;

    #[test]
    fn bytes_sort_as_the_values_do() {
        let texts = ["", "\0", "\0\0", "\0a", "\u{1}", "a", "a\0", "a\u{1}", "ab", "b"];
        let texts = texts.map(|text| AttributeValue::Text(text.into()));
        let integers = [i64::MIN, -1, 0, 1, i64::MAX].map(AttributeValue::Integer);
        let floats = [f64::NEG_INFINITY, -1.5, -f64::MIN_POSITIVE, 0.0, 1e-300, 2.0, f64::INFINITY];
        let floats = floats.map(AttributeValue::Float);
        for values in [&texts[..], &integers, &floats] {
            let bytes: Vec<_> = values.iter().map(|value| sortable(value).unwrap().1).collect();
            assert!(bytes.is_sorted_by(|one, next| one < next), "{values:?}");
        }
        let zeros = [0.0, -0.0].map(|zero| sortable(&AttributeValue::Float(zero)).unwrap().1);
        assert_eq!(zeros[0], zeros[1]);
        assert!(sortable(&AttributeValue::Float(f64::NAN)).is_none());
    }
}
