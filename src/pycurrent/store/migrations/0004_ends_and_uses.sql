-- A job says in one column how it ended, and why it was run; beside it there is room for what
-- explains it: which stages used it, from which change it came. Times as in 0001.

DROP VIEW cache;

-- One row for each job, from its creation on.
CREATE TABLE job_4 (
    -- The order of creation: several jobs can be created in the same microsecond.
    seq          INTEGER PRIMARY KEY,
    -- The path of the log below job/, without ".log".
    job_id       TEXT NOT NULL UNIQUE,
    -- The work: the operation's id, and its key in readable form and as a digest.
    op           TEXT NOT NULL,
    key          TEXT NOT NULL,
    key_digest   TEXT NOT NULL,
    -- The value that the key was set to (JSON); NULL for operations without values.
    value        TEXT,
    value_digest TEXT,
    -- 0, 1, 2 ... for each (op, key_digest). A job that was interrupted or superseded left no
    -- result, so the next job has the same number.
    build        INTEGER NOT NULL,
    created      TEXT NOT NULL,
    -- Why it was run (JSON, see cache/cause.py); NULL if it was recorded before there were causes.
    cause        TEXT,
    -- The level of risk at which it was started.
    level        TEXT,
    -- When its work began. NULL: not yet, or never.
    started      TEXT,
    -- When it ended. NULL: not yet; or nobody knows, as it was interrupted.
    finished     TEXT,
    -- How it ended; NULL while it has not. (OR is faster than IN, for which a table is made.)
    ended        TEXT CHECK (ended = 'ok' OR ended = 'failed' OR ended = 'cancelled'
                             OR ended = 'timed out' OR ended = 'superseded'
                             OR ended = 'interrupted'),
    -- The result: JSON of what was made, or the message of the failure.
    outcome      TEXT,
    -- The kind of the failure; NULL: the work's own ("real"), or it has not failed.
    kind         TEXT CHECK (kind = 'infra' OR kind = 'timeout' OR kind = 'cancelled'),
    -- 1 if somebody asked for this result to be made again.
    rebuild      INTEGER NOT NULL DEFAULT 0 CHECK (rebuild IN (0, 1)),
    CHECK ((outcome IS NULL)
           = (ended IS NULL OR ended = 'superseded' OR ended = 'interrupted')),
    CHECK (outcome IS NULL OR finished IS NOT NULL)
);

INSERT INTO job_4
SELECT seq, job_id, op, key, key_digest, value, value_digest, build, ready, NULL, level, running,
       finished,
       CASE state
           WHEN 'running' THEN NULL
           WHEN 'interrupted' THEN 'interrupted'
           WHEN 'discarded' THEN 'superseded'
           ELSE CASE WHEN ok THEN 'ok'
                     WHEN kind = 'cancelled' THEN 'cancelled'
                     WHEN kind = 'timeout' THEN 'timed out'
                     ELSE 'failed'
                END
       END,
       outcome, kind, rebuild
  FROM job
 ORDER BY seq;

DROP TABLE job;
ALTER TABLE job_4 RENAME TO job;

-- Finds the last result of a key.
CREATE INDEX job_result ON job (op, key_digest, build) WHERE outcome IS NOT NULL;

-- Finds the jobs that a killed engine left.
CREATE INDEX job_unended ON job (job_id) WHERE ended IS NULL;

-- Finds the runs of a key that left no result.
CREATE INDEX job_unsettled ON job (op, key_digest, seq)
 WHERE ended = 'superseded' OR ended = 'interrupted';

-- Find the newest jobs of an operation, those of a key, and those that failed.
CREATE INDEX job_op ON job (op, seq);
CREATE INDEX job_key ON job (key, seq);
CREATE INDEX job_failed ON job (seq) WHERE outcome IS NOT NULL AND ended <> 'ok';

-- For queries from a shell: one row for each build that has a result, rebuilds included.
-- value: what the key was set to, or what was made from it.
CREATE VIEW cache AS
SELECT op, key, job_id, build, ended = 'ok' AS ok,
       coalesce(value, CASE WHEN ended = 'ok' THEN outcome END) AS value,
       outcome, level, created, started, finished, ended, kind, rebuild, cause,
       key_digest, value_digest
  FROM job
 WHERE outcome IS NOT NULL;

-- A stage of the pipeline: a component or a named bind in its place.
CREATE TABLE stage (
    id   INTEGER PRIMARY KEY,
    -- The names from the root to it, joined by "/".
    path TEXT NOT NULL UNIQUE
);

-- One row for each job that a stage has used: one that was run for it, or one whose result was
-- known already. The row with the highest id is the stage's last one.
CREATE TABLE job_use (
    id    INTEGER PRIMARY KEY,
    job   INTEGER NOT NULL REFERENCES job (seq),
    stage INTEGER NOT NULL REFERENCES stage (id),
    since TEXT NOT NULL
);
CREATE INDEX job_use_job ON job_use (job);
CREATE INDEX job_use_stage ON job_use (stage, id);

-- A label, such as repo=web. It is kept once, however many uses have it.
CREATE TABLE label (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (name, value)
);

-- The labels that a stage had when it used a job. Read by label it gives the newest uses first.
CREATE TABLE use_label (
    label INTEGER NOT NULL REFERENCES label (id),
    use   INTEGER NOT NULL REFERENCES job_use (id),
    PRIMARY KEY (label, use)
) WITHOUT ROWID;
CREATE INDEX use_label_use ON use_label (use);

-- The inputs that the pipeline reads from outside, with their last values.
CREATE TABLE input (
    id     INTEGER PRIMARY KEY,
    -- Its identity: for a monitor, how it describes itself.
    name   TEXT NOT NULL UNIQUE,
    -- JSON; NULL if it has no stable form. Then only a short text and a digest are known.
    value  TEXT,
    shown  TEXT NOT NULL,
    digest TEXT NOT NULL,
    since  TEXT NOT NULL
);

-- One row for each event from outside: an input that was read again, a person's action, a timer,
-- a start. Its effects inside, even 10,000 jobs, have no rows here.
CREATE TABLE change (
    id      INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('input', 'person', 'timer', 'start')),
    -- Which input, and its values as in `input` (JSON, or the short text).
    input   INTEGER REFERENCES input (id),
    old     TEXT,
    new     TEXT,
    -- The person or thing that made it, if known, and the event in a line.
    by      TEXT,
    summary TEXT NOT NULL
);
CREATE INDEX change_at ON change (at);
CREATE INDEX change_input ON change (input, id) WHERE input IS NOT NULL;

-- The changes that a job follows from.
CREATE TABLE job_change (
    job    INTEGER NOT NULL REFERENCES job (seq),
    change INTEGER NOT NULL REFERENCES change (id),
    PRIMARY KEY (job, change)
) WITHOUT ROWID;
CREATE INDEX job_change_change ON job_change (change);

-- Removing a job removes its explanation. (Foreign keys are not enforced here: that would cost
-- each write.)
CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
    DELETE FROM use_label WHERE use IN (SELECT id FROM job_use WHERE job = old.seq);
    DELETE FROM job_use WHERE job = old.seq;
    DELETE FROM job_change WHERE job = old.seq;
END;
