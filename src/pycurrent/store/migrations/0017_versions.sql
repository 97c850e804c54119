-- The version of the operation that a job ran, as its author numbers it; NULL if it had none.

ALTER TABLE job ADD COLUMN version TEXT;
