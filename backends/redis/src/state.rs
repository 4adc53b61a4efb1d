//! What decides over a run, as one field of its row holds it: `state.lua` says what the parts are.

use retell::vocabulary::{Position, Timestamp};

use crate::remembered::Standing;
use crate::row::OPEN;

/// The name of the field.
pub(crate) const FIELD: &str = "state";

/// The parts, in order; empty where there is nothing.
const PARTS: [&str; 18] = [
    "status",
    "head",
    "last_at",
    "token",
    "owner",
    "held",
    "wake",
    "rowless",
    "dependents",
    "unsettled",
    "last",
    "taken",
    "shown",
    "door",
    "queued",
    "paused",
    "parked",
    "errands",
];

/// The parts of a state that are there; none of one that somebody else's hand was at.
pub(crate) fn parts(state: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let is_whole = state.split('/').count() == PARTS.len();
    let parts = PARTS.into_iter().zip(state.split('/'));
    parts.filter(move |(_, part)| is_whole && !part.is_empty())
}

/// The state of a run that stands so.
pub(crate) fn of(standing: &Standing) -> String {
    let Standing { worker, token, head, last_at, inbox, wake_at, rowless, dependents } = standing;
    let flag = |flag: bool| if flag { "1" } else { "" };
    let Position(inbox) = inbox;
    format!(
        "{OPEN}/{head}/{}/{token}/{}/1/{}/{}/{}//{inbox}/{inbox}/{inbox}/////",
        last_at.as_micros(),
        worker.0.simple(),
        wake_at.map(|at: Timestamp| at.as_micros().to_string()).unwrap_or_default(),
        flag(*rowless),
        flag(*dependents),
    )
}

#[cfg(test)]
mod tests {
    use retell::vocabulary::{EventId, FencingToken, Position, Timestamp, WorkerId};

    use super::{PARTS, Standing, of, parts};

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let standing = Standing {
            worker: WorkerId(uuid::Uuid::from_u128(7)),
            token: FencingToken(3),
            head: EventId(12),
            last_at: Timestamp::from_micros(-5),
            inbox: Position(4),
            wake_at: None,
            rowless: true,
            dependents: false,
        };
        let written = of(&standing);
        let found: Vec<_> = parts(&written).collect();
        assert_eq!(
            found,
            [
                ("status", "0"),
                ("head", "12"),
                ("last_at", "-5"),
                ("token", "3"),
                ("owner", "00000000000000000000000000000007"),
                ("held", "1"),
                ("rowless", "1"),
                ("last", "4"),
                ("taken", "4"),
                ("shown", "4"),
            ]
        );
        assert_eq!(parts("garbage").count(), 0);
    }

    #[test]
    fn scripts_know_the_same_parts() {
        let script = include_str!("lua/state.lua");
        let named: Vec<_> = script.split('\'').skip(1).step_by(2).take(PARTS.len()).collect();
        assert_eq!(named, PARTS);
    }
}
