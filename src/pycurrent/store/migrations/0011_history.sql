-- The history is read in the order in which jobs ended: by `finished`, and where that is not known
-- (the job was interrupted) by what time there is. So are the parts of it that filters leave.

DROP INDEX job_unended;
DROP INDEX job_op;
DROP INDEX job_key;
DROP INDEX job_failed;

-- Finds the jobs that have not ended: those that a killed engine left, and the first of a history.
CREATE INDEX job_unended ON job (created) WHERE ended IS NULL;

-- Find the jobs that have ended, the last first: all, those of an operation, those of a key, those
-- that failed, those without a result, those of which a rebuild is asked for.
CREATE INDEX job_end ON job (coalesce(finished, started, created)) WHERE ended IS NOT NULL;
CREATE INDEX job_op ON job (op, coalesce(finished, started, created)) WHERE ended IS NOT NULL;
CREATE INDEX job_key ON job (key, coalesce(finished, started, created)) WHERE ended IS NOT NULL;
CREATE INDEX job_failed ON job (coalesce(finished, started, created))
 WHERE outcome IS NOT NULL AND ended <> 'ok';
CREATE INDEX job_no_result ON job (coalesce(finished, started, created))
 WHERE ended = 'superseded' OR ended = 'interrupted';
CREATE INDEX job_to_rebuild ON job (coalesce(finished, started, created)) WHERE rebuild = 1;

-- Finds failures by whose they are, but the work's own.
CREATE INDEX job_kind ON job (kind, coalesce(finished, started, created))
 WHERE kind IS NOT NULL AND ended IS NOT NULL;

-- Finds jobs by the tag of their cause, but first builds, which most are.
CREATE INDEX job_cause
    ON job (substr(cause, 4, instr(cause, '":') - 4), coalesce(finished, started, created))
 WHERE cause <> '{"$NeverBuilt":{}}' AND ended IS NOT NULL;
