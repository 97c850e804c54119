-- Pins and pauses follow their stage when its path changes, as twins of it come and go.

-- The full path of the stage: with the constant arguments by which twins are told apart, whether it
-- has twins or not. NULL if the subject is something else.
ALTER TABLE override ADD COLUMN stage TEXT;
