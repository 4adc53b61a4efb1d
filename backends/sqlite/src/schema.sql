-- Version 1. Rowid tables and short integer keys: rows are appended, and indexes stay small.
-- Times are microseconds since 1970; `owner` is a row of `workers`, or 0 for nobody; `status` is 0 while open.

CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

-- What claims select by: one row for each code that runs are bound to, in a queue.
CREATE TABLE workflow_kinds (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    task_queue TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    semantics INTEGER NOT NULL,
    UNIQUE (namespace, task_queue, name, version, semantics)
);

CREATE TABLE activity_kinds (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    task_queue TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (namespace, task_queue, name)
);

-- The store's age at the boot of the machine (see time.rs); leases and identities run on it.
CREATE TABLE ages (
    boot TEXT NOT NULL,
    base INTEGER NOT NULL
);

-- `expires_at` is an age, 0 once the lease is over. `drained`: no open run and no activity names it any more.
CREATE TABLE workers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    worker BLOB NOT NULL UNIQUE,
    identity TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    drained INTEGER NOT NULL DEFAULT 0
);

-- The last run that was removed when there was none after it, so that its number is never given again.
CREATE TABLE removed (
    last INTEGER NOT NULL
);
INSERT INTO removed VALUES (0);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run_id BLOB NOT NULL,
    namespace INTEGER NOT NULL,
    workflow_id TEXT NOT NULL,
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER NOT NULL,
    -- Of a start that has no row in `requests`, since its run ID is its identity: whether the owner that it named held it.
    started_held INTEGER,
    closed_at INTEGER,
    head INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    token INTEGER NOT NULL,
    owner INTEGER NOT NULL DEFAULT 0,
    wake_at INTEGER,
    rowless INTEGER NOT NULL DEFAULT 0,
    -- Others are to be told if it is terminated; it was, and they have not been.
    dependents INTEGER NOT NULL DEFAULT 0,
    unsettled INTEGER NOT NULL DEFAULT 0,
    paused INTEGER NOT NULL DEFAULT 0,
    inbox_last INTEGER NOT NULL DEFAULT 0,
    taken_in INTEGER NOT NULL DEFAULT 0,
    -- The last inbox position that the holder has been shown.
    shown INTEGER NOT NULL DEFAULT 0,
    -- The inbox position at which the door was shut, and whether the run is about to continue as new.
    door_at INTEGER,
    door_continues INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 0,
    fairness_key TEXT,
    -- MessagePack; NULL where there are none.
    attributes BLOB,
    memo BLOB,
    failure BLOB,
    outcome BLOB,
    continued_as BLOB,
    -- MessagePack; what the run shows of itself.
    published BLOB
);
CREATE UNIQUE INDEX runs_by_run_id ON runs (run_id, namespace);
-- The last one of a workflow ID is the only one that may be open.
CREATE INDEX runs_by_workflow_id ON runs (namespace, workflow_id);
CREATE INDEX runs_by_start ON runs (namespace, started_at, run_id);
CREATE INDEX runs_open_by_start ON runs (namespace, started_at, run_id) WHERE status = 0;
CREATE INDEX runs_parked ON runs (namespace, started_at, run_id) WHERE status = 0 AND failure IS NOT NULL;
CREATE INDEX runs_paused ON runs (namespace, started_at, run_id) WHERE status = 0 AND paused = 1;
-- What a dead worker left running is to be taken up at once.
CREATE INDEX runs_ready ON runs (owner, kind, CASE WHEN rowless = 1 AND owner <> 0 THEN 0 ELSE wake_at END)
    WHERE status = 0;
CREATE INDEX runs_unsettled ON runs (owner, kind) WHERE unsettled = 1;
CREATE INDEX runs_unread ON runs (owner) WHERE status = 0 AND inbox_last > shown;

-- What runs are found by: the same as in `runs.attributes`. `type` is the kind of value; instants are microseconds.
CREATE TABLE attributes (
    namespace INTEGER NOT NULL,
    name TEXT NOT NULL,
    type INTEGER NOT NULL,
    value NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) WITHOUT ROWID;
CREATE INDEX attributes_by_value ON attributes (namespace, name, type, value, run);

-- The events of one workflow task, and the token under which they were written.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    token INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX records_by_run ON records (run, first);

-- `own`: the outcome of an activity, which no successor gets.
CREATE TABLE inbox (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    own INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;

CREATE TABLE activities (
    run INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    owner INTEGER NOT NULL DEFAULT 0,
    visible_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    close_by INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    -- Nobody runs it: it is to end from outside until `visible_at`.
    deferred INTEGER NOT NULL DEFAULT 0,
    call BLOB NOT NULL,
    -- MessagePack.
    details BLOB,
    last_failure BLOB,
    PRIMARY KEY (run, scheduled)
);
CREATE INDEX activities_ready ON activities (owner, kind, visible_at);

-- The identities of applied writes, in the order of their coming, and their first outcomes; `at` is an age.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    run INTEGER NOT NULL,
    UNIQUE (namespace, request_id)
);

-- What runs answered requests with, in the order of the last answers; `at` is an age.
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    run INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (namespace, request_id)
);
