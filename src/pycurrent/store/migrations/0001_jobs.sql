-- The first schema. Times are UTC, ISO 8601 with microseconds ("2026-11-22T08:47:03.123456Z"):
-- they sort as text, and read well in a shell. JSON is canonical, as it was given to the store.

-- One row for each job, from its creation on.
CREATE TABLE job (
    -- The order of creation: several jobs can be created in the same microsecond.
    seq          INTEGER PRIMARY KEY,
    -- The path of the log below job/, without ".log".
    job_id       TEXT NOT NULL UNIQUE,
    -- What was run: the operation's id, and its key in readable form and as a digest.
    op           TEXT NOT NULL,
    key          TEXT NOT NULL,
    key_digest   TEXT NOT NULL,
    -- What the key was set to (JSON); NULL for operations that have no value.
    value        TEXT,
    value_digest TEXT,
    -- 0, 1, 2 ... for each (op, key_digest). A job that was interrupted or discarded left no
    -- result, so the next job has the same number.
    build        INTEGER NOT NULL,
    -- The level of risk the job was started at.
    level        TEXT,
    state        TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted', 'discarded')),
    -- When it was created, when its work started, when it ended.
    ready        TEXT NOT NULL,
    running      TEXT,
    finished     TEXT,
    -- The result: 1 and JSON, or 0 and the failure's message.
    ok           INTEGER CHECK (ok IN (0, 1)),
    outcome      TEXT,
    -- Set when somebody asked for a rebuild of this result.
    rebuild      INTEGER NOT NULL DEFAULT 0 CHECK (rebuild IN (0, 1)),
    -- Room for what belongs to a job besides: where it was built, and why it was run (JSON).
    labels       TEXT,
    reason       TEXT,
    CHECK ((state = 'finished') = (ok IS NOT NULL)),
    CHECK ((ok IS NULL) = (outcome IS NULL)),
    CHECK (ok IS NULL OR finished IS NOT NULL)
);

-- Finds the last result of a key.
CREATE INDEX job_result ON job (op, key_digest, build) WHERE state = 'finished';

-- Finds the jobs that a killed engine left.
CREATE INDEX job_running ON job (job_id) WHERE state = 'running';

-- Finds the runs of a key that left no result.
CREATE INDEX job_unsettled ON job (op, key_digest, seq) WHERE state IN ('interrupted', 'discarded');

-- What people ask from a shell: one row for each build that has a result, rebuilds included.
-- value: what the key was set to, or what was made from it.
CREATE VIEW cache AS
SELECT op, key, job_id, build, ok,
       coalesce(value, CASE WHEN ok THEN outcome END) AS value,
       outcome, level, ready, running, finished, rebuild, labels, reason, key_digest, value_digest
  FROM job
 WHERE state = 'finished';

-- What is looked for in the log of a failed job.
CREATE TABLE log_rule (
    pattern TEXT NOT NULL PRIMARY KEY,
    report  TEXT NOT NULL,
    score   INTEGER NOT NULL
);

-- What an engine remembers besides, by name.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
