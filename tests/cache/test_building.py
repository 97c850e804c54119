"""What is wanted and not known is made: once, again when asked for, and not in vain."""

from __future__ import annotations

import asyncio
from typing import Any

from pycurrent.cache import Builder, ResultCache
from pycurrent.engine import Job, Level
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Metadata,
    Ok,
    Stats,
    Var,
    all,
    component,
    metadata,
)
from pycurrent.testing.clock import START

from .workshop import (
    RUNNING,
    SECOND,
    Make,
    MakeAuto,
    OpenEngine,
    Workshop,
    check,
    make,
    make_while,
)


async def test_what_is_wanted_and_not_known_is_made(engine: OpenEngine, shop: Workshop) -> None:
    """It runs, its outcome is reported, and it is in the history as build 0."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        assert (h.output, h.stats) == (RUNNING, Stats(running=1))
        await h.advance(SECOND)
        shop.work.succeed("done")
        await h.settle()
        assert (h.output, h.stats) == (Ok("done"), Stats(ok=1))
        (build,) = h.history("make")
        assert (build.key, build.build, build.ok, build.outcome) == ("a", 0, True, "done")
        assert (build.ready, build.running, build.finished) == (START, START, START + SECOND)
        assert build.job_id == h.find("make a").id
        check(h)


async def test_the_start_of_a_run_is_recorded(engine: OpenEngine, shop: Workshop) -> None:
    """With its level, while it is at work."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        record = h.engine.service(ResultCache).store.job(shop.work.job.id)
        assert record is not None
        assert (record.created, record.started, record.finished) == (START, START, None)
        assert record.level == str(Level.AVERAGE)


async def test_the_job_of_a_run_is_shown_before_it_starts(engine: OpenEngine) -> None:
    """Its operation may look at something first."""
    go = asyncio.Event()

    class Pondering(Builder[str, str]):
        id = "pondering"

        async def build(self, job: Job, key: str) -> str:
            await go.wait()
            await job.start(level=Level.HARMLESS)
            return "done"

    async with engine(lambda: metadata(component("c", lambda: Pondering().get("a")))) as h:
        await h.settle()
        assert (h.output, h.stats) == (Ok(Metadata(h.find("pondering a").id)), Stats(ready=1))
        go.set()
        await h.settle()
        assert h.stats == Stats(ok=1)


async def test_a_rebuild_makes_it_again(engine: OpenEngine, shop: Workshop) -> None:
    """Meanwhile it is running, and the history keeps the first build."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        shop.work.succeed("first")
        await h.settle()
        old = h.find("make a")
        new = old.rebuild()
        await h.settle()
        assert h.output == RUNNING
        assert h.find("make a").id == new != old.id
        assert old.rebuild() == new, "it is being made already"
        shop.work.succeed("second")
        await h.settle()
        assert h.output == Ok("second")
        history = [(b.build, b.outcome, b.rebuild) for b in h.history()]
        assert history == [(0, "first", True), (1, "second", False)]
        check(h)


async def test_a_failure_stays_until_somebody_asks_for_a_rebuild(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Steps and restarts don't try again."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        shop.work.fail("no luck")
        await h.settle()
        assert (h.output, h.stats) == (Failed("no luck"), Stats(failed=1))
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        assert h.output == Failed("no luck")
        h.find("make a").rebuild()
        await h.settle()
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok("done")
        assert len(shop.begun) == 2


async def test_what_is_known_is_not_made_again_after_a_restart(
    engine: OpenEngine, shop: Workshop
) -> None:
    """The first step of the next engine knows it, and its job."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        job_id = h.find("make a").id
    async with engine(lambda: make(Make(shop))) as h:
        assert h.output == Ok("done")
        assert h.find("make a").id == job_id
        assert len(shop.begun) == 1


async def test_a_rebuild_that_was_asked_for_survives_a_restart(
    engine: OpenEngine, shop: Workshop
) -> None:
    """The run is interrupted; the next engine runs it again, and numbers go on."""
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        h.find("make a").rebuild()
        await h.settle()
    async with engine(lambda: make(Make(shop))) as h:
        await h.settle()
        assert h.output == RUNNING
        shop.work.succeed("again")
        await h.settle()
        assert [(b.build, b.ok) for b in h.history()] == [(0, True), (1, None), (1, True)]


async def test_what_nobody_needs_can_be_asked_for_again_later(
    engine: OpenEngine, shop: Workshop
) -> None:
    """A rebuild by a handle that was kept marks it; once it is needed, it is made."""
    wanted = Var("wanted", True)
    async with engine(make_while(wanted, Make(shop))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        kept = h.find("make a")
        wanted.set(False)
        await h.settle()
        assert h.jobs == {}
        assert kept.rebuild() == kept.id
        await h.settle()
        assert len(shop.begun) == 1
        wanted.set(True)
        await h.settle()
        assert h.output == RUNNING


async def test_a_handle_outlives_the_instance_that_it_came_from(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Not needed for a while, and then again: the old handle still rebuilds it."""
    wanted = Var("wanted", True)
    async with engine(make_while(wanted, Make(shop))) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        kept = h.find("make a")
        for value in (False, True):
            wanted.set(value)
            await h.settle()
        new = kept.rebuild()
        await h.settle()
        assert h.output == RUNNING
        assert h.find("make a").id == new
        kept.cancel("the handle's own job has long ended")
        await h.settle()
        assert h.output == RUNNING


async def test_invalidate_makes_it_again_if_it_is_needed(
    engine: OpenEngine, shop: Workshop
) -> None:
    """At once if it is needed, and otherwise once it is; for an unknown key it does nothing."""
    wanted = Var("wanted", True)
    op = Make(shop)
    async with engine(make_while(wanted, op)) as h:
        op.invalidate(h.engine, "unknown")
        await h.settle()
        shop.work.succeed()
        await h.settle()
        op.invalidate(h.engine, "a")
        await h.settle()
        shop.work.succeed("second")
        await h.settle()
        assert h.output == Ok("second")
        wanted.set(False)
        await h.settle()
        op.invalidate(h.engine, "a")
        await h.settle()
        assert len(shop.begun) == 2
        wanted.set(True)
        await h.settle()
        assert len(shop.begun) == 3


async def test_with_auto_cancel_what_nobody_needs_is_cancelled_and_not_recorded(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Wanted again before the old run has ended, it is run anew after that."""
    wanted = Var("wanted", True)
    op = MakeAuto(shop)
    async with engine(make_while(wanted, op)) as h:
        await h.settle()
        shop.stubborn = True
        wanted.set(False)
        await h.settle()
        assert h.output == Ok("unwanted")
        old = shop.work
        assert old.job.cancelled == "it is no longer needed"
        wanted.set(True)
        await h.settle()
        assert shop.at_work == [old]
        old.succeed("old")
        await h.settle()
        assert h.output == RUNNING
        shop.work.succeed("new")
        await h.settle()
        assert h.output == Ok("new")
        assert [(b.build, b.outcome) for b in h.history()] == [(0, "new")]
        assert "Cancelling: it is no longer needed" in old.job.log_path.read_text()
        check(h)


async def test_without_auto_cancel_what_nobody_needs_runs_on(
    engine: OpenEngine, shop: Workshop
) -> None:
    """And its result is there when it is needed again."""
    wanted = Var("wanted", True)
    async with engine(make_while(wanted, Make(shop))) as h:
        await h.settle()
        wanted.set(False)
        await h.settle()
        check(h)
        shop.work.succeed("done")
        await h.settle()
        assert h.jobs == {}
        wanted.set(True)
        await h.settle()
        assert (h.output, len(shop.begun)) == (Ok("done"), 1)


async def test_a_mapped_primitive_keeps_its_operation(engine: OpenEngine, shop: Workshop) -> None:
    """`map_output` sees every output."""
    seen: list[Any] = []

    def pipeline() -> Current[str]:
        def note(output: Any) -> Any:
            seen.append(output)
            return output

        return component("c", lambda: Make(shop).get("a").map_output(note))

    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed()
        await h.settle()
        assert h.output == Ok("done")
        assert list(dict.fromkeys(seen)) == [Active(Activity.READY), RUNNING, Ok("done")]


async def test_many_results_of_a_step_are_recorded_together(
    engine: OpenEngine, shop: Workshop
) -> None:
    """Each in its own order of arrival, and each known to the next engine."""
    keys = [f"k{n}" for n in range(20)]

    def pipeline() -> Current[Any]:
        return all([make(Make(shop), key) for key in keys])

    async with engine(pipeline) as h:
        await h.settle()
        assert [work.key for work in shop.begun] == keys, "what is written first is started first"
        steps = h.engine.steps
        for work in list(shop.at_work):
            work.succeed()
        await h.settle()
        assert h.engine.steps - steps <= 2
        assert isinstance(h.output, Ok)
    async with engine(pipeline) as h:
        assert isinstance(h.output, Ok)
        assert len(shop.begun) == 20
