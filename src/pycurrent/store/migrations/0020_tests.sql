-- The tests that jobs have reported. Times as in 0001.

-- A test, under whatever names its tool gives it. It is kept once, however often it has run.
CREATE TABLE test (
    id    INTEGER PRIMARY KEY,
    suite TEXT NOT NULL,
    name  TEXT NOT NULL,
    -- Where it stands in the source, as it was last reported; NULL: not said.
    file  TEXT,
    line  INTEGER,
    UNIQUE (suite, name)
);

-- One row for each test that a job has run, in the order of its reports.
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

-- Finds the jobs that have run a test.
CREATE INDEX test_case_test ON test_case (test, job);
-- Finds what is worth a look among the thousands that have passed.
CREATE INDEX test_case_told ON test_case (job, place) WHERE state <> 0;

-- The words of a test that has not simply passed.
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

-- One row for each job whose reports have been taken: it is written last.
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
