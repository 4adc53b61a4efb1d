//! Compression.

use retell::history::PayloadCodec;
use retell::vocabulary::{Encoding, PAYLOAD_BYTES_MAX, Payload};
use retell_codecs::Compression;

fn long() -> Payload {
    Payload::encode(&"the same again and again, ".repeat(1_000)).unwrap()
}

#[test]
fn what_is_long_and_repeats_becomes_short_and_comes_back() {
    let compressed = Compression::default().encode(long()).unwrap();
    assert!(compressed.data.len() < 200, "{compressed:?}");
    assert_eq!(compressed.encoding.as_str(), "retell-zstd-1");
    for level in [i32::MIN, 1, 19, i32::MAX] {
        let codec = Compression::default().level(level);
        assert_eq!(codec.decode(codec.encode(long()).unwrap()).unwrap(), long());
    }
}

#[test]
fn what_would_not_become_shorter_passes_as_it_is() {
    let codec = Compression::default();
    let short = Payload::encode("short").unwrap();
    assert_eq!(codec.encode(short.clone()).unwrap(), short);
    let compressed = codec.encode(long()).unwrap();
    assert_eq!(codec.bytes_min(0).encode(compressed.clone()).unwrap(), compressed);
    assert_eq!(codec.decode(short.clone()).unwrap(), short);
}

#[test]
fn damage_is_a_typed_error() {
    let codec = Compression::default();
    let whole = codec.encode(long()).unwrap();
    for length in 0..whole.data.len() {
        let cut = Payload { data: whole.data.slice(..length), ..whole.clone() };
        assert!(codec.decode(cut).unwrap_err().0.contains("damaged"));
    }
}

#[test]
fn a_claim_of_more_than_the_limit_makes_no_room() {
    let codec = Compression::default();
    let mut bytes = codec.encode(long()).unwrap().data.to_vec();
    let name = usize::from(bytes[0]);
    bytes[1 + name..5 + name].copy_from_slice(&u32::MAX.to_le_bytes());
    let bomb = Payload { encoding: Encoding::named("retell-zstd-1"), data: bytes.clone().into() };
    let reason = codec.decode(bomb).unwrap_err().0;
    assert!(reason.contains(&format!("over the limit of {PAYLOAD_BYTES_MAX}")), "{reason}");
    // A frame that holds more than is claimed is not read on.
    bytes[1 + name..5 + name].copy_from_slice(&10_u32.to_le_bytes());
    let liar = Payload { encoding: Encoding::named("retell-zstd-1"), data: bytes.into() };
    assert!(codec.decode(liar).unwrap_err().0.contains("damaged"));
}
