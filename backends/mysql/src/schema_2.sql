-- Version 2. No statement here can be undone, and a process may die between two of them: each asks whether it was done.

-- The server that the worker's sign of life was shown to: a lock of a session; and how long its lease lasts unless renewed.
SET @statement = IF((SELECT count(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = 'workers' AND column_name = 'sign') > 0, 'DO 0',
    'ALTER TABLE workers ADD COLUMN sign varbinary(512), ADD COLUMN lease bigint NOT NULL DEFAULT 0');
PREPARE statement FROM @statement;
EXECUTE statement;
DEALLOCATE PREPARE statement;

-- What retention removes.
SET @statement = IF((SELECT count(*) FROM information_schema.statistics WHERE table_schema = DATABASE()
    AND table_name = 'runs' AND index_name = 'runs_by_end') > 0, 'DO 0',
    'CREATE INDEX runs_by_end ON runs (namespace, closed_at)');
PREPARE statement FROM @statement;
EXECUTE statement;
DEALLOCATE PREPARE statement;
