-- The remarks on lines of files in the reports of jobs: at most some hundreds a job.
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
