"""While what happens can't be recorded nothing new begins, and people are told."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Config, Job, Level, Pool
from pycurrent.store import DatabaseReader
from pycurrent.term import Active, Activity, Current, Failed, Ok, Var, all, pair
from pycurrent.testing import Harness

from .doing import Function, Gate, do, start

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another program is in the middle of a transaction."""
    with closing(sqlite3.connect(folder / "db" / "pycurrent.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


@contextmanager
def moved(folder: Path) -> Iterator[None]:
    """The database is elsewhere."""
    (folder / "db").rename(folder / "elsewhere")
    yield
    (folder / "elsewhere").rename(folder / "db")


UNRECORDABLE = pytest.mark.parametrize("trouble", [locked, moved])
Trouble = Callable[[Path], Any]


def messages(h: Harness) -> list[str]:
    return [problem.message for problem in h.engine.problems]


def wanted(name: Var[str], fn: Function) -> Callable[[], Current[Any]]:
    """A pipeline with a job for the value of a variable."""
    return lambda: name.get().bind(lambda key: do(fn, key))


@UNRECORDABLE
async def test_a_result_is_seen_once_it_is_recorded(tmp_path: Path, trouble: Trouble) -> None:
    """Until then the pipeline goes on seeing that the job runs; and nothing is lost."""
    gate = Gate()
    seen: list[str] = []
    async with Harness(lambda: do(gate).map(seen.append), state_dir=tmp_path) as h:
        await h.settle()
        with trouble(tmp_path):
            gate.let_through()
            await h.settle()
            await h.advance(MINUTE)
            assert (h.output, seen) == (Active(Activity.RUNNING), [])
            assert h.engine.problems.held
        await h.advance(MINUTE)
        assert (h.output, seen) == (Ok(None), ["done"])
        assert [build.outcome for build in h.history()] == ["done"]
        assert not messages(h)
        assert h.engine.recorded


@UNRECORDABLE
async def test_a_job_begins_once_it_is_recorded(tmp_path: Path, trouble: Trouble) -> None:
    """Its first line does not run before."""
    begun: list[str] = []

    async def work(job: Job) -> None:
        begun.append(job.description)
        await start(job)

    name = Var("name", "a")
    async with Harness(wanted(name, work), state_dir=tmp_path) as h:
        await h.settle()
        with trouble(tmp_path):
            name.set("b")
            await h.advance(MINUTE)
            assert begun == ["do a"]
        await h.advance(MINUTE)
        assert begun == ["do a", "do b"]


async def test_a_job_that_may_start_waits_until_that_can_be_recorded(tmp_path: Path) -> None:
    """Be it that it was approved, or has got its resource."""
    gate = Gate(level=Level.HARMLESS)
    deployed = Gate(level=Level.DANGEROUS)
    queued = Gate(pool=Pool("one", 1))
    extra = Var("extra", "x")

    def pipeline() -> Current[Any]:
        jobs = [do(queued, "first"), do(queued, "second"), do(deployed, "deploy")]
        return all([*jobs, extra.get().bind(lambda key: do(gate, key))])

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        with locked(tmp_path):
            extra.set("y")
            await h.settle()
            queued.let_through()
            h.find("do deploy").approve()
            await h.advance(MINUTE)
            assert queued.begun == ["do first"]
            assert deployed.begun == []
            assert "Waiting until what is done can be recorded" in h.log("do deploy")
            assert h.engine.idle is False, "a job is at work"
        await h.advance(MINUTE)
        assert queued.begun == ["do first", "do second"]
        assert deployed.begun == ["do deploy"]


async def test_a_job_that_is_held_can_be_cancelled(tmp_path: Path) -> None:
    """Its work never begins, then."""
    deployed = Gate(level=Level.DANGEROUS)
    extra = Var("extra", "x")

    def pipeline() -> Current[Any]:
        return pair(do(deployed, "deploy"), extra.get().bind(lambda key: do(start, key)))

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        with locked(tmp_path):
            extra.set("y")
            await h.settle()
            h.find("do deploy").approve()
            await h.settle()
            h.find("do deploy").cancel("changed my mind")
            await h.settle()
        await h.advance(MINUTE)
        assert deployed.begun == []
        assert "changed my mind" in h.log("do deploy")


async def test_a_lock_of_moments_is_told_to_nobody(tmp_path: Path) -> None:
    """It is waited for by the clock, in short times; only one that lasts is a problem."""
    name = Var("name", "a")
    async with Harness(wanted(name, start), state_dir=tmp_path) as h:
        await h.settle()
        with locked(tmp_path):
            name.set("b")
            await h.settle()
            recorded, told = h.engine.recorded, messages(h)
        assert (recorded, told) == (False, [])
        await h.advance(timedelta(milliseconds=10))
        assert h.engine.recorded
        with locked(tmp_path):
            name.set("c")
            await h.settle()
            await h.advance(2 * SECOND)
            (message,) = messages(h)
            assert message.startswith("nothing new is begun: the database ")
            assert "is locked by another program" in message


async def test_the_engine_is_idle_when_it_has_waited_in_vain(tmp_path: Path) -> None:
    """Nothing more happens without help from outside."""
    name = Var("name", "a")
    async with Harness(wanted(name, start), state_dir=tmp_path) as h:
        await h.settle()
        with locked(tmp_path):
            name.set("b")
            await h.settle()
            assert h.engine.idle is False
            await h.advance(MINUTE)
            idle, recorded = h.engine.idle, h.engine.recorded
        assert (idle, recorded) == (True, False)


def remove(folder: Path) -> None:
    shutil.rmtree(folder / "db")


def replace(folder: Path) -> None:
    path = folder / "db" / "pycurrent.db"
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def remove_log(folder: Path) -> None:
    (folder / "db" / "pycurrent.db-wal").unlink()


@pytest.mark.parametrize("vanish", [remove, replace, remove_log])
async def test_a_database_that_vanishes_is_noticed(
    tmp_path: Path, vanish: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Removed, replaced, or its log removed: told, and nothing new is begun."""
    begun = Gate()
    name = Var("name", "a")
    async with Harness(wanted(name, begun), state_dir=tmp_path) as h:
        await h.settle()
        begun.let_through()
        await h.settle()
        vanish(tmp_path)
        name.set("b")
        await h.settle()
        (message,) = messages(h)
        assert "put it back" in message
        assert begun.begun == ["do a"]
        assert message in caplog.text
    assert not h.engine.recorded


async def test_an_engine_at_rest_can_be_asked_whether_its_records_are_there(tmp_path: Path) -> None:
    """It writes nothing, so no commit would find out."""
    async with Harness(lambda: do(start), state_dir=tmp_path) as h:
        await h.settle()
        h.engine.opened.check_records()
        assert not messages(h)
        with moved(tmp_path):
            h.engine.opened.check_records()
            assert len(messages(h)) == 1
            assert h.engine.problems.held
        await h.advance(MINUTE)
        assert not messages(h)


async def test_what_ended_after_the_database_was_moved_is_in_it(tmp_path: Path) -> None:
    """The engine's end writes what it has to the files that it had opened."""
    gate = Gate()
    async with Harness(lambda: do(gate), state_dir=tmp_path) as h:
        await h.settle()
        (tmp_path / "db").rename(tmp_path / "elsewhere")
        gate.let_through()
        await h.settle()
    assert not h.engine.recorded
    assert not (tmp_path / "db").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "db")
    async with Harness(lambda: do(gate), state_dir=tmp_path) as h:
        assert h.output == Ok("done")


async def test_at_rest_everything_is_in_the_file_of_the_database(tmp_path: Path) -> None:
    """A copy of that one file is a backup, then, without ending the engine."""
    path = tmp_path / "db" / "pycurrent.db"
    async with Harness(lambda: do(start), state_dir=tmp_path) as h:
        await h.settle()
        await h.until(lambda: path.with_name("pycurrent.db-wal").stat().st_size == 0)
        (tmp_path / "copy.db").write_bytes(path.read_bytes())
    with DatabaseReader.open(tmp_path / "copy.db") as reader:
        assert [record.outcome for record in reader.history()] == ['"done"']


async def test_damage_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    """The stage fails with the way out, and nothing new is begun."""
    name, gate = Var("name", "a"), Gate()
    async with Harness(wanted(name, start), state_dir=tmp_path) as h:
        await h.settle()
    with closing(sqlite3.connect(tmp_path / "db" / "pycurrent.db")) as shell, shell:
        shell.execute("UPDATE job SET outcome = CAST(x'22ff22' AS TEXT)")
    async with Harness(wanted(name, gate), state_dir=tmp_path) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "is damaged (text that is not UTF-8)" in h.output.message
        name.set("b")
        await h.settle()
        assert gate.begun == []
        (message,) = messages(h)
        assert "restore it from a backup" in message


async def test_a_large_database_is_looked_through_after_the_start(tmp_path: Path) -> None:
    """Damage in what nobody reads is told, too."""
    path = tmp_path / "db" / "pycurrent.db"
    async with Harness(lambda: do(start), state_dir=tmp_path) as h:
        await h.settle()
    with closing(sqlite3.connect(path)) as shell, shell:
        shell.execute("CREATE TABLE other (text)")
        shell.executemany("INSERT INTO other VALUES (?)", [("x" * 1000,)] * 4000)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    async with Harness(lambda: do(start), state_dir=tmp_path) as h:
        await h.until(lambda: messages(h))
        assert "is damaged" in messages(h)[0]
        assert h.output == Ok("done")
