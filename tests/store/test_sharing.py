"""The database beside others: shells, readers, checkpoints, kills, and a disk that is full."""

import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from pycurrent.store import (
    Database,
    DatabaseReader,
    JobEnd,
    StateDir,
    StateDirError,
    StoreBusy,
    StoreFull,
)
from pycurrent.store.checkpoint import Checkpointer

from .conftest import Builds, MountTmpfs, RunChild

ASK = (
    "SELECT key, job_id, ok, value, finished, op FROM cache "
    "WHERE op='docker-build' ORDER BY finished"
)

WRITE = """
import sys
from pathlib import Path
from datetime import datetime, UTC
from pycurrent.store import Database, JobEnd, JobRecord
db = Database.open(Path(sys.argv[1]))
for n in range(10**9):
    now = datetime.now(UTC)
    job = ["frob", str(n), str(n), None, None, 0, now, None]
    db.insert_job(JobRecord(f"finished/{n}", *job))
    if n % 3:
        db.commit()
    db.finish_job(f"finished/{n}", JobEnd.OK, finished=now, outcome="x" * (n % 5000))
    db.insert_job(JobRecord(f"running/{n}", *job))
    db.commit()
    print(n, flush=True)
"""


@pytest.fixture
def shell(path: Path, db: Database) -> Iterator[sqlite3.Connection]:
    """A connection like that of the sqlite3 shell, while the engine's is open."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def test_cache_is_asked_from_a_shell(
    db: Database, builds: Builds, shell: sqlite3.Connection
) -> None:
    """One row for each build, rebuilds too; not for what runs, was superseded or interrupted."""
    first = builds.build("a", '"sha256:1"', op="docker-build")
    second = builds.build("a", "exit status 1", op="docker-build", ok=False)
    third = builds.build("b", '"done"', op="docker-build", value='"tag"')
    builds.build("a", op="other")
    builds.begin("c", op="docker-build")
    db.finish_job(builds.begin("d", op="docker-build"), JobEnd.SUPERSEDED, finished=third.finished)
    db.commit()
    rows = shell.execute(ASK).fetchall()
    assert [row[:4] for row in rows] == [
        ("a", first.job_id, 1, '"sha256:1"'),
        ("a", second.job_id, 0, None),
        ("b", third.job_id, 1, '"tag"'),
    ]
    assert rows[0][4:] == ("2026-11-22T08:47:05.123456Z", "docker-build")
    assert shell.execute("SELECT outcome FROM cache WHERE ok = 0").fetchall() == [
        ("exit status 1",)
    ]


def test_a_shell_reads_beside_an_open_transaction(
    db: Database, builds: Builds, path: Path, shell: sqlite3.Connection
) -> None:
    """While somebody's transaction is open, others see what was committed before it."""
    builds.build(op="docker-build")
    db.commit()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM job")
        assert len(shell.execute(ASK).fetchall()) == 1
        writer.execute("ROLLBACK")


def test_a_locked_database_loses_nothing(
    db: Database, builds: Builds, path: Path, shell: sqlite3.Connection
) -> None:
    """A commit that meets another's transaction says so, and the next one writes all."""
    shell.execute("BEGIN IMMEDIATE")
    record = builds.build()
    with pytest.raises(StoreBusy, match="is locked by another program"):
        db.commit()
    assert db.lookup("frob", record.key_digest) == record
    shell.rollback()
    db.commit()
    with DatabaseReader.open(path) as reader:
        assert reader.lookup("frob", record.key_digest) == record


def lock(path: Path) -> sqlite3.Connection:
    """A connection that keeps even readers out until it is closed. Any thread may close it."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_a_reader_waits_two_seconds_for_a_lock(db: Database, builds: Builds, path: Path) -> None:
    """Then it says who is in the way: a history is not worth more of somebody's time."""
    builds.build()
    db.commit()
    db.close()
    with closing(lock(path)):
        begun = time.monotonic()
        with pytest.raises(StoreBusy, match="is locked by another program"):
            DatabaseReader.open(path)
        assert 1.5 < time.monotonic() - begun < 10
    opened = threading.Timer(0.2, lock(path).close)
    opened.start()
    with DatabaseReader.open(path) as reader:
        assert len(reader.history()) == 1
    opened.join()


def test_a_reader_sees_each_commit(db: Database, builds: Builds, path: Path) -> None:
    """A reader that stays open sees what the engine commits meanwhile."""
    with DatabaseReader.open(path) as reader:
        assert reader.history() == []
        record = builds.build()
        assert reader.history() == []
        db.commit()
        assert [found.job_id for found in reader.history()] == [record.job_id]


def test_a_reader_changes_nothing(path: Path) -> None:
    """Reading needs a database that is there, and leaves it as it was."""
    with pytest.raises(StateDirError, match="nothing has been run with this state directory yet"):
        DatabaseReader.open(path)
    assert not path.exists()
    with Database.open(path) as database:
        left = Builds(database).begin()
    with DatabaseReader.open(path) as reader:
        (record,) = reader.history(ends={None})
        assert record.job_id == left


def test_look_ups_let_go_of_their_view(db: Database, path: Path) -> None:
    """After the commit of a step that only looked up, the log can be emptied."""
    db.lookup("frob", "a")
    db.commit()
    with closing(sqlite3.connect(path, timeout=0)) as other:
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy


@pytest.mark.parametrize("commits", [1, 60, 150])
def test_what_was_committed_survives_a_kill(path: Path, run_child: RunChild, commits: int) -> None:
    """After kill -9 all that a process said was committed is there, and what ran is known."""
    child = run_child(WRITE, path)
    assert child.stdout is not None
    for _ in range(commits):
        child.stdout.readline()
    child.kill()
    said = [commits - 1] + [int(line) for line in child.stdout.read().split("\n") if line.isdigit()]
    last = said[-1]
    with Database.open(path) as database:
        found = database.history(ends={JobEnd.INTERRUPTED}, limit=10_000)
        assert {job.job_id for job in found} >= {f"running/{n}" for n in range(last + 1)}
        for n in range(last + 1):
            record = database.lookup("frob", str(n))
            assert record is not None
            assert record.outcome == "x" * (n % 5000)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_after_a_kill(path: Path, run_child: RunChild) -> None:
    """What a killed engine left in its log is seen without an engine, too."""
    child = run_child(WRITE, path)
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.wait()
    with DatabaseReader.open(path) as reader:
        assert reader.job("finished/0") is not None


def test_the_log_does_not_grow_without_end(path: Path) -> None:
    """Checkpoints in the background keep the log near its threshold."""
    log = Path(f"{path}-wal")
    threshold = 512 * 1024
    with Database.open(path) as database:
        checkpointer = Checkpointer(path, threshold_bytes=threshold)
        builds = Builds(database)
        largest = 0
        for _ in range(300):
            builds.build("a", "x" * 20_000)
            database.commit()
            largest = max(largest, log.stat().st_size)
            checkpointer.after_commit()
            checkpointer.wait()
        assert path.stat().st_size > 10 * threshold
        assert largest < 2 * threshold


def test_a_checkpoint_is_the_database_s_own(path: Path) -> None:
    """The database runs checkpoints by itself, and closing waits for them."""
    with Database.open(path, checkpoint_bytes=64 * 1024) as database:
        builds = Builds(database)
        for _ in range(50):
            builds.build("a", "x" * 20_000)
            database.commit()
    assert len(list(path.parent.iterdir())) == 1
    with DatabaseReader.open(path) as reader:
        assert len(reader.history()) == 50


def test_a_reader_that_holds_the_log_is_not_fought(path: Path) -> None:
    """While a reader keeps the log from being emptied, a checkpoint is tried only as it grows."""
    with Database.open(path) as database, closing(sqlite3.connect(path)) as reader:
        checkpointer = Checkpointer(path, threshold_bytes=100_000)
        builds = Builds(database)
        builds.build("a", "x" * 200_000)
        database.commit()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM job").fetchone()
        tried = []
        for size in (10, 10, 200_000, 10):
            builds.build("a", "x" * size)
            database.commit()
            tried.append(checkpointer.after_commit() or checkpointer.lags)
            checkpointer.wait()
        assert tried == [True, False, True, False]


def test_the_log_starts_over_also_where_commits_never_pause(path: Path) -> None:
    """What a checkpoint beside the commits has left is moved by the thread of the commits."""
    log = Path(f"{path}-wal")
    with Database.open(path, checkpoint_bytes=100_000) as database:
        builds = Builds(database)

        def commit(size: int) -> int:
            builds.build("a", "x" * size)
            database.commit()
            return log.stat().st_size

        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM job").fetchone()
            commit(200_000)  # The checkpoint that begins now moves nothing, as if commits went on.
            database._checkpointer.wait()
        assert commit(10) > 200_000
        assert commit(100_000) > 300_000
        assert commit(10) > 300_000  # After it the rest is moved.
        assert commit(10) < 100_000


@pytest.fixture
def small_disk(mount_tmpfs: MountTmpfs) -> Path:
    return mount_tmpfs("size=3m")


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(b"x" * 4096 for _ in count())
    return ballast


@pytest.mark.parametrize("size", [10, 50_000])
def test_a_full_disk_loses_nothing(small_disk: Path, size: int) -> None:
    """Commits fail while the disk is full, and the first one with room writes everything."""
    path = small_disk / "x.db"
    with Database.open(path) as database:
        builds = Builds(database)
        before = builds.build("before")
        running = builds.begin("running")
        database.commit()
        ballast = fill(small_disk)
        records = [builds.build(f"key {n}", "x" * size) for n in range(10)]
        records.append(builds.finish(running))
        for _ in range(3):
            with pytest.raises(StoreFull, match="make room on it"):
                database.commit()
        assert [database.lookup("frob", r.key_digest) for r in records] == records
        assert database.lookup("frob", before.key_digest) == before
        assert builds.build("later").build == 0
        database.history()
        ballast.unlink()
        database.commit()
    with Database.open(path) as database:
        assert [database.lookup("frob", r.key_digest) for r in records] == records
        assert database.lookup("frob", "digest of later") is not None


def test_closing_on_a_full_disk(small_disk: Path) -> None:
    """Close says that the last records could not be written; what was committed is there."""
    path = small_disk / "x.db"
    database = Database.open(path)
    builds = Builds(database)
    kept = builds.build("kept")
    database.commit()
    ballast = fill(small_disk)
    builds.build("lost", "x" * 50_000)
    with pytest.raises(StoreFull):
        database.close()
    database.close()
    ballast.unlink()
    with Database.open(path) as database:
        assert database.lookup("frob", kept.key_digest) == kept
        assert database.lookup("frob", "digest of lost") is None


def test_opening_on_a_full_disk(small_disk: Path) -> None:
    """A database can't be made on a full disk, and the error says why."""
    fill(small_disk)
    with pytest.raises(StoreFull, match="full or failing"):
        Database.open(small_disk / "x.db")


def test_the_sqlite3_shell_itself(tmp_path: Path) -> None:
    """The query of the documentation works in the real shell while the engine is running."""
    with StateDir.open(tmp_path) as state, Database.open(state.database) as database:
        record = Builds(database).build("a", op="docker-build")
        database.commit()
        try:
            answer = subprocess.run(
                ["sqlite3", state.database, ASK], capture_output=True, text=True, check=True
            )
        except FileNotFoundError:
            pytest.skip("the sqlite3 shell is not installed")
        assert record.job_id in answer.stdout
