-- The parts of jobs that retention has taken, where the record of the job stays. Times as in 0001.

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
