"""The public engine is the face of an open one."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pycurrent import (
    Active,
    Activity,
    Builder,
    Current,
    Engine,
    Failure,
    Job,
    Level,
    Monitor,
    Ok,
    Primitive,
    PycurrentError,
    Stats,
    component,
)
from pycurrent.engine import OpenEngine
from pycurrent.service import Service
from pycurrent.term import State, constant, pair
from pycurrent.testing import Harness
from pycurrent.view import EngineView


async def test_hooks_get_the_open_engine_before_the_first_step(tmp_path: Path) -> None:
    """Async ones are awaited; nothing of the pipeline has run by then, and all of it is there."""
    seen: list[Any] = []

    def read() -> int:
        seen.append("read")
        return 1

    async def hook(opened: OpenEngine) -> None:
        seen.append((opened.steps, opened.idle, opened.state.path, opened.pipeline is not None))

    monitor = Monitor(read=read, watch=lambda refresh: nullcontext(), describe="one")
    engine = Engine(lambda: component("one", monitor.get), state_dir=tmp_path)
    engine.on_open(seen.append)
    engine.on_open(hook)
    async with engine:
        await engine.settled()
        assert engine.output == Ok(1)
        assert seen == [engine.opened, (0, False, tmp_path, True), "read"]


async def test_a_hook_that_raises_closes_the_engine(tmp_path: Path) -> None:
    """Another engine can use the state directory at once."""

    def hook(opened: OpenEngine) -> None:
        raise RuntimeError("no")

    engine = Engine(lambda: constant(1), state_dir=tmp_path)
    engine.on_open(hook)
    with pytest.raises(RuntimeError, match="no"):
        async with engine:
            raise AssertionError("it begins")
    async with Engine(lambda: constant(2), state_dir=tmp_path) as other:
        assert other.output == Ok(2)


async def test_an_engine_that_is_not_open_says_so(tmp_path: Path) -> None:
    """Nothing is known yet, what needs it open is refused, and hooks come too late later."""
    engine = Engine(lambda: constant(1), state_dir=tmp_path)
    assert engine.output == Active(Activity.READY)
    assert (engine.stats, engine.jobs, engine.steps) == (Stats(), {}, 0)
    with pytest.raises(PycurrentError, match="not open: use it within `async with engine`"):
        engine.graph()
    await engine.aclose()
    async with engine:
        with pytest.raises(PycurrentError, match="open already: call on_open before"):
            engine.on_open(lambda opened: None)
    assert engine.output == Ok(1)


async def test_jobs_end_before_any_service_is_closed(tmp_path: Path) -> None:
    """Whichever was made first: jobs use services."""
    ended: list[str] = []

    class Shared:
        def __init__(self, engine: OpenEngine) -> None:
            engine.on_close(self.aclose)

        async def aclose(self) -> None:
            ended.append("service")

    class Endless(Builder[str, str]):
        id = "endless"

        async def build(self, job: Job, key: str) -> str:
            await job.start(level=Level.HARMLESS)
            job.on_cancel(lambda: ended.append("job"))
            await job.exec(["sleep", "100"])
            return key

    def pipeline() -> Current[str]:
        return component("endless", lambda: Endless().get("x"))

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.until(lambda: h.stats.running)
        h.engine.service(Shared)
    assert ended == ["job", "service"]


async def test_a_view_that_is_made_late_sees_what_there_is(tmp_path: Path) -> None:
    """Also binds with a name; and a service, with the same figures as one that was there before."""

    def pipeline() -> Current[Any]:
        def decide(value: int) -> Current[int]:
            raise Failure("undecided")

        decided = constant(1).bind(decide, name="decide")
        return pair(component("well", lambda: Primitive.constant(1)), decided)

    early: list[EngineView] = []
    h = Harness(pipeline, state_dir=tmp_path)
    h.engine.on_open(lambda opened: early.append(EngineView(opened)))
    async with h:
        await h.settle()
        service = Service(h.engine.opened)
        late = service.stages.overview(10)
        assert late == early[0].overview(10)
        assert [(stage.label, stage.state) for stage in late.stages] == [("decide", State.FAILED)]
        assert service.metrics.read().stages == h.stats
        service.close()
