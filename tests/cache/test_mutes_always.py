"""Mutes: whatever happens in whatever order, a pipeline comes to what the model says.

The model leaves muted failures out where no value is needed. Real engines, a real database, kills
at the moments between acts; only the clock is a test's.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias, assert_never

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent.cli.run import earned
from pycurrent.cli.status import Exit
from pycurrent.engine import MuteKind
from pycurrent.errors import UsageError
from pycurrent.term import Muted
from pycurrent.testing import Harness
from pycurrent.testing.clock import START
from pycurrent.view import EngineView

from ..effort import examples

DAY = timedelta(days=1)
LEAVES = range(2)
MESSAGES = ("broken", "torn")


# Pipelines


@dataclass(frozen=True)
class Leaf:
    number: int


@dataclass(frozen=True)
class Many:
    """`all` needs no value of its parts; a pair needs both."""

    parts: tuple[Tree, ...]
    needs_values: bool


@dataclass(frozen=True)
class One:
    how: str
    of: Tree


@dataclass(frozen=True)
class Gate:
    of: Tree
    on: Tree


Tree: TypeAlias = Leaf | Many | One | Gate


def larger(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    parts = st.lists(trees, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Many, parts, st.booleans()),
        st.builds(One, st.sampled_from(["map", "bind", "ignore", "latch", "map_error"]), trees),
        st.builds(Gate, trees, trees),
    )


TREES: st.SearchStrategy[Tree] = st.recursive(
    st.builds(Leaf, st.sampled_from(LEAVES)), larger, max_leaves=8
)


class World:
    """What is outside of the pipeline, and outlives engines."""

    def __init__(self, tree: Tree, failing: dict[int, str]) -> None:
        self.tree = tree
        self.failing = {**failing}

    def pipeline(self) -> current.Current[Any]:
        leaves = [self.leaf(number) for number in LEAVES]
        used = current.all([leaf.catch() for leaf in leaves])
        return self.of(self.tree, leaves).gate(on=used)

    def leaf(self, number: int) -> current.Current[Any]:
        return current.component(f"test {number}", lambda: Test(self).get(number))

    def of(self, tree: Tree, leaves: list[current.Current[Any]]) -> current.Current[Any]:
        match tree:
            case Leaf(number):
                return leaves[number]
            case Many(parts, needs_values):
                made = [self.of(part, leaves) for part in parts]
                return current.seq(made).map(str) if needs_values else current.all(made)
            case One("map", of):
                return self.of(of, leaves).map(str)
            case One("bind", of):
                return self.of(of, leaves).bind(current.constant)
            case One("ignore", of):
                return self.of(of, leaves).ignore()
            case One("latch", of):
                return self.of(of, leaves).latch()
            case One(_, of):
                return self.of(of, leaves).map_error(lambda why: why)
            case Gate(of, on):
                return self.of(of, leaves).gate(on=self.of(on, leaves))
            case _:
                assert_never(tree)


class Test(current.Builder[int, int]):
    __test__ = False
    id = "test"

    def __init__(self, world: World) -> None:
        self.world = world

    async def build(self, job: current.Job, key: int) -> int:
        await job.start(level=current.Level.HARMLESS)
        if key in self.world.failing:
            raise current.Failure(self.world.failing[key])
        return key


# The model


@dataclass(frozen=True)
class Outcome:
    message: str | None = None
    is_muted: bool = False


@dataclass
class Row:
    """A mute: until when, and how often in a row it has passed."""

    until: datetime
    passes: int = 0


@dataclass
class Model:
    now: datetime = START
    results: dict[int, str | None] = field(default_factory=lambda: dict.fromkeys(LEAVES))
    failed: set[tuple[int, str]] = field(default_factory=set)
    """Which stages have ever failed with which messages."""
    mutes: dict[int | str, Row] = field(default_factory=dict)
    """By the numbers of stages, and by messages."""

    def run(self, leaf: int, message: str | None) -> None:
        self.results[leaf] = message
        if message is None:
            for what, mute in [*self.mutes.items()]:
                if what == leaf or (isinstance(what, str) and (leaf, what) in self.failed):
                    mute.passes += 1
                    if mute.passes == 20:
                        del self.mutes[what]
            return
        self.failed.add((leaf, message))
        for what in (leaf, message):
            if what in self.mutes:
                self.mutes[what].passes = 0

    def advance(self) -> None:
        self.now += DAY
        self.mutes = {what: mute for what, mute in self.mutes.items() if mute.until > self.now}

    def outcome(self, tree: Tree) -> Outcome:
        match tree:
            case Leaf(number):
                message = self.results[number]
                return Outcome(message, number in self.mutes or message in self.mutes)
            case Many(parts, needs_values):
                return _joined([self.outcome(part) for part in parts], excuses=not needs_values)
            case One("ignore", of):
                return _joined([self.outcome(of)], excuses=True)
            case One(_, of):
                return self.outcome(of)
            case Gate(of, on):
                gate = _joined([self.outcome(on)], excuses=True)
                return _joined([self.outcome(of), gate], excuses=False)
            case _:
                assert_never(tree)


def _joined(parts: list[Outcome], *, excuses: bool) -> Outcome:
    failed = [part for part in parts if part.message is not None]
    counting = [part for part in failed if not part.is_muted]
    if not counting and excuses:
        return Outcome()
    return next(iter(counting or failed), Outcome())


# Acts

STAGES = st.sampled_from(LEAVES)
SUBJECTS = st.one_of(STAGES, st.sampled_from(MESSAGES))
ACTS = st.one_of(
    st.tuples(st.just("break"), STAGES, st.sampled_from(MESSAGES)),
    st.tuples(st.just("fix"), STAGES, st.sampled_from([1, 10, 19])),
    *[st.tuples(st.just("mute"), SUBJECTS, st.sampled_from([DAY, 2 * DAY]), st.booleans())] * 3,
    st.tuples(st.just("unmute"), SUBJECTS, st.booleans()),
    st.tuples(st.just("advance")),
    st.tuples(st.just("restart"), st.booleans()),
)


FAILING = st.sampled_from([{}, {0: "broken"}, {0: "broken", 1: "torn"}, {0: "torn", 1: "torn"}])
"""What fails at first."""


@given(TREES, FAILING, st.lists(ACTS, max_size=12))
@example(
    Many((Leaf(0), Leaf(1)), needs_values=True),
    {0: "broken", 1: "torn"},
    [("mute", 0, DAY, True), ("mute", 1, 2 * DAY, True), ("advance",)],
)
@example(
    Leaf(0),
    {},
    [("mute", 0, 2 * DAY, False), ("fix", 0, 19), ("restart", True), ("fix", 0, 1)],
)
@example(
    Many((Leaf(0), Leaf(1)), needs_values=False),
    {0: "torn", 1: "torn"},
    [
        ("mute", "torn", 2 * DAY, False),
        ("restart", True),
        ("fix", 0, 10),
        ("fix", 1, 10),
    ],
)
@settings(max_examples=examples(60), deadline=None)
def test_muted_failures_are_left_out_where_no_value_is_needed(
    tree: Tree, failing: dict[int, str], acts: list[tuple[Any, ...]]
) -> None:
    """The output, the counts and the status of `--once`; a mute holds as soon as the call has
    returned, kill or not, and until its time, or 20 passes in a row.
    """

    async def run(folder: Path) -> None:
        world, model, engines = World(tree, failing), Model(), 0
        for leaf in LEAVES:
            model.run(leaf, failing.get(leaf))
        rest, state = list(acts), folder / "0"
        while True:
            async with Harness(world.pipeline, state_dir=state, start=model.now) as h:
                await h.settle()
                _check(h, world, model)
                act: tuple[Any, ...] = ()
                while rest and (act := rest.pop(0))[0] != "restart":
                    await _do(h, act, world, model)
                if act[:1] != ("restart",):
                    return
                engines += 1
                killed = folder / str(engines)
                if act[1]:
                    shutil.copytree(state, killed, ignore=shutil.ignore_patterns("tmp"))
            state = killed if act[1] else state

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def _do(h: Harness, act: tuple[Any, ...], world: World, model: Model) -> None:
    match act:
        case ("break", leaf, message):
            world.failing[leaf] = message
            await _rebuild(h, world, model, leaf)
        case ("fix", leaf, times):
            world.failing.pop(leaf, None)
            for _ in range(times):
                await _rebuild(h, world, model, leaf)
        case ("mute", what, length, settles):
            if isinstance(what, str) and all(message != what for _, message in model.failed):
                return
            h.engine.mute(**_named(h, what), by="ann", reason="known", until=model.now + length)
            model.mutes[what] = Row(model.now + length)
            if not settles:
                return
        case ("unmute", what, settles):
            if what in model.mutes:
                h.engine.unmute(**_named(h, what), by="ann")
                del model.mutes[what]
            elif isinstance(what, int):
                with pytest.raises(UsageError, match="is not muted"):
                    h.engine.unmute(**_named(h, what), by="ann")
            if not settles:
                return
        case ("advance",):
            await h.advance(DAY)
            model.advance()
    await h.settle()
    _check(h, world, model)


async def _rebuild(h: Harness, world: World, model: Model, leaf: int) -> None:
    h.find(f"test {leaf}").rebuild()
    await h.settle()
    model.run(leaf, world.failing.get(leaf))


def _named(h: Harness, what: int | str) -> dict[str, str]:
    if isinstance(what, int):
        return {"path": f"test {what}"}
    groups = h.engine.opened.store.failures.groups()
    return {"fingerprint": next(g.fingerprint for g in groups if g.message == what)}


def _check(h: Harness, world: World, model: Model) -> None:
    expected = model.outcome(world.tree)
    output = h.engine.opened.output
    assert isinstance(output, current.Failed) is (expected.message is not None)
    assert isinstance(output, Muted) is (expected.message is not None and expected.is_muted)
    if isinstance(output, current.Failed):
        assert output.message == expected.message
    status = earned(EngineView(h.engine.opened).overview(limit=0), recorded=True)
    fails = expected.message is not None and not expected.is_muted
    assert status is (Exit.FAILED if fails else Exit.OK)
    leaves = [model.outcome(Leaf(number)) for number in LEAVES]
    failed = [leaf for leaf in leaves if leaf.message is not None]
    assert h.stats.muted == sum(leaf.is_muted for leaf in failed)
    assert h.stats.failed == len(failed) - h.stats.muted
    messages = {g.fingerprint: g.message for g in h.engine.opened.store.failures.groups()}
    mutes: dict[int | str, Row] = {}
    for mute in h.engine.mutes:
        name = mute.what.name
        what = int(name[-1]) if mute.what.kind is MuteKind.PATH else messages[name]
        mutes[what] = Row(mute.until, mute.passes)
    assert mutes == model.mutes
