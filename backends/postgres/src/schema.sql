-- Version 1. Short integer keys, numbers of blocks that each process takes: rows are appended, and indexes stay small.
-- Times are microseconds since 1970; `owner` is a row of `workers`, or 0 for nobody; `status` is 0 while open; IDs compare by
-- their bytes; UUIDs are their 16 bytes.

CREATE TABLE retell_versions (
    version bigint PRIMARY KEY
);

-- The next number that nobody has.
CREATE TABLE numbers (
    id bigint PRIMARY KEY,
    next bigint NOT NULL
);
INSERT INTO numbers (id, next) VALUES (1, 1);

CREATE TABLE namespaces (
    id bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);

-- What claims select by: one row for each code that runs are bound to, in a queue.
CREATE TABLE workflow_kinds (
    id bigint PRIMARY KEY,
    namespace bigint NOT NULL,
    task_queue text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    semantics bigint NOT NULL,
    UNIQUE (namespace, task_queue, name, version, semantics)
);

CREATE TABLE activity_kinds (
    id bigint PRIMARY KEY,
    namespace bigint NOT NULL,
    task_queue text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    UNIQUE (namespace, task_queue, name)
);

-- `claimed` is the number of the last claim that took something, and what it told beside that.
-- `drained`: no open run and no activity names it any more.
CREATE TABLE workers (
    id bigint PRIMARY KEY,
    worker bytea NOT NULL UNIQUE,
    identity bytea NOT NULL,
    expires_at bigint NOT NULL,
    drained smallint NOT NULL DEFAULT 0,
    claimed bigint NOT NULL DEFAULT 0,
    claimed_now bigint NOT NULL DEFAULT 0,
    claimed_due bigint
);
CREATE INDEX workers_looked_at ON workers (expires_at) WHERE drained = 0;

-- One row for each workflow ID that has runs, locked by whoever may change which run it means.
CREATE TABLE ids (
    namespace bigint NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    latest bigint,
    started bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace, workflow_id)
);

-- The narrow part of a run, written at each step; what is wide lies in `run_details`.
-- The columns that are always there stand first, those of a fixed width before all others: the server finds them without
-- walking the row. Half of a page is left free for the next versions of its rows, so that a step touches no index.
CREATE TABLE runs (
    id bigint PRIMARY KEY,
    namespace bigint NOT NULL,
    kind bigint NOT NULL,
    -- Which run of its workflow ID.
    nth bigint NOT NULL,
    started_at bigint NOT NULL,
    head bigint NOT NULL,
    last_at bigint NOT NULL,
    token bigint NOT NULL,
    owner bigint NOT NULL,
    inbox_last bigint NOT NULL,
    taken_in bigint NOT NULL,
    -- The last inbox position that the holder has been shown.
    shown bigint NOT NULL,
    -- The holder's claims that took it and that last showed what was new, and from where.
    claimed_by bigint NOT NULL DEFAULT 0,
    shown_by bigint NOT NULL DEFAULT 0,
    shown_before bigint NOT NULL DEFAULT 0,
    status smallint NOT NULL,
    rowless smallint NOT NULL,
    -- Others are to be told if it is terminated; it was, and they have not been.
    dependents smallint NOT NULL,
    unsettled smallint NOT NULL,
    paused smallint NOT NULL,
    -- Its last workflow task failed.
    parked smallint NOT NULL,
    -- Whether the run is about to continue as new, once the door is shut.
    door_continues smallint NOT NULL,
    unread smallint GENERATED ALWAYS AS (CASE WHEN status = 0 AND inbox_last > shown THEN 1 ELSE 0 END) STORED,
    wake_at bigint,
    closed_at bigint,
    -- The inbox position at which the door was shut.
    door_at bigint,
    run_id bytea NOT NULL,
    workflow_id text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX runs_by_run_id ON runs (run_id, namespace);
CREATE INDEX runs_by_workflow_id ON runs (namespace, workflow_id, nth);
CREATE INDEX runs_by_start ON runs (namespace, started_at, run_id);
CREATE INDEX runs_open_by_start ON runs (namespace, started_at, run_id) WHERE status = 0;
CREATE INDEX runs_parked ON runs (namespace, started_at, run_id) WHERE status = 0 AND parked = 1;
CREATE INDEX runs_paused ON runs (namespace, started_at, run_id) WHERE status = 0 AND paused = 1;
CREATE UNIQUE INDEX runs_open ON runs (namespace, workflow_id) WHERE status = 0;
CREATE INDEX runs_ready ON runs (owner, kind, wake_at) WHERE status = 0;
CREATE INDEX runs_rowless ON runs (owner, kind) WHERE status = 0 AND rowless = 1;
CREATE INDEX runs_unsettled ON runs (owner, kind) WHERE unsettled = 1;
CREATE INDEX runs_unread ON runs (owner) WHERE unread = 1;

CREATE TABLE run_details (
    run bigint PRIMARY KEY,
    priority bigint NOT NULL,
    fairness_key bytea,
    -- MessagePack; NULL where there are none.
    attributes bytea,
    memo bytea,
    failure bytea,
    published bytea,
    outcome bytea,
    continued_as bytea
) WITH (fillfactor = 70);

-- What runs are found by: the same as in `run_details.attributes`. `type` is the kind of value. A `number` is a whole
-- number, an instant, a flag, or a floating-point number in an order-keeping form.
CREATE TABLE attributes (
    run bigint NOT NULL,
    name bytea NOT NULL,
    namespace bigint NOT NULL,
    type smallint NOT NULL,
    number bigint,
    text bytea,
    PRIMARY KEY (run, name)
);
CREATE INDEX attributes_by_number ON attributes (namespace, name, type, number, run) WHERE number IS NOT NULL;
CREATE INDEX attributes_by_text ON attributes (namespace, name, type, substring(text, 1, 512), run) WHERE text IS NOT NULL;

-- The events of one workflow task, and the token under which they were written.
CREATE TABLE records (
    run bigint NOT NULL,
    first bigint NOT NULL,
    count bigint NOT NULL,
    at bigint NOT NULL,
    token bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (run, first)
);

-- `own`: the outcome of an activity, which no successor gets.
CREATE TABLE inbox (
    run bigint NOT NULL,
    position bigint NOT NULL,
    request_id bytea NOT NULL,
    at bigint NOT NULL,
    own smallint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run, position)
);

CREATE TABLE activities (
    run bigint NOT NULL,
    scheduled bigint NOT NULL,
    kind bigint NOT NULL,
    owner bigint NOT NULL,
    visible_at bigint NOT NULL,
    attempt bigint NOT NULL,
    priority bigint NOT NULL,
    close_by bigint,
    cancel_requested smallint NOT NULL,
    -- Nobody runs it: it is to end from outside until `visible_at`.
    deferred smallint NOT NULL,
    claimed_by bigint NOT NULL DEFAULT 0,
    taken_over smallint NOT NULL DEFAULT 0,
    call_bytes bytea NOT NULL,
    -- MessagePack.
    details bytea,
    last_failure bytea,
    PRIMARY KEY (run, scheduled)
) WITH (fillfactor = 80);
CREATE INDEX activities_ready ON activities (owner, kind, visible_at);

-- The identities of applied writes, and their first outcomes.
CREATE TABLE requests (
    namespace bigint NOT NULL,
    request_id bytea NOT NULL,
    at bigint NOT NULL,
    outcome smallint NOT NULL,
    run bigint NOT NULL,
    PRIMARY KEY (namespace, request_id)
);
CREATE INDEX requests_by_age ON requests (at);
CREATE INDEX requests_by_run ON requests (run);

-- What runs answered requests with.
CREATE TABLE answers (
    namespace bigint NOT NULL,
    request_id bytea NOT NULL,
    at bigint NOT NULL,
    run bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (namespace, request_id)
);
CREATE INDEX answers_by_age ON answers (at);
CREATE INDEX answers_by_run ON answers (run);

-- Who waits for changes of other processes looks here: each connection that writes counts on a row of its own.
CREATE TABLE pulses (
    id bigint PRIMARY KEY,
    work bigint NOT NULL,
    closings bigint NOT NULL,
    answers bigint NOT NULL,
    beaten_at bigint NOT NULL
) WITH (fillfactor = 50);
