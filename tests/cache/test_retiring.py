"""What has gone from the pipeline says so outside, once and never too early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder, Operation, Publisher, ResultCache, Retry, cause_of
from pycurrent.cache.cause import Asked, Cause, Gone, NeverBuilt, Retired
from pycurrent.engine import Config, Job, Level
from pycurrent.errors import UsageError
from pycurrent.store import JobEnd
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    FailureKind,
    Ok,
    Primitive,
    Var,
    component,
    constant,
    labels,
    pair,
)
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from .workshop import OpenEngine, Put, PutAuto, PutLatched, Workshop

READY = Active(Activity.READY)


class World:
    """What is set outside, and what was done to it, in order."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.done: list[str] = []


class Status(Publisher[str, str, str]):
    """Sets the status of a commit, whose number is the outcome."""

    id = "status"

    def __init__(self, world: World, level: Level = Level.AVERAGE) -> None:
        self.world = world
        self.level = level

    async def publish(self, job: Job, key: str, value: str) -> str:
        await job.start(level=self.level)
        self.world.status[key] = value
        self.world.done.append(f"{key}={value}")
        return f"#{len(self.world.done)}"

    async def retire(self, job: Job, key: str, outcome: str) -> None:
        await job.start(level=self.level)
        del self.world.status[key]
        self.world.done.append(f"{key} retired, was {outcome}")


class Slow(Put):
    """The same, which goes on until the test ends it."""

    id = "slow"

    async def retire(self, job: Job, key: str, outcome: str) -> None:
        await self.shop.run(job, self.id, key, f"retire {outcome}", self.context)


class SlowAuto(PutAuto):
    id = "slow-auto"

    async def retire(self, job: Job, key: str, outcome: str) -> None:
        await self.shop.run(job, self.id, key, f"retire {outcome}", self.context)


class SlowLatched(PutLatched):
    id = "slow-latched"

    async def retire(self, job: Job, key: str, outcome: str) -> None:
        await self.shop.run(job, self.id, key, f"retire {outcome}", self.context)


class Index(Builder[str, str]):
    """An entry of an index, by a builder."""

    id = "index"

    def __init__(self, world: World) -> None:
        self.world = world

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.AVERAGE)
        self.world.status[key] = "listed"
        self.world.done.append(f"{key} listed")
        return key.upper()

    async def retire(self, job: Job, key: str, outcome: str) -> None:
        await job.start(level=Level.AVERAGE)
        del self.world.status[key]
        self.world.done.append(f"{key} retired, was {outcome}")


@pytest.fixture
def world() -> World:
    return World()


def status(op: Any, key: str, value: str = "pending") -> Current[Any]:
    def primitive() -> Primitive[Any]:
        return op.apply(key, value) if isinstance(op, Operation) else op.set(key, value)

    return component(f"status {key}", primitive)


def of_each(commits: Var[Sequence[str]], op: Any) -> Callable[[], Current[Any]]:
    """A status for each commit of a list."""
    set_status = lambda commit: component("status {commit}", lambda c: op.set(c, "pending"), commit)  # noqa: E731
    return lambda: commits.get().list_iter(set_status)


def causes(h: Harness) -> list[Cause | None]:
    found = h.engine.service(ResultCache).store.history(ends={None, *JobEnd})
    return [cause_of(record) for record in reversed(found)]


async def test_what_leaves_a_list_is_retired(engine: OpenEngine, world: World) -> None:
    """By a job of its own, which gets the key and the outcome."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
        assert world.status == {"a": "pending", "b": "pending"}
        commits.set(["b"])
        await h.settle()
        assert world.status == {"b": "pending"}
        assert world.done[-1] == "a retired, was #1"
        assert causes(h) == [NeverBuilt(), NeverBuilt(), Gone()]
        (retiring,) = [build for build in h.history() if build.build == 1]
        assert retiring.ok
        assert retiring.key == "a"
        assert len(h.engine.service(ResultCache)) == 1
        assert [job.description for job in h.jobs.values()] == ["status b pending"]


async def test_what_is_needed_again_is_set_anew(engine: OpenEngine, world: World) -> None:
    """Although its last result was recorded: that is not valid any more."""
    commits = Var[Sequence[str]]("commits", ["a"])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
        commits.set([])
        await h.settle()
        commits.set(["a"])
        await h.settle()
        assert world.done == ["a=pending", "a retired, was #1", "a=pending"]
        assert causes(h) == [NeverBuilt(), Gone(), Retired()]
        assert h.output == Ok(None)


async def test_after_a_restart_too(engine: OpenEngine, world: World) -> None:
    """What was retired before is set anew after it."""
    commits = Var[Sequence[str]]("commits", ["a"])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
        commits.set([])
        await h.settle()
    commits.set(["a"])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
        assert world.done == ["a=pending", "a retired, was #1", "a=pending"]


async def test_a_builder_may_retire_too(engine: OpenEngine, world: World) -> None:
    """Its result does not hold after that."""
    keys = Var[Sequence[str]]("keys", ["a"])
    op = Index(world)
    pipeline = lambda: keys.get().list_map(lambda key: component("index", op.get, key))  # noqa: E731
    async with engine(pipeline) as h:
        await h.settle()
        keys.set([])
        await h.settle()
        keys.set(["a"])
        await h.settle()
        assert world.done == ["a listed", "a retired, was A", "a listed"]
        assert h.output == Ok(["A"])
        assert causes(h) == [NeverBuilt(), Gone(), Retired()]


@pytest.mark.parametrize("output", [READY, Failed("no route to host")])
async def test_not_while_the_list_is_not_known(
    engine: OpenEngine, world: World, output: Active | Failed
) -> None:
    """It may come back with the next value; what it lacks then has gone."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
        commits.set(output)
        await h.settle()
        assert world.status == {"a": "pending", "b": "pending"}
        commits.set(["b"])
        await h.settle()
        assert world.status == {"b": "pending"}
        assert len(world.done) == 3


async def test_nor_if_a_catch_hides_that(engine: OpenEngine, world: World) -> None:
    """A failure that is caught leaves an empty list, and is a failure all the same."""
    commits = Var[Sequence[str]]("commits", ["a"])

    def pipeline() -> Current[Any]:
        known = commits.get().catch().map(lambda out: out.value if isinstance(out, Ok) else [])
        return known.list_iter(lambda commit: component("s", Status(world).set, commit, "pending"))

    async with engine(pipeline) as h:
        await h.settle()
        commits.set(Failed("no route to host"))
        await h.settle()
        assert world.status == {"a": "pending"}
        commits.set([])
        await h.settle()
        assert world.status == {}


async def test_a_stage_that_takes_another_key_has_left_the_old_one(
    engine: OpenEngine, world: World
) -> None:
    """A status that goes with the newest commit; not while that is not known."""
    head = Var("head", "a")
    op = Status(world)
    async with engine(lambda: component("status", op.set, head.get(), "pending")) as h:
        await h.settle()
        head.set("b")
        await h.settle()
        assert world.status == {"b": "pending"}
        head.set(READY)
        await h.settle()
        assert world.status == {"b": "pending"}
        head.set("c")
        await h.settle()
        assert world.status == {"c": "pending"}


async def test_a_stage_that_is_built_again_holds_what_it_has_used(
    engine: OpenEngine, world: World
) -> None:
    """As long as its own input is broken: it may use the same then."""
    repos, head = Var[Sequence[str]]("repos", ["web"]), Var("head", "a")
    op = Status(world)

    def of_repo(repo: Current[str]) -> Current[Any]:
        return component("status", op.set, head.get(), "pending")

    async with engine(lambda: repos.get().list_iter(of_repo)) as h:
        await h.settle()
        repos.set(READY)
        head.set(Failed("no route to host"))
        await h.settle()
        repos.set(["web"])
        await h.settle()
        assert world.status == {"a": "pending"}
        head.set("a")
        await h.settle()
        assert world.done == ["a=pending"]
        repos.set([])
        await h.settle()
        assert world.status == {}


async def test_other_stages_that_fail_are_no_reason_to_wait(
    engine: OpenEngine, world: World
) -> None:
    """A status that tells of a failed test goes with its commit."""
    head = Var("head", "a")
    op = Status(world)

    def test(commit: str) -> Current[str]:
        raise Failure(f"{commit} is broken")

    def pipeline() -> Current[Any]:
        tested = head.get().map(test).state().map(lambda out: type(out).__name__)
        return component("status", op.set, head.get(), tested)

    async with engine(pipeline) as h:
        await h.settle()
        assert world.status == {"a": "Failed"}
        head.set("b")
        await h.settle()
        assert world.status == {"b": "Failed"}


async def test_what_a_bind_leaves_out_is_retired(engine: OpenEngine, world: World) -> None:
    """Not while the bind has no value, or has failed to decide."""
    wanted = Var[Any]("wanted", True)

    def decide(yes: Any) -> Current[Any]:
        if yes is None:
            raise Failure("can't decide")
        return status(Status(world), "a") if yes else constant("none")

    async with engine(lambda: wanted.get().bind(decide)) as h:
        await h.settle()
        for output in (READY, Failed("broken"), None):
            wanted.set(output)
            await h.settle()
            assert world.status == {"a": "pending"}
        wanted.set(False)
        await h.settle()
        assert world.status == {}
        assert len(world.done) == 2


async def test_a_bind_that_uses_what_was_built_elsewhere(engine: OpenEngine, world: World) -> None:
    """Counts as well: the stage is not within it, and is needed because of it."""
    wanted, other = Var[Any]("wanted", True), Var[Any]("other", 1)

    def pipeline() -> Current[Any]:
        stage = status(Status(world), "a")
        inner = lambda _: wanted.get().bind(lambda yes: stage if yes else constant("none"))  # noqa: E731
        return other.get().bind(inner)

    async with engine(pipeline) as h:
        await h.settle()
        for broken, value in ((wanted, True), (other, 1)):
            broken.set(Failed("broken"))
            await h.settle()
            assert world.status == {"a": "pending"}
            broken.set(value)
            await h.settle()
        wanted.set(False)
        await h.settle()
        assert world.status == {}


async def test_a_key_that_several_stages_share_is_there_as_long_as_one_is(
    engine: OpenEngine, world: World
) -> None:
    """And while it is in doubt about any of them whether it has gone."""
    first, second = Var("first", ["a"]), Var("second", ["a"])
    op = Status(world)
    pipelines = of_each(first, op), of_each(second, op)  # type: ignore[arg-type]
    async with engine(lambda: all_of([pipeline() for pipeline in pipelines])) as h:
        await h.settle()
        first.set([])
        await h.settle()
        assert world.status == {"a": "pending"}
        first.set(["a"])
        await h.settle()
        first.set(Failed("no route to host"))
        await h.settle()
        second.set([])
        await h.settle()
        assert world.status == {"a": "pending"}
        first.set([])
        await h.settle()
        assert world.status == {}
        assert len(world.done) == 2


async def test_nothing_is_retired_at_the_end(engine: OpenEngine, world: World) -> None:
    """Nor by the next engine, which needs the same."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    for _ in range(3):
        async with engine(of_each(commits, Status(world))) as h:
            await h.settle()
    assert world.done == ["a=pending", "b=pending"]


async def test_what_went_while_no_engine_ran_is_retired_by_the_next(
    engine: OpenEngine, world: World
) -> None:
    """Once all inputs were read."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    other = Var[Any]("other", 1)
    pipeline = lambda: pair(of_each(commits, Status(world))(), other.get())  # noqa: E731
    async with engine(pipeline) as h:
        await h.settle()
    commits.set(["b"])
    other.set(READY)
    async with engine(pipeline) as h:
        await h.settle()
        assert len(world.done) == 2
        other.set(Failed("broken"))
        await h.settle()
        assert world.done[2:] == ["a retired, was #1"]


# The runs of one key


async def test_it_is_never_retired_beside_its_setting(engine: OpenEngine, shop: Workshop) -> None:
    """A setting that has begun ends first; without one that succeeded there is nothing to do."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    async with engine(of_each(commits, Slow(shop))) as h:
        await h.settle()
        commits.set([])
        await h.settle()
        assert [work.value for work in shop.at_work] == ["pending", "pending"]
        shop.of("a").succeed("set")
        shop.of("b").fail()
        await h.settle()
        assert shop.work.value == "retire set"
        shop.work.succeed()
        await h.settle()
        assert not shop.at_work
        assert len(shop.begun) == 3


async def test_retiring_that_has_begun_ends_before_the_key_is_set_anew(
    engine: OpenEngine, shop: Workshop
) -> None:
    """With auto_cancel it is cancelled."""
    for op, is_cancelled in ((Slow(shop), False), (SlowAuto(shop), True)):
        commits = Var[Sequence[str]]("commits", ["a"])
        async with engine(of_each(commits, op)) as h:
            await h.settle()
            shop.work.succeed("set")
            await h.settle()
            commits.set([])
            await h.settle()
            retiring = shop.work
            commits.set(["a"])
            await h.settle()
            if not is_cancelled:
                assert shop.work is retiring
                assert h.output == Active(Activity.RUNNING)
                retiring.succeed()
                await h.settle()
            assert retiring.cancelled == is_cancelled
            assert shop.work.value == "pending"
            assert causes(h)[-1] == Retired()
            shop.work.succeed("set again")
            await h.settle()
            assert h.output == Ok(None)


async def test_a_latched_outcome_is_not_reported_once_it_is_being_retired(
    engine: OpenEngine, shop: Workshop
) -> None:
    """It is not set any more, or perhaps not."""
    wanted = Var("wanted", True)
    op = SlowLatched(shop)
    pipeline = lambda: wanted.get().bind(lambda yes: status(op, "a") if yes else constant("none"))  # noqa: E731
    async with engine(pipeline) as h:
        await h.settle()
        shop.work.succeed("set")
        await h.settle()
        assert h.output == Ok("set")
        wanted.set(False)
        await h.settle()
        wanted.set(True)
        await h.settle()
        assert h.output == Active(Activity.RUNNING)
        shop.work.succeed()
        await h.settle()
        assert shop.work.value == "pending"
        assert h.output == Active(Activity.RUNNING)


async def test_it_waits_for_confirmation_as_its_setting_did(tmp_path: Path, world: World) -> None:
    """Also if `retire` asks for less. Needed again, it is left as it is."""

    class Careless(Status):
        async def retire(self, job: Job, key: str, outcome: str) -> None:
            await job.start(level=Level.HARMLESS)
            self.world.done.append(f"{key} retired")

    commits = Var[Sequence[str]]("commits", ["a"])
    pipeline = of_each(commits, Careless(world, Level.DANGEROUS))
    async with Harness(
        pipeline, state_dir=tmp_path, config=Config(confirm=Level.ABOVE_AVERAGE)
    ) as h:
        await h.settle()
        h.find("status a").approve()
        await h.settle()
        commits.set([])
        await h.settle()
        waiting = h.find("retire status a")
        assert waiting.job is not None
        assert waiting.job.level is Level.DANGEROUS
        assert waiting.job.activity is Activity.WAITING_FOR_CONFIRMATION
        commits.set(["a"])
        await h.settle()
        assert h.output == Ok(None)
        assert world.done == ["a=pending"]
        commits.set([])
        await h.settle()
        h.find("retire status a").approve(by="ann")
        await h.settle()
        assert world.done == ["a=pending", "a retired"]


async def test_a_failure_to_retire_stays_until_somebody_asks_again(
    engine: OpenEngine, shop: Workshop
) -> None:
    """It is shown among the jobs, after a restart too."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    async with engine(of_each(commits, Slow(shop))) as h:
        await h.settle()
        shop.of("a").succeed("set")
        shop.of("b").succeed("set")
        await h.settle()
        commits.set(["b"])
        await h.settle()
        shop.work.fail("no route to host")
        await h.settle()
        assert h.find("retire slow a").outcome == Failed("no route to host")
    async with engine(of_each(commits, Slow(shop))) as h:
        await h.settle()
        assert not shop.at_work
        handle = next(job for job in h.jobs.values() if job.key == "a")
        assert handle.outcome == Failed("no route to host")
        handle.rebuild(by="ann", reason="the host is back")
        await h.settle()
        assert causes(h)[-1] == Asked("ann", "the host is back")
        shop.work.succeed()
        await h.settle()
        assert len(h.engine.service(ResultCache)) == 1
        assert not h.engine.opened.store.to_retire.all().keys() - {("slow", "b")}


async def test_it_is_tried_again_as_the_retry_says(engine: OpenEngine, world: World) -> None:
    """As any other job of the operation."""
    failures = [Failure("502", kind=FailureKind.INFRA)]

    class Shaky(Status):
        retry = Retry(infra=1)

        async def retire(self, job: Job, key: str, outcome: str) -> None:
            await job.start(level=self.level)
            if failures:
                raise failures.pop()
            self.world.done.append("retired")

    commits = Var[Sequence[str]]("commits", ["a"])
    async with engine(of_each(commits, Shaky(world))) as h:
        await h.settle()
        commits.set([])
        await h.settle()
        assert world.done == ["a=pending"]
        await h.advance(Shaky.retry.backoff)
        assert world.done == ["a=pending", "retired"]


async def test_retiring_that_was_interrupted_is_done_again(
    engine: OpenEngine, shop: Workshop
) -> None:
    """By the next engine; if that needs the key, it sets it anew."""
    commits = Var[Sequence[str]]("commits", ["a"])
    other = Var[Sequence[str]]("other", ["b"])
    op = Slow(shop)
    pipeline = lambda: all_of([of_each(commits, op)(), of_each(other, op)()])  # noqa: E731
    async with engine(pipeline) as h:
        await h.settle()
        shop.of("a").succeed("set")
        shop.of("b").succeed("set")
        await h.settle()
        commits.set([])
        await h.settle()
        assert shop.work.value == "retire set"
    async with engine(pipeline) as h:
        await h.settle()
        assert shop.work.value == "retire set"
        assert causes(h)[-1] == Gone()
    commits.set(["a"])
    async with engine(pipeline) as h:
        await h.settle()
        assert shop.work.value == "pending"


# What an earlier engine has left


def of_repos(repos: dict[str, Var[Any]], op: Any) -> Callable[[], Current[Any]]:
    """A status for each commit of each repository: its commits are an input of their own."""
    names = constant(sorted(repos))

    def of_repo(name: Current[str]) -> Current[Any]:
        commits = name.bind(lambda name: repos[name].get())
        return commits.list_iter(lambda commit: component("status", op.set, commit, "pending"))

    return lambda: names.list_iter(of_repo)


async def test_after_a_restart_only_what_may_have_held_it_counts(
    engine: OpenEngine, world: World
) -> None:
    """By the recorded path of its stage: a broken list elsewhere is no reason to wait."""
    repos: dict[str, Var[Any]] = {"api": Var("api", ["a"]), "web": Var("web", ["w", "x"])}
    async with engine(of_repos(repos, Status(world))) as h:
        await h.settle()
    repos["api"].set(Failed("no route to host"))
    repos["web"].set(["w"])
    async with engine(of_repos(repos, Status(world))) as h:
        await h.settle()
        assert world.status == {"a": "pending", "w": "pending"}
        repos["api"].set([])
        await h.settle()
        assert world.status == {"w": "pending"}


async def test_a_stage_whose_input_is_broken_after_a_restart_still_holds_its_key(
    engine: OpenEngine, world: World
) -> None:
    """The stage is there by its path, and may need the same key again."""
    head = Var("head", "a")
    op = Status(world)
    pipeline = lambda: pair(  # noqa: E731
        component("status", op.set, head.get(), "pending"), status(op, "other")
    )
    async with engine(pipeline) as h:
        await h.settle()
    head.set(Failed("no route to host"))
    async with engine(pipeline) as h:
        await h.settle()
        assert "a" in world.status
        head.set("b")
        await h.settle()
        assert "a" not in world.status


async def test_a_pipeline_that_can_not_be_built_retires_nothing(
    engine: OpenEngine, world: World
) -> None:
    """And an item whose function fails holds what was built for it."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    op = Status(world)
    async with engine(of_each(commits, op)) as h:
        await h.settle()

    def broken() -> Current[Any]:
        raise Failure("the pipeline is broken")

    async with engine(broken) as h:
        await h.settle()

    def of_commit(commit: Current[str]) -> Current[Any]:
        if not hasattr(op, "is_mended"):
            raise Failure("this commit can't be built")
        return component("status {commit}", lambda c: op.set(c, "pending"), commit)

    pipeline = lambda: pair(commits.get().list_iter(of_commit), status(op, "other"))  # noqa: E731
    async with engine(pipeline) as h:
        await h.settle()
        assert world.status == {"a": "pending", "b": "pending", "other": "pending"}


async def test_without_its_operation_nothing_can_be_retired(
    engine: OpenEngine, world: World
) -> None:
    """That is told, and done as soon as a stage uses the operation again."""
    commits = Var[Sequence[str]]("commits", ["a"])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
    commits.set([])
    async with engine(of_each(commits, Status(world))) as h:
        await h.settle()
        (problem,) = h.engine.opened.problems
        assert problem.message == (
            "1 result that has gone from the pipeline is not retired yet: status. That waits until"
            " a stage uses the operation again"
        )
        assert world.status == {"a": "pending"}
        commits.set(["b"])
        await h.settle()
        assert world.status == {"b": "pending"}
        assert not list(h.engine.opened.problems)


async def test_what_was_set_before_its_operation_could_retire_counts(
    engine: OpenEngine, world: World
) -> None:
    """As soon as a stage has used it since."""

    class Before(Put):
        id = "slow"

        async def publish(self, job: Job, key: str, value: str) -> str:
            await job.start(level=Level.AVERAGE)
            return "set"

    shop = Workshop()
    commits = Var[Sequence[str]]("commits", ["a"])
    async with engine(of_each(commits, Before(shop))) as h:
        await h.settle()
    async with engine(of_each(commits, Slow(shop))) as h:
        await h.settle()
        assert not shop.begun
        commits.set([])
        await h.settle()
        assert shop.work.value == "retire set"


# The class


def test_retire_is_a_method_that_is_awaited() -> None:
    """A field with this name is refused, and so is a function."""
    with pytest.raises(UsageError, match="must be an async method: write async def retire"):

        class Sync(Put):
            def retire(self, job: Job, key: str, outcome: str) -> None: ...

    with pytest.raises(UsageError, match="'retire' has the name of a method"):

        class Field(Put):
            retire: bool


async def test_keys_of_any_kind_are_found_again(engine: OpenEngine) -> None:
    """After a restart the key is the one that was set."""
    retired: list[Any] = []

    class Any_(Publisher[object, str, None]):
        id = "any"

        async def publish(self, job: Job, key: object, value: str) -> None:
            await job.start(level=Level.AVERAGE)

        async def retire(self, job: Job, key: object, outcome: None) -> None:
            await job.start(level=Level.AVERAGE)
            retired.append(key)

    keys: list[Any] = ["a", "5", 5, "{", '"', "é\n", "x" * 200, None, [1, "b"], {"c": [True]}]
    wanted = Var[Sequence[int]]("wanted", range(len(keys)))
    op = Any_()
    pipeline = lambda: wanted.get().list_iter(  # noqa: E731
        lambda n: component("any", lambda n: op.set(keys[n] if n >= 0 else "other", ""), n)
    )
    async with engine(pipeline) as h:
        await h.settle()
    wanted.set([-1])
    async with engine(pipeline) as h:
        await h.settle()
    assert sorted(map(repr, retired)) == sorted(map(repr, keys))


# The records


async def test_the_records_tell_why_and_for_whom_it_was_retired(
    engine: OpenEngine, world: World
) -> None:
    """The change of the list, and the stage with its labels, which had used the key."""
    commits = Var[Sequence[str]]("commits", ["a", "b"])
    op = Status(world)

    def pipeline() -> Current[Any]:
        with labels(repo="web"):
            return commits.get().list_iter(lambda commit: component("s", op.set, commit, "pending"))

    async with engine(pipeline) as h:
        await h.settle()
        commits.set(["b"])
        await h.settle()
        store = h.engine.opened.store
        (retiring,) = [build for build in h.history() if build.build == 1]
        (change,) = store.changes_of_job(retiring.job_id)
        assert change.input == "commits"
        (use,) = store.uses_of_job(retiring.job_id)
        assert (use.stage, use.read_labels()) == ("a/s", {"repo": "web"})
    commits.set([])
    async with engine(pipeline) as h:
        await h.settle()
        commits.set(["c"])
        await h.settle()
        store = h.engine.opened.store
        (retiring,) = [b for b in h.history() if (b.key, b.build) == ("b", 1)]
        (use,) = store.uses_of_job(retiring.job_id)
        assert (use.stage, use.read_labels()) == ("b/s", {"repo": "web"})


async def test_a_stage_that_is_still_there_keeps_its_own_job(
    engine: OpenEngine, world: World
) -> None:
    """The job that retires its old key is none of its uses."""
    head = Var("head", "a")
    op = Status(world)
    async with engine(lambda: component("status", op.set, head.get(), "pending")) as h:
        await h.settle()
        head.set("b")
        await h.settle()
        (retiring,) = [build for build in h.history() if build.build == 1]
        assert h.engine.opened.store.uses_of_job(retiring.job_id) == []
