//! Encryption and the rotation of keys.

use retell::history::PayloadCodec;
use retell::vocabulary::Payload;
use retell_codecs::{Encryption, Key, KeyId};

fn id(name: &str) -> KeyId {
    KeyId::new(name).unwrap()
}

fn codec() -> Encryption {
    Encryption::new(id("2026-11"), Key::from([7; 32]))
}

fn secret() -> Payload {
    Payload::encode("the account of Ada Lovelace").unwrap()
}

fn holds(payload: &Payload, text: &str) -> bool {
    payload.data.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn plain_bytes_go_in_and_come_back_and_are_never_the_same_outside() {
    let (once, again) = (codec().encode(secret()).unwrap(), codec().encode(secret()).unwrap());
    assert!(!holds(&once, "Lovelace") && holds(&once, "2026-11"));
    assert_ne!(once, again);
    assert_eq!(codec().decode(once).unwrap(), secret());
    assert_eq!(codec().decode(secret()).unwrap(), secret());
}

#[test]
fn former_keys_are_read_and_no_longer_written() {
    let old = codec().encode(secret()).unwrap();
    let rotated =
        Encryption::new(id("2026-12"), Key::from([8; 32])).with_former(id("2026-11"), Key::from([7; 32]));
    assert_eq!(rotated.decode(old).unwrap(), secret());
    let new = rotated.encode(secret()).unwrap();
    assert!(holds(&new, "2026-12"));
    let reason = codec().decode(new).unwrap_err().0;
    assert!(reason.contains(r#"needs the key "2026-12", which this process does not have"#), "{reason}");
}

#[test]
fn the_current_key_is_not_replaced_by_a_former_one() {
    let codec = codec().with_former(id("2026-11"), Key::from([1; 32]));
    assert_eq!(codec.decode(self::codec().encode(secret()).unwrap()).unwrap(), secret());
}

#[test]
fn every_changed_bit_is_noticed() {
    let whole = codec().encode(secret()).unwrap();
    for index in 0..whole.data.len() * 8 {
        let mut bytes = whole.data.to_vec();
        bytes[index / 8] ^= 1 << (index % 8);
        let changed = Payload { data: bytes.into(), ..whole.clone() };
        assert!(codec().decode(changed).is_err(), "bit {index}");
    }
    for length in 0..whole.data.len() {
        let cut = Payload { data: whole.data.slice(..length), ..whole.clone() };
        assert!(codec().decode(cut).is_err(), "{length} bytes");
    }
}

#[test]
fn another_key_under_the_same_name_is_told() {
    let other = Encryption::new(id("2026-11"), Key::from([9; 32]));
    let reason = other.decode(codec().encode(secret()).unwrap()).unwrap_err().0;
    assert!(reason.contains("stands for another key here"), "{reason}");
}

#[test]
fn keys_are_not_printed_and_their_names_have_a_length() {
    let printed = format!("{:?} {:?}", codec(), Key::from([7; 32]));
    assert!(printed.contains("2026-11") && !printed.contains('7'), "{printed}");
    assert!(KeyId::new("").is_err() && KeyId::new("x".repeat(256)).is_err());
}
