//! A history's text with all that changes from run to run made the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use retell::history::{Event, EventKind, to_text};
use retell::vocabulary::Timestamp;

/// Where the time of a stable text starts: 2000-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_micros(946_684_800_000_000);
/// The length of a UUID as text.
const UUID_LENGTH: usize = 36;
/// The length of an instant as text.
const INSTANT_LENGTH: usize = 27;

/// A history's text form with IDs and times made stable, for snapshots. `retell::history::from_text` reads it.
///
/// - UUIDs, in payloads too, become `00000000-0000-0000-0000-000000000001`, `...2` and so on in the order in which
///   they appear; the same UUID the same number. Bytes that are a UUID are among them.
/// - Event 1 is at 2000-01-01T00:00:00Z and all times move with it. An instant in a payload moves if it is the time of an
///   event or the due time of a timer, as `cx.now()` is; other dates stay.
/// - The seed is 0, and the places in the source are left out.
///
/// A text in which that changed an input does not replay any more: what the code draws or is told is another.
#[must_use]
pub fn stable_text(events: &[Event]) -> String {
    let mut events = events.to_vec();
    for event in &mut events {
        event.place = None;
        if let EventKind::WorkflowStarted(body) = &mut event.kind {
            Arc::make_mut(body).seed = 0;
        }
    }
    let own: BTreeSet<_> = events.iter().flat_map(instants).collect();
    let start = events.first().map(|event| event.at).unwrap_or_default();
    let mut stable = Stable { own, start, ids: HashMap::new() };
    stable.text(&to_text(&events))
}

/// The instants that are the history's own.
fn instants(event: &Event) -> impl Iterator<Item = Timestamp> {
    let due = match &event.kind {
        EventKind::TimerStarted(body) => Some(body.due),
        _ => None,
    };
    [event.at].into_iter().chain(due)
}

struct Stable {
    own: BTreeSet<Timestamp>,
    start: Timestamp,
    /// The number of each UUID. Only looked up, never walked.
    ids: HashMap<u128, usize>,
}

impl Stable {
    fn text(&mut self, text: &str) -> String {
        let mut stable = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = ' ';
        while let Some(next) = rest.chars().next() {
            // Each word that is looked for begins with a hexadecimal digit, and not inside of another word.
            let begins = next.is_ascii_hexdigit() && !before.is_ascii_alphanumeric();
            let found = if begins { self.word(rest, before) } else { None };
            let length = match found {
                Some((replacement, length)) => {
                    stable.push_str(&replacement);
                    length
                }
                None => {
                    stable.push(next);
                    next.len_utf8()
                }
            };
            before = rest[..length].chars().next_back().unwrap_or(next);
            rest = &rest[length..];
        }
        stable
    }

    /// What stands for the word that begins here, and the word's length; `None` if it stays.
    fn word(&mut self, rest: &str, before: char) -> Option<(String, usize)> {
        if let Some(word) = word_of(rest, UUID_LENGTH)
            && let Ok(id) = uuid::Uuid::parse_str(word)
        {
            return Some((self.id(id).to_string(), UUID_LENGTH));
        }
        if let Some(word) = word_of(rest, INSTANT_LENGTH)
            && let Ok(at) = word.parse::<Timestamp>()
        {
            return self.own.contains(&at).then(|| (self.moved(at).to_string(), INSTANT_LENGTH));
        }
        let length = rest.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let word = &rest[..length];
        if let Some(digits) = word.strip_prefix("0x").filter(|digits| digits.len() == 32) {
            let id = uuid::Uuid::parse_str(digits).ok().filter(is_made_like_ours)?;
            return Some((format!("0x{}", self.id(id).simple()), length));
        }
        // An instant as it is serialised: a whole number of microseconds. A smaller one could be anything.
        let whole = before != '.' && !rest[length..].starts_with('.');
        let at = word.parse().ok().filter(|micros| whole && *micros > 1_000_000_000_000)?;
        let at = Timestamp::from_micros(at);
        self.own.contains(&at).then(|| (self.moved(at).as_micros().to_string(), length))
    }

    fn id(&mut self, id: uuid::Uuid) -> uuid::Uuid {
        let next = self.ids.len() + 1;
        uuid::Uuid::from_u128(*self.ids.entry(id.as_u128()).or_insert(next) as u128)
    }

    fn moved(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(START.as_micros() + (at.as_micros() - self.start.as_micros()))
    }
}

/// So many characters, if a word ends behind them.
fn word_of(rest: &str, length: usize) -> Option<&str> {
    let word = rest.get(..length)?;
    (!rest[length..].starts_with(|next: char| next.is_ascii_alphanumeric())).then_some(word)
}

/// Whether sixteen bytes are a UUID as programs make them, and not just sixteen bytes.
fn is_made_like_ours(id: &uuid::Uuid) -> bool {
    id.get_variant() == uuid::Variant::RFC4122 && matches!(id.get_version_num(), 4 | 7 | 8)
}
