-- Who may use the site. What opens it, the cookie of a session and the text of a token, is not
-- here: only its SHA-256, which is enough for 256 random bits. Times as in 0001.

-- One row for each browser that is logged in.
CREATE TABLE web_session (
    digest    TEXT NOT NULL PRIMARY KEY,
    -- Who it is, as the login provider named them: "<provider>:<name there>", and as shown.
    user_id   TEXT NOT NULL,
    user_name TEXT NOT NULL,
    created   TEXT NOT NULL,
    -- Not valid from then on. Moved on while the session is used.
    expires   TEXT NOT NULL
);

-- Finds the sessions that somebody has.
CREATE INDEX web_session_user ON web_session (user_id);

-- Finds the sessions that are over.
CREATE INDEX web_session_expires ON web_session (expires);

-- One row for each token of a machine.
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
