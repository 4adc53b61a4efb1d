//! Golden records: what format version 1 is, for ever. A file that stands here is never changed.
//!
//! `tests/golden/v1/<kind>.txt` is a history in its text form, `<kind>.bin` the same events as one stored record.
//! For a new kind or field write a new text file and run `RETELL_GOLDEN=write cargo test -p retell --test it golden`:
//! it writes the records that are missing, and those only.

use std::fs;
use std::path::{Path, PathBuf};

use retell::history::*;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// The text files, in order of their names.
fn texts() -> Vec<PathBuf> {
    let entries = fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|name| name == "txt")).collect();
    texts.sort();
    texts
}

fn events(text: &Path) -> Vec<Event> {
    from_text(&fs::read_to_string(text).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", text.display()))
}

fn record(events: &[Event], bytes: Vec<u8>) -> Record {
    Record {
        first: events[0].id,
        count: events.len() as u32,
        at: events[events.len() - 1].at,
        bytes: bytes.into(),
    }
}

#[test]
fn golden_records_decode_for_ever() {
    for text in texts() {
        let events = events(&text);
        let path = text.with_extension("bin");
        if std::env::var_os("RETELL_GOLDEN").is_some() && !path.exists() {
            fs::write(&path, encode_record(&events, &Plain).unwrap()).unwrap();
        }
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let decoded = decode_record(&record(&events, bytes), &Plain).unwrap();
        assert_eq!(decoded, events, "{}\nstored:\n{}", text.display(), Text(&decoded));
    }
}

/// Where this fails on purpose, stores of this version hold both forms: give the files of the older one a folder of
/// their own, which only the test above reads.
#[test]
fn golden_records_are_still_what_is_written() {
    for text in texts() {
        let events = events(&text);
        let bytes = fs::read(text.with_extension("bin")).unwrap();
        assert_eq!(encode_record(&events, &Plain).unwrap(), bytes, "{}", text.display());
    }
}

#[test]
fn every_kind_has_a_golden_record() {
    let golden: Vec<_> =
        texts().iter().flat_map(|text| events(text)).map(|event| event.kind.name()).collect();
    for name in EventKind::NAMES {
        let times = golden.iter().filter(|golden| *golden == name).count();
        assert!(times > 0, "{name} has no golden record");
    }
}
