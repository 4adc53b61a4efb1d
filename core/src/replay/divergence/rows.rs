//! The rows of a divergence: what history holds and what today's code asks for, side by side.

use super::align::{Pair, align};
use crate::command::Command;
use crate::history::{Event, EventKind};
use crate::vocabulary::{EventId, Timestamp};

/// How many events before the place are shown.
const EVENTS_BEFORE_MAX: usize = 6;
/// How many decisions of each side are laid side by side; what a step has beyond is left out.
const ALIGNED_MAX: usize = 400;

/// One line of the two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The number of the event on the left.
    pub event_id: Option<EventId>,
    /// What history holds, in the text form of a history, without number, time and place.
    pub held: Option<String>,
    /// What the code asks for, as the event that it would become.
    pub asked: Option<String>,
    /// How the two compare.
    pub verdict: Verdict,
}

/// How the two sides of a [`Row`] compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The code was given this event; it asks for no such thing.
    Given,
    /// The code asks for what history holds.
    Same,
    /// The code asks for something else in its place: another input, another time, another call.
    Changed,
    /// Only history holds it.
    OnlyHeld,
    /// Only the code asks for it.
    OnlyAsked,
    /// History goes on with it, but the code had parted from it before.
    NotReached,
}

impl Verdict {
    /// Whether the two sides differ here.
    #[must_use]
    pub fn differs(self) -> bool {
        matches!(self, Self::Changed | Self::OnlyHeld | Self::OnlyAsked)
    }
}

/// The rows, and how many events stand before and behind them.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) before: usize,
    pub(super) after: usize,
}

/// Lays side by side what history holds from this event on and what the code has asked for instead.
pub(super) fn table(events: &[Event], parted: EventId, mut asked: Vec<Command>) -> Table {
    let at = events.iter().position(|event| event.id >= parted).unwrap_or(events.len());
    let (told, rest) = events.split_at(at);
    // The step ends where history takes the next event in.
    let step = rest.iter().take_while(|event| event.kind.is_command()).count().min(ALIGNED_MAX);
    let (held, later) = rest.split_at(step);
    // Markers match wherever they stand; only one that was not asked for can be what differs.
    let differs = |event: &&Event| event.id == parted || !matches!(event.kind, EventKind::PatchRecorded(_));
    let held: Vec<Event> = held.iter().filter(differs).cloned().collect();
    let held = &held[..];
    asked.truncate(ALIGNED_MAX);

    let before = told.len().saturating_sub(EVENTS_BEFORE_MAX);
    let mut rows: Vec<_> = told[before..].iter().map(agreed).collect();
    let pairs = align(held, &asked);
    let same: Vec<_> = pairs.iter().map(|pair| is_same(*pair, held, &asked)).collect();
    let mut asked: Vec<_> = asked
        .into_iter()
        .map(|command| {
            Some(text(&Event {
                id: EventId(0),
                at: Timestamp::EPOCH,
                place: None,
                kind: command.kind.into_event(),
            }))
        })
        .collect();
    rows.extend(pairs.into_iter().zip(same).map(|(pair, same)| match pair {
        Pair::Both(h, a) => Row {
            verdict: if same { Verdict::Same } else { Verdict::Changed },
            ..row(Some(&held[h]), asked[a].take())
        },
        Pair::Held(h) => Row { verdict: Verdict::OnlyHeld, ..row(Some(&held[h]), None) },
        Pair::Asked(a) => Row { verdict: Verdict::OnlyAsked, ..row(None, asked[a].take()) },
    }));
    rows.extend(later.first().map(|event| row(Some(event), None)));
    Table { rows, before, after: later.len().saturating_sub(1) }
}

/// An event on which both sides agree.
fn agreed(event: &Event) -> Row {
    if event.kind.is_command() {
        Row { verdict: Verdict::Same, ..row(Some(event), Some(text(event))) }
    } else {
        Row { verdict: Verdict::Given, ..row(Some(event), None) }
    }
}

fn is_same(pair: Pair, held: &[Event], asked: &[Command]) -> bool {
    matches!(pair, Pair::Both(h, a) if asked[a].kind.matches(&held[h].kind).is_ok())
}

fn row(held: Option<&Event>, asked: Option<String>) -> Row {
    Row { event_id: held.map(|event| event.id), held: held.map(text), asked, verdict: Verdict::NotReached }
}

/// An event in its text form, without its number, time and place.
pub(super) fn text(event: &Event) -> String {
    let line = Event { place: None, ..event.clone() }.to_string();
    line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned()
}
