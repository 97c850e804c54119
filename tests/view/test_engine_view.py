"""What is seen of an engine that runs."""

import asyncio
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import pycurrent as current
from pycurrent import Config, Current, Job, Level, Pool, Schedule, Var, builder
from pycurrent.engine import JobState, OpenEngine
from pycurrent.term import Activity, Failed, Ok, State, Stats
from pycurrent.testing import Harness
from pycurrent.view import (
    EngineView,
    ForConfirmation,
    Headline,
    InQueue,
    StageChange,
    StageView,
    share,
)


class Doors:
    """Builds that wait until the test opens their door, or shuts it for good."""

    def __init__(self, pool: Pool | None = None, schedule: Schedule | None = None) -> None:
        self._ends: dict[str, asyncio.Future[str]] = {}

        @builder("door", level=Level.AVERAGE, pool=pool, schedule=schedule)
        async def door(job: Job, key: str) -> str:
            self._ends[key] = asyncio.get_running_loop().create_future()
            return await self._ends[key]

        self.stage = door

    def open(self, key: str) -> None:
        self._ends[key].set_result("through")

    def shut(self, key: str) -> None:
        self._ends[key].set_exception(current.Failure("shut"))


class Seen:
    """A harness, and what is seen of its engine."""

    def __init__(self, term: Current[object], path: Path, config: Config | None = None) -> None:
        self.harness = Harness(lambda: term, state_dir=path, config=config)
        self.changes: list[StageChange] = []
        self._views: list[EngineView] = []
        self.harness.engine.on_open(self._look)

    def _look(self, opened: OpenEngine) -> None:
        view = EngineView(opened)
        view.listen(self.changes.extend)
        self._views.append(view)

    @property
    def view(self) -> EngineView:
        """Made before the first step."""
        return self._views[0]

    def stages(self, limit: int = 100) -> dict[str, StageView]:
        return {stage.label: stage for stage in self.view.overview(limit).stages}

    def told(self) -> list[tuple[str, State | None, State]]:
        """The changes since the last call: label, what it was of interest for, what it is."""
        told = [(change.stage.label, change.before, change.stage.kind) for change in self.changes]
        self.changes.clear()
        return told


async def test_the_headline_is_what_has_failed_and_not_what_waits_for_it(tmp_path: Path) -> None:
    """The last failure with its place, and how many more there are; nothing once all is well."""
    doors = Doors()
    first, second = doors.stage("a"), doors.stage("b")
    behind = doors.stage(second)
    seen = Seen(current.all([first, second, behind]), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        assert seen.view.headline() is None
        doors.shut("a")
        await harness.settle()
        doors.shut("b")
        await harness.settle()
        told = seen.view.headline()
        assert told is not None
        paths = {stage.path for stage in seen.stages().values() if "b" in stage.label}
        assert (told.message, told.more) == ("shut", 1)
        assert told.path in paths
        for key in ("a", "b"):
            harness.find(f"door {key}").rebuild()
        await harness.settle()
        assert seen.view.headline() is None


async def test_a_failure_without_a_stage_is_told_without_a_place(tmp_path: Path) -> None:
    """Only the first line of it."""
    seen = Seen(current.fail("no\nway"), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        assert seen.view.headline() == Headline(None, "no", 0)


async def test_a_job_is_followed_to_its_end(tmp_path: Path) -> None:
    """From ready over running to ok: then it is of no interest any more."""
    doors = Doors()
    seen = Seen(doors.stage("a"), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        stage = seen.stages()["door a"]
        assert (stage.state, stage.since) == (State.RUNNING, harness.clock.now())
        assert stage.job is not None
        assert (stage.job.state, stage.job.description) == (JobState.RUNNING, "door a")
        assert seen.told()[-1] == ("door a", State.READY, State.RUNNING)

        await harness.advance(timedelta(seconds=5))
        doors.open("a")
        await harness.settle()
        assert seen.changes[-1].took == timedelta(seconds=5)
        assert seen.told() == [("door a", State.RUNNING, State.OK)]
        overview = seen.view.overview(100)
        assert (overview.stages, overview.result) == ((), Ok("through"))
        assert (overview.counts, overview.jobs) == (Stats(ok=1), 0)


async def test_a_failure_stays_in_sight(tmp_path: Path) -> None:
    """With its reason and the id of its job, which has ended."""
    doors = Doors()
    seen = Seen(doors.stage("a"), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        doors.shut("a")
        await harness.settle()
        stage = seen.stages()["door a"]
        assert (stage.failure, stage.job) == (Failed("shut"), None)
        assert stage.job_id == harness.find("door a").id
        assert list(seen.view.failures()) == [("door a", Failed("shut"))]

        harness.find("door a").rebuild()
        await harness.settle()
        assert seen.stages()["door a"].failure is None
        assert list(seen.view.failures()) == []


async def test_what_a_job_waits_for(tmp_path: Path) -> None:
    """Confirmation at its level; then its place in the queue of its pool."""
    doors = Doors(Pool("one", 1))
    term = current.all([doors.stage(key) for key in "abc"])
    config = Config(confirm=Level.AVERAGE)
    seen = Seen(term, tmp_path, config)
    async with seen.harness as harness:
        await harness.settle()
        assert [stage.wait for stage in seen.stages().values()] == [
            ForConfirmation(Level.AVERAGE)
        ] * 3
        assert seen.view.overview(0).of_interest == Stats(waiting_for_confirmation=3)
        assert seen.view.overview(0).confirm is Level.AVERAGE

        config.confirm = None
        await harness.settle()
        waits = [seen.stages()[f"door {key}"].wait for key in "abc"]
        assert waits == [None, InQueue("one", 1), InQueue("one", 2)]
        assert seen.view.overview(0).jobs == 3


async def test_an_update_is_of_interest(tmp_path: Path) -> None:
    """A result that is reported while it is made again is ok, and seen."""
    doors = Doors(schedule=Schedule(timedelta(hours=1)))
    seen = Seen(doors.stage("a"), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        doors.open("a")
        await harness.settle()
        seen.told()
        await harness.advance(timedelta(hours=1))
        stage = seen.stages()["door a"]
        assert (stage.state, stage.update, stage.kind) == (
            State.OK,
            Activity.RUNNING,
            State.RUNNING,
        )
        assert seen.told()[-1][2] is State.RUNNING
        doors.open("a")
        await harness.settle()
        assert seen.told() == [("door a", State.RUNNING, State.OK)]


async def test_what_is_not_needed_any_more_is_out_of_sight(tmp_path: Path) -> None:
    """Though no step says so."""
    doors = Doors()
    items = Var("items", ["a", "b"])
    seen = Seen(items.get().list_map(doors.stage), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        assert seen.stages().keys() == {"door a", "door b"}
        items.set(["b"])
        await harness.settle()
        assert seen.stages().keys() == {"door b"}


async def test_known_results_are_no_news(tmp_path: Path) -> None:
    """After a restart only what is not ok is told of."""
    doors = Doors()
    term = current.all([doors.stage("a"), doors.stage("b")])
    seen = Seen(term, tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        doors.open("a")
        doors.shut("b")
        await harness.settle()
    again = Seen(term, tmp_path)
    async with again.harness as harness:
        await harness.settle()
        assert again.told() == [("door b", None, State.FAILED)]


async def test_what_is_only_looked_at_is_no_news(tmp_path: Path) -> None:
    """A result of an earlier run that is asked for and still there: nobody needs to know."""

    async def there(key: str, outcome: str) -> bool:
        return key != "lost"

    @builder("file", level=Level.HARMLESS, still_there=there)
    async def file(job: Job, key: str) -> str:
        return key

    term = current.all([file("kept"), file("lost")])
    async with Harness(lambda: term, state_dir=tmp_path) as harness:
        await harness.settle()
    seen = Seen(term, tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        assert {label for label, _, _ in seen.told()} == {"file lost"}
        assert harness.stats == Stats(ok=2)


async def test_named_binds_are_stages(tmp_path: Path) -> None:
    """They fail by their own function."""

    def decide(value: int) -> Current[int]:
        raise current.Failure("undecided")

    seen = Seen(current.constant(1).bind(decide, name="decide"), tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        assert seen.stages()["decide"].failure == Failed("undecided")


async def test_stages_that_one_job_has_failed_are_told_as_one(tmp_path: Path) -> None:
    """By the first of them, with the number of the others; they don't take the places of others'
    failures.
    """
    doors = Doors()
    used = [doors.stage("a").map(str) for _ in range(30)]
    seen = Seen(
        current.all([*used, doors.stage("b"), doors.stage("b"), doors.stage("c")]), tmp_path
    )
    async with seen.harness as harness:
        await harness.settle()
        for key in "cba":
            doors.shut(key)
            await harness.settle()
        overview = seen.view.overview(3)
        assert [(stage.path, stage.others) for stage in overview.stages] == [
            ("door a", 29),
            ("door b", 1),
            ("door c", 0),
        ]
        assert overview.of_interest == Stats(failed=33)
        (only,) = seen.view.overview(1).stages
        assert (only.path, only.others) == ("door a", 29)


async def test_no_more_stages_than_asked_for(tmp_path: Path) -> None:
    """Some of each kind; all are counted."""
    doors = Doors(Pool("few", 3))
    term = current.all([doors.stage(str(key)) for key in range(9)])
    seen = Seen(term, tmp_path)
    async with seen.harness as harness:
        await harness.settle()
        doors.shut("0")
        await harness.settle()
        overview = seen.view.overview(4)
        kinds = [stage.kind for stage in overview.stages]
        assert kinds == [State.FAILED, State.RUNNING, State.RUNNING, State.READY]
        assert overview.of_interest == Stats(failed=1, running=3, ready=5)


@given(st.lists(st.integers(0, 50), max_size=5), st.integers(0, 60))
def test_places_are_shared_out(wanted: list[int], limit: int) -> None:
    """No more than there are, or are wanted; all of them, if they are wanted; and each kind gets
    its part before another gets more than that.
    """
    shares = share(wanted, limit)
    assert sum(shares) == min(limit, sum(wanted))
    assert all(0 <= part <= number for part, number in zip(shares, wanted, strict=True))
    kinds = sum(1 for number in wanted if number)
    for part, number in zip(shares, wanted, strict=True):
        assert part >= min(number, limit // max(kinds, 1))
