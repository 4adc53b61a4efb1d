//! The tables, as the changes of many rows name them: the columns that are written together, keys first.

use crate::dialect::{Column, How, Rows};
use crate::value::Type::{Bytes, Int, Text};

/// Columns of a table that are written together.
pub(crate) struct Table {
    name: &'static str,
    keys: usize,
    seen: usize,
    columns: &'static [Column],
}

impl Table {
    /// No rows yet, to be inserted.
    pub(crate) fn rows(&self) -> Rows {
        let Self { name: table, keys, seen, columns } = *self;
        Rows { table, how: How::Insert, keys, seen, columns, rows: Vec::new() }
    }
}

const fn table(name: &'static str, keys: usize, columns: &'static [Column]) -> Table {
    Table { name, keys, seen: 0, columns }
}

pub(crate) const NAMESPACES: Table = table("namespaces", 1, &[("name", Text), ("id", Int)]);

pub(crate) const WORKFLOW_KINDS: Table = table(
    "workflow_kinds",
    5,
    &[
        ("namespace", Int),
        ("task_queue", Text),
        ("name", Text),
        ("version", Int),
        ("semantics", Int),
        ("id", Int),
    ],
);

pub(crate) const ACTIVITY_KINDS: Table =
    table("activity_kinds", 3, &[("namespace", Int), ("task_queue", Text), ("name", Text), ("id", Int)]);

pub(crate) const IDS: Table =
    table("ids", 2, &[("namespace", Int), ("workflow_id", Text), ("latest", Int), ("started", Int)]);

pub(crate) const ID_KEYS: Table = table("ids", 2, &[("namespace", Int), ("workflow_id", Text)]);

/// The part of a run's row that goes on.
pub(crate) const RUN_STATE: Table = table(
    "runs",
    1,
    &[
        ("id", Int),
        ("status", Int),
        ("closed_at", Int),
        ("head", Int),
        ("last_at", Int),
        ("token", Int),
        ("owner", Int),
        ("wake_at", Int),
        ("rowless", Int),
        ("dependents", Int),
        ("unsettled", Int),
        ("paused", Int),
        ("parked", Int),
        ("inbox_last", Int),
        ("taken_in", Int),
        ("shown", Int),
        ("door_at", Int),
        ("door_continues", Int),
    ],
);

/// The same of a run that was not read: beside what it gets, what says whether it is as it was left.
pub(crate) const RUN_STATE_SEEN: Table = Table {
    seen: 6,
    ..table(
        "runs",
        1,
        &[
            ("id", Int),
            ("status", Int),
            ("closed_at", Int),
            ("head", Int),
            ("last_at", Int),
            ("token", Int),
            ("owner", Int),
            ("wake_at", Int),
            ("rowless", Int),
            ("dependents", Int),
            ("unsettled", Int),
            ("paused", Int),
            ("parked", Int),
            ("inbox_last", Int),
            ("taken_in", Int),
            ("shown", Int),
            ("door_at", Int),
            ("door_continues", Int),
            ("seen_status", Int),
            ("seen_head", Int),
            ("seen_token", Int),
            ("seen_owner", Int),
            ("seen_inbox_last", Int),
            ("seen_shown", Int),
        ],
    )
};

/// The same of a run that only went on.
pub(crate) const RUN_STEP_SEEN: Table = Table {
    seen: 6,
    ..table(
        "runs",
        1,
        &[
            ("id", Int),
            ("head", Int),
            ("last_at", Int),
            ("wake_at", Int),
            ("rowless", Int),
            ("inbox_last", Int),
            ("taken_in", Int),
            ("shown", Int),
            ("seen_status", Int),
            ("seen_head", Int),
            ("seen_token", Int),
            ("seen_owner", Int),
            ("seen_inbox_last", Int),
            ("seen_shown", Int),
        ],
    )
};

pub(crate) const RUNS: Table = table(
    "runs",
    1,
    &[
        ("id", Int),
        ("status", Int),
        ("closed_at", Int),
        ("head", Int),
        ("last_at", Int),
        ("token", Int),
        ("owner", Int),
        ("wake_at", Int),
        ("rowless", Int),
        ("dependents", Int),
        ("unsettled", Int),
        ("paused", Int),
        ("parked", Int),
        ("inbox_last", Int),
        ("taken_in", Int),
        ("shown", Int),
        ("door_at", Int),
        ("door_continues", Int),
        ("run_id", Bytes),
        ("namespace", Int),
        ("workflow_id", Text),
        ("kind", Int),
        ("started_at", Int),
        ("nth", Int),
    ],
);

pub(crate) const RUN_KEYS: Table = table("runs", 1, &[("id", Int)]);

pub(crate) const DETAILS: Table = table(
    "run_details",
    1,
    &[
        ("run", Int),
        ("priority", Int),
        ("fairness_key", Bytes),
        ("attributes", Bytes),
        ("memo", Bytes),
        ("failure", Bytes),
        ("published", Bytes),
        ("outcome", Bytes),
        ("continued_as", Bytes),
    ],
);

pub(crate) const DETAIL_KEYS: Table = table("run_details", 1, &[("run", Int)]);
pub(crate) const DETAIL_ATTRIBUTES: Table = table("run_details", 1, &[("run", Int), ("attributes", Bytes)]);
pub(crate) const DETAIL_MEMO: Table = table("run_details", 1, &[("run", Int), ("memo", Bytes)]);
pub(crate) const DETAIL_FAILURE: Table = table("run_details", 1, &[("run", Int), ("failure", Bytes)]);
pub(crate) const DETAIL_PUBLISHED: Table = table("run_details", 1, &[("run", Int), ("published", Bytes)]);
pub(crate) const DETAIL_CLOSING: Table =
    table("run_details", 1, &[("run", Int), ("outcome", Bytes), ("continued_as", Bytes)]);

pub(crate) const ATTRIBUTES: Table = table(
    "attributes",
    2,
    &[("run", Int), ("name", Bytes), ("namespace", Int), ("type", Int), ("number", Int), ("text", Bytes)],
);
pub(crate) const ATTRIBUTE_KEYS: Table = table("attributes", 1, &[("run", Int)]);

pub(crate) const RECORDS: Table = table(
    "records",
    2,
    &[("run", Int), ("first", Int), ("count", Int), ("at", Int), ("token", Int), ("bytes", Bytes)],
);
pub(crate) const RECORD_KEYS: Table = table("records", 1, &[("run", Int)]);

pub(crate) const INBOX: Table = table(
    "inbox",
    2,
    &[("run", Int), ("position", Int), ("request_id", Bytes), ("at", Int), ("own", Int), ("body", Bytes)],
);
pub(crate) const INBOX_KEYS: Table = table("inbox", 2, &[("run", Int), ("position", Int)]);
pub(crate) const INBOX_RUNS: Table = table("inbox", 1, &[("run", Int)]);

pub(crate) const ACTIVITIES: Table = table(
    "activities",
    2,
    &[
        ("run", Int),
        ("scheduled", Int),
        ("kind", Int),
        ("owner", Int),
        ("visible_at", Int),
        ("attempt", Int),
        ("priority", Int),
        ("close_by", Int),
        ("cancel_requested", Int),
        ("deferred", Int),
        ("call_bytes", Bytes),
        ("details", Bytes),
        ("last_failure", Bytes),
    ],
);
pub(crate) const ACTIVITY_STATE: Table = table(
    "activities",
    2,
    &[
        ("run", Int),
        ("scheduled", Int),
        ("owner", Int),
        ("visible_at", Int),
        ("attempt", Int),
        ("cancel_requested", Int),
        ("deferred", Int),
    ],
);
pub(crate) const ACTIVITY_DETAILS: Table =
    table("activities", 2, &[("run", Int), ("scheduled", Int), ("details", Bytes)]);
pub(crate) const ACTIVITY_FAILURE: Table =
    table("activities", 2, &[("run", Int), ("scheduled", Int), ("last_failure", Bytes)]);
pub(crate) const ACTIVITY_KEYS: Table = table("activities", 2, &[("run", Int), ("scheduled", Int)]);
pub(crate) const ACTIVITY_RUNS: Table = table("activities", 1, &[("run", Int)]);

pub(crate) const REQUESTS: Table = table(
    "requests",
    2,
    &[("namespace", Int), ("request_id", Bytes), ("at", Int), ("outcome", Int), ("run", Int)],
);
pub(crate) const REQUEST_RUNS: Table = table("requests", 1, &[("run", Int)]);

pub(crate) const ANSWERS: Table = table(
    "answers",
    2,
    &[("namespace", Int), ("request_id", Bytes), ("at", Int), ("run", Int), ("body", Bytes)],
);
pub(crate) const ANSWER_RUNS: Table = table("answers", 1, &[("run", Int)]);

pub(crate) const WORKERS: Table = table(
    "workers",
    1,
    &[("id", Int), ("worker", Bytes), ("identity", Bytes), ("expires_at", Int), ("lease", Int)],
);

/// The keys of requests and of answers, as sweeps name them.
pub(crate) const REQUESTS_OLD: Table = table("requests", 2, &[("namespace", Int), ("request_id", Bytes)]);
pub(crate) const ANSWERS_OLD: Table = table("answers", 2, &[("namespace", Int), ("request_id", Bytes)]);
