"""The engine: its steps, what it tells, and its end."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Config, Job, Level, Monitor, OpenEngine, Pool, Step
from pycurrent.errors import PycurrentError
from pycurrent.facade import Engine
from pycurrent.store import StateDir, StateDirLocked
from pycurrent.term import (
    Active,
    Activity,
    Current,
    Failed,
    Failure,
    Metadata,
    Ok,
    Output,
    Primitive,
    Runtime,
    Stats,
    Subscription,
    Var,
    all,
    component,
    constant,
    pair,
)
from pycurrent.testing import Harness

from .doing import Gate, do, start

LEVEL = Var("level", 1)
DOUBLED = LEVEL.get().map(lambda n: 2 * n)
"""A term at module level, shared by engines."""


def labels(step: Step) -> list[str]:
    """The labels of the stages that a step has changed."""
    return sorted(stage.label for stage in step.changed)


# Steps


async def test_it_evaluates_at_the_start_and_after_each_change(tmp_path: Path) -> None:
    """What comes together makes one step, and an equal value none at all."""
    one, other = Var("one", 1), Var("other", 1)
    seen: list[tuple[int, int]] = []

    def pipeline() -> Current[Any]:
        return pair(one.get(), other.get()).map(seen.append)

    async with Harness(pipeline, state_dir=tmp_path) as h:
        assert (h.engine.steps, seen) == (1, [(1, 1)])
        one.set(2)
        other.set(2)
        one.set(3)
        assert seen == [(1, 1)], "not within `set`"
        await h.settle()
        assert (h.engine.steps, seen) == (2, [(1, 1), (3, 2)])
        one.set(3)
        await h.settle()
        assert h.engine.steps == 2


async def test_listeners_are_told_what_each_step_has_changed(tmp_path: Path) -> None:
    """The stages whose state or metadata is another one, and the output."""
    one, other = Var("one", 1), Var("other", 1)
    gate = Gate()

    def pipeline() -> Current[Any]:
        return all([one.get().map(str), other.get().map(str), do(gate)])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        steps: list[Step] = []
        forget = h.engine.listen(steps.append)
        await h.settle()
        assert [name for step in steps for name in labels(step)].count("do a") >= 1
        steps.clear()
        one.set(Active(Activity.READY))
        await h.settle()
        (step,) = steps
        assert labels(step) == ["one"]
        assert (step.number, step.output) == (h.engine.steps, Active(Activity.READY))
        assert step.seconds >= 0
        steps.clear()
        gate.let_through()
        await h.settle()
        assert labels(steps[0]) == ["do a"]
        steps.clear()
        forget()
        forget()
        one.set(2)
        await h.settle()
        assert steps == []


async def test_a_listener_that_fails_stops_neither_the_others_nor_the_engine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged."""
    var = Var("v", 1)
    told: list[Step] = []

    def bad(step: Step) -> None:
        raise ValueError("bad listener")

    async with Harness(var.get, state_dir=tmp_path) as h:
        h.engine.listen(bad)
        h.engine.listen(told.append)
        with caplog.at_level(logging.ERROR):
            var.set(2)
            await h.settle()
        assert len(told) == 1
        assert "bad listener" in caplog.text
        assert h.output == Ok(2)


async def test_the_counts_follow_the_states(tmp_path: Path) -> None:
    """Of all stages, blocked ones included."""
    gate, careful = Gate(pool=Pool("p", 1)), Gate(Level.DANGEROUS)

    def fails() -> Primitive[Any]:
        raise Failure("bad")

    def pipeline() -> Current[Any]:
        running, ready, waiting = do(gate, "a"), do(gate, "b"), do(careful, "c")
        after = component("after", Primitive.constant, waiting)
        return all([running, ready, after, component("bad", fails)])

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.stats == Stats(
            ok=0, waiting_for_confirmation=1, ready=1, running=1, failed=1, blocked=1
        )
        gate.let_through()
        await h.settle()
        gate.let_through()
        await h.settle()
        assert h.stats == Stats(ok=2, waiting_for_confirmation=1, failed=1, blocked=1)


async def test_a_variable_may_be_set_from_a_thread_and_from_a_job(tmp_path: Path) -> None:
    """A step follows."""
    var, go = Var("v", 0), asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        await go.wait()
        var.update(lambda n: n + 10)

    async with Harness(lambda: pair(var.get(), do(work)), state_dir=tmp_path) as h:
        await h.settle()
        thread = threading.Thread(target=var.set, args=(1,))
        thread.start()
        thread.join()
        go.set()
        await h.settle()
        assert h.output == Ok((11, "done"))


async def test_jobs_can_be_read_but_not_changed(tmp_path: Path) -> None:
    """By their id; those of the pipeline now, and no others."""
    which = Var("which", "a")

    def pipeline() -> Current[str]:
        return which.get().bind(lambda key: do(start_only, key))

    async def start_only(job: Job) -> None:
        await start(job)

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        (handle,) = h.engine.jobs.values()
        assert (handle.op, handle.key, handle.description) == ("do", "a", "do a")
        assert list(h.engine.jobs) == [handle.id]
        with pytest.raises(TypeError):
            h.engine.jobs["x"] = handle  # type: ignore[index]
        which.set("b")
        await h.settle()
        assert [job.key for job in h.engine.jobs.values()] == ["b"]


# Several engines


async def test_two_engines_share_terms_and_variables_and_nothing_else(tmp_path: Path) -> None:
    """Each has its own jobs, counts and records; one that ends leaves the other alone."""
    gates = [Gate(), Gate()]
    LEVEL.set(1)
    async with Harness(lambda: pair(DOUBLED, do(gates[0])), state_dir=tmp_path / "1") as one:
        async with Harness(lambda: pair(DOUBLED, do(gates[1])), state_dir=tmp_path / "2") as two:
            await one.settle()
            await two.settle()
            gates[0].let_through()
            LEVEL.set(5)
            await one.settle()
            await two.settle()
            assert (one.output, two.output) == (Ok((10, "done")), Active(Activity.RUNNING))
            assert (one.stats, two.stats) == (Stats(ok=2), Stats(ok=1, running=1))
            assert len(one.history()) == 1
        LEVEL.set(7)
        await one.settle()
        assert one.output == Ok((14, "done"))


async def test_a_second_engine_on_a_state_directory_is_refused(tmp_path: Path) -> None:
    """The first goes on; when it has ended, another one may."""
    async with Engine(lambda: constant(1), state_dir=tmp_path) as first:
        with pytest.raises(StateDirLocked, match="is in use by"):
            async with Engine(lambda: constant(1), state_dir=tmp_path):
                pass
        assert first.output == Ok(1)
    async with Engine(lambda: constant(2), state_dir=tmp_path) as second:
        assert second.output == Ok(2)
    with pytest.raises(PycurrentError, match="an engine runs once"):
        async with second:
            pass


# Code that fails


async def test_a_pipeline_that_raises_is_a_failure_that_shows_where(tmp_path: Path) -> None:
    """And the engine goes on."""

    def pipeline() -> Current[Any]:
        raise ValueError("no such pipeline")

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert h.output.message.startswith("ValueError: no such pipeline\n")
        assert 'raise ValueError("no such pipeline")' in h.output.message


async def test_a_pipeline_that_returns_no_current_is_a_failure(tmp_path: Path) -> None:
    """The message says what it returned."""
    async with Harness(lambda: 7, state_dir=tmp_path) as h:  # type: ignore[arg-type,return-value]
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "int" in h.output.message


async def test_a_pipeline_that_leaves_the_interpreter_holds_nothing(tmp_path: Path) -> None:
    """The state directory is free again."""

    def pipeline() -> Current[Any]:
        raise SystemExit(2)

    with pytest.raises(SystemExit):
        async with Engine(pipeline, state_dir=tmp_path):
            pass
    async with Engine(lambda: constant(1), state_dir=tmp_path):
        pass


class Panic(BaseException):
    """Something that is no `Exception`."""


@pytest.mark.parametrize("error", [RuntimeError("a bug"), Panic("a bug"), SystemExit("a bug")])
async def test_what_stops_the_engine_is_raised_by_run(tmp_path: Path, error: BaseException) -> None:
    """A bug of a service, say; the state directory is let go of, and there is no other step."""
    var = Var("v", 1)
    engine = Engine(var.get, state_dir=tmp_path)

    def bug() -> None:
        if engine.steps > 1:
            raise error

    engine.on_open(lambda opened: opened.after_step(bug))
    running = asyncio.ensure_future(engine.run())
    await asyncio.sleep(0)
    var.set(2)
    with pytest.raises((RuntimeError, PycurrentError), match="a bug"):
        await running
    assert engine.steps == 2
    async with Engine(lambda: constant(1), state_dir=tmp_path):
        pass


async def test_whatever_the_code_of_a_step_raises_the_engine_goes_on(tmp_path: Path) -> None:
    """What the pipeline's functions, its sources and listeners raise is told, and no more."""
    var = Var("v", 1)

    def panic(x: int) -> int:
        if x % 2 == 0:
            raise Panic("two")
        return x

    class Source(Primitive[int], Subscription[int]):
        def subscribe(self, runtime: Runtime, changed: Callable[[], None]) -> Subscription[int]:
            return self

        def read(self) -> tuple[Output[int], Metadata | None]:
            return Ok(1), None

        def close(self) -> None:
            raise Panic("closed")

    def pipeline() -> Current[Any]:
        sources = component("source", lambda x: Source(), var.get())
        return pair(var.get().map(panic).state(), sources)

    async with Harness(pipeline, state_dir=tmp_path) as h:

        def listener(step: object) -> None:
            raise Panic("listener")

        h.engine.listen(listener)
        for value in (2, 3, 4):
            var.set(value)
            await h.settle()
            odd = Ok(value) if value % 2 else Failed("Panic: two")
            assert h.output == Ok((odd, 1))
        h.engine.raise_if_crashed()


# The end


async def test_at_the_end_nothing_is_left_running(tmp_path: Path) -> None:
    """Jobs in any state are cancelled, monitors are unwatched, no task and no timer is left."""
    events: list[str] = []
    pool = Pool("p", 1)
    holder, waiting = Gate(pool=pool), Gate(Level.DANGEROUS)

    @asynccontextmanager
    async def watch(refresh: Callable[[], None]) -> AsyncIterator[None]:
        events.append("watch")
        yield
        events.append("unwatched")

    async def runs_a_command(job: Job) -> None:
        await job.start(level=Level.HARMLESS, timeout=100)
        job.on_cancel(events.append)
        async with job.tempdir():
            await job.exec(["sh", "-c", f"echo > {tmp_path}/fifo; setsid sleep 1000"])

    def pipeline() -> Current[Any]:
        watched = component("m", Monitor(read=lambda: 1, watch=watch).get)
        jobs = [do(holder, "a"), do(holder, "b"), do(waiting, "c"), do(runs_a_command, "d")]
        return all([watched, *jobs])

    os.mkfifo(tmp_path / "fifo")
    config = Config(confirm=Level.DANGEROUS, auto_release=None)
    async with Harness(pipeline, state_dir=tmp_path / "state", config=config) as h:
        await asyncio.to_thread((tmp_path / "fifo").read_text)
        await asyncio.sleep(0)
        jobs = list(h.jobs.values())
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert h.engine.opened.processes.running == 0
    assert h.clock.next_timer is None
    assert (pool.used, pool.waiting) == (0, [])
    assert sorted(events) == ["the engine is stopping", "unwatched", "watch"]
    assert list((tmp_path / "state" / "tmp").iterdir()) == []
    assert [job.log_text().count("Cancelling: the engine is stopping") for job in jobs] == [1] * 4
    await h.engine.aclose()


async def test_what_ran_at_the_end_is_interrupted_and_run_again(tmp_path: Path) -> None:
    """By the next engine; what had ended is known."""
    gate = Gate()

    def pipeline() -> Current[Any]:
        return all([do(start, "quick"), do(gate, "slow")])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        assert gate.begun == ["do slow"] * 2
        gate.let_through()
        await h.settle()
        assert isinstance(h.output, Ok)
        history = [(b.key, b.build, b.ok) for b in h.history()]
        assert history == [("quick", 0, True), ("slow", 0, None), ("slow", 0, True)]


async def test_what_a_person_has_cancelled_stays_cancelled_at_the_end(tmp_path: Path) -> None:
    """Even if the job had not ended yet: the next engine does not run it again."""
    gate = Gate()

    async def slow_to_end(job: Job) -> None:
        try:
            await gate(job)
        finally:
            await asyncio.sleep(0)

    async with Harness(lambda: do(slow_to_end), state_dir=tmp_path) as h:
        await h.settle()
        h.find("do a").cancel("enough")
    async with Harness(lambda: do(slow_to_end), state_dir=tmp_path) as h:
        await h.settle()
        assert (h.output, len(gate.begun)) == (Failed("Cancelled: enough"), 1)


async def test_a_variable_set_while_the_engine_ends_does_no_harm(tmp_path: Path) -> None:
    """By a job's last words, say."""
    var = Var("v", 1)

    async def work(job: Job) -> None:
        await start(job)
        job.on_cancel(lambda: var.set(2))
        await asyncio.Event().wait()

    async with Harness(lambda: pair(var.get(), do(work)), state_dir=tmp_path) as h:
        await h.settle()
    var.set(3)
    assert h.engine.steps <= 4


async def test_run_keeps_going_until_it_is_cancelled(tmp_path: Path) -> None:
    """Then it ends as `async with` does."""
    begun = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        begun.set()
        await asyncio.Event().wait()

    engine = Engine(lambda: do(work), state_dir=tmp_path)
    running = asyncio.ensure_future(engine.run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with Engine(lambda: constant(1), state_dir=tmp_path):
        pass


async def test_a_service_is_made_once_and_closed_at_the_end(tmp_path: Path) -> None:
    """The last one made is closed first."""
    events: list[str] = []

    class Service:
        def __init__(self, engine: OpenEngine) -> None:
            engine.on_close(self.aclose)

        async def aclose(self) -> None:
            events.append(type(self).__name__)

    class Other(Service):
        pass

    async with Engine(lambda: constant(1), state_dir=tmp_path) as engine:
        assert engine.service(Service) is engine.service(Service)
        engine.service(Other)
    assert events == ["Other", "Service"]


async def test_an_engine_whose_lock_is_taken_by_another_stops(tmp_path: Path) -> None:
    """It could not tell what is recorded from what the other one records."""
    value = Var("value", 1)
    async with Engine(value.get, state_dir=tmp_path / "state") as engine:
        # As where a directory can't be locked, and the file was deleted.
        fcntl.flock(engine.opened.state.locks[0], fcntl.LOCK_UN)
        (tmp_path / "state" / "lock").unlink()
        with StateDir.open(tmp_path / "state"):
            value.set(2)
            with pytest.raises(StateDirLocked):
                await engine.failed()
