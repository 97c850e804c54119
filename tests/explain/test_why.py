"""Why a stage is as it is, and why a job was run."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent.cache.cause import Asked, Expired, NeverBuilt, ValueChanged
from pycurrent.engine.shares import ShareView
from pycurrent.explain.reasons import (
    Blocked,
    Difference,
    Failing,
    Given,
    InConflict,
    MadeAgain,
    Phase,
    Ran,
    Reused,
    Running,
    WaitsForConfirmation,
    WaitsForRead,
    WaitsForRecords,
    WaitsInQueue,
    WaitsUntil,
)
from pycurrent.explain.why import UnknownSubject, Why, why_recorded
from pycurrent.store import DatabaseReader
from pycurrent.testing import Harness, HarnessFactory

POOL = current.Pool("builds", 1)


class Build(current.Builder[tuple[str, str], str]):
    """Builds what is named, and waits while it is told to."""

    id = "build"

    def __init__(self, *, level: current.Level = current.Level.HARMLESS) -> None:
        self.level = level
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def build(self, job: current.Job, key: tuple[str, str]) -> str:
        await job.start(level=self.level, pool=POOL)
        await self.go_on.wait()
        if key[1] == "bad":
            raise current.Failure("it is bad")
        return f"{key[0]} of {key[1]}"

    def at(self, name: str, commit: current.Current[str]) -> current.Current[str]:
        return current.component(f"build {name}", lambda c: self.get((name, c)), commit)


def why(h: Harness, subject: str) -> Why:
    return h.engine.why(subject)


async def test_a_job_ran_because_of_its_cause_and_the_changes_at_its_root(
    harness: HarnessFactory,
) -> None:
    """With what differs from the last job of the stage, field by field."""
    head = current.Var("head", "1")
    build = Build()
    async with harness(lambda: build.at("web", head.get())) as h:
        await h.settle()
        head.set("2")
        await h.settle()
        found = why(h, "build web")
        (ran,) = found.reasons
        assert isinstance(ran, Ran)
        assert found.state == "ok"
        assert ran.job == found.job
        assert ran.cause == NeverBuilt()
        assert ran.differences == (Difference("2", "1", "2"),)
        assert [change.summary for change in ran.changes] == ["head: 1 → 2"]
        assert str(found) == (
            f"build web: ok\n"
            f"  job {ran.job} was run because it has not been built yet\n"
            f"  compared with job {ran.last}, the last one of the stage:\n"
            f"    2: 1 → 2\n"
            f"  it follows from:\n"
            f"    head: 1 → 2, at 2026-01-01 00:00:00 UTC (change 2)\n"
            f"  health: well since 2026-01-01 00:00:00 UTC, job {ran.last}\n"
            f"    from head: 1, at 2026-01-01 00:00:00 UTC (change 1)"
        )
        assert why(h, ran.job).reasons == found.reasons


@dataclass(frozen=True)
class Parts:
    tree: dict[str, str]
    env: dict[str, str]


async def test_of_a_tree_only_the_paths_that_differ_are_shown(harness: HarnessFactory) -> None:
    """New ones and missing ones, too; ids of git are short, and of many fields only the first."""
    ids = ["0" * 10 + "a" * 30, "1" * 10 + "b" * 30]
    first = Parts({"a": ids[0], "b": ids[0], "c": "same"}, {"MODE": "quick"})
    parts = current.Var("parts", first)

    @current.builder("build", level=current.Level.HARMLESS, label="build")
    async def build(job: current.Job, parts: Parts) -> None:
        """Nothing to do."""

    async with harness(lambda: build(parts.get())) as h:
        await h.settle()
        parts.set(Parts({"a": ids[1], "c": "same", "d": ids[1]}, {"MODE": "quick"}))
        await h.settle()
        text = str(why(h, "build"))
        one, two = ids[0][:10], ids[1][:10]
        assert f"    tree a: {one} → {two}\n    tree b: {one} → nothing\n" in text
        assert f"    tree d: nothing → {two}\n" in text
        assert "tree c" not in text
        assert "env" not in text.partition("follows from")[0]
        parts.set(Parts({str(n): "new" for n in range(20)}, {"MODE": "all"}))
        await h.settle()
        assert "    and 12 more\n" in str(why(h, "build"))


async def test_a_result_that_was_known_is_reused(harness: HarnessFactory) -> None:
    """The stage says of which job, and when that was made."""
    head = current.Var("head", "1")
    build = Build()
    async with harness(lambda: build.at("web", head.get())) as h:
        await h.settle()
        first = why(h, "build web").job
        head.set("2")
        await h.settle()
        await h.advance(timedelta(hours=1))
        head.set("1")
        await h.settle()
        (reused,) = why(h, "build web").reasons
        assert isinstance(reused, Reused)
        assert reused.job == first


async def test_causes_are_told(harness: HarnessFactory) -> None:
    """Who asked for a rebuild, an expired result, a value that has changed."""
    place = current.Var("version", "1")

    class Deploy(current.Publisher[str, str, None]):
        id = "deploy"

        async def publish(self, job: current.Job, key: str, value: str) -> None:
            await job.start(level=current.Level.HARMLESS)

    build, deploy = Build(), Deploy()
    schedule = current.Schedule(valid_for=timedelta(days=1))

    def pipeline() -> current.Current[None]:
        built = current.component("nightly", lambda: build.get(("n", "1"), schedule=schedule))
        deployed = current.component("deploy", lambda v: deploy.set("prod", v), place.get())
        return current.all([built, deployed])

    async with harness(pipeline) as h:
        await h.settle()
        h.find("build n 1").rebuild(by="ann", reason="odd")
        await h.settle()
        (ran,) = why(h, "nightly").reasons
        assert isinstance(ran, Ran)
        assert ran.cause == Asked("ann", "odd")
        assert ran.changes[0].by == "ann"
        await h.advance(timedelta(days=1))
        (ran,) = why(h, "nightly").reasons
        assert isinstance(ran, Ran)
        assert isinstance(ran.cause, Expired)
        place.set("2")
        await h.settle()
        (ran,) = why(h, "deploy").reasons
        assert isinstance(ran, Ran)
        assert isinstance(ran.cause, ValueChanged)
        assert ran.differences == (Difference("value", '"1"', '"2"'),)


async def test_a_stage_without_a_value_says_what_it_waits_for(harness: HarnessFactory) -> None:
    """Its job's confirmation; a resource, with its place, and who holds it; the work itself."""
    build = Build()
    dangerous = Build(level=current.Level.DANGEROUS)
    build.go_on.clear()
    one = current.constant("1")

    def pipeline() -> current.Current[None]:
        last = build.at("c", build.at("a", one))
        asks = current.component("ask", lambda: dangerous.get(("ask", "1")))
        return current.all([last, build.at("b", one), asks])

    config = current.Config(confirm=current.Level.ABOVE_AVERAGE)
    async with harness(pipeline, config=config) as h:
        await h.settle()
        running, ran = why(h, "build a").reasons
        assert isinstance(running, Running)
        assert isinstance(ran, Ran)
        queue, _ = why(h, "build b").reasons
        assert isinstance(queue, WaitsInQueue)
        assert (queue.pool, queue.place, queue.waiting) == ("builds", 1, 1)
        assert queue.holders == (running.job,)
        assert why(h, "build c").reasons == (Blocked(("build a",), 0),)
        asks, _ = why(h, "ask").reasons
        assert isinstance(asks, WaitsForConfirmation)
        assert (asks.level, asks.threshold) == ("dangerous", "above-average")
        assert why(h, asks.job).reasons[0] == asks
        h.find("build ask 1").approve()
        build.go_on.set()
        await h.settle()
        assert [type(reason) for reason in why(h, "build c").reasons] == [Ran]


async def test_a_job_is_to_run_before_it_runs_and_was_run_after_that(
    harness: HarnessFactory,
) -> None:
    """One that is given up before its work has begun was to run."""
    build = Build(level=current.Level.DANGEROUS)
    build.go_on.clear()
    config = current.Config(confirm=current.Level.DANGEROUS)
    head = current.Var("head", "1")
    because = "because it has not been built yet"

    async with harness(lambda: build.at("web", head.get()), config=config) as h:
        store = h.engine.opened.store

        async def told(job: str, phase: Phase, words: str) -> None:
            """The living engine and the records agree."""
            await h.settle()
            line = f"  job {job} {words} {because}"
            for found in (h.engine.why(job), why_recorded(store, job)):
                (reason,) = (reason for reason in found.reasons if isinstance(reason, Ran))
                assert reason.phase is phase
                assert line in str(found).splitlines()

        await h.settle()
        (dropped,) = h.jobs
        await told(dropped, Phase.WAITS, "is to run")
        head.set("2")
        await h.settle()
        await told(dropped, Phase.DROPPED, "was to run")
        (done,) = h.jobs
        h.jobs[done].approve()
        await told(done, Phase.RUNS, "runs")
        build.go_on.set()
        await told(done, Phase.RAN, "was run")
        head.set("bad")
        await h.settle()
        (cancelled,) = h.jobs
        h.jobs[cancelled].cancel("no")
        await told(cancelled, Phase.DROPPED, "was to run")


async def test_a_job_in_a_shared_pool_says_whose_share_it_waits_for(
    harness: HarnessFactory,
) -> None:
    """If the quota is used up, only jobs of that share are in its way, whoever holds the rest."""
    pool = current.Pool("builds", 3, share_by="repo", quota=1)
    go_on = asyncio.Event()

    @current.builder("work", level=current.Level.HARMLESS, pool=pool)
    async def work(job: current.Job, name: str) -> None:
        await go_on.wait()

    def pipeline() -> current.Current[None]:
        stages = [work("other")]
        with current.labels(repo="web"):
            stages += [work("first"), work("second")]
        return current.all(stages)

    async with harness(pipeline) as h:
        await h.settle()
        held = h.find("work first").id
        waits = h.engine.why(h.find("work second").id)
        queue = waits.reasons[0]
        assert isinstance(queue, WaitsInQueue)
        assert queue.holders == (held,)
        assert queue.share == ShareView("repo", "web", held=1, quota=1)
        assert f"held by {held}\n  its share, repo=web, holds 1, of a quota of 1" in str(waits)
        go_on.set()


async def test_a_failure_and_what_it_blocks(harness: HarnessFactory) -> None:
    """The stage that failed says why; those behind it name it, and not each other."""
    build = Build()

    def pipeline() -> current.Current[None]:
        bad = build.at("a", current.constant("bad"))
        behind = build.at("c", build.at("b", bad))
        wrong = current.component("d", lambda: build.get(("d", "1"))).map(lambda _: 1 / 0)
        return current.all([behind, build.at("e", wrong.map(str))])

    async with harness(pipeline) as h:
        await h.settle()
        failing, ran = why(h, "build a").reasons
        assert failing == Failing("it is bad")
        assert isinstance(ran, Ran)
        assert why(h, "build c").reasons == (Blocked(("build a",), 0),)
        (says,) = why(h, "build e").reasons
        assert says == Failing("ZeroDivisionError: division by zero")


async def test_the_pause_before_a_retry_says_which_attempt_comes(harness: HarnessFactory) -> None:
    """And when, and why the last one failed."""

    @current.builder("fetch", level=current.Level.AVERAGE, retry=current.Retry())
    async def fetch(job: current.Job, name: str) -> str:
        raise current.Failure("502 from the registry", kind=current.FailureKind.INFRA)

    async with harness(lambda: fetch("a")) as h:
        await h.settle()
        found = why(h, "fetch a")
        until = h.clock.now() + timedelta(seconds=30)
        assert found.reasons[0] == WaitsUntil(until, "502 from the registry", 2, 3)
        assert "attempt 2 of 3: 502 from the registry" in str(found)


async def test_an_old_result_that_is_made_again_says_so(harness: HarnessFactory) -> None:
    """And what the new one waits for."""
    build = Build()
    schedule = current.Schedule(valid_for=timedelta(days=1))

    def pipeline() -> current.Current[str]:
        return current.component("nightly", lambda: build.get(("n", "1"), schedule=schedule))

    async with harness(pipeline) as h:
        await h.settle()
        build.go_on.clear()
        await h.advance(timedelta(days=1))
        again, running, _ = why(h, "nightly").reasons
        assert again == MadeAgain("running")
        assert isinstance(running, Running)
        build.go_on.set()


async def test_inputs_say_where_they_stand(harness: HarnessFactory) -> None:
    """Not read yet, with the last known value; or by which change they have theirs."""
    from tests.explain.test_changes import File

    file, head = File("1"), current.Var("head", "a")

    def pipeline() -> current.Current[None]:
        return current.all([file.get(), head.get()])

    async with harness(pipeline) as h:
        await h.settle()
        file.set("2")
        await h.settle()
        (given,) = why(h, "file").reasons
        assert isinstance(given, Given)
        assert given.change is not None
        assert given.change.summary == "the file: 1 → 2"
    async with harness(pipeline) as h:
        assert why(h, "file").reasons == (WaitsForRead("the file", "2"),)
        await h.settle()
        assert why(h, "file").reasons == (Given("the file", None),)


async def test_an_input_says_who_has_set_it(harness: HarnessFactory) -> None:
    """Also after a restart, when no change tells it any more."""
    replicas = current.Input("replicas", 2)
    async with harness(replicas.get) as h:
        h.engine.set_input("replicas", 5, by="ann", reason="more load")
        await h.settle()
        (reason,) = why(h, "replicas").reasons
        assert isinstance(reason, Given)
        assert (reason.by, reason.reason) == ("ann", "more load")
        assert "replicas: 2 → 5, by ann: more load, at " in str(why(h, "replicas"))
    async with harness(replicas.get) as h:
        await h.settle()
        assert "was started, as ann has set it: more load" in str(why(h, "replicas"))


async def test_a_conflict_names_both_values(harness: HarnessFactory) -> None:
    """Nothing is started then."""

    class Tag(current.Publisher[str, str, None]):
        id = "tag"

        async def publish(self, job: current.Job, key: str, value: str) -> None:
            await job.start(level=current.Level.HARMLESS)

    tag = Tag()

    def pipeline() -> current.Current[None]:
        one = current.component("one", lambda: tag.set("t", "1"))
        return current.all([one, current.component("two", lambda: tag.set("t", "2"))])

    async with harness(pipeline) as h:
        await h.settle()
        (conflict,) = why(h, "one").reasons
        assert isinstance(conflict, InConflict)
        assert "is set to two values at once" in conflict.message


async def test_twins_items_and_binds_are_found_by_their_paths(harness: HarnessFactory) -> None:
    """Whatever is in their names."""
    build = Build()

    def pipeline() -> current.Current[None]:
        items = current.constant(["a/b", "50%"])
        each = items.list_map(lambda item: build.at("x", item))
        bound = current.constant(1).bind(
            lambda n: build.at("y", current.constant("1")), name="decide (1)"
        )
        twins = [build.at("z", current.constant("1")) for _ in range(2)]
        return current.all([each, bound, *twins])

    async with harness(pipeline) as h:
        await h.settle()
        live = h.engine.opened.live
        paths = [str(live.ref(stage)) for stage in live.stages()]
        assert sorted(paths) == [
            "50%25/build x",
            "a%2Fb/build x",
            "build z",
            "build z#2",
            "decide (1)",
            "decide (1)/build y",
        ]
        for path in paths:
            assert why(h, path).stage == path
            assert live.find(path) is not None


async def test_what_is_unknown_is_refused(harness: HarnessFactory) -> None:
    """With how to find out what there is."""
    async with harness(lambda: current.constant(1)) as h:
        with pytest.raises(UnknownSubject, match="'web/test' is neither a stage"):
            why(h, "web/test")
        with pytest.raises(UnknownSubject):
            why(h, "2026-01-01/000000-build-aaaaaa")


async def test_what_has_come_since_the_last_step_waits_for_the_next_one(
    harness: HarnessFactory, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    """An input that is known by now, and a job that has ended: no step is taken meanwhile."""
    build = Build()
    build.go_on.clear()
    head: current.Var[str] = current.Var("head", current.Active(current.Activity.RUNNING))
    other = current.Var("other", 1)

    def pipeline() -> current.Current[None]:
        built = build.at("web", current.constant("1"))
        return current.all([head.get(), built, other.get()])

    async with harness(pipeline) as h:
        await h.settle()
        with full_disk():
            other.set(2)
            await h.settle()
            head.set("2")
            build.go_on.set()
            await h.settle()
            for stage in ("head", "build web"):
                assert why(h, stage).state == "running"
                assert isinstance(why(h, stage).reasons[0], WaitsForRecords), stage
        await h.advance(timedelta(minutes=1))
        assert h.output == current.Ok(None)


async def test_a_job_that_lacks_only_its_record_waits_for_that(
    harness: HarnessFactory, tmp_path: Path
) -> None:
    """Though somebody has approved it, or it has the resource of its pool."""
    build, other = Build(), current.Var("other", "1")
    build.go_on.clear()

    @current.builder("deploy", level=current.Level.DANGEROUS)
    async def deploy(job: current.Job) -> None:
        """Deploy."""

    def pipeline() -> current.Current[object]:
        names = [build.at(name, current.constant("1")) for name in ("web", "api")]
        return current.all([*names, deploy(), other.get()])

    config = current.Config(confirm=current.Level.DANGEROUS)
    async with harness(pipeline, config=config) as h:
        await h.settle()
        database = h.engine.opened.state.database
        with closing(sqlite3.connect(database, isolation_level=None)) as program:
            program.execute("BEGIN IMMEDIATE")
            other.set("2")
            await h.settle()
            h.find("deploy").approve()
            build.go_on.set()
            await h.advance(timedelta(minutes=1))
            for stage in ("build api", "deploy"):
                assert isinstance(why(h, stage).reasons[0], WaitsForRecords), stage
            program.rollback()
        await h.advance(timedelta(minutes=1))
        assert {why(h, name).state for name in ("build web", "build api", "deploy")} == {"ok"}


async def test_the_records_tell_it_too(harness: HarnessFactory) -> None:
    """Of a job, and of a stage's last one, without an engine."""
    head = current.Var("head", "1")
    build = Build()
    async with harness(lambda: build.at("web", head.get())) as h:
        await h.settle()
        head.set("bad")
        await h.settle()
        told = why(h, "build web")
    assert told.job is not None
    with DatabaseReader.open(harness.state_dir / "db" / "pycurrent.db") as reader:
        of_job, of_stage = why_recorded(reader, told.job), why_recorded(reader, "build web")
        with pytest.raises(UnknownSubject):
            why_recorded(reader, "elsewhere")
    assert of_job.state == of_stage.state == "failed"
    assert of_job.reasons == of_stage.reasons == told.reasons[1:]


async def test_a_pinned_stage_says_who_holds_it_and_until_when(harness: HarnessFactory) -> None:
    """And what it would have otherwise; so do the records, without an engine."""
    until = datetime(2026, 1, 2, tzinfo=UTC)
    async with harness(lambda: current.Input("replicas", 2).get()) as h:
        await h.settle()
        h.engine.pin("replicas", by="ann", reason="a freeze", until=until)
        h.engine.set_input("replicas", 3, by="bob")
        await h.settle()
        lines = str(why(h, "replicas")).splitlines()
        assert lines == [
            "replicas: ok",
            "  it is pinned at 2 by ann, since 2026-01-01 00:00:00 UTC, until 2026-01-02 00:00:00"
            " UTC: a freeze",
            "  without the pin: replicas: 2 → 3, by bob, at 2026-01-01 00:00:00 UTC",
        ]
        recorded = str(why_recorded(h.engine.opened.store, "replicas")).splitlines()
        assert recorded == ["replicas: pinned", lines[1]]


async def test_a_pinned_builder_tells_of_the_job_whose_result_it_has(
    harness: HarnessFactory,
) -> None:
    """Not of the one that asks for the newest."""
    hour = timedelta(hours=1)

    def pipeline() -> current.Current[str]:
        every_hour = current.Schedule(valid_for=hour)
        head = ("head", "main")
        return current.component("head", lambda: Build().get(head, schedule=every_hour))

    async with harness(pipeline) as h:
        await h.settle()
        (first,) = h.history()
        h.engine.pin("head", by="ann")
        await h.advance(hour)
        assert len(h.history()) == 2
        found = h.engine.why("head")
        assert found.job == first.job_id
        assert str(found).splitlines()[1:3] == [
            "  it is pinned at head of main by ann, since 2026-01-01 00:00:00 UTC",
            f"  job {first.job_id} was run because it has not been built yet",
        ]
