-- Version 3. How a run that was not read is believed to be: handed to the server beside what the run gets, compared with
-- it, and never stored.
SET @statement = IF((SELECT count(*) FROM information_schema.columns WHERE table_schema = DATABASE()
    AND table_name = 'runs' AND column_name = 'seen_head') > 0, 'DO 0',
    'ALTER TABLE runs ADD COLUMN seen_status smallint, ADD COLUMN seen_head bigint, ADD COLUMN seen_token bigint,
        ADD COLUMN seen_owner bigint, ADD COLUMN seen_inbox_last bigint, ADD COLUMN seen_shown bigint');
PREPARE statement FROM @statement;
EXECUTE statement;
DEALLOCATE PREPARE statement;
