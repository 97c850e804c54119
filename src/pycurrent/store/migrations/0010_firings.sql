-- The firings of triggers: somebody has started something, with parameters. Times as in 0001.

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
