"""In each state that a pipeline can reach, each stage says why it is so, and acting on it helps."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

import pycurrent as current
from pycurrent.engine import Pausable
from pycurrent.explain.reasons import (
    Blocked,
    Failing,
    Running,
    WaitsForConfirmation,
    WaitsForResume,
    WaitsForStep,
    WaitsInQueue,
)
from pycurrent.term import State
from pycurrent.testing import Harness


class Part(Struct, frozen=True):
    """A stage of a random pipeline."""

    after: int
    """The number of the stage that it needs; -1 for the input."""
    kind: str


PARTS = st.lists(
    st.builds(
        Part,
        after=st.integers(-1, 6),
        kind=st.sampled_from(["work", "hold", "ask", "fail", "map", "bind", "item", "gate"]),
    ),
    min_size=1,
    max_size=7,
)
ACTS = st.lists(
    st.sampled_from(
        [
            "set",
            "unset",
            "approve",
            "free",
            "rebuild",
            "level",
            "pool",
            "harmless",
            "path",
            "resume",
        ]
    ),
    max_size=8,
)


class World:
    """The outside of one random pipeline."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.pool = current.Pool("few", 1)
        self.head = current.Var("head", 1)
        self.holds = asyncio.Event()
        self.number = 1

    def pipeline(self) -> current.Current[Any]:
        made: list[current.Current[Any]] = [self.head.get()]
        for number, part in enumerate(self.parts):
            source = made[min(part.after, number - 1) + 1]
            made.append(self.stage(number, part, source))
        return current.all(made)

    def stage(self, number: int, part: Part, source: current.Current[Any]) -> current.Current[Any]:
        name = f"{part.kind} {number}"
        build = Work(self, part.kind)

        def of(value: current.Current[Any]) -> current.Current[Any]:
            return current.component(name, lambda v: build.get((name, str(v))), value)

        match part.kind:
            case "map":
                return source.map(lambda value: 1 / 0 if value == 2 else value)
            case "bind":
                return source.bind(
                    lambda value: of(current.constant(value)), name=f"decide {number}"
                )
            case "item":
                return source.map(lambda value: [str(value), "x"]).list_map(of).map(str)
            case "gate":
                return of(source.gate(on=self.head.get()))
            case _:
                return of(source)


class Work(current.Builder[tuple[str, str], str]):
    id = "work"

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.kind = kind

    async def build(self, job: current.Job, key: tuple[str, str]) -> str:
        asks = self.kind == "ask"
        await job.start(
            level=current.Level.DANGEROUS if asks else current.Level.HARMLESS,
            pool=self.world.pool if self.kind == "hold" else None,
        )
        if self.kind == "hold":
            await self.world.holds.wait()
        if self.kind == "fail":
            raise current.Failure("it fails")
        return key[1]


FINAL = (State.OK, State.FAILED)


def check(h: Harness) -> None:
    """Each stage has its reasons, and they fit its state."""
    live = h.engine.opened.live
    paths = {str(live.ref(stage)): stage.state for stage in live.stages()}
    for path, state in paths.items():
        why = h.engine.why(path)
        assert why.stage == path
        assert why.state == state.word
        assert str(why).count("\n") >= len(why.reasons)
        if state not in FINAL:
            assert why.reasons, (path, state)
            assert not isinstance(why.reasons[0], WaitsForStep), (path, state)
        if state is State.BLOCKED:
            (reason,) = why.reasons
            assert isinstance(reason, Blocked | Failing)
            if isinstance(reason, Blocked):
                # Those that it names are there, and they are not blocked themselves.
                assert all(paths[stage] is not State.BLOCKED for stage in reason.stages)
                assert all(paths[stage] is not State.OK for stage in reason.stages)


async def move_on(h: Harness, world: World) -> None:
    """Act on what the stages say that they wait for, until all is final."""
    for _ in range(20 * len(world.parts)):
        live = h.engine.opened.live
        paths = [str(live.ref(stage)) for stage in live.stages() if stage.state not in FINAL]
        waits = [reason for path in paths for reason in h.engine.why(path).reasons[:1]]
        acted = False
        for wait in waits:
            match wait:
                case WaitsForConfirmation(job):
                    h.jobs[job].approve()
                    acted = True
                case WaitsForResume(what=what):
                    h.engine.opened.pauses.resume(Pausable.of_text(what))
                    acted = True
                case WaitsInQueue() | Running():
                    world.holds.set()
                    acted = True
        await h.settle()
        if not acted:
            break
    for stage in h.engine.opened.live.stages():
        assert stage.state in (*FINAL, State.BLOCKED)


@given(PARTS, ACTS)
@settings(max_examples=40, deadline=None)
def test_each_stage_says_why_and_acting_on_it_moves_it(parts: list[Part], acts: list[str]) -> None:
    """Whatever the pipeline, and whatever is done to it."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(parts, acts, Path(folder) / "state"))


async def live_through(parts: list[Part], acts: list[str], state_dir: Path) -> None:
    world = World(parts)
    config = current.Config(confirm=current.Level.DANGEROUS)
    async with Harness(world.pipeline, state_dir=state_dir, config=config) as h:
        await h.settle()
        check(h)
        for act in acts:
            ACTIONS[act](h, world)
            await h.settle()
            check(h)
        world.head.set(3)
        await h.settle()
        await move_on(h, world)
        check(h)


def set_head(h: Harness, world: World) -> None:
    world.number += 1
    world.head.set(world.number)


def approve(h: Harness, world: World) -> None:
    for job in list(h.jobs.values()):
        job.approve()


def rebuild(h: Harness, world: World) -> None:
    for job in list(h.jobs.values()):
        job.rebuild(by="ann")


def pause_path(h: Harness, world: World) -> None:
    """Pause the first stage that lives."""
    live = h.engine.opened.live
    stage = next(live.stages(), None)
    if stage is not None and live.ref(stage).is_stable:
        h.engine.pause(str(live.ref(stage)))


def resume(h: Harness, world: World) -> None:
    for pause in h.engine.pauses:
        h.engine.opened.pauses.resume(pause.what)


ACTIONS: dict[str, Callable[[Harness, World], None]] = {
    "set": set_head,
    "unset": lambda h, world: world.head.set(current.Active(current.Activity.RUNNING)),
    "approve": approve,
    "free": lambda h, world: world.holds.set(),
    "rebuild": rebuild,
    "pool": lambda h, world: h.engine.pause(pool="few", by="ann"),
    "harmless": lambda h, world: h.engine.pause(level=current.Level.HARMLESS, reason="too hot"),
    "path": pause_path,
    "resume": resume,
    "level": lambda h, world: setattr(h.engine.config, "confirm", None),
}
