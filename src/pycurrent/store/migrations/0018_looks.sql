-- When the result of a lookup was last looked up again and found unchanged, and how often that was
-- since the job of the result. A row goes with the job.

CREATE TABLE look (
    -- The job whose result it is.
    job   INTEGER PRIMARY KEY REFERENCES job (seq),
    at    TEXT NOT NULL,
    times INTEGER NOT NULL
);

CREATE TRIGGER looked_up_job_removed AFTER DELETE ON job BEGIN
    DELETE FROM look WHERE job = old.seq;
END;
