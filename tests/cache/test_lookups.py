"""Lookups: refreshes by a schedule that leave nothing if they find nothing new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder, Publisher, ResultCache, Schedule, builder
from pycurrent.cli.lines import line_of
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError
from pycurrent.store import JobEnd
from pycurrent.term import Current, Ok, Var, component, constant
from pycurrent.testing import Harness
from pycurrent.testing.clock import START
from pycurrent.view import EngineView

from .workshop import SECOND, Look, Make, OpenEngine, Workshop, check

EVERY = Schedule(10 * SECOND)


def pipeline_of(shop: Workshop) -> Callable[[], Current[str]]:
    return lambda: component("look", lambda: Look(shop).get("a", schedule=EVERY))


def logs(h: Harness, tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("job/*/*.log"))


async def first(h: Harness, shop: Workshop, outcome: str = "old") -> str:
    """Have the first job find something; gives its id."""
    await h.settle()
    shop.work.succeed(outcome)
    await h.settle()
    return str(h.find("look").id)


async def refresh(h: Harness, shop: Workshop, outcome: str = "old") -> str:
    """Have the result expire, and the refresh find something; gives the id of its job."""
    await h.advance(10 * SECOND)
    job_id: str = shop.work.job.id
    shop.work.job.log("looking")
    shop.work.succeed(outcome)
    await h.settle()
    return job_id


async def test_a_refresh_that_finds_the_same_leaves_no_row_and_no_log(
    engine: OpenEngine, shop: Workshop, tmp_path: Path
) -> None:
    """Only the time of the last look moves on, and their number; the first job's result stands."""
    async with engine(pipeline_of(shop)) as h:
        job_id = await first(h, shop)
        before = logs(h, tmp_path)
        changes = h.engine.opened.store.changes()
        for times in range(1, 4):
            look_id = await refresh(h, shop)
            store = h.engine.opened.store
            assert [record.job_id for record in store.history()] == [job_id]
            assert store.job(look_id) is None
            look = store.look(job_id)
            assert look is not None
            assert (look.at, look.times) == (START + times * 10 * SECOND, times)
            assert h.find("look").id == job_id
            assert look_id not in h.engine.jobs
        assert logs(h, tmp_path) == before
        why = str(h.engine.why("look"))
        assert "looked up again 3 times since, unchanged, the last time at" in why
        assert h.engine.opened.store.changes() == changes
        assert h.output == Ok("old")
        check(h)


async def test_one_that_finds_something_else_is_an_ordinary_job_with_the_next_number(
    engine: OpenEngine, shop: Workshop, tmp_path: Path
) -> None:
    """The looks between them leave no gap in the numbers, and the stage uses the new job."""
    async with engine(pipeline_of(shop)) as h:
        job_id = await first(h, shop)
        await refresh(h, shop)
        look_id = await refresh(h, shop, "new")
        assert h.output == Ok("new")
        records = h.engine.opened.store.history()
        assert [(r.job_id, r.build) for r in records] == [(look_id, 1), (job_id, 0)]
        assert records[0].changes is not None
        assert [use.stage for use in h.engine.opened.store.uses_of_job(look_id)] == ["look"]
        assert "looking" in (tmp_path / "job" / f"{look_id}.log").read_text()
        check(h)


async def test_one_that_fails_is_an_ordinary_job(engine: OpenEngine, shop: Workshop) -> None:
    """The refresh after it begins from a failure, so it is one, too, whatever it finds."""
    async with engine(pipeline_of(shop)) as h:
        await first(h, shop)
        await h.advance(10 * SECOND)
        shop.work.fail("no answer")
        await h.settle()
        await refresh(h, shop)
        ends = [record.ended for record in h.engine.opened.store.history()]
        assert ends == [JobEnd.OK, JobEnd.FAILED, JobEnd.OK]
        await refresh(h, shop)
        assert len(h.engine.opened.store.history()) == 3


async def test_it_is_a_job_while_it_is_at_work(engine: OpenEngine, shop: Workshop) -> None:
    """It is found by its id, with its log, and can be cancelled, which leaves a record."""
    async with engine(pipeline_of(shop)) as h:
        await first(h, shop)
        await h.advance(10 * SECOND)
        job_id = shop.work.job.id
        found = h.engine.opened.store.job(job_id)
        assert found is not None
        assert found.ended is None
        assert h.jobs[job_id].description == "look a"
        assert "New job" in h.engine.jobs[job_id].log_text()
        h.engine.jobs[job_id].cancel("enough")
        await h.settle()
        found = h.engine.opened.store.job(job_id)
        assert found is not None
        assert found.ended is JobEnd.CANCELLED


async def test_a_rebuild_that_somebody_asks_for_leaves_a_record(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Also if it is asked for while a look is at work: then that counts as the rebuild."""
    async with engine(pipeline_of(shop)) as h:
        await first(h, shop)
        h.find("look").rebuild()
        await h.settle()
        shop.work.succeed("old")
        await h.settle()
        assert len(h.engine.opened.store.history()) == 2
        await h.advance(10 * SECOND)
        h.engine.jobs[shop.work.job.id].rebuild()
        shop.work.succeed("old")
        await h.settle()
        assert len(h.engine.opened.store.history()) == 3
        check(h)


async def test_after_a_restart_it_is_not_asked_again_before_it_is_due(
    engine: OpenEngine, shop: Workshop, tmp_path: Path
) -> None:
    """The time of the last look is on disk, with the number of looks."""
    async with engine(pipeline_of(shop)) as h:
        job_id = await first(h, shop)
        await refresh(h, shop)
    start = START + 15 * SECOND
    async with Harness(pipeline_of(shop), state_dir=tmp_path, start=start) as h:
        await h.settle()
        await h.advance(4 * SECOND)
        assert len(shop.begun) == 2
        await h.advance(SECOND)
        assert len(shop.begun) == 3
        shop.work.succeed("old")
        await h.settle()
        look = h.engine.opened.store.look(job_id)
        assert look is not None
        assert look.times == 2


async def test_one_that_is_interrupted_leaves_nothing_and_comes_again(
    engine: OpenEngine, shop: Workshop, tmp_path: Path
) -> None:
    """The next engine looks at once, and that is a look as well."""
    async with engine(pipeline_of(shop)) as h:
        job_id = await first(h, shop)
        await h.advance(10 * SECOND)
        look_id = shop.work.job.id
    start = START + 12 * SECOND
    async with Harness(pipeline_of(shop), state_dir=tmp_path, start=start) as h:
        await h.settle()
        assert h.engine.opened.store.job(look_id) is None
        assert h.output == Ok("old")
        shop.work.succeed("old")
        await h.settle()
        assert [r.job_id for r in h.engine.opened.store.history()] == [job_id]


async def test_one_whose_engine_is_killed_leaves_no_record_and_comes_again(
    shop: Workshop, tmp_path: Path
) -> None:
    """The files are as a kill would leave them: the next engine finds nothing of the look."""
    async with Harness(pipeline_of(shop), state_dir=tmp_path / "whole") as h:
        job_id = await first(h, shop)
        await h.advance(10 * SECOND)
        shutil.copytree(tmp_path / "whole", tmp_path / "killed")
        shop.work.succeed("old")
        await h.settle()
    start = START + 12 * SECOND
    async with Harness(pipeline_of(shop), state_dir=tmp_path / "killed", start=start) as h:
        await h.settle()
        assert h.output == Ok("old")
        assert [r.job_id for r in h.engine.opened.store.history()] == [job_id]
        shop.work.succeed("old")
        await h.settle()
        assert [r.job_id for r in h.engine.opened.store.history()] == [job_id]


async def test_one_that_nobody_needs_any_more_leaves_nothing(
    engine: OpenEngine, shop: Workshop
) -> None:
    """A stage that comes while one is at work uses the job whose result stands."""
    wanted = Var("wanted", True)

    class LookAuto(Look):
        id = "look-auto"
        auto_cancel = True

    def pipeline() -> Current[Any]:
        def decide(yes: bool) -> Current[str]:
            if not yes:
                return constant("")
            return component("look", lambda: LookAuto(shop).get("a", schedule=EVERY))

        return wanted.get().bind(decide)

    async with engine(pipeline) as h:
        job_id = await first(h, shop)
        await h.advance(10 * SECOND)
        wanted.set(False)
        await h.settle()
        assert not shop.at_work
        wanted.set(True)
        await h.settle()
        shop.work.succeed("old")
        await h.settle()
        assert [r.job_id for r in h.engine.opened.store.history()] == [job_id]
        assert h.find("look").id == job_id
        check(h)


async def test_one_that_waits_for_confirmation_has_a_record_at_once(tmp_path: Path) -> None:
    """Somebody has to do with it, so it stays in the history, whatever it finds."""

    @builder("asked", level=Level.AVERAGE, lookup=True, schedule=EVERY)
    async def asked(job: Job, key: str) -> str:
        return key

    async with Harness(lambda: asked("a"), state_dir=tmp_path) as h:
        await h.settle()
        h.engine.config.confirm = Level.AVERAGE
        await h.advance(10 * SECOND)
        store = h.engine.opened.store
        (run,) = h.engine.opened.service(ResultCache).runs
        assert store.uses_of_job(run.job.id)
        h.jobs[run.job.id].approve()
        await h.settle()
        assert [record.ended for record in store.history()] == [JobEnd.OK, JobEnd.OK]


async def test_a_run_writes_no_line_for_it(engine: OpenEngine, shop: Workshop) -> None:
    """One that has found something new writes a line at its end."""
    lines: list[str] = []
    async with engine(pipeline_of(shop)) as h:

        def told(changes: Any) -> None:
            lines.extend(line for c in changes if (line := line_of(c, "log")) is not None)

        EngineView(h.engine.opened).listen(told)
        await first(h, shop)
        lines.clear()
        await refresh(h, shop)
        assert lines == []
        await refresh(h, shop, "new")
        assert [line.split()[0] for line in lines] == ["ok"]


async def test_an_operation_that_does_not_say_so_is_a_job_each_time(
    engine: OpenEngine, shop: Workshop
) -> None:
    """A nightly test is to be seen, although it passes again."""

    def pipeline() -> Current[str]:
        return component("make", lambda: Make(shop).get("a", schedule=EVERY))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed("old")
        await h.settle()
        await refresh(h, shop)
        assert len(h.engine.opened.store.history()) == 2


async def test_it_is_for_builders(engine: OpenEngine) -> None:
    """What sets something is never a lookup."""

    class Setting(Publisher[str, str, str]):
        id = "setting"
        lookup = True

        async def publish(self, job: Job, key: str, value: str) -> str:
            return value

    async with engine(lambda: component("set", lambda: Setting().set("a", "b"))) as h:
        await h.settle()
        assert "lookup = True is for builders" in str(h.output)
    with pytest.raises(UsageError, match="lookup is True or False, not 1"):

        class Wrong(Builder[str, str]):
            id = "wrong"
            lookup = 1  # type: ignore[assignment]
