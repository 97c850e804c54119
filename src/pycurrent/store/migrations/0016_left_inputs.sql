-- Inputs that no pipeline has any more are removed after some time.

-- When an engine was started that followed the last one that had the input; NULL: the last one that
-- was started has it, as far as is known. Times as in 0001.
ALTER TABLE input ADD COLUMN until TEXT;
