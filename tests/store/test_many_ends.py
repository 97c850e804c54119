"""The ends of jobs that had not begun, by the thousand: transactions for which nobody waits."""

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pycurrent.store import Database, DatabaseReader, JobEnd, StoreFull

from .conftest import START, Builds
from .test_commits import slow_disk

MANY = 2500
FullDisk = Callable[[], AbstractContextManager[None]]


class Log:
    """The log of a job, which has no file."""

    def __init__(self, text: bytes | None) -> None:
        self.text = text

    def held(self) -> bytes | None:
        return self.text

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        return told


@pytest.fixture
def waiting(db: Database, builds: Builds) -> list[str]:
    """The ids of many jobs that are recorded, and wait."""
    ids = [builds.begin(str(number)) for number in range(MANY)]
    db.commit()
    return ids


def give_up(db: Database, job_ids: list[str]) -> None:
    for job_id in job_ids:
        db.finish_job(job_id, JobEnd.SUPERSEDED, finished=START)


def has_to_wait(db: Database) -> bool:
    """True if the next commit would wait for one that is at work."""
    return db.in_the_way is not None


def ends(path: Path) -> Counter[JobEnd | None]:
    """How the jobs in the file have ended."""
    with DatabaseReader.open(path) as reader:
        return Counter(job.ended for job in reader.history(ends=[None, *JobEnd], limit=2 * MANY))


def test_many_ends_are_one_transaction(db: Database, waiting: list[str], path: Path) -> None:
    """Nothing of them is in the file before, and all of them are after it."""
    written = db.written
    give_up(db, waiting)
    with slow_disk(db):
        db.begin_commit()
        assert ends(path) == {None: MANY}
    db.end_commit()
    assert ends(path) == {JobEnd.SUPERSEDED: MANY}
    assert db.written == written + 1


def test_each_end_is_written_as_it_was(db: Database, builds: Builds, path: Path) -> None:
    """With its time, if it has one, and the text of its log, whatever bytes that has."""
    texts = [b"", b"one\n", 'two "\u00e9"\n'.encode(), b"\xff\x00\n", None]
    ids = [builds.begin(str(number)) for number, _ in enumerate(texts)]
    logs = [Log(b"before") for _ in texts]
    for job_id, log in zip(ids, logs, strict=True):
        db._running[job_id].log = log
    db.commit()
    for job_id, log, text in zip(ids, logs, texts, strict=True):
        log.text = text
        if text is None:
            db.finish_job(job_id, JobEnd.INTERRUPTED)
        else:
            db.finish_job(job_id, JobEnd.SUPERSEDED, finished=START)
    db.commit()
    with DatabaseReader.open(path) as reader:
        jobs = [reader.job(job_id) for job_id in ids]
        assert [reader.log(job_id) for job_id in ids] == texts
    assert [(job.ended, job.finished) for job in jobs if job is not None] == [
        *[(JobEnd.SUPERSEDED, START)] * 4,
        (JobEnd.INTERRUPTED, None),
    ]


def test_other_records_do_not_wait_for_ends_that_are_gathered(
    db: Database, builds: Builds, waiting: list[str], path: Path
) -> None:
    """They have commits of their own meanwhile, and the ends have one when all are there."""
    written = db.written
    db.gathers_ends = True
    for part in (waiting[:1000], waiting[1000:]):
        give_up(db, part)
        builds.build("result", "1")
        assert db.begin_commit() is not None
        db.end_commit()
        assert ends(path)[JobEnd.SUPERSEDED] == 0
        job = db.job(part[0])
        assert job is not None
        assert job.ended is JobEnd.SUPERSEDED
    had_many = db.has_many_ends
    db.gathers_ends = False
    assert (had_many, db.has_many_ends) == (False, True)
    db.begin_commit()
    db.end_commit()
    assert ends(path) == {JobEnd.SUPERSEDED: MANY, JobEnd.OK: 2}
    assert db.written == written + 3


def test_many_ends_come_after_anything_else(
    db: Database, builds: Builds, waiting: list[str], path: Path
) -> None:
    """So that a query in the meantime finds the rest without waiting."""
    give_up(db, waiting)
    builds.build("result", "1")
    db.begin_commit()
    db.end_commit()
    assert ends(path) == {None: MANY, JobEnd.OK: 1}
    with slow_disk(db):
        committing = db.begin_commit()
        assert committing is not None
        assert [job.outcome for job in db.history()] == ["1"]
        assert len(db.history(ends=[None], limit=2 * MANY)) == MANY
        assert not committing.done()
    db.end_commit()
    assert db.history(ends=[None]) == []


def test_a_query_does_not_write_many_ends(
    db: Database, builds: Builds, waiting: list[str], path: Path
) -> None:
    """It commits the rest; few ends are no reason to show anything old."""
    give_up(db, waiting[10:])
    builds.build("result", "1")
    assert [job.outcome for job in db.history()] == ["1"]
    assert ends(path) == {None: MANY, JobEnd.OK: 1}
    db.commit()
    give_up(db, waiting[:10])
    assert db.history(ends=[None]) == []


def test_many_ends_that_cannot_be_written_are_not_lost(
    db: Database, waiting: list[str], path: Path, full_disk: FullDisk
) -> None:
    """The transaction is rolled back as a whole, and all of it is in the next one."""
    give_up(db, waiting)
    with full_disk():
        committing = db.begin_commit()
        assert committing is not None
        assert committing.exception() is not None
        with pytest.raises(StoreFull):
            db.end_commit()
    assert ends(path) == {None: MANY}
    assert db.has_many_ends
    db.commit()
    assert ends(path) == {JobEnd.SUPERSEDED: MANY}


def test_ends_are_written_behind_those_that_come(
    db: Database, builds: Builds, waiting: list[str], path: Path
) -> None:
    """While they are gathered nobody waits for that who has nothing else to write; with the last of
    them everybody does.
    """
    db.gathers_ends = True
    give_up(db, waiting[:1200])
    with slow_disk(db):
        db.write_ends()
        give_up(db, waiting[1200:])
        assert not has_to_wait(db)
        assert db.begin_commit() is None
        db.write_ends()
        assert [job.ended for job in db.history(ends=[None], limit=1)] == [None]
        builds.build("result", "1")
        assert has_to_wait(db)
    assert db.begin_commit() is not None
    db.end_commit()
    assert ends(path) == {JobEnd.SUPERSEDED: 1200, JobEnd.OK: 1, None: MANY - 1200}
    with slow_disk(db):
        db.write_ends()
        assert not has_to_wait(db)
        db.gathers_ends = False
        assert has_to_wait(db)
    assert db.begin_commit() is None
    assert ends(path) == {JobEnd.SUPERSEDED: MANY, JobEnd.OK: 1}


def test_few_ends_are_not_written_behind(db: Database, waiting: list[str]) -> None:
    """They come with the next ones."""
    db.gathers_ends = True
    give_up(db, waiting[:10])
    written = db.written
    db.write_ends()
    db.gathers_ends = False
    assert db.begin_commit() is not None
    db.end_commit()
    assert db.written == written + 1


def test_ends_that_cannot_be_written_behind_are_not_lost(
    db: Database, waiting: list[str], path: Path, full_disk: FullDisk
) -> None:
    """They are in the next transaction."""
    db.gathers_ends = True
    give_up(db, waiting[:1200])
    with full_disk():
        for job_id in waiting[1200:1203]:
            db.write_ends()
            db._transactions.wait()
            give_up(db, [job_id])
    assert ends(path) == {None: MANY}
    db.gathers_ends = False
    db.commit()
    assert ends(path) == {JobEnd.SUPERSEDED: 1203, None: MANY - 1203}


def test_jobs_whose_ends_were_gathered_at_a_kill_count_as_interrupted(
    db: Database, waiting: list[str], path: Path, tmp_path: Path
) -> None:
    """The next engine finds the files as they are then."""
    db.gathers_ends = True
    give_up(db, waiting)
    db.begin_commit()
    left = tmp_path / "left"
    left.mkdir()
    for file in (path, path.with_name(f"{path.name}-wal")):
        shutil.copy(file, left / file.name)
    with Database.open(left / path.name):
        assert ends(left / path.name) == {JobEnd.INTERRUPTED: MANY}


def test_closing_writes_ends_that_are_gathered(path: Path) -> None:
    """And all else."""
    db = Database.open(path)
    builds = Builds(db)
    ids = [builds.begin(str(number)) for number in range(MANY)]
    db.commit()
    db.gathers_ends = True
    give_up(db, ids)
    builds.build("result", "1")
    db.close()
    assert ends(path) == {JobEnd.SUPERSEDED: MANY, JobEnd.OK: 1}
