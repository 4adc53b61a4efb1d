//! Bytes as text: Lua's strings hold any bytes, but its MessagePack reader knows no type for bytes that are no text.

/// Turns each string of bytes of this MessagePack into one of text, in place: their heads are equally long.
pub(super) fn bytes_as_text(packed: &mut [u8]) {
    let mut at = 0;
    while let Some(head) = packed.get(at).copied() {
        if let 0xc4..=0xc6 = head {
            packed[at] = head - 0xc4 + 0xd9;
        }
        let long = |width: usize| {
            let length = packed.get(at + 1..at + 1 + width).unwrap_or_default();
            width + length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte))
        };
        // What a list or a map holds follows it, and is met next.
        at += 1 + match head {
            0xa0..=0xbf => usize::from(head & 0x1f),
            0xc4 | 0xd9 => long(1),
            0xc5 | 0xda => long(2),
            0xc6 | 0xdb => long(4),
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 | 0xdc | 0xde => 2,
            0xce | 0xd2 | 0xca | 0xdd | 0xdf => 4,
            0xcf | 0xd3 | 0xcb => 8,
            _ => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::bytes_as_text;

    #[test]
    fn all_lengths_become_text_and_nothing_else_changes() {
        let long = |length| Bytes::from(vec![0xc4_u8; length]);
        let value =
            (1_u64 << 40, long(3), ["x".repeat(300)], long(300), -5_i32, long(70_000), 0.5, Some("end"));
        let plain = rmp_serde::to_vec(&value).unwrap();
        let mut text = plain.clone();
        bytes_as_text(&mut text);
        let changed: Vec<_> =
            plain.iter().zip(&text).filter(|(one, other)| one != other).map(|(_, other)| *other).collect();
        assert_eq!(changed, [0xd9, 0xda, 0xdb]);
    }
}
