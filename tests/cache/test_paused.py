"""Pauses: jobs of a level, of a pool, or for the stages below a path wait before they begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import pycurrent as current
from pycurrent.engine import Asker, Pool
from pycurrent.engine.job_state import JobState
from pycurrent.errors import UsageError, WrongKind
from pycurrent.explain.reasons import Reason, WaitsForResume
from pycurrent.store import DatabaseReader, OverrideKind
from pycurrent.testing import Harness, HarnessFactory

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Shop:
    """Its builds wait for a place in a pool, and go on until the test lets them."""

    def __init__(self, *, capacity: int = 1, declares: bool = True) -> None:
        """Its builds declare how they are started, or start their jobs themselves."""
        self.declares = declares
        self.pool: Any = current.Pool("builds", capacity)
        self.begun: list[str] = []
        self.level = current.Level.AVERAGE
        self.go_on = asyncio.Event()
        self.names = current.Var("names", ["a", "b", "c"])

    def pipeline(self) -> current.Current[Any]:
        build = Build(self)

        def of(name: current.Current[str]) -> current.Current[str]:
            return current.component("build", build.get, name)

        return self.names.get().list_map(of)


class Build(current.Builder[str, str]):
    id = "build"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def started_with(self, key: str) -> current.Limits | None:
        return current.Limits(self.shop.level, self.shop.pool) if self.shop.declares else None

    async def build(self, job: current.Job, key: str) -> str:
        if not self.shop.declares:
            await job.start(level=self.shop.level, pool=self.shop.pool)
        self.shop.begun.append(key)
        await self.shop.go_on.wait()
        return key


def careful() -> current.Config:
    """Nothing begins before `let_begin`."""
    return current.Config(confirm=current.Level.HARMLESS)


async def let_begin(h: Harness) -> None:
    h.engine.config.confirm = None
    await h.settle()


def state_of(h: Harness, name: str) -> JobState:
    job = h.find(f"build {name}").job
    assert job is not None
    return job.state


def first_reason(h: Harness, path: str) -> Reason:
    return h.engine.why(path).reasons[0]


PAUSES: list[dict[str, Any]] = [
    {"path": "b"},
    {"path": "b/build"},
    {"level": current.Level.AVERAGE},
    {"level": "average"},
    {"pool": "builds"},
]


@pytest.mark.parametrize("declares", [True, False])
@pytest.mark.parametrize("pause", PAUSES)
async def test_what_has_not_begun_waits_and_goes_on_when_it_is_resumed(
    pause: dict[str, Any], declares: bool, harness: HarnessFactory
) -> None:
    """What has begun goes on; the resource of the pool goes to others meanwhile."""
    shop = Shop(declares=declares)
    async with harness(shop.pipeline) as h:
        await h.settle()
        assert shop.begun == ["a"]
        h.engine.pause(**pause)
        await h.settle()
        assert (state_of(h, "a"), state_of(h, "b")) == (JobState.RUNNING, JobState.PAUSED)
        shop.go_on.set()
        await h.settle()
        assert "b" not in shop.begun
        assert shop.pool.used == 0
        assert ("c" in shop.begun) is ("path" in pause)
        h.engine.resume(**pause)
        await h.settle()
        assert sorted(shop.begun) == ["a", "b", "c"]
        assert h.output == current.Ok(["a", "b", "c"])


async def test_a_new_job_is_paused_too(harness: HarnessFactory) -> None:
    """One that comes after the pause, and one that an approval lets through."""
    shop = Shop(capacity=5)
    config = current.Config(confirm=current.Level.AVERAGE)
    async with harness(shop.pipeline, config=config) as h:
        await h.settle()
        h.engine.pause(pool="builds")
        await h.settle()
        assert state_of(h, "a") is JobState.WAITING_FOR_CONFIRMATION
        h.find("build a").approve()
        await h.settle()
        assert state_of(h, "a") is JobState.PAUSED
        h.engine.config.confirm = None
        shop.names.set(["a", "d"])
        await h.settle()
        assert (state_of(h, "d"), shop.begun) == (JobState.PAUSED, [])
        h.engine.resume(pool="builds")
        await h.settle()
        assert sorted(shop.begun) == ["a", "d"]


async def test_a_paused_job_gets_its_place_in_the_queue_back(harness: HarnessFactory) -> None:
    """It steps out of the queue, and comes before those that had come after it."""
    shop = Shop()
    async with harness(shop.pipeline) as h:
        await h.settle()
        h.engine.pause("b")
        await h.settle()
        assert [job.description for job in shop.pool.waiting] == ["build c"]
        h.engine.resume("b")
        await h.settle()
        assert [job.description for job in shop.pool.waiting] == ["build b", "build c"]


async def test_a_path_holds_a_job_only_if_all_stages_that_want_it_are_below(
    harness: HarnessFactory,
) -> None:
    """It begins as soon as a stage elsewhere comes to want it, too."""
    shop = Shop(capacity=5)
    both = current.Var("both", False)

    def pipeline() -> current.Current[Any]:
        build = Build(shop)

        def there(yes: bool) -> current.Current[str]:
            if not yes:
                return current.constant("")
            return current.component("there", lambda: build.get("x"))

        go = current.Var("go", True).get()
        here = go.bind(lambda _: current.component("here", lambda: build.get("x")), name="first")
        return current.all([here, both.get().bind(there)])

    config = current.Config(confirm=current.Level.AVERAGE)
    async with harness(pipeline, config=config) as h:
        await h.settle()
        h.engine.pause("first")
        h.engine.config.confirm = None
        await h.settle()
        assert (state_of(h, "x"), shop.begun) == (JobState.PAUSED, [])
        both.set(True)
        await h.settle()
        assert shop.begun == ["x"]


async def test_a_pause_is_on_disk_once_the_call_has_returned(harness: HarnessFactory) -> None:
    """It holds after a restart, and what has not begun waits again."""
    shop = Shop(capacity=5)
    ann = Asker("ann", "admin", "api")
    async with harness(shop.pipeline, config=careful()) as h:
        h.engine.pause(pool="builds", by=ann, reason="the disk is full", until=BEGIN + HOUR)
        with DatabaseReader.open(h.engine.opened.state.database) as reader:
            (record,) = reader.overrides()
        assert (record.kind, record.subject, record.by) == (
            OverrideKind.PAUSE,
            "pool builds",
            "ann",
        )
        (act,) = h.engine.audit()
        assert (act.who, act.via, act.what, act.subject) == ("ann", "api", "pause", "pool builds")
        assert (act.reason, act.after) == ("the disk is full", "until 2026-01-01 01:00:00 UTC")
    shop.begun.clear()
    async with harness(shop.pipeline) as h:
        await let_begin(h)
        await h.settle()
        assert (state_of(h, "a"), shop.begun) == (JobState.PAUSED, [])
        (pause,) = h.engine.pauses
        told = "paused by ann until 2026-01-01 01:00:00 UTC: the disk is full"
        assert str(pause) == f"pool builds is {told}"
        assert f"Waiting: {pause}" in h.log("build a")


async def test_a_pause_ends_by_itself_at_its_time(harness: HarnessFactory) -> None:
    """While the engine runs; the audit says so."""
    shop = Shop(capacity=5)
    async with harness(shop.pipeline, config=careful()) as h:
        await h.settle()
        h.engine.pause("b", until=BEGIN + HOUR)
        await let_begin(h)
        await h.advance(HOUR - timedelta(seconds=1))
        assert state_of(h, "b") is JobState.PAUSED
        await h.advance(timedelta(seconds=1))
        assert state_of(h, "b") is JobState.RUNNING
        assert (h.engine.audit()[0].what, h.engine.pauses) == ("resume", ())


async def test_why_says_who_has_paused_it_and_until_when(harness: HarnessFactory) -> None:
    """A later pause of the same takes its place."""
    shop = Shop()
    async with harness(shop.pipeline) as h:
        await h.settle()
        h.engine.pause("b", by="ann")
        await h.settle()
        job = h.find("build b").id
        assert first_reason(h, "b/build") == WaitsForResume(job, "path b", "ann", None, None)
        h.engine.pause("b", by="bob", reason="a try", until=BEGIN + HOUR)
        await h.settle()
        reason = WaitsForResume(job, "path b", "bob", "a try", BEGIN + HOUR)
        assert first_reason(h, "b/build") == reason
        assert str(h.engine.why("b/build")).splitlines()[1].strip() == (
            f"job {job} waits until path b is resumed, which is paused by bob until"
            " 2026-01-01 01:00:00 UTC: a try"
        )


async def test_of_two_pauses_both_have_to_end(harness: HarnessFactory) -> None:
    """The job says for which one it waits now."""
    shop = Shop(capacity=5)
    async with harness(shop.pipeline, config=careful()) as h:
        await h.settle()
        h.engine.pause("a")
        h.engine.pause(level=current.Level.AVERAGE)
        await let_begin(h)
        assert "level average" in str(first_reason(h, "a/build"))
        h.engine.resume(level=current.Level.AVERAGE)
        await h.settle()
        assert "path a" in str(first_reason(h, "a/build"))
        assert sorted(shop.begun) == ["b", "c"]


async def test_another_level_goes_on(harness: HarnessFactory) -> None:
    """Also one above it: a pause is not the threshold of confirmation."""
    shop = Shop(capacity=5)
    shop.level = current.Level.DANGEROUS
    async with harness(shop.pipeline) as h:
        h.engine.pause(level=current.Level.AVERAGE)
        await h.settle()
        assert sorted(shop.begun) == ["a", "b", "c"]


async def test_a_paused_job_that_nobody_wants_any_more_ends(harness: HarnessFactory) -> None:
    """And it can be cancelled."""
    shop = Shop(capacity=5)
    async with harness(shop.pipeline, config=careful()) as h:
        await h.settle()
        h.engine.pause(pool="builds")
        await let_begin(h)
        shop.names.set(["a", "b"])
        h.find("build a").cancel("not today")
        await h.settle()
        assert [job.description for job in h.jobs.values()] == ["build a", "build b"]
        assert isinstance(h.output, current.Failed)
        h.engine.resume(pool="builds")
        await h.settle()
        assert shop.begun == ["b"]


async def test_a_resource_that_comes_while_it_is_paused_is_not_held(
    harness: HarnessFactory,
) -> None:
    """A custom pool gets it back, and is asked again."""
    shop = Shop(declares=False)
    taken: list[str] = []
    comes = asyncio.Event()

    @asynccontextmanager
    async def machine(job: current.Job) -> AsyncIterator[str]:
        await comes.wait()
        taken.append("taken")
        yield "machine"
        taken.append("given back")

    shop.pool = Pool.of("machines", machine)
    shop.names.set(["a"])
    async with harness(shop.pipeline) as h:
        await h.until(lambda: state_of(h, "a") is JobState.QUEUED)
        h.engine.pause(pool="machines")
        comes.set()
        await h.settle()
        assert (state_of(h, "a"), taken) == (JobState.PAUSED, ["taken", "given back"])
        h.engine.resume(pool="machines")
        await h.settle()
        assert (shop.begun, taken[2:]) == (["a"], ["taken"])


async def test_an_engine_whose_jobs_are_paused_is_idle(harness: HarnessFactory) -> None:
    """So `run --once` ends; it is not while a resumed job is about to go on."""
    shop = Shop(capacity=5)
    async with harness(shop.pipeline, config=careful()) as h:
        await h.settle()
        h.engine.pause(pool="builds", until=BEGIN + HOUR)
        await let_begin(h)
        await h.engine.settled()
        idle = h.engine.idle
        h.engine.resume(pool="builds")
        assert (idle, h.engine.idle) == (True, False)
        await h.settle()
        assert sorted(shop.begun) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({}, "give one of a path, level= and pool="),
        ({"path": "a", "pool": "builds"}, "give one of a path, level= and pool="),
        ({"path": "d"}, "the pipeline has no stage 'd' now, nor any below it"),
        ({"path": "/"}, "path= takes a name, not an empty text"),
        ({"level": "high"}, "'high' is not a level"),
        ({"pool": ""}, "pool= takes a name, not an empty text"),
        ({"path": "a", "until": BEGIN}, "has passed: give a time to come"),
    ],
)
async def test_what_can_not_be_paused_is_refused(
    what: dict[str, Any], told: str, harness: HarnessFactory
) -> None:
    """And nothing is."""
    async with harness(Shop().pipeline) as h:
        with pytest.raises(UsageError, match=told):
            h.engine.pause(**what)
        assert h.engine.pauses == ()


async def test_something_else_than_a_name_is_refused(harness: HarnessFactory) -> None:
    """A pool itself, say: pauses know pools by their labels."""
    shop = Shop()
    async with harness(shop.pipeline) as h:
        with pytest.raises(WrongKind, match="pool= takes a name"):
            h.engine.pause(pool=shop.pool)


async def test_a_path_that_only_the_order_tells_apart_is_refused(harness: HarnessFactory) -> None:
    """It would be another stage's when the pipeline changes."""
    build = Build(Shop())

    def pipeline() -> current.Current[Any]:
        return current.all([current.component("x", lambda: build.get("k")) for _ in range(2)])

    async with harness(pipeline) as h:
        for path in ("x", "x#2"):
            with pytest.raises(UsageError, match=r"only by the order of building.*give it a name="):
                h.engine.pause(path)


async def test_what_is_not_paused_can_not_be_resumed(harness: HarnessFactory) -> None:
    """The message names what is; what is below a paused path is not paused itself."""
    async with harness(Shop().pipeline) as h:
        with pytest.raises(UsageError, match="pool builds is not paused: nothing is"):
            h.engine.resume(pool="builds")
        h.engine.pause("a")
        with pytest.raises(UsageError, match="path a/build is not paused: path a is"):
            h.engine.resume("a/build")


async def test_many_paused_jobs_are_let_go_by_and_by(harness: HarnessFactory) -> None:
    """All of them, in their order."""
    shop = Shop(capacity=2000)
    names = [f"{number:04}" for number in range(1000)]
    shop.names.set([])
    async with harness(shop.pipeline) as h:
        h.engine.pause(pool="builds")
        shop.names.set(names)
        await h.settle()
        assert shop.begun == []
        h.engine.resume(pool="builds")
        await h.settle()
        assert shop.begun == names
