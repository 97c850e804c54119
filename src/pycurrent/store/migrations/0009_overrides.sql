-- The values that people have set while an engine runs, in place of the pipeline's own. Times as in 0001.

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
    until   TEXT,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;
