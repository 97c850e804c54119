"""The uses of jobs by stages: what is recorded, and what is not recorded twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

from pycurrent.store import Database, DatabaseReader, JobEnd, UseRecord, labels_text

from .conftest import SECOND, START, Builds


def use(job_id: str, stage: str, **labels: str) -> UseRecord:
    return UseRecord(job_id, stage, labels_text(labels), START)


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_use_is_found_by_its_job_and_by_its_stage(db: Database, builds: Builds) -> None:
    """The newest first, at once, and from the file after that."""
    one, two = builds.build("a"), builds.build("b")
    records = [
        use(one.job_id, "web/build", repo="web"),
        use(one.job_id, "check", branch="ü", repo="web"),
        use(two.job_id, "web/build", repo="web"),
    ]
    for record in records:
        db.add_use(record)
    assert db.uses_of_job(one.job_id) == [records[1], records[0]]
    assert db.uses_by_stage("web/build") == [records[2], records[0]]
    assert db.uses_by_stage("web/build", limit=1) == [records[2]]
    assert db.uses_by_stage("elsewhere") == []
    assert records[1].read_labels() == {"branch": "ü", "repo": "web"}


def test_the_last_use_of_a_stage_is_not_recorded_again(
    db: Database, builds: Builds, path: Path
) -> None:
    """Unless its labels have changed, or it has used another job meanwhile."""
    one, two = builds.build("a"), builds.build("b")
    for _ in range(2):
        db.add_use(use(one.job_id, "build"))
        db.commit()
    assert count(path, "job_use") == 1
    db.add_use(use(one.job_id, "build", repo="web"))
    db.add_use(use(one.job_id, "build", repo="web"))
    db.add_use(use(two.job_id, "build", repo="web"))
    db.add_use(use(one.job_id, "build", repo="web"))
    db.commit()
    assert count(path, "job_use") == 4
    assert count(path, "stage") == count(path, "label_set") == count(path, "label") == 1


def test_it_is_told_which_uses_are_not_recorded(db: Database, builds: Builds) -> None:
    """Those that are not the last ones of their stages, with the same labels."""
    one, two = builds.build("a"), builds.build("b")
    recorded = [
        use(one.job_id, "web/build", repo="web", branch="ü"),
        use(one.job_id, "read \udcff", file="\udcff"),
        use(two.job_id, 'say "%2F"'),
    ]
    for record in (use(two.job_id, "web/build", repo="web"), *recorded):
        db.add_use(record)
    new = [
        use(one.job_id, "web/build", repo="web"),
        use(one.job_id, 'say "%2F"'),
        use(two.job_id, "web/build", repo="web", branch="ü"),
        use(two.job_id, "elsewhere"),
        use("2026-01-01/000000-build-abcdef", 'say "%2F"'),
    ]
    assert db.unrecorded_uses(recorded) == recorded, "others are not committed yet"
    db.commit()
    assert db.unrecorded_uses(recorded) == []
    assert db.unrecorded_uses([*recorded, *new]) == new
    assert db.unrecorded_uses([]) == []


def test_a_use_of_a_job_without_a_record_is_left_out(db: Database, path: Path) -> None:
    """It was removed meanwhile, say: there is nothing to explain."""
    db.add_use(use("2026-01-01/000000-build-abcdef", "build"))
    db.commit()
    assert count(path, "job_use") == 0


def test_a_stage_and_labels_that_are_not_utf8_are_recorded(db: Database, builds: Builds) -> None:
    """A file's name may be of any bytes."""
    job = builds.build("a")
    record = use(job.job_id, "read \udcff", file="\udcff")
    db.add_use(record)
    (found,) = db.uses_of_job(job.job_id)
    assert (found.stage, found.read_labels()) == ("read \\udcff", {"file": "\\udcff"})
    assert db.uses_by_stage("read \udcff") == [found]


def test_equal_labels_have_one_text(db: Database) -> None:
    """In whatever order they come; no labels have none."""
    assert labels_text({"a": "1", "b": "2"}) == labels_text({"b": "2", "a": "1"})
    assert labels_text({}) is None


def test_a_reader_sees_what_is_committed(db: Database, builds: Builds, path: Path) -> None:
    """Another program, that is."""
    job = builds.build("a")
    db.add_use(use(job.job_id, "build"))
    with DatabaseReader.open(path) as reader:
        db.commit()
        assert [found.stage for found in reader.uses_of_job(job.job_id)] == ["build"]


def test_the_lengths_of_runs_are_found_by_many_stages_at_once(db: Database, builds: Builds) -> None:
    """So many of each, the newest use first, and nothing of a stage that is not known."""
    runs = [builds.build("key 0")]
    for number in (1, 2):
        job = builds.begin(f"key {number}")
        db.start_job(job, started=START, level="average")
        runs.append(builds.finish(job))
    for run in runs:
        db.add_use(use(run.job_id, "web/build"))
    db.add_use(use(runs[0].job_id, "check \udcff"))
    found = db.lengths_of_stages(["check \udcff", "elsewhere", "web/build"], limit=2)
    assert [(one.path, one.job_id) for one in found] == [
        ("check \\udcff", runs[0].job_id),
        ("web/build", runs[2].job_id),
        ("web/build", runs[1].job_id),
    ]
    assert [(one.ended, one.took) for one in found] == [
        (JobEnd.OK, None),  # As nobody knows when its work began.
        (JobEnd.OK, 4 * SECOND),
        (JobEnd.OK, 3 * SECOND),
    ]
