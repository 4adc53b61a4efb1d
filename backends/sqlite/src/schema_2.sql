-- Version 2.

-- What retention removes.
CREATE INDEX runs_by_end ON runs (namespace, closed_at) WHERE status > 0;
