"""The changes from outside, and which of them each job follows from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pycurrent as current
from pycurrent.engine.changes import ChangeText
from pycurrent.store import ChangeKind
from pycurrent.testing import Harness, HarnessFactory


class Build(current.Builder[str, str]):
    id = "build"

    async def build(self, job: current.Job, key: str) -> str:
        await job.start(level=current.Level.HARMLESS)
        return f"built {key}"


@current.component("build {name} {commit}")
def build(name: str, commit: str) -> current.Primitive[str]:
    return Build().get(f"{name} {commit}")


@current.component("check {built}")
def check(built: str) -> current.Primitive[str]:
    return Build().get(f"check {built}")


def causes(h: Harness) -> dict[str, list[str]]:
    """The changes that each job follows from, by its key."""
    store = h.engine.opened.store
    jobs = reversed(store.history(limit=1000))
    return {
        job.key: [change.summary for change in store.changes_of_job(job.job_id)] for job in jobs
    }


def changes(h: Harness) -> list[str]:
    """All changes, the oldest first."""
    return [change.summary for change in reversed(h.engine.opened.store.changes())]


async def test_what_runs_at_first_follows_from_the_start(harness: HarnessFactory) -> None:
    """Where no input has a value of its own yet."""
    async with harness(lambda: build("web", "1")) as h:
        await h.settle()
        assert causes(h) == {"web 1": ["the engine was started"]}
        assert [change.kind for change in h.engine.opened.store.changes()] == [ChangeKind.START]


async def test_a_job_follows_from_the_change_of_its_input(harness: HarnessFactory) -> None:
    """And so do the jobs that follow from its result, in later steps."""
    web, api = current.Var("web", "1"), current.Var("api", "a")

    def pipeline() -> current.Current[None]:
        return current.all([check(build("web", web.get())), check(build("api", api.get()))])

    async with harness(pipeline) as h:
        await h.settle()
        web.set("2")
        await h.settle()
        found = causes(h)
        assert found["web 1"] == found["check built web 1"] == ["web: 1"]
        assert found["api a"] == found["check built api a"] == ["api: a"]
        assert found["web 2"] == found["check built web 2"] == ["web: 1 → 2"]
        assert changes(h) == ["web: 1", "api: a", "web: 1 → 2"]


async def test_two_changes_at_once_are_told_apart(harness: HarnessFactory) -> None:
    """A job follows from those that lead to its stage, from both where both do."""
    web, api = current.Var("web", "1"), current.Var("api", "a")

    def pipeline() -> current.Current[None]:
        one, other = web.get(), api.get()
        both = current.map(lambda a, b: f"{a}{b}", one, other)
        return current.all([build("web", one), build("api", other), build("both", both)])

    async with harness(pipeline) as h:
        await h.settle()
        web.set("2")
        api.set("b")
        await h.settle()
        found = causes(h)
        assert found["web 2"] == ["web: 1 → 2"]
        assert found["api b"] == ["api: a → b"]
        assert sorted(found["both 2b"]) == ["api: a → b", "web: 1 → 2"]


async def test_a_new_item_follows_from_its_list(harness: HarnessFactory) -> None:
    """Also where its part does not use the value, and something else changes in the same step."""
    items, other = current.Var("items", ["x"]), current.Var("other", "1")

    def pipeline() -> current.Current[None]:
        each = items.get().list_iter(lambda item: build("all", "once"), key=str)
        named = items.get().list_iter(lambda item: item.bind(lambda i: build("item", i)))
        return current.all([each, named, build("other", other.get())])

    async with harness(pipeline) as h:
        await h.settle()
        items.set(["x", "y"])
        other.set("2")
        await h.settle()
        assert causes(h)["item y"] == ["items: ['x'] → ['x', 'y']"]
        assert causes(h)["other 2"] == ["other: 1 → 2"]


async def test_after_a_restart_an_input_that_is_the_same_is_no_change(
    harness: HarnessFactory,
) -> None:
    """One that is another is; the rest follows from the start."""
    head, other = current.Var("head", "1"), current.Var("other", "1")

    def pipeline(more: str = "") -> current.Current[None]:
        return current.all([build(f"head{more}", head.get()), build("other", other.get())])

    async with harness(pipeline) as h:
        await h.settle()
    other.set("2")
    async with harness(lambda: pipeline("!")) as h:
        await h.settle()
        assert causes(h)["other 2"] == ["other: 1 → 2"]
        assert causes(h)["head! 1"] == ["the engine was started"]
        assert len(changes(h)) == 4


class File:
    """An input that a monitor watches."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.refresh: Callable[[], None] = lambda: None
        self.monitor = current.Monitor(read=self.read, watch=self.watch, describe="the file")

    async def read(self) -> str:
        await asyncio.sleep(0)
        return self.value

    @asynccontextmanager
    async def watch(self, refresh: Callable[[], None]) -> AsyncIterator[None]:
        self.refresh = refresh
        yield

    def set(self, value: str) -> None:
        self.value = value
        self.refresh()

    def get(self) -> current.Current[str]:
        return current.component("file", self.monitor.get)


async def test_a_monitor_that_reads_the_same_is_no_change(harness: HarnessFactory) -> None:
    """Only another value is; that of the first read counts as new if nothing was known of it."""
    file = File("1")
    async with harness(lambda: build("file", file.get())) as h:
        await h.settle()
        file.set("1")
        await h.settle()
        file.set("2")
        await h.settle()
        assert changes(h) == ["the file: 1", "the file: 1 → 2"]
    async with harness(lambda: build("again", file.get())) as h:
        await h.settle()
        assert causes(h)["again 2"] == ["the engine was started"]


async def test_a_poll_that_reads_the_same_leaves_nothing_behind(harness: HarnessFactory) -> None:
    """An input that is polled for years fills the records only with what differs."""
    reads: list[None] = []

    def read() -> int:
        reads.append(None)
        return len(reads) // 10

    every = timedelta(minutes=5)
    monitor: current.Monitor[int] = current.Monitor(read=read, every=every, describe="the load")
    async with harness(lambda: current.component("load", monitor.get)) as h:
        await h.settle()
        await h.advance(every * 8)
        assert (len(reads), changes(h)) == (9, ["the load: 0"])
        await h.advance(every)
        assert (len(reads), changes(h)) == (10, ["the load: 0", "the load: 0 → 1"])


async def test_an_input_that_has_its_last_value_again_after_a_failure_is_no_change(
    harness: HarnessFactory,
) -> None:
    """What follows from it follows from the change by which it had the value."""
    answers = iter([1, None, 1, None, 2])

    def read() -> int:
        answer = next(answers)
        if answer is None:
            raise current.Failure("down")
        return answer

    every = timedelta(minutes=10)
    monitor: current.Monitor[int] = current.Monitor(read=read, every=every, describe="the load")
    async with harness(lambda: current.component("load", monitor.get)) as h:
        await h.settle()
        await h.advance(every * 2)
        assert (h.output, changes(h)) == (current.Ok(1), ["the load: 1"])
        await h.advance(every * 2)
        assert changes(h) == ["the load: 1", "the load: 1 → 2"]


async def test_a_rebuild_is_a_change_by_who_asked(harness: HarnessFactory) -> None:
    """And what its result makes run follows from it, too."""
    count = 0

    class Count(current.Builder[str, int]):
        id = "count"

        async def build(self, job: current.Job, key: str) -> int:
            nonlocal count
            await job.start(level=current.Level.HARMLESS)
            count += 1
            return count

    def pipeline() -> current.Current[str]:
        counted = current.component("count", lambda: Count().get("x"))
        return build("n", counted.map(str))

    async with harness(pipeline) as h:
        await h.settle()
        h.find("count x").rebuild(by="ann", reason="it is odd")
        await h.settle()
        (change,) = h.engine.opened.store.changes(kind=ChangeKind.PERSON)
        assert (change.by, change.summary) == ("ann", "ann asked for a rebuild: it is odd")
        assert causes(h)["x"] == causes(h)["n 2"] == ["ann asked for a rebuild: it is odd"]


async def test_results_that_expire_together_are_one_change(harness: HarnessFactory) -> None:
    """However many jobs it starts."""
    schedule = current.Schedule(valid_for=timedelta(hours=1))

    def pipeline() -> current.Current[None]:
        return current.all(
            [
                current.component(name, lambda name=name: Build().get(name, schedule=schedule))
                for name in "abc"
            ]
        )

    async with harness(pipeline) as h:
        await h.settle()
        await h.advance(timedelta(hours=1))
        store = h.engine.opened.store
        (change,) = store.changes(kind=ChangeKind.TIMER)
        assert len(store.jobs_of_change(change.id)) == 3
        assert change.summary == "results have expired"


async def test_many_jobs_of_one_change_share_its_row(harness: HarnessFactory) -> None:
    """More than are started in one step, too."""
    head = current.Var("head", "1")

    def pipeline() -> current.Current[None]:
        commit = head.get()
        return current.all([build(f"n{number}", commit) for number in range(450)])

    async with harness(pipeline) as h:
        await h.settle()
        head.set("2")
        await h.settle()
        store = h.engine.opened.store
        newest, oldest = store.changes()
        assert len(store.jobs_of_change(newest.id, limit=1000)) == 450
        assert len(store.jobs_of_change(oldest.id, limit=1000)) == 450


async def test_an_input_that_can_t_describe_its_change_keeps_both_values(
    harness: HarnessFactory,
) -> None:
    """What its author wrote for that has raised; the change is recorded all the same."""

    class Odd(current.Monitor[str]):
        async def describe_change(self, old: str, new: str) -> None:
            raise ValueError(f"{old} and {new}")

    file = File("1")
    monitor = Odd(read=file.read, watch=file.watch, describe="the file")
    async with harness(lambda: current.component("file", monitor.get)) as h:
        await h.settle()
        file.set("2")
        await h.settle()
        await h.engine.opened.changes.described()
        assert changes(h) == ["the file: 1", "the file: 1 → 2"]


async def test_an_input_shows_its_last_value_until_it_is_read(harness: HarnessFactory) -> None:
    """It is shown beside the input, and nothing is started from it."""
    file = File("1")
    noted: list[str | None] = []

    def pipeline() -> current.Current[None]:
        read = file.get()
        note = current.metadata(read).map(lambda found: noted.append(found.note if found else None))
        return current.all([build("web", read), note])

    async with harness(pipeline) as h:
        await h.settle()
        assert noted == [None]
    file.set("2")
    async with harness(pipeline) as h:
        assert noted == [None, "last known: 1"]
        assert not h.jobs
        await h.settle()
        assert noted == [None, "last known: 1", None]
        assert [*causes(h)] == ["web 1", "web 2"]


@asynccontextmanager
async def told_by_hand(refresh: Callable[[], None]) -> AsyncIterator[None]:
    yield


def values_of(h: Harness, name: str) -> list[str]:
    """The values of an input that can be read back, the newest first."""
    return [value.text for value in h.engine.opened.store.input_values(name)]


async def test_the_values_of_a_monitor_with_a_type_can_be_read_back(
    harness: HarnessFactory,
) -> None:
    """By default that is the type that `read` is annotated to return; an Input's always can."""

    def typed() -> int:
        return 3

    async def awaited() -> tuple[str, int]:
        return ("a", 1)

    def later() -> Awaitable[int]:
        return asyncio.sleep(0, 7)

    def named(
        name: str, read: Callable[[], object], type: object = None
    ) -> current.Current[object]:
        monitor = current.Monitor(read=read, watch=told_by_hand, describe=name, type=type)
        return current.component(name, monitor.get)

    def pipeline() -> current.Current[None]:
        return current.all(
            [
                named("typed", typed),
                named("awaited", awaited),
                named("later", later),
                named("partial", partial(typed)),
                named("given", lambda: [1], type=list[int]),
                named("untyped", lambda: 1),
                named("unstable", object, type=object),
                named("of another type", lambda: "text", type=int),
                named("long", lambda: "x" * 100_000, type=str),
                current.Input("set", "default").get().ignore(),
            ]
        )

    async with harness(pipeline) as h:
        await h.settle()
        h.engine.set_input("set", "other")
        await h.settle()
        assert values_of(h, "typed") == values_of(h, "partial") == ["3"]
        assert values_of(h, "awaited") == ['["a",1]']
        assert values_of(h, "later") == ["7"]
        assert values_of(h, "given") == ["[1]"]
        assert values_of(h, "set") == ['"other"', '"default"']
        for name in ("untyped", "unstable", "of another type", "long"):
            assert values_of(h, name) == []
        assert (
            sum(change.kind is ChangeKind.INPUT for change in h.engine.opened.store.changes()) == 11
        )


async def test_a_value_that_an_input_has_again_is_there_again(harness: HarnessFactory) -> None:
    """With the change by which it came; what is in the file and what is not yet look alike."""
    async with harness(lambda: current.Input("mode", 1).get()) as h:
        await h.settle()
        for value in (2, 1):
            h.engine.set_input("mode", value)
            await h.settle()
        found = h.engine.opened.store.input_values("mode", limit=2)
        assert [(value.text, value.shown) for value in found] == [("1", "1"), ("2", "2")]
        newest = h.engine.opened.store.change(found[0].change)
        assert newest is not None
        assert newest.summary == "mode: 2 → 1"


class Outside:
    """Something that an operation looks at again every hour."""

    def __init__(self) -> None:
        self.value = "1"
        outside = self

        class Look(current.Builder[str, str]):
            id = "look"

            async def build(self, job: current.Job, key: str) -> str:
                await job.start(level=current.Level.HARMLESS)
                if not outside.value:
                    raise current.Failure("it is gone")
                return outside.value

        self._look = Look()

    def pipeline(self) -> current.Current[str]:
        hourly = current.Schedule(valid_for=timedelta(hours=1))
        looked = current.component("look", lambda: self._look.get("x", schedule=hourly))
        return build("web", looked)


async def test_a_scheduled_operation_is_an_input(harness: HarnessFactory) -> None:
    """Another value is a change, from which follows what it starts; the same value is none."""
    outside = Outside()
    hour = timedelta(hours=1)
    async with harness(outside.pipeline) as h:
        await h.settle()
        await h.advance(hour)
        outside.value = "2"
        await h.advance(hour)
        start, expired = "the engine was started", "results have expired"
        assert changes(h) == [start, expired, expired, "look x: 1 → 2"]
        assert causes(h)["web 2"] == ["look x: 1 → 2"]
        outside.value = ""
        await h.advance(hour)
        outside.value = "3"
        await h.advance(hour)
        assert causes(h)["web 3"] == ["look x: 2 → 3"]


async def test_a_rebuild_that_finds_another_value_is_two_changes(harness: HarnessFactory) -> None:
    """Who has asked, and what has changed."""
    outside = Outside()
    async with harness(outside.pipeline) as h:
        await h.settle()
        outside.value = "2"
        h.find("look x").rebuild(by="ann")
        await h.settle()
        assert causes(h)["web 2"] == ["look x: 1 → 2", "ann asked for a rebuild"]
    async with harness(outside.pipeline) as h:
        outside.value = "3"
        await h.advance(timedelta(hours=1))
        assert causes(h)["web 3"] == ["look x: 2 → 3"]


async def test_a_builder_may_describe_the_change_of_its_value(harness: HarnessFactory) -> None:
    """Then it counts as a change also without a schedule."""
    values = ["old", "new"]

    class Look(current.Builder[str, str]):
        id = "look"

        async def build(self, job: current.Job, key: str) -> str:
            await job.start(level=current.Level.HARMLESS)
            return values.pop(0)

        async def describe_change(self, key: str, old: str, new: str) -> ChangeText:
            return ChangeText(f"{key} is {new}, not {old}", "mia", ("a part",))

    async with harness(lambda: current.component("look", lambda: Look().get("x"))) as h:
        await h.settle()
        h.find("look x").rebuild(by="ann")
        await h.settle()
        await h.engine.opened.changes.described()
        newest, *_ = h.engine.opened.store.changes()
        assert (newest.summary, newest.by) == ("x is new, not old", "mia")
        assert newest.details == '["a part"]'
