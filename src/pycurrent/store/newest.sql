-- The schema that the migrations make, for new databases: python -m tools.newest_schema writes it.
-- The migrations say why each table is as it is.

CREATE TABLE log_rule (
    pattern TEXT NOT NULL PRIMARY KEY,
    report  TEXT NOT NULL,
    score   INTEGER NOT NULL
, kind TEXT CHECK (kind IN ('real', 'infra', 'timeout')));

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE web_session (
    digest    TEXT NOT NULL PRIMARY KEY,
    -- Who it is, as the login provider named them: "<provider>:<name there>", and as shown.
    user_id   TEXT NOT NULL,
    user_name TEXT NOT NULL,
    created   TEXT NOT NULL,
    -- Not valid from then on. Moved on while the session is used.
    expires   TEXT NOT NULL
);

CREATE INDEX web_session_user ON web_session (user_id);

CREATE INDEX web_session_expires ON web_session (expires);

CREATE TABLE web_token (
    name    TEXT NOT NULL PRIMARY KEY,
    digest  TEXT NOT NULL UNIQUE,
    role    TEXT NOT NULL CHECK (role IN ('viewer', 'builder', 'monitor', 'admin')),
    created TEXT NOT NULL,
    -- Not valid from then on; NULL: for good.
    expires TEXT,
    -- The day of its last use, in UTC; NULL: none yet.
    used    TEXT
);

CREATE TABLE "job" (
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
    rebuild      INTEGER NOT NULL DEFAULT 0 CHECK (rebuild IN (0, 1)), log BLOB, changes INTEGER, version TEXT,
    CHECK ((outcome IS NULL)
           = (ended IS NULL OR ended = 'superseded' OR ended = 'interrupted')),
    CHECK (outcome IS NULL OR finished IS NOT NULL)
);

CREATE INDEX job_result ON job (op, key_digest, build) WHERE outcome IS NOT NULL;

CREATE INDEX job_unsettled ON job (op, key_digest, seq)
 WHERE ended = 'superseded' OR ended = 'interrupted';

CREATE VIEW cache AS
SELECT op, key, job_id, build, ended = 'ok' AS ok,
       coalesce(value, CASE WHEN ended = 'ok' THEN outcome END) AS value,
       outcome, level, created, started, finished, ended, kind, rebuild, cause,
       key_digest, value_digest
  FROM job
 WHERE outcome IS NOT NULL;

CREATE TABLE stage (
    id   INTEGER PRIMARY KEY,
    -- The names from the root to it, joined by "/".
    path TEXT NOT NULL UNIQUE
);

CREATE TABLE input (
    id     INTEGER PRIMARY KEY,
    -- Its identity: for a monitor, how it describes itself.
    name   TEXT NOT NULL UNIQUE,
    -- JSON; NULL if it has no stable form. Then only a short text and a digest are known.
    value  TEXT,
    shown  TEXT NOT NULL,
    digest TEXT NOT NULL,
    since  TEXT NOT NULL
, until TEXT);

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
, details TEXT, value TEXT);

CREATE INDEX change_at ON change (at);

CREATE INDEX change_input ON change (input, id) WHERE input IS NOT NULL;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    -- The asker, its role if that is known, and the way: dashboard, api, code ...
    who     TEXT NOT NULL,
    role    TEXT,
    via     TEXT NOT NULL,
    -- The act, and the job, rule, setting, user or token that it was done to.
    what    TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The change, as people read it.
    before  TEXT,
    after   TEXT,
    -- Why it was asked for, if the asker said so.
    reason  TEXT,
    -- Why it was not done; NULL if it was.
    refused TEXT,
    -- SHA-256 of this row and the hash of the row before: see store/audit.py.
    hash    TEXT NOT NULL
);

CREATE INDEX audit_who ON audit (who, id);

CREATE INDEX audit_subject ON audit (subject, id);

CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TRIGGER audit_not_removed BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;

CREATE TABLE label_set (
    id     INTEGER PRIMARY KEY,
    labels TEXT NOT NULL UNIQUE
);

CREATE TABLE label (
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    "set" INTEGER NOT NULL REFERENCES label_set (id),
    PRIMARY KEY (name, value, "set")
) WITHOUT ROWID;

CREATE TABLE job_use (
    id     INTEGER PRIMARY KEY,
    job    INTEGER NOT NULL REFERENCES job (seq),
    stage  INTEGER NOT NULL REFERENCES stage (id),
    labels INTEGER REFERENCES label_set (id),
    since  TEXT NOT NULL
);

CREATE INDEX job_use_job ON job_use (job);

CREATE INDEX job_use_stage ON job_use (stage, id);

CREATE INDEX job_use_labels ON job_use (labels, id) WHERE labels IS NOT NULL;

CREATE TABLE change_set (
    "set"  INTEGER NOT NULL,
    change INTEGER NOT NULL REFERENCES change (id),
    PRIMARY KEY ("set", change)
) WITHOUT ROWID;

CREATE INDEX change_set_change ON change_set (change);

CREATE INDEX job_changes ON job (changes) WHERE changes IS NOT NULL;

CREATE TABLE fingerprint (
    id     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    text   TEXT NOT NULL
);

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

CREATE INDEX failure_group ON failure (fingerprint, kind, at, job);

CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
    DELETE FROM job_use WHERE job = old.seq;
    DELETE FROM failure WHERE job = old.seq;
END;

CREATE TRIGGER failure_removed AFTER DELETE ON failure BEGIN
    DELETE FROM fingerprint
     WHERE id = old.fingerprint
       AND NOT EXISTS (SELECT 1 FROM failure WHERE fingerprint = old.fingerprint);
END;

CREATE TABLE override (
    -- The kind of the value, and its subject: the name of an input.
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The value (JSON).
    value   TEXT,
    -- The person who has set it (NULL: code did not say for whom), the time, and the reason.
    by      TEXT,
    at      TEXT NOT NULL,
    reason  TEXT,
    -- When it ends by itself; NULL: never.
    until   TEXT, shown TEXT, job TEXT, owner TEXT, passes INTEGER, stage TEXT,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;

CREATE TABLE firing (
    id     INTEGER PRIMARY KEY,
    -- The name of the trigger.
    name   TEXT NOT NULL,
    -- The parameters (JSON).
    params TEXT NOT NULL,
    -- The person who has fired it (NULL: code did not say for whom), the time, and the reason.
    by     TEXT,
    at     TEXT NOT NULL,
    reason TEXT,
    -- When its stages were final; NULL: they are not yet.
    done   TEXT
);

CREATE INDEX firing_name ON firing (name, id);

CREATE INDEX firing_pending ON firing (id) WHERE done IS NULL;

CREATE INDEX job_unended ON job (created) WHERE ended IS NULL;

CREATE INDEX job_end ON job (coalesce(finished, started, created)) WHERE ended IS NOT NULL;

CREATE INDEX job_op ON job (op, coalesce(finished, started, created)) WHERE ended IS NOT NULL;

CREATE INDEX job_key ON job (key, coalesce(finished, started, created)) WHERE ended IS NOT NULL;

CREATE INDEX job_failed ON job (coalesce(finished, started, created))
 WHERE outcome IS NOT NULL AND ended <> 'ok';

CREATE INDEX job_no_result ON job (coalesce(finished, started, created))
 WHERE ended = 'superseded' OR ended = 'interrupted';

CREATE INDEX job_to_rebuild ON job (coalesce(finished, started, created)) WHERE rebuild = 1;

CREATE INDEX job_kind ON job (kind, coalesce(finished, started, created))
 WHERE kind IS NOT NULL AND ended IS NOT NULL;

CREATE INDEX job_cause
    ON job (substr(cause, 4, instr(cause, '":') - 4), coalesce(finished, started, created))
 WHERE cause <> '{"$NeverBuilt":{}}' AND ended IS NOT NULL;

CREATE INDEX change_value ON change (input, id) WHERE value IS NOT NULL;

CREATE TABLE to_retire (
    op         TEXT NOT NULL,
    key_digest TEXT NOT NULL,
    job        TEXT NOT NULL,
    PRIMARY KEY (op, key_digest)
) WITHOUT ROWID;

CREATE TABLE look (
    -- The job whose result it is.
    job   INTEGER PRIMARY KEY REFERENCES job (seq),
    at    TEXT NOT NULL,
    times INTEGER NOT NULL
);

CREATE TRIGGER looked_up_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM look WHERE job = old.seq;
END;

CREATE TABLE saved (
    -- Never given twice: so one that has looked at all rows knows which are new.
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The id of the job. There may be no such row yet.
    job    TEXT NOT NULL,
    -- Of a file's content, or of a tree's listing.
    digest TEXT NOT NULL,
    -- The patterns, or the path of the file.
    name   TEXT NOT NULL,
    -- The number of files of a tree; NULL for a file.
    count  INTEGER,
    -- In bytes, of all files.
    size   INTEGER NOT NULL,
    -- The permissions of a file; NULL for a tree.
    mode   INTEGER,
    at     TEXT NOT NULL,
    UNIQUE (job, digest, name)
);

CREATE INDEX saved_by_digest ON saved (digest);

CREATE TRIGGER saving_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM saved WHERE job = old.job_id;
END;

CREATE TABLE test (
    id    INTEGER PRIMARY KEY,
    suite TEXT NOT NULL,
    name  TEXT NOT NULL,
    -- Where it stands in the source, as it was last reported; NULL: not said.
    file  TEXT,
    line  INTEGER,
    UNIQUE (suite, name)
);

CREATE TABLE test_case (
    job   INTEGER NOT NULL REFERENCES job (seq),
    place INTEGER NOT NULL,
    test  INTEGER NOT NULL REFERENCES test (id),
    -- 0: passed, 1: failed, 2: error, 3: skipped, 4: passed after it had failed in the same run.
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    -- Microseconds; NULL: not said.
    took  INTEGER,
    PRIMARY KEY (job, place)
) WITHOUT ROWID;

CREATE INDEX test_case_test ON test_case (test, job);

CREATE INDEX test_case_told ON test_case (job, place) WHERE state <> 0;

CREATE TABLE test_message (
    job     INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    message TEXT,
    -- The traceback, or what else its tool says.
    text    TEXT,
    -- How often it failed in the same run, before the last time.
    retries INTEGER NOT NULL,
    PRIMARY KEY (job, place)
) WITHOUT ROWID;

CREATE TABLE test_report (
    job     INTEGER PRIMARY KEY REFERENCES job (seq),
    at      TEXT NOT NULL,
    passed  INTEGER NOT NULL,
    failed  INTEGER NOT NULL,
    errors  INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    -- How many of those that passed had failed before.
    flaky   INTEGER NOT NULL,
    -- Microseconds, all tests together.
    took    INTEGER NOT NULL
);

CREATE TRIGGER tested_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM test_message WHERE job = old.seq;
    DELETE FROM test_case WHERE job = old.seq;
    DELETE FROM test_report WHERE job = old.seq;
END;

CREATE TABLE delivery (
    id       INTEGER PRIMARY KEY,
    -- The sender, a forge, say, and its own id for the delivery.
    sender   TEXT NOT NULL,
    delivery TEXT NOT NULL,
    -- The sender's name for its kind, and the person who has caused it, if it tells.
    event    TEXT NOT NULL,
    person   TEXT,
    received TEXT NOT NULL,
    -- The work that it asks for (JSON), and when that was done; NULL: it is still to be done.
    work     TEXT,
    done     TEXT,
    UNIQUE (sender, delivery)
);

CREATE INDEX delivery_unfinished ON delivery (id) WHERE done IS NULL;

CREATE TABLE coverage (
    job              INTEGER PRIMARY KEY REFERENCES job (seq),
    -- When the last report was taken, and how many were.
    at               TEXT NOT NULL,
    reports          INTEGER NOT NULL,
    -- How many lines could be run, and how many were.
    lines            INTEGER NOT NULL,
    covered          INTEGER NOT NULL,
    -- The same of branches; 0 if they were not looked at.
    branches         INTEGER NOT NULL,
    branches_covered INTEGER NOT NULL,
    -- Which lines of which files, compressed (see store/covered_lines.py). It stands last, so that
    -- the figures are read without it.
    files            BLOB NOT NULL
);

CREATE TRIGGER covered_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM coverage WHERE job = old.seq;
END;

CREATE TABLE removed (
    job  INTEGER NOT NULL REFERENCES job (seq),
    part TEXT NOT NULL CHECK (part = 'log' OR part = 'files' OR part = 'tests'),
    at   TEXT NOT NULL,
    -- The rule that has let it go, as people write it.
    rule TEXT NOT NULL,
    -- 0 until nothing of it is left: a collector that is killed goes on there.
    done INTEGER NOT NULL,
    PRIMARY KEY (job, part)
) WITHOUT ROWID;

CREATE INDEX removed_unfinished ON removed (job) WHERE done = 0;

CREATE TRIGGER reduced_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM removed WHERE job = old.seq;
END;

CREATE TABLE annotation (
    job        INTEGER NOT NULL REFERENCES job (seq),
    place      INTEGER NOT NULL,
    -- 0: notice, 1: warning, 2: error.
    level      INTEGER NOT NULL CHECK (level BETWEEN 0 AND 2),
    -- Relative to the root of the files of the job; NULL: not said, or outside.
    path       TEXT,
    line       INTEGER,
    end_line   INTEGER,
    col        INTEGER,
    message    TEXT NOT NULL,
    -- The rule that it follows from, and the tool that says so.
    title      TEXT,
    tool       TEXT,
    PRIMARY KEY (job, place)
) WITHOUT ROWID;

CREATE TRIGGER annotated_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM annotation WHERE job = old.seq;
END;

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
