"""Untrusted work: whatever stages come and go, no result flows from one trust to another.

Real engines and a real database, which are closed and opened again between acts.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent.store import DatabaseReader
from pycurrent.term import TRUSTED, Active, Activity, Failed, Ok, Output, Trust, Untrusted
from pycurrent.testing import Harness

from ..effort import examples

A, B = "a" * 40, "b" * 40
KINDS = ("make", "look", "report", "set")
TRUSTS: tuple[Trust, ...] = (
    TRUSTED,
    Untrusted("octo/web", A),
    Untrusted("octo/web", B),
    Untrusted("mona/web", A),
    Untrusted("mona/web", B, approval=False),
)
OURS = "ours"


def maker_of(trust: Trust) -> str:
    return trust.source if isinstance(trust, Untrusted) else OURS


@dataclass(frozen=True)
class Slot:
    """One stage: what it asks for, and for whom."""

    kind: str
    key: str
    trust: Trust

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.kind, self.key, maker_of(self.trust)

    @property
    def is_refused(self) -> bool:
        return self.kind == "set" and isinstance(self.trust, Untrusted)

    @property
    def needs_approval(self) -> bool:
        trust = self.trust
        return isinstance(trust, Untrusted) and trust.approval and self.kind != "report"


class Make(current.Builder[str, str]):
    """Its value says for whom it was made, and is another one each time."""

    id = "make"

    def __init__(self, world: World) -> None:
        self.world = world

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.AVERAGE)
        return self.world.run(self.id, key, job)


class Look(Make):
    """A result of an earlier engine is asked about."""

    id = "look"

    async def still_there(self, key: str, outcome: str) -> bool:
        return True


class Set(current.Publisher[str, str, str]):
    id = "set"

    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, job: current.Job, key: str, value: str) -> str:
        await job.start(level=current.Level.AVERAGE)
        return self.world.run(self.id, key, job)


class Report(Set):
    id = "report"
    for_untrusted = True

    async def retire(self, job: current.Job, key: str, outcome: str) -> None:
        await job.start(level=current.Level.AVERAGE)
        assert outcome.split(maxsplit=1)[0] == maker_of(job.trust)
        self.world.retired.append(("report", key, maker_of(job.trust)))


@dataclass
class World:
    """The pipeline, and what was run for whom."""

    slots: current.Var[list[tuple[int, Slot]]]
    runs: list[tuple[str, str, str]] = field(default_factory=list)
    retired: list[tuple[str, str, str]] = field(default_factory=list)

    def run(self, op: str, key: str, job: current.Job) -> str:
        maker = maker_of(job.trust)
        self.runs.append((op, key, maker))
        return f"{maker} {len(self.runs)}"

    def pipeline(self) -> current.Current[Any]:
        return self.slots.get().list_map(self._stage, key=lambda slot: slot[0]).state()

    def _stage(self, slot: current.Current[tuple[int, Slot]]) -> current.Current[Any]:
        with current.untrusted(slot.map(lambda slot: slot[1].trust)):
            return current.component("stage", self._ask, slot).state()

    def _ask(self, slot: tuple[int, Slot]) -> current.Primitive[str]:
        _, wanted = slot
        match wanted.kind:
            case "make":
                return Make(self).get(wanted.key)
            case "look":
                return Look(self).get(wanted.key)
            case "report":
                return Report(self).set(wanted.key, "1")
            case _:
                return Set(self).set(wanted.key, "1")


@dataclass
class Model:
    """What is known, and approved."""

    known: set[tuple[str, str, str]] = field(default_factory=set)
    approved: set[str] = field(default_factory=set)
    gone: set[tuple[str, str, str]] = field(default_factory=set)

    def settle(self, slots: list[Slot]) -> None:
        """Make what may be made."""
        for slot in slots:
            trust = slot.trust
            is_free = not slot.needs_approval or (
                isinstance(trust, Untrusted) and trust.commit in self.approved
            )
            if is_free and not slot.is_refused:
                self.known.add(slot.identity)
        wanted = {slot.identity for slot in slots}
        # A report that nobody wants any more is taken back, and set anew when it is wanted again.
        self.known -= {one for one in self.known if one[0] == "report" and one not in wanted}

    def check(self, slot: Slot, output: Output[Any]) -> None:
        if slot.is_refused:
            assert isinstance(output, Failed)
            assert output.message.startswith("untrusted work can't set anything"), output
        elif slot.identity in self.known:
            assert isinstance(output, Ok), (slot, output)
            assert output.value.split()[0] == maker_of(slot.trust), (slot, output)
        else:
            assert output == Active(Activity.WAITING_FOR_CONFIRMATION), (slot, output)


SLOTS = st.builds(Slot, st.sampled_from(KINDS), st.sampled_from("kl"), st.sampled_from(TRUSTS))
ACTS = st.one_of(
    st.tuples(st.just("slots"), st.lists(SLOTS, max_size=5)),
    st.tuples(st.just("approve"), st.sampled_from((A, B))),
    st.tuples(st.just("withdraw"), st.sampled_from((A, B))),
    st.tuples(st.just("restart")),
)


@given(st.lists(ACTS, max_size=10))
@settings(max_examples=examples(60), deadline=None)
def test_no_result_flows_from_one_trust_to_another(acts: list[tuple[Any, ...]]) -> None:
    """Each stage has a result of its own trust, or none; nothing that is known is made again."""

    async def run(folder: Path) -> None:
        world, model = World(current.Var("slots", [])), Model()
        rest: list[tuple[Any, ...]] = [*acts, ("restart",)]
        while rest:
            async with Harness(world.pipeline, state_dir=folder) as h:
                await _settled(h, world, model)
                while rest and (act := rest.pop(0)) != ("restart",):
                    _do(h, act, world, model)
                    await _settled(h, world, model)
        _check_records(folder)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


def _do(h: Harness, act: tuple[Any, ...], world: World, model: Model) -> None:
    match act:
        case ("slots", slots):
            world.slots.set(list(enumerate(slots)))
        case ("approve", commit):
            h.engine.approve_commit(commit)
            model.approved.add(commit)
        case ("withdraw", commit) if commit in model.approved:
            h.engine.withdraw_commit(commit)
            model.approved.discard(commit)


async def _settled(h: Harness, world: World, model: Model) -> None:
    await h.settle()
    assert isinstance(world.slots.output, Ok)
    slots = [slot for _, slot in world.slots.output.value]
    model.settle(slots)
    assert isinstance(h.output, Ok)
    outputs = h.output.value
    assert isinstance(outputs, Ok)
    for slot, output in zip(slots, outputs.value, strict=True):
        model.check(slot, output)
    # Nothing that is kept is made twice.
    kept = [run for run in world.runs if run[0] != "report"]
    assert sorted(kept) == sorted(one for one in model.known if one[0] != "report")


def _check_records(folder: Path) -> None:
    """What is recorded for a key is of those whose key it is."""
    with DatabaseReader.open(folder / "db" / "pycurrent.db") as reader:
        for record in reader.history(limit=1000):
            if record.outcome is not None and record.value_digest != "{gone}":
                maker = record.outcome.strip('"').split()[0]
                _, _, source = record.key_digest.partition("\x1f")
                assert maker == (source or OURS), record
