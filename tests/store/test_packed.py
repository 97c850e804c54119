"""Rows that are written together by the thread of the commits: each is as if it came alone."""

from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycurrent.store import Database, DatabaseReader, JobEnd, UseRecord, labels_text
from pycurrent.store.packed import FEW

from .conftest import START, Builds, created
from .test_commits import slow_disk
from .test_many_ends import Log
from .test_uses import count

TEXTS = st.text(st.characters(exclude_categories=()), max_size=12) | st.sampled_from(
    ["\0", "a\0b", r"\u0000", r"\\u0000", '"\\"', "1", "null", "\udcff"]
)

ROW = st.tuples(TEXTS, st.none() | TEXTS, st.none() | st.binary(max_size=9))
USE = st.tuples(st.integers(0, 3), st.integers(0, 3 * FEW), st.sampled_from(["", "x"]))
"""A job, a stage and a label."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(ROW) | st.lists(ROW, min_size=FEW + 1, max_size=2 * FEW))
def test_a_row_holds_what_the_record_held(
    db: Database, path: Path, texts: list[tuple[str, str | None, bytes | None]]
) -> None:
    """Whatever characters its texts have, and whatever bytes its log; when it is written for the
    first time, and when it is written again.
    """
    start = db.written + 1
    ids = [f"2026-11-22/{start:06}-frob-{number:06x}" for number, _ in enumerate(texts)]
    for job_id, (key, value, log) in zip(ids, texts, strict=True):
        record = created(job_id, key=key, value=value)
        record.log = Log(log)
        db.insert_job(record)
    db.commit()
    assert _found(path, ids) == [(_stored(k), _stored(v), log) for k, v, log in texts]
    for job_id, (key, _, log) in zip(ids, texts, strict=True):
        db._running[job_id].log = Log(None if log is None else log + b"!")
        db.finish_job(job_id, JobEnd.FAILED, finished=START, outcome=key)
    db.commit()
    with DatabaseReader.open(path) as reader:
        outcomes = [job.outcome for job_id in ids if (job := reader.job(job_id)) is not None]
    assert outcomes == [_stored(key) for key, _, _ in texts]
    logs = [log for _, _, log in _found(path, ids)]
    assert logs == [None if log is None else log + b"!" for _, _, log in texts]


def _stored(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _found(path: Path, ids: list[str]) -> list[tuple[str, str | None, bytes | None]]:
    with DatabaseReader.open(path) as reader:
        jobs = [(reader.job(job_id), reader.log(job_id)) for job_id in ids]
    return [(job.key, job.value, log) for job, log in jobs if job is not None]


def test_more_rows_than_one_statement_takes_are_all_written(
    db: Database, builds: Builds, path: Path
) -> None:
    """Jobs that are new, and jobs that have changed."""
    ids = [builds.begin(str(number)) for number in range(4500)]
    db.commit()
    for job_id in ids:
        db.start_job(job_id, started=START, level="harmless")
    db.commit()
    with DatabaseReader.open(path) as reader:
        levels = {job.level for job in reader.history(ends=[None], limit=5000)}
        assert (len(reader.history(ends=[None], limit=5000)), levels) == (4500, {"harmless"})


def test_a_row_is_as_the_record_was_when_the_commit_began(
    db: Database, builds: Builds, path: Path
) -> None:
    """What changes while the thread is at work comes with the next commit, and all of it."""
    job_id = builds.begin("a")
    with slow_disk(db):
        db.begin_commit()
        builds.finish(job_id, "1")
    db.end_commit()
    with DatabaseReader.open(path) as reader:
        job = reader.job(job_id)
        assert job is not None
        assert (job.ended, job.outcome, job.finished) == (None, None, None)
    db.commit()
    with DatabaseReader.open(path) as reader:
        assert [job.outcome for job in reader.history()] == ["1"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    parts=st.lists(
        st.lists(USE) | st.lists(USE, unique_by=lambda use: use[1], min_size=FEW + 1),
        max_size=4,
    )
)
def test_uses_that_are_committed_together_are_those_of_commits_of_their_own(
    db: Database, builds: Builds, path: Path, parts: list[list[tuple[int, int, str]]]
) -> None:
    """A use is recorded unless it is the last of its stage; not that of a job without a row."""
    ids = [builds.build(str(number)).job_id for number in range(3)] + ["none"]
    db.commit()
    name = db.written
    before = count(path, "job_use")
    last: dict[int, tuple[int, str]] = {}
    expected = 0
    for part in parts:
        for job, stage, label in part:
            labels = labels_text({"l": label} if label else {})
            since = START + timedelta(seconds=expected)
            db.add_use(UseRecord(ids[job], f"{name}/{stage}", labels, since))
            if ids[job] != "none" and last.get(stage) != (job, label):
                last[stage] = job, label
                expected += 1
        db.commit()
    assert count(path, "job_use") == before + expected
    for stage, (job, label) in last.items():
        newest = db.uses_by_stage(f"{name}/{stage}", limit=1)
        assert [(use.job_id, use.read_labels()) for use in newest] == [
            (ids[job], {"l": label} if label else {})
        ]
