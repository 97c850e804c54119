"""Rows that are written together by the thread of the commits: each is as if it came alone."""

import sqlite3
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pycurrent.store import (
    Database,
    DatabaseReader,
    JobEnd,
    StoreError,
    UseRecord,
    labels_text,
)
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


def test_a_job_that_waits_has_its_level_and_its_log_recorded(
    db: Database, builds: Builds, path: Path
) -> None:
    """One, or many by one statement; also when they have ended since, in the same commit."""
    for many in (1, FEW + 1):
        ids = [builds.begin(str(number)) for number in range(many)]
        for job_id in ids:
            db._running[job_id].log = Log(b"new\n")
        db.commit()
        for job_id in ids:
            db._running[job_id].log = Log(b"new\nwaits\n")
            db.start_job(job_id, started=None, level="dangerous")
        assert db.changed_jobs == many
        db.commit()
        db.start_job(ids[0], started=None, level="harmless")
        db.finish_job(ids[0], JobEnd.SUPERSEDED, finished=START)
        db.commit()
        with DatabaseReader.open(path) as reader:
            jobs = [(job.level, job.ended) for i in ids if (job := reader.job(i)) is not None]
            logs = {reader.log(job_id) for job_id in ids}
        assert logs == {b"new\nwaits\n"}
        assert jobs[0] == ("harmless", JobEnd.SUPERSEDED)
        assert set(jobs[1:]) <= {("dangerous", None)}


ACT = st.sampled_from(["wait", "start", "drop", "finish"])
COMMIT = st.sampled_from(["commits", "fails", "is at work"])
ACTS = st.lists(st.tuples(ACT, st.integers(0, 2)) | COMMIT, max_size=14)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(acts=ACTS)
def test_whatever_fails_meanwhile_each_row_has_all_of_its_job_at_last(
    db: Database, path: Path, acts: list[tuple[str, int] | str]
) -> None:
    """Jobs wait, begin and end before, during and after commits, of which some fail."""
    start = db.written + 1
    ids = [f"2026-11-22/{start:06}-frob-{number:06x}" for number in range(3)]
    for number, job_id in enumerate(ids):
        db.insert_job(created(job_id, key=f"{job_id} {number}"))
    db.commit()
    rows: dict[str, tuple[str | None, object, JobEnd | None]] = dict.fromkeys(
        ids, (None, None, None)
    )
    for act in acts:
        if isinstance(act, str):
            _commit(db, act)
        elif rows[job_id := ids[act[1]]][2] is None:
            rows[job_id] = _act(db, job_id, act[0], rows[job_id])
    _commit(db, "commits")
    with DatabaseReader.open(path) as reader:
        found = {i: (j.level, j.started, j.ended) for i in ids if (j := reader.job(i)) is not None}
    assert found == rows
    for job_id in ids:
        if rows[job_id][2] is None:
            db.finish_job(job_id, JobEnd.INTERRUPTED)


def _act(
    db: Database, job_id: str, act: str, row: tuple[str | None, object, JobEnd | None]
) -> tuple[str | None, object, JobEnd | None]:
    """Do this with a job. Gives its level, when it began and how it ended from then on."""
    level, started, _ = row
    match act:
        case "wait" if started is None:
            level = "mostly-harmless" if level == "harmless" else "harmless"
            db.start_job(job_id, started=None, level=level)
        case "start" if started is None:
            db.start_job(job_id, started=START, level="dangerous")
            return "dangerous", START, None
        case "drop":
            db.finish_job(job_id, JobEnd.SUPERSEDED, finished=START)
            return level, started, JobEnd.SUPERSEDED
        case "finish":
            db.finish_job(job_id, JobEnd.OK, finished=START, outcome="1")
            return level, started, JobEnd.OK
    return level, started, None


def _commit(db: Database, how: str) -> None:
    """Begin a commit once no other is at work; one that is to fail does so in its thread."""

    def refuse(action: int, what: str | None, *_: str | None) -> int:
        is_commit = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
        return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK

    with suppress(StoreError):
        db.end_commit()
    if how == "commits":
        db.commit()
        return
    if how == "fails":
        db._connection.set_authorizer(refuse)
    committing = db.begin_commit()
    if committing is not None:
        committing.exception()
    db._connection.set_authorizer(None)
