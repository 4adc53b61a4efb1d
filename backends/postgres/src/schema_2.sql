-- Version 2.

-- The server that the worker's sign of life was shown to: a lock of a session; and how long its lease lasts unless renewed.
ALTER TABLE workers ADD COLUMN sign text COLLATE "C";
ALTER TABLE workers ADD COLUMN lease bigint NOT NULL DEFAULT 0;

-- What retention removes.
CREATE INDEX runs_by_end ON runs (namespace, closed_at) WHERE status > 0;
