-- Of a failure: whose it is. NULL: the work's own ("real"), as all are that were recorded before;
-- and whatever has not failed.
ALTER TABLE job ADD COLUMN kind TEXT CHECK (kind IN ('infra', 'timeout', 'cancelled'));

DROP VIEW cache;

-- What people ask from a shell: one row for each build that has a result, rebuilds included.
-- value: what the key was set to, or what was made from it.
CREATE VIEW cache AS
SELECT op, key, job_id, build, ok,
       coalesce(value, CASE WHEN ok THEN outcome END) AS value,
       outcome, level, ready, running, finished, rebuild, labels, reason, key_digest, value_digest,
       kind
  FROM job
 WHERE state = 'finished';
