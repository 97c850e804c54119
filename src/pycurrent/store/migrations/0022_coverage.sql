-- The coverage that jobs have reported: how much of the source their tests have run. Times as in
-- 0001.

-- One row for each job with coverage, of all its reports.
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
