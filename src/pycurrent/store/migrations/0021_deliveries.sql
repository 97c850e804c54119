-- The deliveries of webhooks, by which repeats are known, and their work. Times as in 0001.

CREATE TABLE delivery (
    id       INTEGER PRIMARY KEY,
    -- The sender, a forge, say, and its own id for the delivery.
    sender   TEXT NOT NULL,
    delivery TEXT NOT NULL,
    -- The sender's name for its kind, and the person who has caused it, if it tells.
    event    TEXT NOT NULL,
    person   TEXT,
    received TEXT NOT NULL,
    -- The work that it asks for (JSON), and when that was done; NULL: it is still to be done.
    work     TEXT,
    done     TEXT,
    UNIQUE (sender, delivery)
);
CREATE INDEX delivery_unfinished ON delivery (id) WHERE done IS NULL;
