-- The keys that are set, of operations that retire what has gone, with the job that has set each. A
-- row goes with the end of the job that retires it.

CREATE TABLE to_retire (
    op         TEXT NOT NULL,
    key_digest TEXT NOT NULL,
    job        TEXT NOT NULL,
    PRIMARY KEY (op, key_digest)
) WITHOUT ROWID;
