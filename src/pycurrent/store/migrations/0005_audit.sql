-- The acts that people and programs have asked for, one row each, for good. Times as in 0001.

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
