"""Commits in a thread: what is seen, and what is kept, while one is at work."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pycurrent.store import Database, DatabaseReader, JobEnd, RuleRecord, StoreFull

from .conftest import START, Builds

LONG = 30.0
FullDisk = Callable[[], AbstractContextManager[None]]


@contextmanager
def slow_disk(db: Database) -> Iterator[None]:
    """No commit comes to its end in the block."""
    is_free = threading.Event()

    def meet(statement: str) -> None:
        if statement == "COMMIT":
            assert is_free.wait(LONG)

    db._connection.set_trace_callback(meet)
    try:
        yield
    finally:
        is_free.set()


def outcomes(path: Path) -> list[str | None]:
    """The outcomes of all jobs that are in the file, the newest first."""
    with DatabaseReader.open(path) as reader:
        return [job.outcome for job in reader.history()]


def test_reading_does_not_wait_for_a_commit(db: Database, builds: Builds, path: Path) -> None:
    """The results that it writes are found, and those that were there before."""
    builds.build("a", "1")
    db.commit()
    with slow_disk(db):
        builds.build("b", "2")
        committing = db.begin_commit()
        assert committing is not None
        for key, outcome in (("a", "1"), ("b", "2")):
            found, last = (
                db.lookup("frob", f"digest of {key}"),
                db.last_result("frob", f"digest of {key}"),
            )
            assert found is not None
            assert last is not None
            assert found.outcome == last.outcome == outcome
        assert db.lookup("frob", "digest of c") is None
        assert not committing.done()
        assert outcomes(path) == ["1"]
    db.end_commit()
    assert outcomes(path) == ["2", "1"]


def test_what_changes_during_a_commit_is_in_the_next(
    db: Database, builds: Builds, path: Path
) -> None:
    """A job that begins, one that ends, and a result that is to be made again."""
    running = builds.begin("a")
    marked = builds.build("b", "2")
    with slow_disk(db):
        db.begin_commit()
        builds.finish(running, "1")
        assert db.set_rebuild("frob", marked.key_digest) is not None
        builds.build("c", "3")
    db.end_commit()
    assert outcomes(path) == ["2"]
    db.commit()
    assert outcomes(path) == ["3", "2", "1"]
    with DatabaseReader.open(path) as reader:
        assert [job.key for job in reader.history(rebuild=True)] == ["b"]
    assert db.written == 2


def test_a_commit_that_fails_in_its_thread_loses_nothing(
    db: Database, builds: Builds, path: Path, full_disk: FullDisk
) -> None:
    """All that it was to write, and what came meanwhile, is found, and in the next one."""
    running = builds.begin("a")
    builds.build("b", "2")
    with full_disk():
        with slow_disk(db):
            committing = db.begin_commit()
            builds.finish(running, "1")
            db.remember("name", "value")
        db.to_retire.set(("frob", "digest of a"), running)
        assert committing is not None
        assert committing.exception() is not None
    with pytest.raises(StoreFull):
        db.end_commit()
    assert not db.is_recorded(running)
    last = db.last_result("frob", "digest of a")
    assert last is not None
    assert last.outcome == "1"
    db.commit()
    assert db.is_recorded(running)
    assert outcomes(path) == ["2", "1"]
    assert db.setting("name") == "value"
    assert db.to_retire.all() == {("frob", "digest of a"): running}


def test_a_commit_whose_end_nobody_waits_for(
    db: Database, builds: Builds, path: Path, full_disk: FullDisk
) -> None:
    """The next one waits for it, and writes what that could not."""
    builds.build("a", "1")
    db.begin_commit()
    builds.build("b", "2")
    db.commit()
    assert outcomes(path) == ["2", "1"]
    builds.build("c", "3")
    with full_disk():
        committing = db.begin_commit()
        assert committing is not None
        assert committing.exception() is not None
    builds.build("d", "4")
    db.commit()
    assert outcomes(path) == ["4", "3", "2", "1"]
    db.end_commit()


def test_a_rule_is_added_during_a_commit(db: Database, builds: Builds, path: Path) -> None:
    """It waits for the commit, whose transaction is not its own."""
    builds.build("a", "1")
    db.begin_commit()
    assert not db.remove_rule("no such rule")
    assert outcomes(path) == ["1"]


def test_closing_writes_what_changed_during_a_commit(path: Path) -> None:
    """It waits for the commit that is at work."""
    db = Database.open(path)
    builds = Builds(db)
    running = builds.begin("a")
    db.begin_commit()
    db.finish_job(running, JobEnd.OK, finished=START, outcome="1")
    db.close()
    assert outcomes(path) == ["1"]


@pytest.mark.parametrize("at_once", [False, True])
def test_nobody_sees_that_the_log_is_emptied(
    db: Database, builds: Builds, path: Path, at_once: bool
) -> None:
    """The database is locked then, by its own doing: who writes waits."""

    def write() -> None:
        if at_once:
            db.add_rule(RuleRecord("a", "a", 1))
        else:
            builds.build("a", "1")
            db.commit()

    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    db._checkpointer._thread = emptying = threading.Timer(0.1, other.rollback)
    db._checkpointer._is_emptying = True
    emptying.start()
    write()
    db._checkpointer._is_emptying = False
    other.close()
    assert db.rules() or outcomes(path) == ["1"]
