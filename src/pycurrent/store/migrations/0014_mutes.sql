-- A failure can be muted: the stage runs, and does not fail what is above.

-- The person who is to fix what is muted.
ALTER TABLE override ADD COLUMN owner TEXT;
-- How often what is muted has passed in a row since then; NULL for anything but a mute.
ALTER TABLE override ADD COLUMN passes INTEGER;
