-- The log of a job that has written no more than its first lines is here, and not in a file: the
-- bytes of it, as they were when the row was last written. NULL: there is a file below job/. A row
-- may still hold the first lines of a log whose engine was killed just when it had become a file:
-- then the longer of the two is the log. (A blob, as a line may name files in any encoding.)
ALTER TABLE job ADD COLUMN log BLOB;
