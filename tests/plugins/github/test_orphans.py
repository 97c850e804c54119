"""Check runs that no stage shows any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pycurrent import Active, Activity, Current, Var, active
from pycurrent.plugins.forge import Ref
from pycurrent.plugins.github import App
from pycurrent.testing import Harness

from ..forge.model import sha
from .check_runs import FakeCheckRun
from .checked import shown
from .conftest import Place

MINUTES = timedelta(minutes=3)


def left(place: Place, id: int, name: str, external_id: str) -> None:
    """An engine that was killed has left a run, and no record of it."""
    run = FakeCheckRun(id, name, sha(1), external_id, status="in_progress")
    place.github.checks.runs.setdefault(sha(1), []).append(run)


async def an_hour_passes(place: Place, h: Harness) -> None:
    """By GitHub's clock too: it refuses tokens of another time."""
    for _ in range(22):
        place.github.now = h.clock.now() + MINUTES
        await h.advance(MINUTES)


async def test_runs_that_no_stage_shows_are_cancelled_within_an_hour(place: Place) -> None:
    """Those that a stage shows are left alone, and so are completed ones."""

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", active(Activity.RUNNING))

    async with place.start(show) as h:
        await shown(h)
        left(place, 90, "old", "octo%2Fweb/main/check old of")
        left(place, 91, "done", "octo%2Fweb/main/check done of")
        place.runs()[-1].status, place.runs()[-1].conclusion = "completed", "failure"
        await an_hour_passes(place, h)
        await h.until(lambda: ("old", "cancelled") in place.said(), timeout=20)
        assert place.said() == [("ci", "in_progress"), ("old", "cancelled"), ("done", "failure")]


async def test_runs_of_what_may_come_back_are_left_alone(place: Place) -> None:
    """While it is in doubt whether there is such a stage, nothing is cancelled."""
    more = Var[list[str]]("more", Active(Activity.RUNNING))

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return more.get().list_iter(lambda name: app.check(ref, name, name), key=str)

    async with place.start(show) as h:
        await h.until(lambda: h.engine.idle, timeout=20)
        await h.until(lambda: place.github.requests, timeout=20)
        left(place, 90, "old", "octo%2Fweb/main/old/check old of")
        await an_hour_passes(place, h)
        await h.until(lambda: h.engine.idle, timeout=20)
        assert place.said() == [("old", "in_progress")]
