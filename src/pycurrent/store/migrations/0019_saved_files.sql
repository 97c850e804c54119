-- The files that jobs have saved in the store of contents. A content is kept as long as a row names
-- it, or a tree that a row names. A row goes with its job; that of a job without a record (a lookup
-- that has found nothing new) goes when it is old.

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
