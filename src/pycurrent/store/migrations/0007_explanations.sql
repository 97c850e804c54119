-- The tables that explain jobs, of 0004, which nothing has filled so far, as they are used now: sets
-- of labels and of changes are kept once, as many jobs share them.

DROP TRIGGER job_removed;
DROP TABLE use_label;
DROP TABLE job_use;
DROP TABLE label;
DROP TABLE job_change;

-- A set of labels, such as {"branch":"main","repo":"web"}: JSON, sorted by name.
CREATE TABLE label_set (
    id     INTEGER PRIMARY KEY,
    labels TEXT NOT NULL UNIQUE
);

-- The sets that a label is in.
CREATE TABLE label (
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    "set" INTEGER NOT NULL REFERENCES label_set (id),
    PRIMARY KEY (name, value, "set")
) WITHOUT ROWID;

-- One row for each job that a stage has used: one that was run for it, or one whose result was
-- known already; and a further one when the labels of the stage have changed. The row with the
-- highest id is the stage's last one.
CREATE TABLE job_use (
    id     INTEGER PRIMARY KEY,
    job    INTEGER NOT NULL REFERENCES job (seq),
    stage  INTEGER NOT NULL REFERENCES stage (id),
    labels INTEGER REFERENCES label_set (id),
    since  TEXT NOT NULL
);
CREATE INDEX job_use_job ON job_use (job);
CREATE INDEX job_use_stage ON job_use (stage, id);
CREATE INDEX job_use_labels ON job_use (labels, id) WHERE labels IS NOT NULL;

-- A set of changes: those that a job follows from.
CREATE TABLE change_set (
    "set"  INTEGER NOT NULL,
    change INTEGER NOT NULL REFERENCES change (id),
    PRIMARY KEY ("set", change)
) WITHOUT ROWID;
CREATE INDEX change_set_change ON change_set (change);
ALTER TABLE job ADD COLUMN changes INTEGER;
CREATE INDEX job_changes ON job (changes) WHERE changes IS NOT NULL;
-- Its parts (JSON), commits for example.
ALTER TABLE change ADD COLUMN details TEXT;

-- Removing a job removes its explanation. (Foreign keys are not enforced here: that would cost
-- each write.)
CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN
    DELETE FROM job_use WHERE job = old.seq;
END;
