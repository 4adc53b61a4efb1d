-- Version 1. Short integer keys, numbers of blocks that each process takes: rows are appended, and indexes stay small.
-- Times are microseconds since 1970; `owner` is a row of `workers`, or 0 for nobody; `status` is 0 while open; IDs are their
-- bytes, and so are UUIDs. Definitions commit by themselves here, so that each may be met again; columns have defaults,
-- because many rows are updated by inserts that meet them.

CREATE TABLE IF NOT EXISTS retell_versions (
    version bigint NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

-- The next number that nobody has.
CREATE TABLE IF NOT EXISTS numbers (
    id bigint NOT NULL PRIMARY KEY,
    next bigint NOT NULL DEFAULT 0
) ENGINE = InnoDB;
INSERT IGNORE INTO numbers (id, next) VALUES (1, 1);

CREATE TABLE IF NOT EXISTS namespaces (
    id bigint NOT NULL PRIMARY KEY,
    name varbinary(255) NOT NULL UNIQUE
) ENGINE = InnoDB;

-- What claims select by: one row for each code that runs are bound to, in a queue.
CREATE TABLE IF NOT EXISTS workflow_kinds (
    id bigint NOT NULL PRIMARY KEY,
    namespace bigint NOT NULL DEFAULT 0,
    task_queue varbinary(255) NOT NULL DEFAULT '',
    name varbinary(255) NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 0,
    semantics bigint NOT NULL DEFAULT 0,
    UNIQUE KEY by_name (namespace, task_queue, name, version, semantics)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS activity_kinds (
    id bigint NOT NULL PRIMARY KEY,
    namespace bigint NOT NULL DEFAULT 0,
    task_queue varbinary(255) NOT NULL DEFAULT '',
    name varbinary(255) NOT NULL DEFAULT '',
    UNIQUE KEY by_name (namespace, task_queue, name)
) ENGINE = InnoDB;

-- `claimed` is the number of the last claim that took something, and what it told beside that.
-- `drained`: no open run and no activity names it any more.
CREATE TABLE IF NOT EXISTS workers (
    id bigint NOT NULL PRIMARY KEY,
    worker binary(16) NOT NULL UNIQUE,
    identity varbinary(1024) NOT NULL DEFAULT '',
    expires_at bigint NOT NULL DEFAULT 0,
    drained smallint NOT NULL DEFAULT 0,
    claimed bigint NOT NULL DEFAULT 0,
    claimed_now bigint NOT NULL DEFAULT 0,
    claimed_due bigint,
    KEY workers_looked_at (drained, expires_at)
) ENGINE = InnoDB;

-- One row for each workflow ID that has runs, locked by whoever may change which run it means.
CREATE TABLE IF NOT EXISTS ids (
    namespace bigint NOT NULL DEFAULT 0,
    workflow_id varbinary(255) NOT NULL DEFAULT '',
    latest bigint,
    started bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, workflow_id),
    KEY ids_by_run (latest)
) ENGINE = InnoDB;

-- The narrow part of a run, written at each step; what is wide lies in `run_details`.
CREATE TABLE IF NOT EXISTS runs (
    id bigint NOT NULL PRIMARY KEY,
    run_id binary(16) NOT NULL DEFAULT '',
    namespace bigint NOT NULL DEFAULT 0,
    workflow_id varbinary(255) NOT NULL DEFAULT '',
    kind bigint NOT NULL DEFAULT 0,
    -- Which run of its workflow ID.
    nth bigint NOT NULL DEFAULT 0,
    status smallint NOT NULL DEFAULT 0,
    started_at bigint NOT NULL DEFAULT 0,
    closed_at bigint,
    head bigint NOT NULL DEFAULT 0,
    last_at bigint NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0,
    owner bigint NOT NULL DEFAULT 0,
    wake_at bigint,
    rowless smallint NOT NULL DEFAULT 0,
    -- Others are to be told if it is terminated; it was, and they have not been.
    dependents smallint NOT NULL DEFAULT 0,
    unsettled smallint NOT NULL DEFAULT 0,
    paused smallint NOT NULL DEFAULT 0,
    -- Its last workflow task failed.
    parked smallint NOT NULL DEFAULT 0,
    inbox_last bigint NOT NULL DEFAULT 0,
    taken_in bigint NOT NULL DEFAULT 0,
    -- The last inbox position that the holder has been shown.
    shown bigint NOT NULL DEFAULT 0,
    -- The inbox position at which the door was shut, and whether the run is about to continue as new.
    door_at bigint,
    door_continues smallint NOT NULL DEFAULT 0,
    -- The holder's claims that took it and that last showed what was new, and from where.
    claimed_by bigint NOT NULL DEFAULT 0,
    shown_by bigint NOT NULL DEFAULT 0,
    shown_before bigint NOT NULL DEFAULT 0,
    unread smallint GENERATED ALWAYS AS (CASE WHEN status = 0 AND inbox_last > shown THEN 1 ELSE 0 END) STORED,
    -- Nothing once it is closed: a key over it holds open runs apart.
    open_id varbinary(255) GENERATED ALWAYS AS (CASE WHEN status = 0 THEN workflow_id END) STORED,
    UNIQUE KEY runs_by_run_id (run_id, namespace),
    KEY runs_by_workflow_id (namespace, workflow_id, nth),
    KEY runs_by_start (namespace, started_at, run_id),
    KEY runs_open_by_start (namespace, status, started_at, run_id),
    KEY runs_parked (namespace, parked, started_at, run_id),
    KEY runs_paused (namespace, paused, started_at, run_id),
    UNIQUE KEY runs_open (namespace, open_id),
    KEY runs_ready (owner, kind, status, wake_at),
    KEY runs_rowless (rowless, owner, kind),
    KEY runs_unsettled (unsettled, owner, kind),
    KEY runs_unread (unread, owner)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS run_details (
    run bigint NOT NULL PRIMARY KEY,
    priority bigint NOT NULL DEFAULT 0,
    fairness_key longblob,
    -- MessagePack; NULL where there are none.
    attributes longblob,
    memo longblob,
    failure longblob,
    published longblob,
    outcome longblob,
    continued_as binary(16)
) ENGINE = InnoDB;

-- What runs are found by: the same as in `run_details.attributes`. `type` is the kind of value. A `number` is a whole
-- number, an instant, a flag, or a floating-point number in an order-keeping form.
CREATE TABLE IF NOT EXISTS attributes (
    run bigint NOT NULL DEFAULT 0,
    name varbinary(700) NOT NULL,
    namespace bigint NOT NULL DEFAULT 0,
    type smallint NOT NULL DEFAULT 0,
    number bigint,
    text longblob,
    PRIMARY KEY (run, name),
    KEY attributes_by_number (namespace, name, type, number, run),
    KEY attributes_by_text (namespace, name, type, text(512), run)
) ENGINE = InnoDB;

-- The events of one workflow task, and the token under which they were written.
CREATE TABLE IF NOT EXISTS records (
    run bigint NOT NULL DEFAULT 0,
    first bigint NOT NULL DEFAULT 0,
    count bigint NOT NULL DEFAULT 0,
    at bigint NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0,
    bytes longblob,
    PRIMARY KEY (run, first)
) ENGINE = InnoDB;

-- `own`: the outcome of an activity, which no successor gets.
CREATE TABLE IF NOT EXISTS inbox (
    run bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0,
    request_id binary(16) NOT NULL DEFAULT '',
    at bigint NOT NULL DEFAULT 0,
    own smallint NOT NULL DEFAULT 0,
    body longblob,
    PRIMARY KEY (run, position)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS activities (
    run bigint NOT NULL DEFAULT 0,
    scheduled bigint NOT NULL DEFAULT 0,
    kind bigint NOT NULL DEFAULT 0,
    owner bigint NOT NULL DEFAULT 0,
    visible_at bigint NOT NULL DEFAULT 0,
    attempt bigint NOT NULL DEFAULT 0,
    priority bigint NOT NULL DEFAULT 0,
    close_by bigint,
    cancel_requested smallint NOT NULL DEFAULT 0,
    -- Nobody runs it: it is to end from outside until `visible_at`.
    deferred smallint NOT NULL DEFAULT 0,
    claimed_by bigint NOT NULL DEFAULT 0,
    taken_over smallint NOT NULL DEFAULT 0,
    call_bytes longblob,
    -- MessagePack.
    details longblob,
    last_failure longblob,
    PRIMARY KEY (run, scheduled),
    KEY activities_ready (owner, kind, visible_at)
) ENGINE = InnoDB;

-- The identities of applied writes, and their first outcomes.
CREATE TABLE IF NOT EXISTS requests (
    namespace bigint NOT NULL DEFAULT 0,
    request_id binary(16) NOT NULL DEFAULT '',
    at bigint NOT NULL DEFAULT 0,
    outcome smallint NOT NULL DEFAULT 0,
    run bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, request_id),
    KEY requests_by_age (at),
    KEY requests_by_run (run)
) ENGINE = InnoDB;

-- What runs answered requests with.
CREATE TABLE IF NOT EXISTS answers (
    namespace bigint NOT NULL DEFAULT 0,
    request_id binary(16) NOT NULL DEFAULT '',
    at bigint NOT NULL DEFAULT 0,
    run bigint NOT NULL DEFAULT 0,
    body longblob,
    PRIMARY KEY (namespace, request_id),
    KEY answers_by_age (at),
    KEY answers_by_run (run)
) ENGINE = InnoDB;

-- Who waits for changes of other processes looks here: each connection that writes counts on a row of its own.
CREATE TABLE IF NOT EXISTS pulses (
    id bigint NOT NULL PRIMARY KEY,
    work bigint NOT NULL DEFAULT 0,
    closings bigint NOT NULL DEFAULT 0,
    answers bigint NOT NULL DEFAULT 0,
    beaten_at bigint NOT NULL DEFAULT 0
) ENGINE = InnoDB;
