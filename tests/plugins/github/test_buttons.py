"""The buttons of checks, over restarts and kills."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest

import pycurrent as current
from pycurrent import Current, FailureKind, Job, Level
from pycurrent.engine.deliveries import Deliveries
from pycurrent.plugins.forge import Ref
from pycurrent.plugins.forge.values import Permission
from pycurrent.plugins.github import App
from pycurrent.testing import Harness

from ..forge.model import Reply, hang_up, out_of_order
from ..forge.test_deliveries import deliver
from .check_runs import FakeCheckRun
from .checked import shown, work
from .conftest import Place

Signed = tuple[dict[str, str], bytes]


def pressing(place: Place, run: FakeCheckRun, action: str, **more: Any) -> Signed:
    """The delivery that tells that somebody has pressed a button of a check."""
    told = {
        "action": action,
        "check_run": {
            "id": run.id,
            "external_id": run.external_id,
            "head_sha": run.head_sha,
            "app": {"id": more.get("app", 1234)},
        },
        "check_suite": {"head_sha": run.head_sha, "app": {"id": 1234}},
        "requested_action": {"identifier": more.get("button", "rerun")},
        "repository": {"full_name": "octo/web"},
        "sender": {"login": more.get("by", "ann")},
    }
    body = json.dumps(told).encode()
    signature = hmac.new(place.github.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "x-github-event": more.get("event", "check_run"),
        "x-github-delivery": f"delivery-{place.github.next_id()}",
        "x-hub-signature-256": f"sha256={signature}",
    }
    return headers, body


def opened(place: Place, h: Harness) -> Deliveries:
    """The deliveries of an engine whose site was opened."""
    begin = place.app.webhook().on_open
    assert begin is not None
    begin(h.engine)
    return h.engine.service(Deliveries)


async def press(h: Harness, place: Place, run: FakeCheckRun, action: str, **more: Any) -> None:
    """Have the webhook told that somebody has pressed a button, and wait until it is obeyed."""
    assert (await deliver(h, place.app, *pressing(place, run, action, **more))).status == 202
    await h.until(lambda: h.engine.service(Deliveries).unfinished == 0, timeout=20)


def with_people(place: Place) -> None:
    """Ann may write to the repository, and Eve may not."""
    made = place.github.repositories["octo/web"]
    made.members = {"ann": Permission.WRITE, "eve": Permission.READ}
    place.github.person("ann")
    place.github.person("eve")


def two(app: App, ref: Current[Ref]) -> Current[Any]:
    """A check of two currents, of which one fails."""
    return app.check(ref, "ci", {"lint": work("lint", "ok"), "unit": work("unit", "boom")})


def run_of(place: Place, name: str) -> FakeCheckRun:
    """The newest check of this name."""
    return next(run for run in reversed(place.runs()) if run.name == name)


def failures(h: Harness) -> list[str]:
    """The jobs of the work that have failed."""
    return [entry.job_id for entry in h.engine.history(op="work") if entry.failure is not None]


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        ({"action": "rerequested"}, 2),
        ({"action": "requested_action", "button": "rerun"}, 2),
        ({"action": "requested_action", "button": "rerun-infra"}, 1),
        ({"action": "requested_action", "button": "explain"}, 1),
        ({"action": "requested_action", "button": "of another"}, 1),
        ({"action": "rerequested", "event": "check_suite"}, 2),
        ({"action": "created"}, 1),
        ({"action": "rerequested", "app": 99}, 1),
        ({"action": "rerequested", "by": "eve"}, 1),
    ],
)
async def test_the_buttons_of_a_check(place: Place, asked: dict[str, Any], runs: int) -> None:
    """What has failed is run again for people who may write to the repository; an explanation
    stands in the check itself.
    """
    with_people(place)
    async with place.start(two) as h:
        await shown(h)
        run = run_of(place, "ci / unit")
        assert [one["label"] for one in run.actions] == ["Rerun", "Explain"]
        await press(h, place, run, **asked)
        await shown(h)
        assert len(failures(h)) == runs
        is_explained = asked.get("button") == "explain"
        assert ("### Why it is so" in (run.text or "")) == is_explained
        if runs == 2:
            (asked_for,) = [one for one in h.engine.audit() if one.what == "rebuild"][:1]
            assert (asked_for.who, asked_for.subject) == ("ann", failures(h)[-1])


async def test_what_the_infrastructure_has_failed_is_run_again(place: Place) -> None:
    """Nothing else of the summary."""

    @current.builder("fails", level=Level.HARMLESS)
    async def fails(job: Job, key: str) -> None:
        kind = FailureKind.INFRA if key == "net" else FailureKind.REAL
        raise current.Failure(f"{key} is broken", kind=kind)

    with_people(place)

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", {key: fails(key) for key in ("net", "code")})

    async with place.start(show) as h:
        await shown(h)
        run = next(run for run in place.runs() if run.name == "ci")
        assert [one["label"] for one in run.actions] == ["Rerun", "Rerun infra failures", "Explain"]
        await press(h, place, run, "requested_action", button="rerun-infra")
        await shown(h)
        assert sorted(entry.key for entry in h.engine.history(op="fails")) == ["code", "net", "net"]


async def test_a_check_of_several_together_is_run_again(place: Place) -> None:
    """By the stages of which it tells."""
    with_people(place)

    def show(app: App, ref: Current[Ref]) -> Current[Any]:
        return app.check(ref, "ci", current.all([work("lint", "ok"), work("unit", "boom")]))

    async with place.start(show) as h:
        await shown(h)
        await press(h, place, place.runs()[0], "rerequested")
        await shown(h)
        assert len(h.engine.history(op="work")) == 3


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        ({"action": "rerequested"}, 2),
        ({"action": "requested_action", "button": "rerun-infra"}, 1),
        ({"action": "requested_action", "button": "explain"}, 1),
        ({"action": "rerequested", "event": "check_suite"}, 2),
        ({"action": "rerequested", "by": "eve"}, 1),
    ],
)
async def test_a_button_that_a_killed_engine_has_left_is_obeyed(
    place: Place, asked: dict[str, Any], runs: int
) -> None:
    """By the next one, once it has built the check's stage; the one after that does nothing."""
    with_people(place)
    async with place.start(two, "whole") as h:
        await shown(h)
        run = run_of(place, "ci / unit")
        assert (await deliver(h, place.app, *pressing(place, run, **asked))).status == 202
        killed(place, "whole", "killed")
        # It can do nothing more from here on.
        place.github.mischief = lambda is_done: hang_up
    place.github.mischief = lambda is_done: None
    assert "### Why it is so" not in (run.text or "")
    async with place.start(two, "killed") as h:
        deliveries = opened(place, h)
        assert deliveries.unfinished == 1
        await h.until(lambda: deliveries.unfinished == 0, timeout=20)
        await shown(h)
        assert len(failures(h)) == runs
        assert ("### Why it is so" in (run.text or "")) == (asked.get("button") == "explain")
    async with place.start(two, "killed") as h:
        assert opened(place, h).unfinished == 0
        await shown(h)
        assert len(failures(h)) == runs


async def test_a_button_of_a_check_that_is_gone_does_nothing(place: Place) -> None:
    """It holds up nothing, either, as the pipeline is whole."""
    with_people(place)
    async with place.start(two) as h:
        await shown(h)
        run = run_of(place, "ci / unit")
        gone = FakeCheckRun(run.id, run.name, run.head_sha, external_id="gone/check")
        before = h.clock.now()
        await press(h, place, gone, "rerequested")
        await press(h, place, run, "rerequested")
        await shown(h)
        assert len(failures(h)) == 2
        assert h.clock.now() == before


def killed(place: Place, state: str, copy: str) -> None:
    """Copy the state of an engine, as a kill leaves it."""
    ignored = shutil.ignore_patterns("tmp", "*-shm")
    shutil.copytree(place.folder / state, place.folder / copy, ignore=ignored)


def trouble(chance: random.Random) -> Callable[[bool], Reply | None]:
    """A request may be refused, or be done without an answer."""

    def meet(is_done: bool) -> Reply | None:
        if chance.random() > 0.15:
            return None
        return hang_up if is_done else chance.choice([out_of_order, hang_up])

    return meet


@pytest.mark.parametrize("seed", range(4))
async def test_each_button_is_obeyed_exactly_once(place: Place, seed: int) -> None:
    """Deliveries are repeated and reordered; requests are refused and cut off; engines are killed
    at any moment, and those that were not answered are delivered again.
    """
    chance = random.Random(seed)
    with_people(place)
    async with place.start(two, "0") as h:
        await shown(h)
    run = run_of(place, "ci / unit")
    late: list[Signed] = []
    for number in range(1, 6):
        async with place.start(two, str(number - 1)) as h:
            place.github.mischief = trouble(chance)
            deliveries = opened(place, h)
            for _ in range(3):
                late.append(pressing(place, run, "rerequested"))
                chance.shuffle(late)
                for delivery in [*late]:
                    assert (await deliver(h, place.app, *delivery)).status < 300
                late = late[:2]
                await on(h, place, timedelta(seconds=chance.randrange(60)))
            # It can do nothing more from here on.
            place.github.mischief = lambda is_done: None if is_done else hang_up
            killed(place, str(number - 1), str(number))
    place.github.mischief = lambda is_done: None
    async with place.start(two, "5") as h:
        deliveries = opened(place, h)
        for delivery in late:
            await deliver(h, place.app, *delivery)
        while deliveries.unfinished:
            await on(h, place, timedelta(minutes=1))
        assert len(h.engine.audit(what="rebuild")) == 15


async def on(h: Harness, place: Place, by: timedelta) -> None:
    """Move the clock on, with time for requests: until no work is left, or for a moment."""
    end = perf_counter() + 0.05
    deliveries = h.engine.service(Deliveries)
    await h.until(lambda: not deliveries.unfinished or perf_counter() > end, timeout=20)
    h.clock.move(by)
    place.github.now = h.clock.now()
