"""In each state that a pipeline can reach, each stage says why it is so, and acting on it helps."""

from __future__ import annotations

import asyncio
import errno
import resource
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_never

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

import pycurrent as current
from pycurrent.engine import Pausable
from pycurrent.explain.reasons import (
    Blocked,
    Failing,
    FailureMuted,
    FoundAgain,
    Given,
    InConflict,
    MadeAgain,
    Pinned,
    Ran,
    Reason,
    Reused,
    Running,
    Says,
    TakenAsThere,
    WaitsForAnswer,
    WaitsForApproval,
    WaitsForConfirmation,
    WaitsForEnd,
    WaitsForRead,
    WaitsForRecords,
    WaitsForResume,
    WaitsForRun,
    WaitsForStep,
    WaitsInQueue,
    WaitsUntil,
)
from pycurrent.term import State
from pycurrent.testing import Harness

from ..effort import examples

MINUTE = timedelta(minutes=1)
RETRY = current.Retry(real=2, backoff=MINUTE)


class Part(Struct, frozen=True):
    """A stage of a random pipeline."""

    after: int
    """The number of the stage that it needs; -1 for the input."""
    kind: str


KINDS = [
    "work",
    "hold",  # It waits for a resource of which there is one, and keeps it.
    "share",  # Likewise, of a pool that gives each label one of its two.
    "ask",
    "fail",
    "retry",  # It fails, and is tried again.
    "machine",  # The machine fails it as long as it can.
    "set",  # It sets a key to the value, and keeps at it.
    "clash",  # It sets a key that all of its kind set.
    "map",
    "bind",
    "item",
    "gate",
]
PARTS = st.lists(
    st.builds(Part, after=st.integers(-1, 6), kind=st.sampled_from(KINDS)), min_size=1, max_size=7
)


class World:
    """The outside of one random pipeline."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.pool = current.Pool("few", 1)
        self.shared = current.Pool("shared", 2, share_by="part", quota=1)
        self.head = current.Var("head", 1)
        self.holds = asyncio.Event()
        self.machine_fails = True
        self.number = 1
        self.limits: tuple[int, int] | None = None
        """The limits of files, while the disk is full."""

    def pipeline(self) -> current.Current[Any]:
        made: list[current.Current[Any]] = [self.head.get()]
        for number, part in enumerate(self.parts):
            source = made[min(part.after, number - 1) + 1]
            with current.labels(part=str(number % 2)):
                made.append(self.stage(number, part, source))
        return current.all([*made, current.Input("speed", 1).get()])

    def stage(self, number: int, part: Part, source: current.Current[Any]) -> current.Current[Any]:
        name = f"{part.kind} {number}"
        build, put = Work(self, part.kind), Set(self)

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
            case "set":
                return current.component(name, lambda v: put.set(name, str(v)), source)
            case "clash":
                # Not of another one: one that waits for what it prevents is never done.
                wanted, head = f"{number} of ", self.head.get()
                return current.component(name, lambda v: put.set("it", wanted + str(v)), head)
            case _:
                return of(source)

    def free(self) -> None:
        """Let all that has begun, or will, come to its end."""
        self.holds.set()
        self.machine_fails = False

    def fill_disk(self) -> None:
        """Nothing can be recorded from now on."""
        if self.limits is None:
            self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self.limits[1]))

    def free_disk(self) -> None:
        if self.limits is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)
            self.limits = None


class Work(current.Builder[tuple[str, str], str]):
    id = "work"
    retry = RETRY

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.kind = kind

    async def build(self, job: current.Job, key: tuple[str, str]) -> str:
        kind, world = self.kind, self.world
        pools = {"hold": world.pool, "share": world.shared}
        level = current.Level.DANGEROUS if kind == "ask" else current.Level.HARMLESS
        await job.start(level=level, pool=pools.get(kind))
        if kind in pools:
            await world.holds.wait()
        if kind == "machine" and world.machine_fails:
            raise OSError(errno.ENOSPC, "no space left")
        if kind == "fail":
            raise current.Failure("it fails", kind=current.FailureKind.TIMEOUT)
        if kind == "retry":
            raise current.Failure("it fails")
        return key[1]


class Set(current.Publisher[str, str, str]):
    id = "set"

    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, job: current.Job, key: str, value: str) -> str:
        await job.start(level=current.Level.AVERAGE)
        await self.world.holds.wait()
        return value


FINAL = (State.OK, State.FAILED, State.MUTED)


def check(h: Harness) -> None:
    """Each stage has its reasons, and they fit its state."""
    live = h.engine.opened.live
    paths = {str(live.ref(stage)): stage.state for stage in live.stages()}
    pinned = {pin.path for pin in h.engine.pins}
    for path, state in paths.items():
        why = h.engine.why(path)
        assert why.stage == path
        assert why.state == state.word
        assert str(why).count("\n") >= len(why.reasons)
        assert any(isinstance(reason, Pinned) for reason in why.reasons) == (path in pinned)
        if state is State.MUTED:
            assert any(isinstance(reason, FailureMuted) for reason in why.reasons)
        if state not in FINAL:
            assert why.reasons, (path, state)
            assert not isinstance(why.reasons[0], WaitsForStep), (path, state)
        if state is State.BLOCKED:
            (reason,) = [why for why in why.reasons if not isinstance(why, FailureMuted)]
            assert isinstance(reason, Blocked | Failing)
            if isinstance(reason, Blocked):
                # Those that it names are there, and they are not blocked themselves.
                assert all(paths[stage] is not State.BLOCKED for stage in reason.stages)
                assert all(paths[stage] is not State.OK for stage in reason.stages)


ASIDE = (MadeAgain, Pinned, FailureMuted, TakenAsThere)
"""Reasons that come beside the one why a stage is not final."""


def wait_of(h: Harness, path: str) -> Reason:
    """The reason why a stage is not final: the one on which somebody can act."""
    reasons = h.engine.why(path).reasons
    return next(reason for reason in reasons if not isinstance(reason, ASIDE))


async def act_on(h: Harness, world: World, reason: Reason) -> bool:
    """Do what a reason says that somebody can do; False if it names other stages."""
    match reason:
        case WaitsForConfirmation(job):
            h.jobs[job].approve()
        case WaitsForApproval(commit=commit):
            h.engine.approve_commit(commit)
        case WaitsForResume(what=what, until=None):
            h.engine.opened.pauses.resume(Pausable.of_text(what))
        case WaitsForResume(until=until) | WaitsUntil(until=until):
            assert until is not None
            world.machine_fails = False
            await h.advance(until - h.clock.now())
        case WaitsInQueue(holders=holders):
            assert holders
            world.free()
        case WaitsForRun() | Running():
            world.free()
        case WaitsForRecords():
            world.free_disk()
            await h.advance(MINUTE)
        case Blocked():
            return False
        case (
            WaitsForRead()
            | WaitsForStep()
            | InConflict()
            | Failing()
            | FailureMuted()
            | Given()
            | Says()
            | MadeAgain()
            | Pinned()
            | TakenAsThere()
            | WaitsForAnswer()
            | WaitsForEnd()
            | Ran()
            | Reused()
            | FoundAgain()
        ):
            raise AssertionError(f"nobody can act on {reason}")
        case _:
            assert_never(reason)
    await h.settle()
    return True


async def move_on(h: Harness, world: World) -> None:
    """Act on what one stage says that it waits for, and so on, until all is final."""
    for _ in range(40 * len(world.parts)):
        live = h.engine.opened.live
        paths = [str(live.ref(stage)) for stage in live.stages() if stage.state not in FINAL]
        for path in paths:
            before = h.engine.why(path)
            if await act_on(h, world, wait_of(h, path)):
                assert h.engine.opened.live.find(path) is None or h.engine.why(path) != before
                break
        else:
            break
    for stage in h.engine.opened.live.stages():
        assert stage.state in (*FINAL, State.BLOCKED)


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


def pause_a_while(h: Harness, world: World) -> None:
    h.engine.pause(pool="shared", by="ann", until=h.clock.now() + 10 * MINUTE)


def pin(h: Harness, world: World) -> None:
    h.engine.pin("speed", by="ann")


def unpin(h: Harness, world: World) -> None:
    for pin in h.engine.pins:
        h.engine.unpin(pin.path, by="ann")


def mute(h: Harness, world: World) -> None:
    """Mute the stages that have failed, or all of them before they have."""
    live = h.engine.opened.live
    stages = [*live.stages()]
    for stage in [stage for stage in stages if stage.state is State.FAILED] or stages:
        if live.ref(stage).is_stable:
            h.engine.mute(str(live.ref(stage)), by="ann", reason="known")


def unmute(h: Harness, world: World) -> None:
    for mute in h.engine.mutes:
        h.engine.unmute(mute.what.name, by="ann")


ACTIONS: dict[str, Callable[[Harness, World], None]] = {
    "set": set_head,
    "unset": lambda h, world: world.head.set(current.Active(current.Activity.RUNNING)),
    "approve": approve,
    "free": lambda h, world: world.free(),
    "hold": lambda h, world: world.holds.clear(),
    "rebuild": rebuild,
    "pool": lambda h, world: h.engine.pause(pool="few", by="ann"),
    "a while": pause_a_while,
    "harmless": lambda h, world: h.engine.pause(level=current.Level.HARMLESS, reason="too hot"),
    "path": pause_path,
    "resume": resume,
    "level": lambda h, world: setattr(h.engine.config, "confirm", None),
    "pin": pin,
    "speed": lambda h, world: h.engine.set_input("speed", world.number),
    "unpin": unpin,
    "mute": mute,
    "unmute": unmute,
    "full disk": lambda h, world: world.fill_disk(),
    "free disk": lambda h, world: world.free_disk(),
    "time": lambda h, world: None,
}
ACTS = st.lists(st.sampled_from([*ACTIONS]), max_size=8)


@given(PARTS, ACTS)
@settings(max_examples=examples(40), deadline=None)
def test_each_stage_says_why_and_acting_on_it_moves_it(parts: list[Part], acts: list[str]) -> None:
    """Whatever the pipeline, and whatever is done to it."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(parts, acts, Path(folder) / "state"))


async def live_through(parts: list[Part], acts: list[str], state_dir: Path) -> None:
    world = World(parts)
    config = current.Config(confirm=current.Level.DANGEROUS)
    try:
        async with Harness(world.pipeline, state_dir=state_dir, config=config) as h:
            await h.settle()
            check(h)
            for act in acts:
                ACTIONS[act](h, world)
                await (h.advance(MINUTE) if act == "time" else h.settle())
                check(h)
            world.head.set(3)
            await h.settle()
            await move_on(h, world)
            check(h)
            world.free()
    finally:
        world.free_disk()
