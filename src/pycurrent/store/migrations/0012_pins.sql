-- A stage that is an input can be held at an earlier value (a pin). So values are kept.

-- The value that an input had after the change (JSON); NULL if it can't be read back, is long, or
-- was removed with what is old.
ALTER TABLE change ADD COLUMN value TEXT;
CREATE INDEX change_value ON change (input, id) WHERE value IS NOT NULL;

-- For people, where `value` is not; and the job whose result it is.
ALTER TABLE override ADD COLUMN shown TEXT;
ALTER TABLE override ADD COLUMN job TEXT;
