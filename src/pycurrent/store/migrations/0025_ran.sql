-- Where jobs have run, and what their commands have used: a row for each job that has run a command
-- or has had a place.
CREATE TABLE ran (
    job    INTEGER PRIMARY KEY REFERENCES job (seq),
    -- The label of the pool whose resource it had.
    pool   TEXT,
    -- The place that its pool has lent it; NULL: the engine's machine.
    place  TEXT,
    -- Seconds of all processors together, and the bytes that the largest process had; NULL: not known.
    cpu    REAL,
    memory INTEGER
);

CREATE INDEX ran_place ON ran (place) WHERE place IS NOT NULL;

CREATE INDEX ran_pool ON ran (pool) WHERE pool IS NOT NULL;

CREATE TRIGGER ran_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM ran WHERE job = old.seq;
END;
