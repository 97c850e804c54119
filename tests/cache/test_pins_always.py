"""Pins: whatever happens in whatever order, each stage has what the model says.

Real engines, a real database, kills at the moments between acts; only the clock is a test's.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pycurrent as current
from pycurrent.engine.pins import Pins
from pycurrent.errors import UsageError
from pycurrent.testing import Harness
from pycurrent.testing.clock import START

from ..effort import examples

HOUR = timedelta(hours=1)
SOURCES = {"tests": "monitor", "deploys": "monitor", "mode": "mode", "poll": "poll"}
"""The stages, and what they follow: two the same monitor, an Input, a builder with a schedule."""
VALUES = ("a1", "b2", "c3")


class Outside:
    """What is outside of the pipeline, and outlives engines."""

    def __init__(self) -> None:
        self.monitor = self.poll = "a1"
        self.refresh: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def watch(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        self.refresh = refresh
        yield

    async def read(self) -> str:
        return self.monitor

    def pipeline(self) -> current.Current[Any]:
        monitor = current.Monitor(read=self.read, watch=self.watch, describe="a monitor")
        poll = Poll(self)
        schedule = current.Schedule(valid_for=HOUR)
        stages = [
            current.component("tests", monitor.get),
            current.component("deploys", monitor.get),
            current.Input("mode", "a1").get(),
            current.component("poll", lambda: poll.get("it", schedule=schedule)),
        ]
        return current.map(lambda *values: dict(zip(SOURCES, values, strict=True)), *stages)


class Poll(current.Builder[str, str]):
    id = "poll"

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return self.outside.poll


@dataclass
class Model:
    """What each source has had, and at which values stages are pinned until when."""

    now: datetime = START
    newest: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(["monitor", "mode", "poll"], "a1")
    )
    had: dict[str, set[str]] = field(
        default_factory=lambda: {name: {"a1"} for name in ("monitor", "mode", "poll")}
    )
    pins: dict[str, tuple[str, datetime | None]] = field(default_factory=dict)

    def has(self, source: str, value: str) -> None:
        self.newest[source] = value
        self.had[source].add(value)

    def advance(self) -> None:
        self.now += HOUR
        self.pins = {
            stage: (value, until)
            for stage, (value, until) in self.pins.items()
            if until is None or until > self.now
        }

    @property
    def output(self) -> dict[str, str]:
        return {
            stage: self.pins[stage][0] if stage in self.pins else self.newest[source]
            for stage, source in SOURCES.items()
        }


STAGES = st.sampled_from([*SOURCES])
ACTS = st.one_of(
    st.tuples(
        st.just("move"), st.sampled_from(["monitor", "mode", "poll"]), st.sampled_from(VALUES)
    ),
    st.tuples(st.just("advance")),
    st.tuples(
        st.just("pin"),
        STAGES,
        st.sampled_from([None, *VALUES]),
        st.sampled_from([None, HOUR, 2 * HOUR]),
        st.booleans(),
    ),
    st.tuples(st.just("unpin"), STAGES, st.booleans()),
    st.tuples(st.just("restart"), st.booleans()),
)


@given(st.lists(ACTS, max_size=15))
@settings(max_examples=examples(40), deadline=None)
def test_stages_have_what_they_are_pinned_at(acts: list[tuple[Any, ...]]) -> None:
    """And else the newest value; a pin holds as soon as the call has returned, kill or not."""

    async def run(folder: Path) -> None:
        outside, model, engines = Outside(), Model(), 0
        rest, state = list(acts), folder / "0"
        while True:
            async with Harness(outside.pipeline, state_dir=state, start=model.now) as h:
                await h.settle()
                assert h.output == current.Ok(model.output)
                act: tuple[Any, ...] = ()
                while rest and (act := rest.pop(0))[0] != "restart":
                    await _do(h, act, outside, model)
                if act[:1] != ("restart",):
                    return
                engines += 1
                killed = folder / str(engines)
                if act[1]:
                    shutil.copytree(state, killed, ignore=shutil.ignore_patterns("tmp"))
            state = killed if act[1] else state

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def _do(h: Harness, act: tuple[Any, ...], outside: Outside, model: Model) -> None:
    match act:
        case ("move", "monitor", value):
            outside.monitor = value
            outside.refresh()
            model.has("monitor", value)
        case ("move", "mode", value):
            h.engine.set_input("mode", value)
            model.has("mode", value)
        case ("move", _, value):
            outside.poll = value
        case ("advance",):
            await h.advance(HOUR)
            model.advance()
            model.has("poll", outside.poll)
        case ("pin", stage, value, length, settles):
            _pin(h, model, stage, value, None if length is None else model.now + length)
            if not settles:
                return
        case ("unpin", stage, settles):
            if stage in model.pins:
                h.engine.unpin(stage, by="ann")
                del model.pins[stage]
            else:
                with pytest.raises(UsageError, match="is not pinned"):
                    h.engine.unpin(stage, by="ann")
            if not settles:
                return
    await h.settle()
    assert h.output == current.Ok(model.output)
    held = {pin.path: (pin.value, pin.until) for pin in h.engine.service(Pins).all()}
    assert held == model.pins


def _pin(h: Harness, model: Model, stage: str, value: str | None, until: datetime | None) -> None:
    source = SOURCES[stage]
    if value is None:
        h.engine.pin(stage, by="ann", until=until)
        model.pins[stage] = (model.output[stage], until)
    elif value in model.had[source]:
        h.engine.pin(stage, value, by="ann", until=until)
        model.pins[stage] = (value, until)
    else:
        with pytest.raises(UsageError, match="has had no value"):
            h.engine.pin(stage, value, by="ann", until=until)
