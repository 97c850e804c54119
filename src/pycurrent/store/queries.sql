-- The statements of the store, each with its name and what it is for. In braces: the columns of a
-- job, which are listed in `records.py`.

-- name: insert_job
-- Write a job for the first time. The second part is for a commit that is done again, because
-- it was not seen to succeed. A job that has ended is never written over.
INSERT INTO job (log, {columns})
VALUES (?, {places})
    ON CONFLICT (job_id) DO UPDATE
   SET {excluded}, log = excluded.log
 WHERE job.ended IS NULL;

-- name: insert_jobs
-- The same of many: a JSON array for each one, which begins with the place of its log among all of
-- their logs.
INSERT INTO job (log, {columns})
SELECT substr(:logs, one.value ->> 0, one.value ->> 1), {given_columns}
  FROM json_each(:rows) AS one
 WHERE true
    ON CONFLICT (job_id) DO UPDATE
   SET {excluded}, log = excluded.log
 WHERE job.ended IS NULL;

-- name: update_job
-- Write what has changed in a job since it was inserted.
UPDATE job SET log = ?, {changes} WHERE job_id = ?;

-- name: update_jobs
-- The same of many, with the id behind the place of the log.
UPDATE job
   SET log = substr(:logs, one.value ->> 0, one.value ->> 1), {given_changes}
  FROM json_each(:rows) AS one
 WHERE job.job_id = one.value ->> 2;

-- name: wait_job
-- Write what has changed in a job that has not begun since it was inserted. No index has any of it,
-- so it takes half as long as `update_job`.
UPDATE job SET log = ?, level = ? WHERE job_id = ?;

-- name: wait_jobs
-- The same of many, as in `update_jobs`.
UPDATE job
   SET log = substr(:logs, one.value ->> 0, one.value ->> 1), level = one.value ->> 3
  FROM json_each(:rows) AS one
 WHERE job.job_id = one.value ->> 2;

-- name: end_jobs
-- The same of those that have left no result, of which nothing else has changed.
UPDATE job
   SET log = substr(:logs, one.value ->> 0, one.value ->> 1), {given_ending}
  FROM json_each(:rows) AS one
 WHERE job.job_id = one.value ->> 2;

-- name: set_rebuild
-- Mark one result as to be rebuilt.
UPDATE job SET rebuild = 1 WHERE job_id = ?;

-- name: lookup
-- The last result of one key of an operation.
SELECT {columns}
  FROM job
 WHERE op = ? AND key_digest = ? AND outcome IS NOT NULL
 ORDER BY build DESC, seq DESC
 LIMIT 1;

-- name: last_result
-- The same, with what one needs to use it: reading all columns takes twice as long.
SELECT {result_columns}
  FROM job
 WHERE op = ? AND key_digest = ? AND outcome IS NOT NULL
 ORDER BY build DESC, seq DESC
 LIMIT 1;

-- name: last_good_result
-- The last result of one key of an operation that is not a failure.
SELECT {result_columns}
  FROM job
 WHERE op = ? AND key_digest = ? AND outcome IS NOT NULL AND ended = 'ok'
 ORDER BY build DESC, seq DESC
 LIMIT 1;

-- name: unsettled
-- The last run of a key, after a certain job if one is given, that was interrupted, or superseded
-- after its beginning.
SELECT job_id, ended FROM job
 WHERE op = :op AND key_digest = :digest AND (ended = 'superseded' OR ended = 'interrupted')
   AND (ended = 'interrupted' OR started IS NOT NULL)
   AND (:after IS NULL OR seq > (SELECT seq FROM job WHERE job_id = :after))
 ORDER BY seq DESC
 LIMIT 1;

-- name: has_unsettled
-- A row if any run left no result.
SELECT 1 FROM job WHERE ended = 'superseded' OR ended = 'interrupted' LIMIT 1;

-- name: job
-- One job by its id.
SELECT {columns} FROM job WHERE job_id = ?;

-- name: log
-- The log of a job that has no file.
SELECT log FROM job WHERE job_id = ? AND log IS NOT NULL;

-- name: newest_id
-- The id that sorts last: no job was created later, by the clock.
SELECT job_id FROM job ORDER BY job_id DESC LIMIT 1;

-- name: last_job
-- The job that was created last.
SELECT job_id FROM job ORDER BY seq DESC LIMIT 1;

-- name: last_seq
-- The number of the job that was created last.
SELECT coalesce(max(seq), 0) FROM job;

-- name: ids
-- The jobs whose ids begin or end with a text, the oldest first.
SELECT job_id FROM job
 WHERE substr(job_id, 1, length(:text)) = :text OR substr(job_id, -length(:text)) = :text
 ORDER BY job_id;

-- name: ops
-- The ids of the operations that have results: jumps from one to the next in the index.
WITH RECURSIVE found (op) AS (
    SELECT min(op) FROM job WHERE outcome IS NOT NULL
     UNION ALL
    SELECT (SELECT min(job.op) FROM job WHERE job.op > found.op AND job.outcome IS NOT NULL)
      FROM found WHERE found.op IS NOT NULL
)
SELECT op FROM found WHERE op IS NOT NULL;

-- name: interrupt_unended
-- Say that the jobs a killed engine left will not end any more.
UPDATE job SET ended = 'interrupted' WHERE ended IS NULL;

-- name: has_jobs
-- A row if there are any jobs.
SELECT 1 FROM job LIMIT 1;

-- name: rules
-- The log rules, the best score first.
SELECT pattern, report, score, kind FROM log_rule ORDER BY score DESC, pattern;

-- name: add_rule
-- Add a log rule, or replace the one with the same pattern.
INSERT INTO log_rule (pattern, report, score, kind) VALUES (?, ?, ?, ?)
    ON CONFLICT (pattern) DO UPDATE
   SET report = excluded.report, score = excluded.score, kind = excluded.kind;

-- name: remove_rule
-- Remove the log rule with a pattern.
DELETE FROM log_rule WHERE pattern = ?;

-- name: setting
-- The value that is remembered under a name.
SELECT value FROM setting WHERE name = ?;

-- name: set_setting
-- Remember something under a name.
INSERT INTO setting (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: garbage_results
-- Results that ended before a time, are not the last one of their key, at which no stage is held,
-- and which do not wait to be retired, from a place on in the order of the index.
SELECT job_id, coalesce(length(log), 0), op, key_digest, build, seq
  FROM job
 WHERE outcome IS NOT NULL
   AND (op, key_digest, build, seq) > (:op, :digest, :build, :seq)
   AND finished < :limit
   AND seq <> (SELECT last.seq FROM job AS last
                WHERE last.op = job.op AND last.key_digest = job.key_digest
                  AND last.outcome IS NOT NULL
                ORDER BY last.build DESC, last.seq DESC
                LIMIT 1)
   AND NOT EXISTS (SELECT 1 FROM override WHERE override.kind = 'pin' AND override.job = job_id)
   AND NOT EXISTS (SELECT 1 FROM to_retire
                    WHERE to_retire.op = job.op AND to_retire.key_digest = job.key_digest
                      AND to_retire.job = job.job_id)
 ORDER BY op, key_digest, build, seq
 LIMIT :size;

-- name: garbage_without_result
-- Jobs that left no result and ended before a time, from a place on in the order of the index.
SELECT job_id, coalesce(length(log), 0), op, key_digest, 0, seq
  FROM job
 WHERE (ended = 'superseded' OR ended = 'interrupted')
   AND (op, key_digest, seq) > (:op, :digest, :seq)
   AND coalesce(finished, started, created) < :limit
 ORDER BY op, key_digest, seq
 LIMIT :size;

-- name: delete_job
-- Remove one job that is garbage.
DELETE FROM job WHERE job_id = ? AND ended IS NOT NULL;

-- name: inputs_had_until
-- Record that the inputs which the last engine had may have been in its pipeline until now.
UPDATE input SET until = ? WHERE until IS NULL;

-- name: opened
-- Remember that an engine has opened the database, and the highest numbers of changes and of sets of
-- them that others had given until then.
INSERT INTO setting (name, value) VALUES ('opened', ?), ('earlier changes', ?), ('earlier change sets', ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: gone_jobs
-- The jobs that a dry run takes for removed.
CREATE TEMP TABLE gone_job (seq INTEGER PRIMARY KEY);

-- name: unused_inputs
-- The inputs that may go, unless an engine comes to have them.
CREATE TEMP TABLE unused_input (id INTEGER PRIMARY KEY);

-- name: find_unused_inputs
-- Find them: no pipeline has had them since a time, and nobody has set or fired them.
INSERT INTO unused_input (id)
SELECT id FROM input
 WHERE until < :limit
   AND NOT EXISTS (SELECT 1 FROM override
                    WHERE override.kind = 'input' AND override.subject = input.name)
   AND NOT EXISTS (SELECT 1 FROM firing WHERE firing.name = input.name);

-- name: gone_changes
-- The changes that a dry run takes for removed.
CREATE TEMP TABLE gone_change (id INTEGER PRIMARY KEY);

-- name: forget_change
-- Take a change for removed.
INSERT INTO gone_change (id) VALUES (?);

-- name: gone_uses
-- The uses that it takes for removed.
CREATE TEMP TABLE gone_use (id INTEGER PRIMARY KEY);

-- name: gone_change_sets
-- The sets of changes that it takes for removed.
CREATE TEMP TABLE gone_change_set ("set" INTEGER PRIMARY KEY);

-- name: forget_job
-- Take a job for removed.
INSERT INTO gone_job (seq) VALUES (?);

-- name: forget_use
-- Take a use for removed.
INSERT INTO gone_use (id) VALUES (?);

-- name: forget_change_set
-- Take a set of changes for removed.
INSERT INTO gone_change_set ("set") VALUES (?);

-- name: uses_by_job
-- The uses of jobs, those of one job together, its newest first, from a place on.
SELECT id, job, stage, since
  FROM job_use
 WHERE (job, id) < (:job, :id) AND job NOT IN (SELECT seq FROM gone_job)
 ORDER BY job DESC, id DESC
 LIMIT :size;

-- name: remove_use
-- Remove a use, unless another one has its number meanwhile.
DELETE FROM job_use WHERE id = ? AND job = ? AND stage = ? AND since = ?;

-- name: garbage_stages
-- The stages that have used no job that is kept.
SELECT id FROM stage
 WHERE id > :after
   AND NOT EXISTS (SELECT 1 FROM job_use
                    WHERE job_use.stage = stage.id AND job NOT IN (SELECT seq FROM gone_job))
 ORDER BY id
 LIMIT :size;

-- name: remove_stage
-- Remove a stage, unless it has used a job meanwhile.
DELETE FROM stage
 WHERE id = ? AND NOT EXISTS (SELECT 1 FROM job_use WHERE job_use.stage = stage.id);

-- name: garbage_label_sets
-- The sets of labels that no use has.
SELECT id FROM label_set
 WHERE id > :after
   AND NOT EXISTS (SELECT 1 FROM job_use
                    WHERE job_use.labels = label_set.id
                      AND job NOT IN (SELECT seq FROM gone_job)
                      AND job_use.id NOT IN (SELECT id FROM gone_use))
 ORDER BY id
 LIMIT :size;

-- name: remove_labels
-- Remove the labels of a set, unless a use has it meanwhile.
DELETE FROM label
 WHERE (name, value, "set") IN (SELECT one.key, one.value, label_set.id
                                  FROM label_set, json_each(label_set.labels) AS one
                                 WHERE label_set.id = ?
                                   AND NOT EXISTS (SELECT 1 FROM job_use
                                                    WHERE job_use.labels = label_set.id));

-- name: remove_label_set
-- Remove a set of labels, unless a use has it meanwhile.
DELETE FROM label_set
 WHERE id = ? AND NOT EXISTS (SELECT 1 FROM job_use WHERE job_use.labels = label_set.id);

-- name: garbage_change_sets
-- The sets of changes, of earlier engines, that no job names.
SELECT DISTINCT "set" FROM change_set
 WHERE "set" > :after
   AND "set" <= (SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'earlier change sets')
   AND NOT EXISTS (SELECT 1 FROM job
                    WHERE job.changes = change_set."set"
                      AND seq NOT IN (SELECT seq FROM gone_job))
 ORDER BY "set"
 LIMIT :size;

-- name: remove_change_set
-- Remove a set of changes, unless an engine was started meanwhile and a job of it names the set.
DELETE FROM change_set
 WHERE "set" = ?
   AND "set" <= (SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'earlier change sets')
   AND NOT EXISTS (SELECT 1 FROM job WHERE job.changes = change_set."set");

-- name: garbage_changes
-- The changes before a time, in the time of earlier engines, that are in no set, but those with the
-- last value of an input that may be used, or one at which a stage is held.
SELECT id FROM change
 WHERE id > :after AND at < :limit
   AND id <= (SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'earlier changes')
   AND NOT EXISTS (SELECT 1 FROM change_set
                    WHERE change_set.change = change.id
                      AND "set" NOT IN (SELECT "set" FROM gone_change_set))
   AND (value IS NULL
        OR (id <> (SELECT max(last.id) FROM change AS last
                    WHERE last.input = change.input AND last.value IS NOT NULL)
            OR input IN (SELECT id FROM unused_input))
           AND NOT EXISTS (SELECT 1 FROM override
                            WHERE override.kind = 'pin' AND override.value = change.value))
 ORDER BY id
 LIMIT :size;

-- name: remove_change
-- Remove a change, unless an engine was started meanwhile and has put it into a set, or a stage is
-- held at its value meanwhile.
DELETE FROM change
 WHERE id = ?
   AND id <= (SELECT CAST(value AS INTEGER) FROM setting WHERE name = 'earlier changes')
   AND NOT EXISTS (SELECT 1 FROM change_set WHERE change_set.change = change.id)
   AND (value IS NULL
        OR (id <> (SELECT max(last.id) FROM change AS last
                    WHERE last.input = change.input AND last.value IS NOT NULL)
            OR EXISTS (SELECT 1 FROM unused_input JOIN input USING (id)
                        WHERE id = change.input AND until IS NOT NULL))
           AND NOT EXISTS (SELECT 1 FROM override
                            WHERE override.kind = 'pin' AND override.value = change.value));

-- name: garbage_inputs
-- The inputs that are not used, and of which no change is left.
SELECT id FROM unused_input
 WHERE id > :after
   AND NOT EXISTS (SELECT 1 FROM change
                    WHERE change.input = unused_input.id
                      AND change.id NOT IN (SELECT id FROM gone_change))
 ORDER BY id
 LIMIT :size;

-- name: remove_input
-- Remove an input, unless an engine was started meanwhile and uses it, or somebody has set or fired it.
DELETE FROM input
 WHERE id = ?
   AND until IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM change WHERE change.input = input.id)
   AND NOT EXISTS (SELECT 1 FROM override
                    WHERE override.kind = 'input' AND override.subject = input.name)
   AND NOT EXISTS (SELECT 1 FROM firing WHERE firing.name = input.name);

-- name: garbage_firings
-- The firings that were done before a time, but the newest one of each trigger.
SELECT id FROM firing
 WHERE id > :after AND done < :limit
   AND EXISTS (SELECT 1 FROM firing AS newer WHERE newer.name = firing.name AND newer.id > firing.id)
 ORDER BY id
 LIMIT :size;

-- name: remove_firing
-- Remove a firing that is done, and not the newest one of its trigger.
DELETE FROM firing
 WHERE id = ? AND done IS NOT NULL
   AND EXISTS (SELECT 1 FROM firing AS newer WHERE newer.name = firing.name AND newer.id > firing.id);

-- name: garbage_deliveries
-- The deliveries whose work was done before a time.
SELECT id FROM delivery
 WHERE id > :after AND done < :limit
 ORDER BY id
 LIMIT :size;

-- name: remove_delivery
-- Remove a delivery whose work is done.
DELETE FROM delivery WHERE id = ? AND done IS NOT NULL;

-- name: has_job
-- A row if there is a job with an id.
SELECT 1 FROM job WHERE job_id = ?;

-- name: has_job_until
-- A row if there is a job with an id, up to a number in the order of creation.
SELECT 1 FROM job WHERE job_id = ? AND seq <= ?;

-- name: add_session
-- Let a browser in.
INSERT INTO web_session (digest, user_id, user_name, created, expires) VALUES (?, ?, ?, ?, ?);

-- name: session
-- A session that is valid at a time.
SELECT digest, user_id, user_name, created, expires
  FROM web_session
 WHERE digest = ? AND expires > ?;

-- name: extend_session
-- Let a session last longer.
UPDATE web_session SET expires = ? WHERE digest = ?;

-- name: end_session
-- Log a browser out.
DELETE FROM web_session WHERE digest = ?;

-- name: end_sessions
-- Log somebody out everywhere.
DELETE FROM web_session WHERE user_id = ?;

-- name: drop_sessions
-- Forget the sessions that are over at a time.
DELETE FROM web_session WHERE expires <= ?;

-- name: add_token
-- Let a machine in; no row if there is a token of that name.
INSERT INTO web_token (name, digest, role, created, expires) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO NOTHING;

-- name: token
-- A token that is valid at a time.
SELECT name, role, created, expires, used
  FROM web_token
 WHERE digest = ? AND (expires IS NULL OR expires > ?);

-- name: tokens
-- All tokens, those that are over too.
SELECT name, role, created, expires, used FROM web_token ORDER BY name;

-- name: use_token
-- Note the day on which a token was used.
UPDATE web_token SET used = ? WHERE name = ?;

-- name: remove_token
-- Let a machine in no more.
DELETE FROM web_token WHERE name = ?;

-- name: last_audit
-- The number and the hash of the last row of the audit.
SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1;

-- name: add_audit
-- Add a row to the audit.
INSERT INTO audit (id, at, who, role, via, what, subject, before, after, reason, refused, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: audit
-- Rows of the audit, the newest first. Only the conditions of the filters that are given are kept.
SELECT id, at, who, role, via, what, subject, before, after, reason, refused, hash
  FROM audit
 WHERE {conditions}
 ORDER BY id DESC
 LIMIT :limit;

-- name: whole_audit
-- All rows of the audit in their order.
SELECT id, at, who, role, via, what, subject, before, after, reason, refused, hash
  FROM audit ORDER BY id;

-- name: add_stage
-- Record a stage, unless it is known.
INSERT INTO stage (path) VALUES (?) ON CONFLICT (path) DO NOTHING;

-- name: label_set
-- The number of a set of labels.
SELECT id FROM label_set WHERE labels = ?;

-- name: add_label_set
-- Record a set of labels that is new.
INSERT INTO label_set (labels) VALUES (?);

-- name: add_label
-- Find a set of labels by one of them.
INSERT INTO label (name, value, "set") VALUES (?, ?, ?);

-- name: add_use
-- Record that a stage uses a job, unless that is its last one, with these labels.
INSERT INTO job_use (job, stage, labels, since)
SELECT job.seq, stage.id, ?, ?
  FROM job, stage
 WHERE job.job_id = ? AND stage.path = ?
   AND NOT EXISTS (SELECT 1
                     FROM (SELECT last.job, last.labels
                             FROM job_use AS last
                            WHERE last.stage = stage.id
                            ORDER BY last.id DESC
                            LIMIT 1) AS last
                    WHERE last.job = job.seq AND last.labels IS ?);

-- name: unrecorded_uses
-- The places, in a list of [job, stage, labels], of the uses that are not the last of their stages.
SELECT given.key
  FROM json_each(?) AS given
 WHERE NOT EXISTS (SELECT 1
                     FROM stage
                     JOIN job_use AS last
                       ON last.id = (SELECT max(id) FROM job_use WHERE job_use.stage = stage.id)
                     JOIN job ON job.seq = last.job
                     LEFT JOIN label_set ON label_set.id = last.labels
                    WHERE stage.path = given.value ->> 1
                      AND job.job_id = given.value ->> 0
                      AND label_set.labels IS given.value ->> 2);

-- name: add_stages
-- Record the stages of a list as `add_uses` takes it, unless they are known.
INSERT INTO stage (path)
SELECT one.value ->> 1 FROM json_each(?) AS one
 WHERE true
    ON CONFLICT (path) DO NOTHING;

-- name: add_uses
-- As `add_use` for each in a list of [job, stage, labels, since], in its order, with no stage twice.
INSERT INTO job_use (job, stage, labels, since)
SELECT job.seq, stage.id, one.value ->> 2, one.value ->> 3
  FROM json_each(?) AS one
 CROSS JOIN job
 CROSS JOIN stage
 WHERE job.job_id = one.value ->> 0 AND stage.path = one.value ->> 1
   AND NOT EXISTS (SELECT 1
                     FROM (SELECT last.job, last.labels
                             FROM job_use AS last
                            WHERE last.stage = stage.id
                            ORDER BY last.id DESC
                            LIMIT 1) AS last
                    WHERE last.job = job.seq AND last.labels IS one.value ->> 2);

-- name: uses_of_job
-- The stages that have used a job, the newest use first.
SELECT job.job_id, stage.path, label_set.labels, job_use.since
  FROM job
  JOIN job_use ON job_use.job = job.seq
  JOIN stage ON stage.id = job_use.stage
  LEFT JOIN label_set ON label_set.id = job_use.labels
 WHERE job.job_id = ?
 ORDER BY job_use.id DESC
 LIMIT ?;

-- name: uses_of_unended
-- The stages that have used the jobs that have not ended, the newest use of each first.
SELECT job.job_id, stage.path, label_set.labels, job_use.since
  FROM job INDEXED BY job_unended
  JOIN job_use ON job_use.job = job.seq
  JOIN stage ON stage.id = job_use.stage
  LEFT JOIN label_set ON label_set.id = job_use.labels
 WHERE job.ended IS NULL
 ORDER BY job_use.id DESC;

-- name: uses_by_stage
-- The jobs that a stage has used, the newest use first.
SELECT job.job_id, stage.path, label_set.labels, job_use.since
  FROM stage
  JOIN job_use ON job_use.stage = stage.id
  JOIN job ON job.seq = job_use.job
  LEFT JOIN label_set ON label_set.id = job_use.labels
 WHERE stage.path = ?
 ORDER BY job_use.id DESC
 LIMIT ?;

-- name: lengths_of_stages
-- How long the runs took that stages have used, at most so many of each, the newest use first. The
-- paths are a JSON array.
SELECT stage.path, job.job_id, job.ended, job.started, job.finished
  FROM json_each(:paths) AS asked
  JOIN stage ON stage.path = asked.value
  JOIN job_use ON job_use.id IN (SELECT newest.id
                                   FROM job_use AS newest
                                  WHERE newest.stage = stage.id
                                  ORDER BY newest.id DESC
                                  LIMIT :limit)
  JOIN job ON job.seq = job_use.job
 ORDER BY asked.key, job_use.id DESC;

-- name: newest_good
-- The job of the stage's newest use whose result was good.
SELECT job.job_id
  FROM stage
  JOIN job_use ON job_use.stage = stage.id
  JOIN job ON job.seq = job_use.job
 WHERE stage.path = ? AND job.ended = 'ok'
 ORDER BY job_use.id DESC
 LIMIT 1;

-- name: runs_of_stage
-- The runs that a stage has used, the newest use first.
SELECT job.seq, job_id, op, key_digest, value_digest, build, ended, cause,
       max(coalesce(finished, created), since)
  FROM stage
  JOIN job_use ON job_use.stage = stage.id
  JOIN job ON job.seq = job_use.job
 WHERE stage.path = ?
 ORDER BY job_use.id DESC
 LIMIT ?;

-- name: runs_of_key
-- The runs of a key that have ended, the newest first.
SELECT * FROM (
    SELECT seq, job_id, op, key_digest, value_digest, build, ended, cause, finished
      FROM job
     WHERE op = :op AND key_digest = :digest AND outcome IS NOT NULL
     ORDER BY build DESC, seq DESC
     LIMIT :limit)
 UNION ALL
SELECT * FROM (
    SELECT seq, job_id, op, key_digest, value_digest, build, ended, cause,
           coalesce(finished, started, created)
      FROM job
     WHERE op = :op AND key_digest = :digest AND (ended = 'superseded' OR ended = 'interrupted')
     ORDER BY seq DESC
     LIMIT :limit)
 ORDER BY 1 DESC
 LIMIT :limit;

-- name: last_change
-- The highest numbers that changes and sets of them have.
SELECT coalesce((SELECT max(id) FROM change), 0), coalesce((SELECT max("set") FROM change_set), 0);

-- name: input
-- The last known value of an input.
SELECT name, shown, digest, since FROM input WHERE name = ?;

-- name: set_input
-- Record the value of an input.
INSERT INTO input (name, shown, digest, since) VALUES (?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE
   SET shown = excluded.shown, digest = excluded.digest, since = excluded.since, until = NULL;

-- name: use_input
-- Record that the engine which has opened the database has an input in its pipeline.
UPDATE input SET until = NULL WHERE name = ?;

-- name: set_change
-- Record a change, or more about it.
INSERT INTO change (id, at, kind, input, old, new, by, summary, details, value)
VALUES (?, ?, ?, (SELECT id FROM input WHERE name = ?), ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE
   SET by = excluded.by, summary = excluded.summary, details = excluded.details;

-- name: add_to_change_set
-- Record that a change is in a set.
INSERT INTO change_set ("set", change) VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: changes
-- Changes, the newest first. Only the conditions of the filters that are given are kept.
SELECT change.id, at, change.kind, input.name, old, new, by, summary, details
  FROM change LEFT JOIN input ON input.id = change.input
 WHERE {conditions}
 ORDER BY change.id DESC
 LIMIT :limit;

-- name: changes_of_job
-- The changes that a job follows from, the newest first.
SELECT change.id, at, change.kind, input.name, old, new, by, summary, details
  FROM job
  JOIN change_set ON change_set."set" = job.changes
  JOIN change ON change.id = change_set.change
  LEFT JOIN input ON input.id = change.input
 WHERE job_id = ?
 ORDER BY change.id DESC;

-- name: jobs_of_change
-- The jobs that follow from a change, the newest first.
SELECT {columns}
  FROM job
 WHERE changes IN (SELECT "set" FROM change_set WHERE change = ?)
 ORDER BY seq DESC
 LIMIT ?;

-- name: count_jobs_of_change
-- How many jobs follow from a change, up to a number.
SELECT count(*)
  FROM (SELECT 1 FROM change_set JOIN job ON job.changes = change_set."set"
         WHERE change_set.change = ?
         LIMIT ?);

-- name: runs_by_change
-- The jobs that were created from a time on, counted by the changes that they follow from.
SELECT change.id, at, change.kind, input.name, old, new, by, summary, details, count(*) AS runs
  FROM job
  JOIN change_set ON change_set."set" = job.changes
  JOIN change ON change.id = change_set.change
  LEFT JOIN input ON input.id = change.input
 WHERE job_id >= ?
 GROUP BY change.id
 ORDER BY runs DESC, change.id DESC;

-- name: count_runs
-- How many jobs were created from a time on.
SELECT count(*) FROM job WHERE job_id >= ?;

-- name: change
-- One change by its number.
SELECT change.id, at, change.kind, input.name, old, new, by, summary, details
  FROM change LEFT JOIN input ON input.id = change.input
 WHERE change.id = ?;

-- name: input_values
-- The values of an input that can be read back, the newest first.
SELECT change.id, at, new, change.value
  FROM input JOIN change ON change.input = input.id
 WHERE name = ? AND change.value IS NOT NULL
 ORDER BY change.id DESC
 LIMIT ?;

-- name: key_values
-- The values among the newest results of a key without a value, each with the newest job that has
-- made it, the newest first; not the ends of jobs that retire it.
SELECT outcome, job_id, finished, max(seq) AS newest
  FROM (SELECT outcome, job_id, finished, seq, ended, value_digest FROM job
         WHERE op = ? AND key_digest = ? AND outcome IS NOT NULL
         ORDER BY build DESC, seq DESC
         LIMIT 20000)
 WHERE ended = 'ok' AND value_digest IS NULL
 GROUP BY outcome
 ORDER BY newest DESC
 LIMIT ?;

-- name: add_fingerprint
-- Record the normal form of a message, unless it is known.
INSERT INTO fingerprint (digest, text) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING;

-- name: add_failure
-- Record why a job has failed.
INSERT OR REPLACE INTO failure (job, fingerprint, kind, at, lines)
SELECT job.seq, fingerprint.id, ?, ?, ?
  FROM job, fingerprint
 WHERE job.job_id = ? AND fingerprint.digest = ?;

-- name: failure
-- Why a job has failed.
SELECT job.job_id, failure.kind, digest, text, at, lines
  FROM job
  JOIN failure ON failure.job = job.seq
  JOIN fingerprint ON fingerprint.id = failure.fingerprint
 WHERE job.job_id = ?;

-- name: failure_groups
-- The failures by kind and fingerprint, the newest first. Only the conditions of the filters that
-- are given are kept.
SELECT found.fingerprint, found.kind, digest, text, count, first, last, job_id, outcome
  FROM (SELECT failure.fingerprint, kind, count(*) AS count, min(at) AS first, max(at) AS last,
               max(job) AS newest
          FROM failure
         WHERE {conditions}
         GROUP BY failure.fingerprint, kind) AS found
  JOIN fingerprint ON fingerprint.id = found.fingerprint
  JOIN job ON job.seq = found.newest
 ORDER BY last DESC, found.newest DESC
 LIMIT :limit;

-- name: stages_of_group
-- The stages that have used the newest failures of a fingerprint and a kind.
SELECT DISTINCT stage.path
  FROM (SELECT job FROM failure
         WHERE fingerprint = ? AND kind = ?
         ORDER BY at DESC
         LIMIT 100) AS newest
  JOIN job_use ON job_use.job = newest.job
  JOIN stage ON stage.id = job_use.stage
 ORDER BY stage.path
 LIMIT ?;

-- name: standing_failures
-- The jobs of failures that are the last results of their keys, the newest first. Only the
-- conditions of the filters that are given are kept.
SELECT job_id
  FROM failure JOIN job ON job.seq = failure.job
 WHERE {conditions}
   AND NOT EXISTS (SELECT 1 FROM job AS later
                    WHERE later.op = job.op AND later.key_digest = job.key_digest
                      AND later.outcome IS NOT NULL AND later.build > job.build)
 ORDER BY failure.at DESC, failure.job DESC
 LIMIT :limit;

-- name: failing_since
-- Seen from a stage's use of a job that failed: the last job before it that was fine, the first one
-- after it, and the first after the former that failed, with its time. Each is found by the index of
-- uses by stage.
WITH seen AS (
    SELECT id, stage FROM job_use
     WHERE job = (SELECT seq FROM job WHERE job_id = ?)
       AND stage = (SELECT id FROM stage WHERE path = ?)
     ORDER BY id DESC
     LIMIT 1
), around AS (
    SELECT stage,
           (SELECT use.id FROM job_use AS use JOIN job ON job.seq = use.job
             WHERE use.stage = seen.stage AND use.id < seen.id AND job.ended = 'ok'
             ORDER BY use.id DESC LIMIT 1) AS good,
           (SELECT use.id FROM job_use AS use JOIN job ON job.seq = use.job
             WHERE use.stage = seen.stage AND use.id > seen.id AND job.ended = 'ok'
             ORDER BY use.id LIMIT 1) AS fixed
      FROM seen
), found AS (
    SELECT good, fixed,
           (SELECT use.id FROM job_use AS use JOIN job ON job.seq = use.job
             WHERE use.stage = around.stage AND use.id > coalesce(around.good, 0)
               AND job.outcome IS NOT NULL AND job.ended <> 'ok'
             ORDER BY use.id LIMIT 1) AS bad
      FROM around
)
SELECT (SELECT job_id FROM job WHERE seq = (SELECT job FROM job_use WHERE id = good)),
       (SELECT job_id FROM job WHERE seq = (SELECT job FROM job_use WHERE id = fixed)),
       job.job_id, job.finished
  FROM found
  JOIN job_use ON job_use.id = found.bad
  JOIN job ON job.seq = job_use.job;

-- name: amend_job
-- Say that a failure is of another kind, or has another message: first in its job, where NULL
-- stands for "real".
UPDATE job SET kind = nullif(?, 'real'), outcome = ?
 WHERE job_id = ? AND outcome IS NOT NULL AND ended <> 'ok';

-- name: amend_failure
-- The same where failures are grouped.
UPDATE failure SET kind = ?, fingerprint = (SELECT id FROM fingerprint WHERE digest = ?),
       lines = coalesce(?, lines)
 WHERE job = (SELECT seq FROM job WHERE job_id = ?);

-- name: overrides
-- All that people have set, the oldest first.
SELECT kind, subject, value, by, at, reason, until, shown, job, owner, passes, stage FROM override
 ORDER BY at, kind, subject;

-- name: set_override
-- Record something that somebody has set.
INSERT INTO override (kind, subject, value, by, at, reason, until, shown, job, owner, passes, stage)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (kind, subject) DO UPDATE
   SET value = excluded.value, by = excluded.by, at = excluded.at, reason = excluded.reason,
       until = excluded.until, shown = excluded.shown, job = excluded.job,
       owner = excluded.owner, passes = excluded.passes, stage = excluded.stage;

-- name: remove_override
-- Forget something that somebody has set.
DELETE FROM override WHERE kind = ? AND subject = ?;

-- name: firings
-- The firings that are not done, and the newest one of each trigger, the oldest first.
SELECT id, name, params, by, at, reason, done FROM firing
 WHERE done IS NULL OR id IN (SELECT max(id) FROM firing GROUP BY name)
 ORDER BY id;

-- name: set_firing
-- Record a firing, or that it is done.
INSERT INTO firing (id, name, params, by, at, reason, done) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET done = excluded.done;

-- name: look
-- When the result of a job was last found unchanged, and how often.
SELECT look.at, look.times FROM look JOIN job ON job.seq = look.job WHERE job.job_id = ?;

-- name: set_look
-- Record that.
INSERT INTO look (at, times, job) SELECT ?, ?, seq FROM job WHERE job_id = ?
    ON CONFLICT (job) DO UPDATE SET at = excluded.at, times = excluded.times;

-- name: to_retire
-- The keys that are set and not retired, with the jobs that have set them.
SELECT op, key_digest, job FROM to_retire;

-- name: setter
-- The job that has set a key, if that is not retired.
SELECT job FROM to_retire WHERE op = ? AND key_digest = ?;

-- name: set_to_retire
-- Record that a job has set a key.
INSERT INTO to_retire (op, key_digest, job) VALUES (?, ?, ?)
    ON CONFLICT (op, key_digest) DO UPDATE SET job = excluded.job;

-- name: remove_to_retire
-- Record that a key is retired.
DELETE FROM to_retire WHERE op = ? AND key_digest = ?;

-- name: add_ran
-- Record where a job has run, and what it has used. Once more it is what is known now.
INSERT OR REPLACE INTO ran (pool, place, cpu, memory, job)
SELECT ?, ?, ?, ?, seq FROM job WHERE job_id = ?;

-- name: ran
-- Where a job has run, and what it has used.
SELECT job_id, pool, place, cpu, memory
  FROM job JOIN ran ON ran.job = job.seq
 WHERE job_id = ?;

-- name: add_saved
-- Record that a job has saved files.
INSERT OR IGNORE INTO saved (job, digest, name, count, size, mode, at)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: saved_by
-- The files that a job has saved, in the order of their names.
SELECT job, digest, name, count, size, mode, at FROM saved WHERE job = ? ORDER BY name, digest;

-- name: newest_saved
-- The files that were saved last.
SELECT job, digest, name, count, size, mode, at FROM saved ORDER BY id DESC LIMIT ?;

-- name: saved_sizes
-- How often the jobs of each operation have saved files, and their bytes, without those that retention
-- has removed.
SELECT op, count(*), sum(size) FROM saved JOIN job ON job.job_id = saved.job
 WHERE NOT EXISTS (SELECT 1 FROM removed WHERE removed.job = job.seq AND part = 'files')
 GROUP BY op ORDER BY 3 DESC, op;

-- name: savers
-- The jobs that have saved something with this digest.
SELECT DISTINCT job FROM saved WHERE digest = ?;

-- name: named_contents
-- The contents that rows from a number on name, for jobs that stay with their files; with whether each
-- is a tree's.
SELECT saved.id, digest, count IS NOT NULL
  FROM saved LEFT JOIN job ON job.job_id = saved.job
 WHERE saved.id > :after
   AND CASE WHEN job.seq IS NULL THEN saved.at >= :limit
            ELSE job.seq NOT IN (SELECT seq FROM gone_job)
                 AND job.seq NOT IN (SELECT seq FROM gone_file)
                 AND NOT EXISTS (SELECT 1 FROM removed
                                  WHERE removed.job = job.seq AND part = 'files') END
 ORDER BY saved.id LIMIT :size;

-- name: gone_files
-- The jobs whose files a dry run takes for removed.
CREATE TEMP TABLE gone_file (seq INTEGER PRIMARY KEY);

-- name: forget_files
-- Take the files of a job for removed.
INSERT OR IGNORE INTO gone_file (seq) VALUES (?);

-- name: ended_jobs
-- The jobs that have ended, the last one first, from a place on: with the parts that are removed, the
-- size of a log in the row, and whether it has files, and reports.
SELECT seq, job_id, op, key_digest, ended = 'ok', coalesce(finished, started, created),
       (SELECT group_concat(part) FROM removed WHERE removed.job = job.seq), length(log),
       EXISTS (SELECT 1 FROM saved WHERE saved.job = job.job_id),
       EXISTS (SELECT 1 FROM test_report WHERE test_report.job = job.seq)
       OR EXISTS (SELECT 1 FROM annotation WHERE annotation.job = job.seq)
       OR EXISTS (SELECT 1 FROM coverage WHERE coverage.job = job.seq)
  FROM job
 WHERE ended IS NOT NULL
   AND coalesce(finished, started, created) <= :at
   AND (coalesce(finished, started, created) < :at OR seq < :seq)
   AND seq NOT IN (SELECT seq FROM gone_job)
 ORDER BY coalesce(finished, started, created) DESC, seq DESC
 LIMIT :size;

-- name: label_sets_of
-- The sets of labels of the stages that have used jobs: a JSON array of their numbers.
SELECT DISTINCT job_use.job, label_set.labels
  FROM job_use JOIN label_set ON label_set.id = job_use.labels
 WHERE job_use.job IN (SELECT value FROM json_each(?));

-- name: saved_by_newest
-- The files that jobs have saved and still have, the newest first, from a place on; with those jobs
-- that have ended.
SELECT saved.id, saved.digest, count IS NOT NULL, saved.size, job.seq, job.job_id, op, key_digest
  FROM saved LEFT JOIN job ON job.job_id = saved.job AND job.ended IS NOT NULL
 WHERE saved.id < :before
   AND (job.seq IS NULL
        OR job.seq NOT IN (SELECT seq FROM gone_job)
           AND job.seq NOT IN (SELECT seq FROM gone_file)
           AND NOT EXISTS (SELECT 1 FROM removed WHERE removed.job = job.seq AND part = 'files'))
 ORDER BY saved.id DESC
 LIMIT :size;

-- name: digests_saved_by
-- The digests of what jobs have saved, and its bytes: a JSON array of their ids.
SELECT job, digest, size FROM saved WHERE job IN (SELECT value FROM json_each(?));

-- name: held_jobs
-- The jobs, of a JSON array of their numbers, at whose result a stage is held, or that wait to be
-- retired.
SELECT seq FROM job
 WHERE seq IN (SELECT value FROM json_each(?))
   AND (EXISTS (SELECT 1 FROM override WHERE override.kind = 'pin' AND override.job = job_id)
        OR EXISTS (SELECT 1 FROM to_retire
                    WHERE to_retire.op = job.op AND to_retire.key_digest = job.key_digest
                      AND to_retire.job = job.job_id));

-- name: newest_of_key
-- The number of the job whose result is the last one of a key.
SELECT seq FROM job
 WHERE op = ? AND key_digest = ? AND outcome IS NOT NULL
 ORDER BY build DESC, seq DESC LIMIT 1;

-- name: unended_keys
-- The keys and values of the jobs from a number on that have not ended.
SELECT seq, key, value FROM job WHERE ended IS NULL AND seq > ?;

-- name: newest_use
-- The highest number of a use.
SELECT coalesce(max(id), 0) FROM job_use;

-- name: used_keys
-- The keys of the jobs that stages have used last.
SELECT DISTINCT op, key_digest
  FROM stage
  JOIN job_use ON job_use.id = (SELECT max(id) FROM job_use AS last WHERE last.stage = stage.id)
  JOIN job ON job.seq = job_use.job;

-- name: keys_used_since
-- The keys of the jobs in the uses from a number on.
SELECT job_use.id, op, key_digest
  FROM job_use JOIN job ON job.seq = job_use.job
 WHERE job_use.id > ?;

-- name: remove_part
-- Record that a part of a job is removed.
INSERT OR IGNORE INTO removed (job, part, at, rule, done)
SELECT seq, ?, ?, ?, ? FROM job WHERE seq = ? AND ended IS NOT NULL;

-- name: clear_log
-- Remove the log in the row of a job.
UPDATE job SET log = NULL WHERE seq = ? AND ended IS NOT NULL AND log IS NOT NULL;

-- name: part_is_removed
-- Record that nothing is left of a part of a job.
UPDATE removed SET done = 1 WHERE job = ? AND part = ?;

-- name: half_removed
-- The parts of jobs whose removal has begun.
SELECT removed.job, job.job_id, part
  FROM removed JOIN job ON job.seq = removed.job WHERE removed.done = 0;

-- name: removed_parts
-- The parts of a job that are removed.
SELECT part, removed.at, rule FROM removed JOIN job ON job.seq = removed.job WHERE job_id = ?
 ORDER BY part;

-- name: stray_saved
-- The files that jobs without a record have saved before a limit.
SELECT id FROM saved
 WHERE at < ? AND NOT EXISTS (SELECT 1 FROM job WHERE job.job_id = saved.job) LIMIT ?;

-- name: remove_saved
-- Forget that a job has saved something.
DELETE FROM saved WHERE id = ?;

-- name: place_of_tests
-- The number of a job, and the first free place among the tests that it has reported.
SELECT seq, coalesce((SELECT max(place) + 1 FROM test_case WHERE test_case.job = seq), 0)
  FROM job WHERE job_id = ?;

-- name: add_tests
-- Record tests by their names, and where they stand by now: JSON arrays, as the next statement reads
-- them.
INSERT INTO test (suite, name, file, line)
SELECT json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]'),
       json_extract(value, '$[4]')
  FROM json_each(:rows)
 WHERE :job IS NOT NULL
    ON CONFLICT (suite, name) DO UPDATE
   SET file = excluded.file, line = excluded.line
 WHERE excluded.file IS NOT NULL AND (file IS NOT excluded.file OR line IS NOT excluded.line);

-- name: add_test_cases
-- Record that a job has run tests.
INSERT INTO test_case (job, place, test, state, took)
SELECT :job, json_extract(value, '$[0]'), test.id, json_extract(value, '$[5]'),
       json_extract(value, '$[6]')
  FROM json_each(:rows)
  JOIN test ON suite = json_extract(value, '$[1]') AND name = json_extract(value, '$[2]');

-- name: add_test_messages
-- Record the words of those that have not simply passed.
INSERT INTO test_message (job, place, message, text, retries)
SELECT :job, json_extract(value, '$[0]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
       json_extract(value, '$[9]')
  FROM json_each(:rows)
 WHERE json_array_length(value) > 7;

-- name: add_test_report
-- Record that a report of a job was taken, with its counts.
INSERT INTO test_report (job, at, passed, failed, errors, skipped, flaky, took)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (job) DO UPDATE
   SET at = excluded.at, passed = passed + excluded.passed, failed = failed + excluded.failed,
       errors = errors + excluded.errors, skipped = skipped + excluded.skipped,
       flaky = flaky + excluded.flaky, took = took + excluded.took;

-- name: test_counts
-- How the tests of a job ended.
SELECT passed, failed, errors, skipped, flaky, took
  FROM test_report JOIN job ON job.seq = test_report.job
 WHERE job_id = ?;

-- name: tests_of_job
-- The tests of a job, of whose reports none is being taken for the first time. Only the conditions
-- of the filters that are given are kept.
SELECT suite, name, file, line, state, took, message, text, retries
  FROM (SELECT test_case.job, place, test, state, test_case.took
          FROM job
          JOIN test_report ON test_report.job = job.seq
          JOIN test_case ON test_case.job = job.seq
         WHERE job_id = :job AND {conditions}
         ORDER BY place
         LIMIT :limit OFFSET :skip) AS one
  JOIN test ON test.id = one.test
  LEFT JOIN test_message USING (job, place)
 ORDER BY place;

-- name: slowest_of_job
-- The same, the slowest first.
SELECT suite, name, file, line, state, took, message, text, retries
  FROM (SELECT test_case.job, place, test, state, test_case.took
          FROM job
          JOIN test_report ON test_report.job = job.seq
          JOIN test_case ON test_case.job = job.seq
         WHERE job_id = :job AND {conditions}
         ORDER BY test_case.took DESC, place
         LIMIT :limit OFFSET :skip) AS one
  JOIN test ON test.id = one.test
  LEFT JOIN test_message USING (job, place)
 ORDER BY took DESC, place;

-- name: recent_tested
-- The newest jobs that have reported tests. Other statements have it within them. Only the
-- conditions of the filters that are given are kept.
SELECT test_report.job, test_report.at
  FROM test_report JOIN job ON job.seq = test_report.job
 WHERE {conditions}
 ORDER BY test_report.job DESC
 LIMIT :jobs;

-- name: test_reports
-- The counts of the newest jobs that have reported tests. The conditions as above.
SELECT job_id, op, key, test_report.at, passed, failed, errors, skipped, flaky, took
  FROM test_report JOIN job ON job.seq = test_report.job
 WHERE {conditions}
 ORDER BY test_report.job DESC
 LIMIT :limit;

-- name: newest_tests
-- The counts of the newest jobs with tests that some stages have used: a JSON array of their paths.
-- Of each stage only the last uses are looked at, as most stages never have a job with tests.
SELECT passed, failed, errors, skipped, flaky, took
  FROM test_report
 WHERE job IN (
       SELECT (SELECT used.job
                 FROM (SELECT id, job FROM job_use WHERE job_use.stage = stage.id
                        ORDER BY id DESC LIMIT 50) AS used
                 JOIN test_report ON test_report.job = used.job
                ORDER BY used.id DESC LIMIT 1)
         FROM stage WHERE stage.path IN (SELECT value FROM json_each(?)));

-- name: test_runs
-- The runs of one test, the newest first. The conditions as above.
SELECT job_id, test_report.at, suite, name, file, line, state, test_case.took, message, text, retries
  FROM test
  JOIN test_case INDEXED BY test_case_test ON test_case.test = test.id
  JOIN test_report ON test_report.job = test_case.job
  JOIN job ON job.seq = test_case.job
  LEFT JOIN test_message
    ON test_message.job = test_case.job AND test_message.place = test_case.place
 WHERE test.id IN (SELECT id FROM test
                    WHERE suite = coalesce(:suite, suite)
                      AND (name = :name OR suite || ': ' || name = :name))
   AND {conditions}
 ORDER BY test_case.job DESC, test_case.place DESC
 LIMIT :limit;

-- name: failed_tests
-- The tests that have failed in recent jobs, the one that failed last first. (The columns beside
-- `max` are those of the row that has it.)
WITH recent (job, at) AS ({recent_tested})
SELECT suite, name, file, line, times,
       (SELECT count(*) FROM recent AS each
          JOIN test_case AS every INDEXED BY test_case_test
            ON every.test = found.test AND every.job = each.job),
       job_id, at, message, took
  FROM (SELECT test, count(*) AS times, max(recent.job) AS newest, place, recent.at AS at,
               avg(took) AS took
          FROM recent
          JOIN test_case INDEXED BY test_case_told ON test_case.job = recent.job
         WHERE state <> 0 AND (state = 1 OR state = 2)
         GROUP BY test
         ORDER BY newest DESC, place
         LIMIT :limit) AS found
  JOIN test ON test.id = found.test
  JOIN job ON job.seq = found.newest
  LEFT JOIN test_message
    ON test_message.job = found.newest AND test_message.place = found.place
 ORDER BY newest DESC, found.place;

-- name: flaky_tests
-- The tests that have failed in recent jobs and passed for the same: when they were tried again, or
-- in another job with the same key and value.
WITH recent (job, at) AS ({recent_tested})
SELECT suite, name, file, line, times,
       (SELECT count(*) FROM recent AS each
          JOIN test_case AS every INDEXED BY test_case_test
            ON every.test = found.test AND every.job = each.job),
       job_id, at, message, took
  FROM (SELECT test, count(*) AS times, max(recent.job) AS newest, place, recent.at AS at,
               avg(took) AS took
          FROM recent
          JOIN test_case INDEXED BY test_case_told ON test_case.job = recent.job
          JOIN job ON job.seq = recent.job
         WHERE state <> 0 AND state <> 3
           AND (state = 4
                OR EXISTS (SELECT 1 FROM job AS other
                             JOIN test_case AS good INDEXED BY test_case_test
                               ON good.test = test_case.test AND good.job = other.seq
                            WHERE other.op = job.op AND other.key_digest = job.key_digest
                              AND other.value_digest IS job.value_digest
                              AND other.outcome IS NOT NULL
                              AND (good.state = 0 OR good.state = 4)))
         GROUP BY test
         ORDER BY newest DESC, place
         LIMIT :limit) AS found
  JOIN test ON test.id = found.test
  JOIN job ON job.seq = found.newest
  LEFT JOIN test_message
    ON test_message.job = found.newest AND test_message.place = found.place
 ORDER BY newest DESC, found.place;

-- name: slow_tests
-- The tests that take longest in recent jobs, in the mean.
WITH recent (job, at) AS ({recent_tested})
SELECT suite, name, file, line, times, times, job_id, at, NULL, took
  FROM (SELECT test, count(*) AS times, max(recent.job) AS newest, recent.at AS at,
               avg(took) AS took
          FROM recent
          JOIN test_case ON test_case.job = recent.job
         WHERE took IS NOT NULL
         GROUP BY test
         ORDER BY avg(took) DESC
         LIMIT :limit) AS found
  JOIN test ON test.id = found.test
  JOIN job ON job.seq = found.newest
 ORDER BY took DESC;

-- name: tests_of_garbage
-- The last places of the tests of jobs that are garbage: a JSON array of their numbers.
SELECT job, max(place)
  FROM test_case
 WHERE job IN (SELECT value FROM json_each(?))
 GROUP BY job;

-- name: delete_test_messages
-- Remove the words of some tests of a job.
DELETE FROM test_message WHERE job = ? AND place BETWEEN ? AND ?;

-- name: delete_test_cases
-- Remove some tests of a job.
DELETE FROM test_case WHERE job = ? AND place BETWEEN ? AND ?;

-- name: forget_covered_lines
-- Remove which lines the tests of a job have run; how many they were stays.
UPDATE coverage SET files = zeroblob(0) WHERE job = ?;

-- name: delete_annotations
-- Remove the annotations of a job.
DELETE FROM annotation WHERE job = ?;

-- name: garbage_tests
-- The tests that no job has run that is kept.
SELECT id FROM test
 WHERE id > :after
   AND NOT EXISTS (SELECT 1 FROM test_case
                    WHERE test_case.test = test.id AND job NOT IN (SELECT seq FROM gone_job))
 ORDER BY id
 LIMIT :size;

-- name: remove_test
-- Remove a test, unless a job has run it meanwhile.
DELETE FROM test
 WHERE id = ? AND NOT EXISTS (SELECT 1 FROM test_case WHERE test_case.test = test.id);

-- name: coverage_so_far
-- The number of a job, and the coverage that it has reported before, if any.
SELECT seq, reports, files
  FROM job LEFT JOIN coverage ON coverage.job = job.seq
 WHERE job_id = ?;

-- name: set_coverage
-- Record the coverage of a job, unless another report was taken since it was read.
INSERT INTO coverage (job, at, reports, lines, covered, branches, branches_covered, files)
VALUES (:job, :at, 1, :lines, :covered, :branches, :branches_covered, :files)
    ON CONFLICT (job) DO UPDATE
   SET at = excluded.at, reports = reports + 1, lines = excluded.lines,
       covered = excluded.covered, branches = excluded.branches,
       branches_covered = excluded.branches_covered, files = excluded.files
 WHERE coverage.reports = :reports;

-- name: coverage_of_job
-- The coverage that a job has reported, by file.
SELECT files FROM coverage JOIN job ON job.seq = coverage.job WHERE job_id = ?;

-- name: coverage_reports
-- The coverage of the newest jobs, each with its first stage, and with the coverage of the last job
-- with an Ok result that this stage had used before. Only the conditions of the filters that are
-- given are kept; `newness` is what puts them in order.
SELECT job_id, op, key, found.at, ok, found.lines, found.covered, found.branches, found.branches_covered,
       stage.path, before.lines, before.covered, before.branches, before.branches_covered
  FROM (SELECT coverage.job, job_id, op, key, coverage.at, job.ended IS 'ok' AS ok,
               lines, covered, branches, branches_covered, {newness} AS newness,
               (SELECT min(id) FROM job_use WHERE job_use.job = coverage.job) AS use
          FROM coverage JOIN job ON job.seq = coverage.job
         WHERE {conditions}
         ORDER BY newness DESC
         LIMIT :limit) AS found
  LEFT JOIN job_use ON job_use.id = found.use
  LEFT JOIN stage ON stage.id = job_use.stage
  LEFT JOIN coverage AS before
    ON before.job = (SELECT other.job
                       FROM job_use AS other INDEXED BY job_use_stage
                       JOIN coverage ON coverage.job = other.job
                       JOIN job ON job.seq = other.job
                      WHERE other.stage = job_use.stage AND other.id < job_use.id
                        AND other.job <> found.job AND job.ended = 'ok'
                      ORDER BY other.id DESC
                      LIMIT 1)
 ORDER BY found.newness DESC;

-- name: place_of_annotations
-- The number of a job, and the first free place among its annotations.
SELECT seq, coalesce((SELECT max(place) + 1 FROM annotation WHERE annotation.job = seq), 0)
  FROM job WHERE job_id = ?;

-- name: add_annotation
-- Record an annotation of a job.
INSERT INTO annotation (job, place, level, path, line, end_line, col, message, title, tool)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: annotations_of_job
-- The annotations of a job, in the order of its reports.
SELECT level, path, line, end_line, col, message, title, tool
  FROM annotation
 WHERE job = (SELECT seq FROM job WHERE job_id = ?)
 ORDER BY place;

-- name: knows_delivery
-- A row if there is a delivery from a sender with an id.
SELECT 1 FROM delivery WHERE sender = ? AND delivery = ?;

-- name: unfinished_deliveries
-- The deliveries from a sender whose work is still to be done, the oldest first.
SELECT sender, delivery, event, person, received, work, done FROM delivery
 WHERE done IS NULL AND sender = ?
 ORDER BY id;

-- name: set_delivery
-- Record a delivery, or the work that is left of it.
INSERT INTO delivery (sender, delivery, event, person, received, work, done)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (sender, delivery) DO UPDATE SET work = excluded.work, done = excluded.done;

-- name: drop_deliveries
-- Remove those among the oldest ones that came before a time and are done.
DELETE FROM delivery
 WHERE id IN (SELECT id FROM delivery WHERE done IS NOT NULL ORDER BY id LIMIT ?)
   AND received < ?;

-- name: search_labels
-- The labels with a text in their value, the shortest ones first.
SELECT DISTINCT name, value FROM label
 WHERE value LIKE :like ESCAPE '\'
 ORDER BY length(value), name, value
 LIMIT :limit;

-- name: search_ids
-- The ids of jobs that hold a text, the newest first.
SELECT job_id FROM job WHERE job_id LIKE :like ESCAPE '\' ORDER BY job_id DESC LIMIT :limit;

-- name: search_failures
-- The newest failures that hold a text, in their message or in the lines that tell why.
SELECT job_id, coalesce(outcome, ''), at
  FROM (SELECT job, lines, at FROM failure ORDER BY job DESC LIMIT 10000) AS newest
  JOIN job ON job.seq = newest.job
 WHERE outcome LIKE :like ESCAPE '\' OR lines LIKE :like ESCAPE '\'
 ORDER BY newest.job DESC
 LIMIT :limit;

-- name: search_changes
-- The newest changes that hold a text, in their line, their parts or their author.
SELECT newest.id, at, newest.kind, input.name, old, new, by, summary, details
  FROM (SELECT * FROM change ORDER BY id DESC LIMIT 10000) AS newest
  LEFT JOIN input ON input.id = newest.input
 WHERE summary LIKE :like ESCAPE '\' OR details LIKE :like ESCAPE '\' OR by LIKE :like ESCAPE '\'
 ORDER BY newest.id DESC
 LIMIT :limit;
