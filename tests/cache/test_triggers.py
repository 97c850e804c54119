"""Triggers: what people start, with parameters."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent.cache import NoSuchTrigger, Triggers, TriggerState, UnstableType
from pycurrent.errors import UsageError, WrongKind
from pycurrent.store import DatabaseReader
from pycurrent.term import evaluate
from pycurrent.testing import Harness, HarnessFactory

from ..effort import examples

HARMLESS = current.Level.HARMLESS


@dataclass(frozen=True)
class Release:
    """What to release."""

    version: str
    channel: Literal["beta", "stable"] = "beta"
    dry: bool = False
    notes: tuple[str, ...] = field(default_factory=tuple)


RELEASE = current.Trigger("release", Release)


class Work(current.Builder[current.Fired[Release], str]):
    """Does what was fired, once it is told to; what is called `bad` fails."""

    id = "work"

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go_on = asyncio.Event()

    async def build(self, job: current.Job, key: current.Fired[Release]) -> str:
        await job.start(level=HARMLESS)
        self.begun.append(key.params.version)
        await self.go_on.wait()
        if key.params.version == "bad":
            raise current.Failure("no good")
        return f"released {key.params.version}"

    def describe(self, key: current.Fired[Release]) -> str:
        return f"release {key.params.version}"


class Releases:
    """A pipeline that runs each firing: an example of `pending`."""

    def __init__(self) -> None:
        self.work = Work()
        self.work.go_on.set()

    def __call__(self) -> current.Current[list[Any]]:
        @current.component("release")
        def release(fired: current.Fired[Release]) -> current.Primitive[str]:
            return self.work.get(fired)

        return RELEASE.pending().list_map(lambda fired: release(fired).state())


def state(h: Harness) -> TriggerState:
    (found,) = h.engine.service(Triggers).all()
    return found


def pending(h: Harness) -> list[int]:
    return [record.id for record in state(h).pending]


async def test_get_is_the_newest_firing(harness: HarnessFactory) -> None:
    """None before the first; the same one after a restart."""
    async with harness(RELEASE.get) as h:
        assert h.output == current.Ok(None)
        h.engine.fire("release", Release("1"))
        h.engine.fire("release", Release("2"), by="ann", reason="it is Friday")
        await h.settle()
        at = datetime(2026, 1, 1, tzinfo=UTC)
        newest = current.Ok(current.Fired(2, Release("2"), "ann", at, "it is Friday"))
        assert h.output == newest
    async with harness(RELEASE.get) as h:
        await h.settle()
        assert h.output == newest


async def test_each_firing_runs_and_leaves_the_list_when_its_stages_are_final(
    harness: HarnessFactory,
) -> None:
    """Also if they have failed; two with the same parameters are two."""
    releases = Releases()
    releases.work.go_on.clear()
    async with harness(releases) as h:
        for version in ("1", "1", "bad"):
            h.engine.fire("release", Release(version), by="ann")
        await h.settle()
        assert sorted(releases.work.begun) == ["1", "1", "bad"]
        assert pending(h) == [1, 2, 3]
        releases.work.go_on.set()
        await h.settle()
        assert pending(h) == []
        assert h.output == current.Ok([])
        assert sorted((build.ok, build.outcome) for build in h.history()) == [
            (False, "no good"),
            (True, "released 1"),
            (True, "released 1"),
        ]


async def test_a_firing_stays_as_long_as_one_of_its_stages_is_not_final(
    harness: HarnessFactory,
) -> None:
    """One that waits for a person or is blocked by it isn't, whatever the others are."""

    @current.builder("prepare", level=HARMLESS)
    async def prepare(job: current.Job, id: int) -> int:
        return id

    @current.builder("publish", level=current.Level.DANGEROUS)
    async def publish(job: current.Job, id: int) -> int:
        return id

    @current.builder("tell", level=HARMLESS)
    async def tell(job: current.Job, id: int) -> int:
        return id

    def run(fired: current.Current[current.Fired[Release]]) -> current.Current[int]:
        return tell(publish(prepare(fired.map(lambda one: one.id))))

    config = current.Config(confirm=current.Level.DANGEROUS)
    async with harness(lambda: RELEASE.pending().list_map(run), config=config) as h:
        h.engine.fire("release", Release("1"))
        await h.settle()
        assert [build.op for build in h.history()] == ["prepare"]
        assert pending(h) == [1]
        h.find("publish 1").approve()
        await h.settle()
        assert pending(h) == []
        assert [build.op for build in h.history()] == ["prepare", "publish", "tell"]


async def test_a_firing_survives_restarts(harness: HarnessFactory) -> None:
    """It runs in the next run of the engine, and is not run again once it is done."""
    releases = Releases()
    releases.work.go_on.clear()
    async with harness(releases) as h:
        h.engine.fire("release", Release("1"), by="ann")
    releases.work.go_on.set()
    for _ in range(2):
        async with harness(releases) as h:
            await h.settle()
            assert pending(h) == []
            assert [build.outcome for build in h.history() if build.ok] == ["released 1"]
            newest = state(h).newest
            assert newest is not None
            assert newest.done is not None


async def test_a_firing_is_on_disk_once_the_call_has_returned(harness: HarnessFactory) -> None:
    """A kill right after it loses nothing."""
    async with harness(RELEASE.get) as h:
        assert h.engine.fire("release", Release("1"), by="ann") == 1
        with DatabaseReader.open(h.engine.opened.state.database) as reader:
            assert [(record.id, record.name, record.by) for record in reader.firings()] == [
                (1, "release", "ann")
            ]
            assert [(act.what, act.subject) for act in reader.audit()] == [("fire", "release")]


async def test_what_a_firing_starts_follows_from_it(harness: HarnessFactory) -> None:
    """From one change, and its end is none."""
    async with harness(Releases()) as h:
        await h.settle()
        h.engine.fire("release", Release("1"), by="ann", reason="it is Friday")
        await h.settle()
        store = h.engine.opened.store
        (job,) = store.history(limit=10)
        (change,) = store.changes_of_job(job.job_id)
        assert change.by == "ann"
        assert change.summary == "release: None → firing 1, by ann: it is Friday"
        assert [one.summary for one in store.changes()] == [change.summary, "release: None"]


async def test_a_firing_without_stages_stays_pending(harness: HarnessFactory) -> None:
    """They may be still to come; and those that only go away make nothing final."""
    use = current.Var("use", True)
    releases = Releases()
    releases.work.go_on.clear()

    def pipeline() -> current.Current[Any]:
        return use.get().bind(lambda yes: releases() if yes else RELEASE.pending().map(len))

    async with harness(pipeline) as h:
        h.engine.fire("release", Release("1"))
        await h.settle()
        use.set(False)
        await h.settle()
        assert h.output == current.Ok(1)
        use.set(True)
        releases.work.go_on.set()
        await h.settle()
        assert h.output == current.Ok([])


async def test_wrong_parameters_are_refused(harness: HarnessFactory) -> None:
    """With what is wrong; nothing is fired."""
    async with harness(RELEASE.get) as h:
        triggers = h.engine.service(Triggers)
        with pytest.raises(UsageError, match="parameters of trigger 'release' is of type str"):
            h.engine.fire("release", "1")
        with pytest.raises(NoSuchTrigger, match="no trigger 'deploy': it uses 'release'"):
            h.engine.fire("deploy", Release("1"))
        for typed, why in (
            ({}, "trigger 'release' needs the parameter 'version'"),
            (
                {"version": "1", "day": "x"},
                "no parameter 'day': it has version, channel, dry, notes",
            ),
            ({"version": "1", "dry": "perhaps"}, "'perhaps' is refused: the parameter 'dry' is of"),
            ({"version": "1", "channel": "x"}, "'x' is refused: the parameter 'channel'"),
        ):
            with pytest.raises(UsageError, match=why):
                triggers.fire_typed("release", typed)
        assert state(h).newest is None
        triggers.fire_typed("release", {"version": "1", "dry": "true", "notes": '["a"]'})
        await h.settle()
        assert isinstance(h.output, current.Ok)
        assert h.output.value is not None
        assert h.output.value.params == Release("1", dry=True, notes=("a",))


async def test_a_form_can_be_made_of_the_dataclass(harness: HarnessFactory) -> None:
    """Each field has its type, its default and the values to choose from."""
    async with harness(RELEASE.get) as h:
        fields = {one.name: one for one in state(h).fields}
        assert fields["version"].default is None
        assert fields["channel"].choices == ("beta", "stable")
        assert (fields["dry"].default, fields["dry"].choices) == ("false", ("true", "false"))
        assert (fields["notes"].default, fields["notes"].type) == ("[]", "tuple[str, ...]")


@dataclass(frozen=True)
class Other:
    """Other parameters."""

    count: int


async def test_firings_whose_type_has_changed_wait(harness: HarnessFactory) -> None:
    """The engine says so; they run once their parameters can be read again."""
    releases = Releases()
    async with harness(RELEASE.get) as h:
        h.engine.fire("release", Release("1"))
    other = current.Trigger("release", Other)
    async with harness(lambda: current.pair(other.get().state(), other.pending())) as h:
        await h.settle()
        assert isinstance(h.output, current.Ok)
        newest, waiting = h.output.value
        assert isinstance(newest, current.Failed)
        assert newest.message.endswith("fire the trigger again")
        assert waiting == ()
        (problem,) = h.engine.problems
        assert "trigger 'release' has firings that wait" in problem.message
        h.engine.fire("release", Other(1))
        await h.settle()
    async with harness(releases) as h:
        await h.settle()
        assert pending(h) == [2]
        assert [build.outcome for build in h.history()] == ["released 1"]


async def test_one_name_has_one_dataclass(harness: HarnessFactory) -> None:
    """Else all its stages fail, and it can't be fired."""
    other = current.Trigger("release", Other)

    def pipeline() -> current.Current[Any]:
        return current.pair(RELEASE.get().state(), other.get().state())

    async with harness(pipeline) as h:
        await h.settle()
        why = "trigger 'release' has two dataclasses, Release and Other: give one of them another"
        assert isinstance(h.output, current.Ok)
        assert all(why in one.message for one in h.output.value)
        with pytest.raises(UsageError, match="has two dataclasses"):
            h.engine.fire("release", Release("1"))


def test_a_trigger_takes_a_dataclass_with_a_stable_form() -> None:
    """Anything else is refused where it is made."""

    @dataclass
    class Unfit:
        what: Harness

    with pytest.raises(WrongKind, match="Trigger 'x' takes a dataclass, not str"):
        current.Trigger("x", str)
    with pytest.raises(UnstableType, match="parameters of trigger 'x': field what has type"):
        current.Trigger("x", Unfit)
    with pytest.raises(UsageError, match="a Trigger needs a name"):
        current.Trigger("", Release)


def test_without_an_engine_nothing_was_fired() -> None:
    """Neither a newest nor a pending firing."""
    assert evaluate(RELEASE.get()) == current.Ok(None)
    assert evaluate(RELEASE.pending()) == current.Ok(())


ACTS = st.sampled_from(["fire", "fire bad", "let go", "hold", "settle", "restart"])


@given(st.lists(ACTS, max_size=10))
@settings(max_examples=examples(25))
def test_each_firing_is_done_once(acts: list[str]) -> None:
    """However it is fired, held up and restarted: in the end each has run once to its end."""

    async def run(state_dir: Path) -> None:
        releases = Releases()
        rest, fired = list(acts), list[str]()
        while True:
            async with Harness(releases, state_dir=state_dir) as h:
                while rest and (act := rest.pop(0)) != "restart":
                    match act:
                        case "fire" | "fire bad":
                            version = "bad" if act == "fire bad" else str(len(fired))
                            fired.append(version)
                            h.engine.fire("release", Release(version), by="ann")
                        case "let go":
                            releases.work.go_on.set()
                        case "hold":
                            releases.work.go_on.clear()
                        case _:
                            await h.settle()
                if not rest:
                    releases.work.go_on.set()
                    await h.settle()
                    assert pending(h) == []
                    ends = [build.ok for build in h.history() if build.ok is not None]
                    assert (len(ends), ends.count(False)) == (len(fired), fired.count("bad"))
                    return

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))
