-- Why jobs have failed: what was found in their logs when they ended. Times as in 0001.

-- The normal form of a message, of which numbers, hashes and paths are cut out. It is the same for
-- failures with one cause.
CREATE TABLE fingerprint (
    id     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    text   TEXT NOT NULL
);

-- One row for each job that has failed or timed out, and left a result.
CREATE TABLE failure (
    job         INTEGER PRIMARY KEY REFERENCES job (seq),
    fingerprint INTEGER NOT NULL REFERENCES fingerprint (id),
    -- As in `job`, but "real" where that has NULL.
    kind        TEXT NOT NULL CHECK (kind IN ('real', 'infra', 'timeout', 'cancelled')),
    at          TEXT NOT NULL,
    -- The lines of the log that tell why (JSON, see explain/error_lines.py); NULL if it could not
    -- be read.
    lines       TEXT
);

-- Has all that is needed to group failures, whichever.
CREATE INDEX failure_group ON failure (fingerprint, kind, at, job);

DROP TRIGGER job_removed;
CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
    DELETE FROM job_use WHERE job = old.seq;
    DELETE FROM failure WHERE job = old.seq;
END;
CREATE TRIGGER failure_removed AFTER DELETE ON failure BEGIN
    DELETE FROM fingerprint
     WHERE id = old.fingerprint
       AND NOT EXISTS (SELECT 1 FROM failure WHERE fingerprint = old.fingerprint);
END;

-- The kind that a failure has which the rule explains; NULL: it says nothing about that.
ALTER TABLE log_rule ADD COLUMN kind TEXT CHECK (kind IN ('real', 'infra', 'timeout'));
