"""What can be done about jobs, and what is known of one."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent import Config, Level, LogRule, Pool, Var
from pycurrent.service import (
    Action,
    ActivePage,
    Done,
    NoSuchJob,
    Rebuilding,
    RebuiltOnceNeeded,
    Refused,
)
from pycurrent.store import HistoryFilter, JobEnd, StoreBusy
from pycurrent.view import InQueue

from .live import Doors, seen

NO_JOB = "2026-11-22/084703-door-1a2b3c"


async def test_a_job_is_cancelled_once(tmp_path: Path) -> None:
    """Its log says by whom; then it fails, and can be made again."""
    doors = Doors()
    async with seen(lambda: doors.stage("a"), tmp_path) as s:
        job, jobs = s.job("door a"), s.service.jobs
        assert jobs.detail(job).actions == {Action.CANCEL}
        assert jobs.cancel(job, by="alice") == Done()
        assert jobs.cancel(job, by="bob") == Refused("it was cancelled already: by alice")
        assert jobs.detail(job).actions == frozenset()
        await s.settle()
        assert "Cancelling: by alice" in s.harness.log("door a")
        assert jobs.cancel(job, by="bob") == Refused("it has ended: cancelled")
        assert jobs.detail(job).actions == {Action.REBUILD}


async def test_a_job_that_waits_is_started_early(tmp_path: Path) -> None:
    """Only one that waits for confirmation."""
    doors = Doors()
    config = Config(confirm=Level.AVERAGE)
    async with seen(lambda: doors.stage("a"), tmp_path, config=config) as s:
        job, jobs = s.job("door a"), s.service.jobs
        assert jobs.detail(job).actions == {Action.APPROVE, Action.CANCEL}
        assert jobs.approve(job, by="alice") == Done()
        await s.settle()
        assert "Approved by alice" in s.harness.log("door a")
        assert jobs.approve(job, by="bob") == Refused(
            "it does not wait for confirmation: it is running"
        )
        doors.open("a")
        await s.settle()
        assert jobs.approve(job, by="bob") == Refused("it has ended: ok")


async def test_the_work_of_an_old_job_is_done_again(tmp_path: Path) -> None:
    """It need not be the last one of its key; nothing is done twice at once."""
    doors = Doors()
    async with seen(lambda: doors.stage("a"), tmp_path) as s:
        first, jobs = s.job("door a"), s.service.jobs
        assert jobs.rebuild(first, by="ann") == Refused("it has not ended")
        for _ in range(2):
            doors.shut("a")
            await s.settle()
            outcome = jobs.rebuild(first, by="ann")
            await s.settle()
            last = s.job("door a")
            assert outcome == Rebuilding(last)
            assert jobs.rebuild(first, by="ann") == Refused(
                f"the same work, job {last}, has not ended"
            )
        assert jobs.detail(first).entry.end is JobEnd.FAILED
        assert (jobs.detail(first).newer, jobs.detail(last).newer) == (last, None)


async def test_what_nobody_needs_is_rebuilt_once_somebody_does(tmp_path: Path) -> None:
    """It is remembered until then."""
    doors = Doors()
    keys = Var("keys", ["a"])
    async with seen(lambda: keys.get().list_map(doors.stage), tmp_path) as s:
        job = s.job("door a")
        doors.open("a")
        await s.settle()
        keys.set([])
        await s.settle()
        assert s.service.jobs.rebuild(job, by="ann") == RebuiltOnceNeeded()
        await s.settle()
        assert s.service.jobs.active() == ()
        keys.set(["a"])
        await s.settle()
        assert [active.description for active in s.service.jobs.active()] == ["door a"]


async def test_many_are_rebuilt_as_far_as_possible(tmp_path: Path) -> None:
    """It is said which are, which are not, and why."""
    doors = Doors()
    stages = [doors.stage(key) for key in "abc"]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        a, b, c = (s.job(f"door {key}") for key in "abc")
        doors.open("a")
        doors.shut("b")
        await s.settle()
        outcomes = await s.service.jobs.rebuild_many([a, b, a, c, NO_JOB, "../../x"], by="ann")
        assert list(outcomes) == [a, b, c, NO_JOB, "../../x"]
        assert isinstance(outcomes[a], Rebuilding)
        assert isinstance(outcomes[b], Rebuilding)
        assert isinstance(outcomes[c], Refused)
        assert isinstance(outcomes[NO_JOB], Refused)
        assert isinstance(outcomes["../../x"], Refused)


async def test_all_that_match_are_rebuilt(tmp_path: Path) -> None:
    """Of each key the newest one only."""
    doors = Doors()
    stages = [doors.stage(key) for key in "abc"]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        doors.open("a")
        doors.shut("b")
        doors.shut("c")
        await s.settle()
        s.service.jobs.rebuild(s.job("door b"), by="ann")
        await s.settle()
        doors.shut("b")
        await s.settle()
        newest = {s.job("door b"), s.job("door c")}
        ids, complete = await s.service.newest_matching(HistoryFilter(ok=False), limit=100)
        assert (set(ids), complete) == (newest, True)
        outcomes = await s.service.jobs.rebuild_many(ids, by="ann")
        assert all(isinstance(outcome, Rebuilding) for outcome in outcomes.values())


async def test_a_job_that_has_its_resource_waits_for_none(tmp_path: Path) -> None:
    """If its start can't be recorded, the problem of the engine says so."""
    doors, other = Doors(pool=Pool("machines", 1)), Var("other", "1")
    stages = [doors.stage(key) for key in "ab"]
    async with seen(lambda: current.all([*stages, other.get()]), tmp_path) as s:
        database = s.harness.engine.opened.state.database
        with closing(sqlite3.connect(database, isolation_level=None)) as program:
            program.execute("BEGIN IMMEDIATE")
            other.set("2")
            await s.settle()
            doors.open("a")
            await s.harness.advance(timedelta(minutes=1))
            waits = {job.description: job.wait for job in s.service.jobs.active()}
            assert waits["door b"] is None
            assert s.harness.engine.problems
            program.rollback()
        await s.harness.advance(timedelta(minutes=1))


async def test_places_in_a_queue_are_told(tmp_path: Path) -> None:
    """They move up."""
    doors = Doors(pool=Pool("machines", 1))
    stages = [doors.stage(key) for key in "abc"]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        waits = [job.wait for job in s.service.jobs.active()]
        assert waits == [None, InQueue("machines", 1), InQueue("machines", 2)]
        doors.open("a")
        await s.settle()
        assert [job.wait for job in s.service.jobs.active()] == [None, InQueue("machines", 1)]


async def test_jobs_are_seen_by_pages(tmp_path: Path) -> None:
    """The oldest first; a page may begin after a job that has ended meanwhile."""
    doors = Doors(pool=Pool("machines", 1))
    stages = [doors.stage(key) for key in "abcde"]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        jobs = s.service.jobs
        first = await jobs.page(limit=2)
        assert [job.description for job in first.jobs] == ["door a", "door b"]
        assert (first.total, first.next) == (5, s.job("door b"))
        second = await jobs.page(limit=2, after=first.next)
        assert [job.wait for job in second.jobs] == [InQueue("machines", 2), InQueue("machines", 3)]
        last = await jobs.page(limit=2, after=second.next)
        assert ([job.description for job in last.jobs], last.next) == (["door e"], None)
        assert (await jobs.page(limit=5)).next is None
        assert await jobs.page(limit=0) == ActivePage((), None, 5)
        await s.harness.advance(timedelta(seconds=1))
        doors.open("a")
        await s.settle()
        late = await jobs.page(limit=9, after=s.job("door a"))
        assert {f"door {key}" for key in "bcde"} == {job.description for job in late.jobs}
        with pytest.raises(NoSuchJob):
            await jobs.page(limit=2, after=NO_JOB)


async def test_a_job_says_which_stages_it_is_for(tmp_path: Path) -> None:
    """Two stages may share one job."""
    doors = Doors()
    twice = current.all([doors.stage("a"), doors.stage("a").map(str.upper)])
    async with seen(lambda: twice, tmp_path) as s:
        detail = s.service.jobs.detail(s.job("door a"))
        assert detail.stages == ("door a", "door a#2")
        assert detail.description == "door a"
        assert detail.active is not None


@pytest.mark.parametrize("job", [NO_JOB, "../../etc/passwd", "/etc/passwd", "a//b", "x\0y", ""])
async def test_there_are_only_the_jobs_that_there_are(job: str, tmp_path: Path) -> None:
    """Ids that lead out of the folder of the logs are those of none."""
    doors = Doors()
    async with seen(lambda: doors.stage("a"), tmp_path) as s:
        for refuse in (
            lambda: s.service.jobs.detail(job),
            lambda: s.service.jobs.cancel(job, by="me"),
            lambda: s.service.jobs.approve(job, by="me"),
            lambda: s.service.jobs.rebuild(job, by="ann"),
            lambda: s.service.logs.source(job),
        ):
            with pytest.raises(NoSuchJob, match=re.escape(repr(job))):
                refuse()


async def test_the_level_shows_what_it_would_start(tmp_path: Path) -> None:
    """And then starts just that."""
    quiet, risky = Doors(level=Level.HARMLESS), Doors(level=Level.DANGEROUS)
    both = current.all([quiet.stage("a"), risky.stage("b")])
    config = Config(confirm=Level.HARMLESS)
    async with seen(lambda: both, tmp_path, config=config) as s:
        level = s.service.confirmation
        shown = level.show(limit=1)
        assert [shown.would_start(level) for level in (*Level, None)] == [0, 1, 1, 1, 1, 2]
        assert [job.description for job in shown.waiting] == ["door a"]
        assert shown.total == 2
        assert level.set(Level.DANGEROUS, by="ann") == 1
        await s.settle()
        assert [job.description for job in level.show(limit=2).waiting] == ["door b"]
        level.set(None, by="bob")
        await s.settle()
        assert level.show(limit=2).total == 0


async def test_measures_count_jobs_pools_and_waits(tmp_path: Path) -> None:
    """For those who watch over many engines."""
    doors = Doors(pool=Pool("machines", 1))
    stages = [doors.stage(key) for key in "abc"]
    async with seen(lambda: current.all(stages), tmp_path) as s:
        waits: list[tuple[str, float]] = []
        s.service.metrics.on_waited(lambda pool, seconds: waits.append((pool, seconds)))
        measures = s.service.metrics.read()
        assert {state.name: number for state, number in measures.jobs if number} == {
            "RUNNING": 1,
            "QUEUED": 2,
        }
        (pool,) = measures.pools
        assert (pool.label, pool.capacity, pool.used, pool.queue) == ("machines", 1, 1, 2)
        assert measures.cache_items == 3
        await s.harness.advance(timedelta(seconds=7))
        doors.open("a")
        await s.settle()
        assert waits == [("machines", 7.0)]


async def test_a_job_that_cant_be_recorded_yet_is_seen_and_can_be_cancelled(
    tmp_path: Path,
) -> None:
    """While the store is busy (StoreBusy) or full it has no row; what is asked for is done then."""
    doors, name = Doors(), Var("name", "a")
    async with seen(lambda: doors.stage(name.get()), tmp_path) as s:
        old, jobs = s.job("door a"), s.service.jobs
        doors.open("a")
        await s.settle()
        with closing(sqlite3.connect(tmp_path / "db/pycurrent.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                s.service.rules.put(LogRule("x", "y", 1), by="ada")
            made = jobs.rebuild(old, by="alice", reason="it is flaky")
            assert isinstance(made, Rebuilding)
            await s.settle()
            assert jobs.detail(made.job_id).actions == {Action.CANCEL}
            assert jobs.cancel(made.job_id, by="bob", reason="not now") == Done()
            other.rollback()
        await s.harness.advance(timedelta(minutes=1))
        assert jobs.detail(made.job_id).entry.failure == "Cancelled: by bob: not now"
        log = s.harness.log("door a")
        assert "Runs because alice asked for a rebuild: it is flaky" in log
