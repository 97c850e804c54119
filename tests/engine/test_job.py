"""A job's life: its start, its end, and what comes between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pycurrent.engine import Config, DrivenJob, Job, JobState, Level, Limits, LogRule, Pool
from pycurrent.errors import UsageError
from pycurrent.incr import Budget
from pycurrent.term import Active, Activity, Current, Failed, Failure, Ok, Stats, Var, all, constant
from pycurrent.testing import Harness

from .doing import Gate, cancelled, do, ended, one, start

SECOND = timedelta(seconds=1)
RUNNING = Active(Activity.RUNNING)
WAITING = Active(Activity.WAITING_FOR_CONFIRMATION)
# Starting


async def test_a_job_logs_from_its_creation_on(tmp_path: Path) -> None:
    """Its file is where its id says, and tells what it is and how it ended."""

    async def work(job: Job) -> str:
        job.log("before the start")
        await start(job)
        job.write("raw ")
        job.write(b"bytes\n")
        return "x"

    async with one(tmp_path, work) as h:
        await h.settle()
        job = h.find("do a")
        assert job.id.startswith("2026-01-01/000000-do-")
        log = (tmp_path / "job" / f"{job.id}.log").read_text()
        stamp = "2026-01-01 00:00.00: "
        assert log == (
            f"{stamp}New job: do a\n{stamp}before the start\nraw bytes\n{stamp}Job succeeded\n"
        )


async def test_starting_twice_is_an_error(tmp_path: Path) -> None:
    """The message says what to do."""

    async def work(job: Job) -> None:
        await start(job)
        await start(job)

    output, log = await ended(tmp_path, work)
    assert isinstance(output, Failed)
    assert "started twice: call job.start once" in output.message
    assert "started twice" in log


async def test_succeeding_without_having_started_is_an_error(tmp_path: Path) -> None:
    """A level must have been asked for."""

    async def work(job: Job) -> None:
        pass

    output, _ = await ended(tmp_path, work)
    assert isinstance(output, Failed)
    assert "without having called job.start" in output.message


async def test_failing_without_having_started_is_the_failure(tmp_path: Path) -> None:
    """It never ran: its record has no time of running."""

    async def work(job: Job) -> None:
        raise Failure("not even begun")

    async with one(tmp_path, work) as h:
        await h.settle()
        assert h.output == Failed("not even begun")
        (build,) = h.history()
        assert (build.running, build.ok) == (None, False)


async def test_an_exception_is_the_failure_and_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    """The type and the message; a Failure is just its message."""

    async def work(job: Job) -> None:
        await start(job)
        raise ValueError("odd")

    output, log = await ended(tmp_path, work)
    assert output == Failed("ValueError: odd")
    assert 'raise ValueError("odd")' in log
    assert "Job failed: ValueError: odd" in log


async def test_another_systems_name_is_told_apart_in_a_group_of_tasks_too(tmp_path: Path) -> None:
    """Each of the exceptions says what to write; a missing attribute of anything else does not."""

    async def ask(of: Any, name: str) -> None:
        getattr(of, name)

    async def work(job: Job) -> None:
        await start(job)
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(job, "sh"))
            group.create_task(ask("a text", "sh"))

    output, log = await ended(tmp_path, work)
    assert isinstance(output, Failed)
    assert "AttributeError: a job has no 'sh': write job.exec, and see" in output.message
    assert "AttributeError: 'str' object has no attribute 'sh'" in output.message
    assert "a job has no 'sh'" in log


async def test_leaving_the_interpreter_is_only_the_jobs_failure(tmp_path: Path) -> None:
    """Work that calls sys.exit does not end the engine."""

    async def work(job: Job) -> None:
        await start(job)
        raise SystemExit(3)

    output, _ = await ended(tmp_path, work)
    assert output == Failed("SystemExit: 3")


class Panic(BaseException):
    """As extensions raise them."""


RAISED: list[tuple[BaseException, str | None]] = [
    (SystemExit(3), "SystemExit: 3"),
    (KeyboardInterrupt(), "KeyboardInterrupt"),
    (GeneratorExit(), "GeneratorExit"),
    (Panic("odd"), "Panic: odd"),
    (BaseExceptionGroup("two", [Panic("odd")]), None),
    (asyncio.CancelledError(), "its work was cancelled"),
]


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        pytest.param(where, error, message, id=f"{where}-{type(error).__name__}")
        for where in ("before the start", "at work", "in a thread", "in its pool")
        for error, message in RAISED
        # Out of a thread, Python itself closes with this one whatever awaits it.
        if (where, type(error)) != ("in a thread", GeneratorExit)
    ],
)
async def test_whatever_the_work_raises_is_only_the_jobs_failure(
    tmp_path: Path, error: BaseException, message: str | None, where: str
) -> None:
    """It is recorded as such, and known after a restart; the engine goes on."""

    @asynccontextmanager
    async def acquire(job: Job) -> AsyncIterator[None]:
        _raise(error)
        yield

    async def work(job: Job) -> None:
        if where == "before the start":
            raise error
        if where == "in its pool":
            await job.start(level=Level.HARMLESS, pool=Pool.of("p", acquire))
        await start(job)
        if where == "in a thread":
            await asyncio.to_thread(_raise, error)
        raise error

    def pipeline() -> Current[Any]:
        return all([do(work, "a").catch(), do(start, "b")])

    for _ in range(2):
        async with Harness(pipeline, state_dir=tmp_path) as h:
            await h.settle()
            assert h.stats == Stats(ok=1, failed=1)
            (build,) = [build for build in h.history() if build.key == "a"]
            assert build.ok is False
            assert message is None or build.outcome == message


def _raise(error: BaseException) -> None:
    raise error


# Confirmation


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("confirm", [None, *Level])
async def test_a_job_waits_if_its_level_asks_for_confirmation(
    tmp_path: Path, level: Level, confirm: Level | None
) -> None:
    """That is, if it is as risky as `confirm` says, or more."""

    async def work(job: Job) -> None:
        await job.start(level=level)

    async with one(tmp_path, work, Config(confirm=confirm)) as h:
        await h.settle()
        waits = confirm is not None and level >= confirm
        assert h.output == (WAITING if waits else Ok("done"))
        assert h.stats == (Stats(waiting_for_confirmation=1) if waits else Stats(ok=1))
        assert ("Waiting for confirmation" in h.log("do a")) == waits


async def test_jobs_go_on_once_the_threshold_lets_them(tmp_path: Path) -> None:
    """Those that still may not wait on."""
    config = Config(confirm=Level.AVERAGE)
    low, high = Gate(Level.AVERAGE), Gate(Level.DANGEROUS)

    def pipeline() -> Current[Any]:
        return all([do(low, "low"), do(high, "high")])

    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        assert h.stats.waiting_for_confirmation == 2
        h.engine.config.confirm = Level.ABOVE_AVERAGE
        await h.settle()
        assert (len(low.jobs), len(high.jobs)) == (1, 0)
        h.engine.config.confirm = None
        await h.settle()
        assert (len(low.jobs), len(high.jobs)) == (1, 1)
        h.engine.config.confirm = Level.HARMLESS
        await h.settle()
        assert h.stats.running == 2, "who has begun is not held up"


async def test_a_single_job_can_be_approved(tmp_path: Path) -> None:
    """Once, twice or too late; the others wait on."""
    gate = Gate(Level.DANGEROUS)
    config = Config(confirm=Level.HARMLESS)

    def pipeline() -> Current[Any]:
        return all([do(gate, "a"), do(gate, "b")])

    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        h.find("do a").approve()
        h.find("do a").approve()
        await h.settle()
        assert h.stats == Stats(running=1, waiting_for_confirmation=1)
        gate.let_through()
        await h.settle()
        h.find("do a").approve()
        assert "Confirmed" in h.log("do a")


async def test_a_job_can_be_approved_before_it_starts(tmp_path: Path) -> None:
    """Then it does not wait at all."""
    ready = asyncio.Event()

    async def work(job: Job) -> None:
        await ready.wait()
        await job.start(level=Level.DANGEROUS)

    async with one(tmp_path, work, Config(confirm=Level.HARMLESS)) as h:
        await h.settle()
        assert h.output == Active(Activity.READY)
        h.find("do a").approve()
        ready.set()
        await h.settle()
        assert h.output == Ok("done")
        assert "Waiting" not in h.log("do a")


async def test_confirmation_is_released_after_a_while(tmp_path: Path) -> None:
    """Counted from the start of the engine."""

    async def work(job: Job) -> None:
        await job.start(level=Level.DANGEROUS)

    config = Config(confirm=Level.HARMLESS, auto_release=10 * SECOND)
    async with one(tmp_path, work, config) as h:
        await h.advance(9 * SECOND)
        assert h.output == WAITING
        await h.advance(SECOND)
        assert h.output == Ok("done")
        assert h.engine.config.confirm is None


# Cancelling


async def test_a_resource_that_leaves_the_interpreter_ends_nothing(tmp_path: Path) -> None:
    """It is logged, as any fault at its return."""

    @asynccontextmanager
    async def acquire(job: Job) -> AsyncIterator[None]:
        yield
        raise SystemExit(3)

    async def work(job: Job) -> None:
        await job.start(level=Level.HARMLESS, pool=Pool.of("workers", acquire))

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert "A resource of pool workers can't be given back: SystemExit: 3" in log


async def test_the_hooks_run_once_the_last_one_first(tmp_path: Path) -> None:
    """Sync ones and async ones, with the reason or without; a later one runs at once."""
    called: list[str] = []
    jobs: list[Job] = []

    async def work(job: Job) -> None:
        await start(job)
        jobs.append(job)

        async def slow(reason: str) -> None:
            await asyncio.sleep(0)
            called.append(f"slow {reason}")

        async def slow_without() -> None:
            called.append("slow without")

        job.on_cancel(slow)
        job.on_cancel(slow_without)
        job.on_cancel(lambda: called.append("without"))
        job.on_cancel(called.append)
        await asyncio.Event().wait()

    async with one(tmp_path, work) as h:
        await h.settle()
        h.find("do a").cancel("enough")
        assert called == ["enough", "without"]
        jobs[0].on_cancel(lambda reason: called.append(f"late {reason}"))
        h.find("do a").cancel("again")
        await h.settle()
        assert called == ["enough", "without", "late enough", "slow without", "slow enough"]
        assert h.output == cancelled("enough")
        assert "Cancelling: enough" in h.log("do a")
        assert "again" not in h.log("do a")
        jobs[0].on_cancel(lambda reason: called.append(f"after the end {reason}"))
        assert called[-1] == "after the end enough"
        jobs[0].cancel("too late")
        assert h.output == cancelled("enough")


async def test_the_hooks_run_at_the_normal_end_too(tmp_path: Path) -> None:
    """Also those that a hook adds, and the job ends after them."""
    called: list[str] = []

    async def work(job: Job) -> None:
        async def tidy(reason: str) -> None:
            job.on_cancel(lambda: called.append("added"))
            job.log("tidying up")
            called.append(reason)

        await start(job)
        job.on_cancel(tidy)
        job.on_cancel(lambda: job.on_cancel(tidy))

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert called == ["added", "the job has ended"] * 2
    assert log.index("tidying up") < log.index("Job succeeded")


async def test_a_hook_that_fails_is_logged_and_changes_nothing(tmp_path: Path) -> None:
    """The others still run."""
    called: list[str] = []

    async def work(job: Job) -> None:
        def bad() -> NoReturn:
            raise Failure("bad hook")

        async def worse() -> NoReturn:
            raise Failure("worse hook")

        async def cancelled() -> NoReturn:
            raise asyncio.CancelledError

        await start(job)
        job.on_cancel(lambda: called.append("good"))
        for hook in (bad, worse, cancelled):
            job.on_cancel(hook)

    output, log = await ended(tmp_path, work)
    assert (output, called) == (Ok("done"), ["good"])
    assert "A cancel hook failed: bad hook" in log
    assert "A cancel hook failed: worse hook" in log
    assert "A cancel hook failed: it was cancelled" in log


async def test_a_job_that_is_created_can_be_cancelled(tmp_path: Path) -> None:
    """Before its first line has run, it never runs."""
    ran: list[Job] = []
    wanted = Var("wanted", False)

    async def work(job: Job) -> None:
        ran.append(job)

    def pipeline() -> Current[str]:
        return wanted.get().bind(lambda yes: do(work) if yes else constant("unwanted"))

    async with Harness(pipeline, state_dir=tmp_path) as h:
        h.engine.opened.stepping.budget = Budget(
            60
        )  # A step is one turn, and jobs begin in the next.
        wanted.set(True)
        while not h.jobs:  # noqa: ASYNC110 - nothing tells of it before the job begins
            await asyncio.sleep(0)
        h.find("do a").cancel("never mind")
        await h.settle()
        assert (h.output, ran) == (cancelled("never mind"), [])
        assert [(b.ok, b.outcome) for b in h.history()] == [(False, "Cancelled: never mind")]


async def test_a_job_that_waits_for_confirmation_can_be_cancelled(tmp_path: Path) -> None:
    """It waits no longer, and a later release does not start it."""
    gate = Gate(Level.DANGEROUS)
    async with one(tmp_path, gate, Config(confirm=Level.HARMLESS)) as h:
        await h.settle()
        h.find("do a").cancel("no")
        await h.settle()
        h.engine.config.confirm = None
        await h.settle()
        assert (h.output, gate.begun) == (cancelled("no"), [])


async def test_a_job_that_runs_can_be_cancelled_in_everything_it_holds(tmp_path: Path) -> None:
    """Its folder is removed, its resources are given back, its cleanup has run."""
    first, second = Pool("first", 1), Pool("second", 1)
    folders: list[Path] = []

    async def work(job: Job) -> None:
        await job.start(level=Level.HARMLESS, pool=first)
        async with job.use_pool(second), job.tempdir("x-") as folder:
            (folder / "file").touch()
            folders.append(folder)
            await asyncio.Event().wait()

    async with one(tmp_path, work) as h:
        await h.settle()
        assert (first.used, second.used) == (1, 1)
        assert folders[0].name.startswith("x-")
        assert folders[0].is_relative_to(tmp_path)
        h.find("do a").cancel("enough")
        await h.settle()
        assert (first.used, second.used) == (0, 0)
        assert not folders[0].exists()
        assert h.output == cancelled("enough")


async def test_work_that_goes_on_after_a_cancellation_is_cancelled_anyway(tmp_path: Path) -> None:
    """Whatever it returns or raises."""
    go = asyncio.Event()

    async def work(job: Job) -> str:
        await start(job)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await go.wait()
        return "in spite of all"

    async with one(tmp_path, work) as h:
        await h.settle()
        h.find("do a").cancel("enough")
        await h.settle()
        assert h.output == RUNNING
        go.set()
        await h.settle()
        assert h.output == cancelled("enough")


async def test_work_can_cancel_its_own_job(tmp_path: Path) -> None:
    """Also in its last line, with hooks and resources still to come."""
    pool = Pool("p", 1)
    called: list[str] = []

    async def work(job: Job) -> None:
        async def hook(reason: str) -> None:
            await asyncio.sleep(0)
            called.append(reason)

        await job.start(level=Level.HARMLESS, pool=pool)
        job.on_cancel(hook)
        job.cancel("I give up")

    async with one(tmp_path, work) as h:
        await h.settle()
        assert (h.output, called, pool.used) == (cancelled("I give up"), ["I give up"], 0)
        assert "Cancelling: I give up" in h.log("do a")


async def test_a_cancellation_that_nobody_asked_for_is_a_failure(tmp_path: Path) -> None:
    """As by a scope of another library."""

    async def work(job: Job) -> None:
        await start(job)
        raise asyncio.CancelledError

    output, _ = await ended(tmp_path, work)
    assert output == Failed("its work was cancelled")


async def test_a_job_can_be_cancelled_while_it_ends(tmp_path: Path) -> None:
    """While its hooks run, it is; the end goes on undisturbed."""
    ending, go = asyncio.Event(), asyncio.Event()

    async def work(job: Job) -> None:
        async def hook() -> None:
            ending.set()
            await go.wait()

        await start(job)
        job.on_cancel(hook)

    async with one(tmp_path, work) as h:
        await ending.wait()
        h.find("do a").cancel("late")
        go.set()
        await h.settle()
        assert h.output == cancelled("late")


# Timeouts


async def test_a_timeout_cancels(tmp_path: Path) -> None:
    """Its time counts from the start of the work, not from the wait before that."""
    gate = Gate(Level.DANGEROUS, timeout=10 * SECOND)
    async with one(tmp_path, gate, Config(confirm=Level.HARMLESS)) as h:
        await h.advance(100 * SECOND)
        h.find("do a").approve()
        await h.settle()
        await h.advance(9 * SECOND)
        assert h.output == RUNNING
        await h.advance(SECOND)
        assert h.output == Failed("Timed out after 10 s")
        assert h.history()[0].outcome == "Timed out after 10 s"
        assert "Timed out after 10 s: cancelling" in h.log("do a")


async def test_limits_are_all_that_a_job_is_started_with(tmp_path: Path) -> None:
    """In one value, which an operation is made with, and hands on."""
    pool = Pool("p", 1)
    limits = Limits(Level.DANGEROUS, pool, timeout=10 * SECOND, priority=3)

    async def work(job: Job) -> None:
        await limits.start(job)
        assert (job.priority, pool.used) == (3, 1)
        await asyncio.Event().wait()

    async with one(tmp_path, work, Config(confirm=Level.DANGEROUS)) as h:
        await h.settle()
        assert (h.output, pool.used) == (WAITING, 0)
        h.find("do a").approve()
        await h.settle()
        assert h.output == RUNNING
        await h.advance(10 * SECOND)
        assert h.output == Failed("Timed out after 10 s")
    assert Limits(Level.HARMLESS) == Limits(Level.HARMLESS, pool=None, timeout=None, priority=0)


async def test_the_timer_of_a_timeout_ends_with_the_job(tmp_path: Path) -> None:
    """Nothing is left that could fire; seconds may be given as a number."""
    gate = Gate(timeout=2.5)
    async with one(tmp_path, gate) as h:
        await h.settle()
        assert h.clock.next_timer == h.clock.now() + 2.5 * SECOND
        gate.let_through()
        await h.settle()
        assert h.output == Ok("done")
        assert h.clock.next_timer is None


@pytest.mark.parametrize("jump", [timedelta(hours=1), -timedelta(days=400)])
async def test_setting_the_clock_neither_ends_a_job_nor_makes_it_longer(
    tmp_path: Path, jump: timedelta
) -> None:
    """Its timeout comes when it would have come, and its record says how long it took."""
    gate = Gate(timeout=10 * SECOND)

    def pipeline() -> Current[Any]:
        return all([do(gate, "a").state(), do(gate, "b").state()])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        await h.settle()
        await h.advance(3 * SECOND)
        h.clock.set(h.clock.now() + jump)
        await h.advance(6 * SECOND)
        assert h.stats.running == 2
        gate.let_through(next(job for job in gate.jobs if job.description == "do a"))
        await h.settle()
        await h.advance(SECOND)
        assert h.stats.running == 0
        took = {
            build.key: build.finished - build.running
            for build in h.history()
            if build.finished is not None and build.running is not None
        }
        assert took == {"a": 9 * SECOND, "b": 10 * SECOND}


async def test_confirmation_is_released_in_time_whatever_the_clock_is_set_to(
    tmp_path: Path,
) -> None:
    """After so long, neither sooner nor later."""
    gate = Gate(Level.DANGEROUS)
    config = Config(confirm=Level.HARMLESS, auto_release=10 * SECOND)
    async with one(tmp_path, gate, config) as h:
        await h.settle()
        h.clock.set(h.clock.now() + timedelta(days=1))
        await h.settle()
        assert h.output == WAITING
        h.clock.set(h.clock.now() - timedelta(days=2))
        await h.advance(10 * SECOND)
        assert h.output == RUNNING


# What a failure says


async def test_the_best_log_rule_gives_the_failures_message(tmp_path: Path) -> None:
    """Of a job that failed; not of one that succeeded or was cancelled."""
    are_there = asyncio.Event()

    async def work(job: Job) -> None:
        await start(job)
        await are_there.wait()
        job.log("error: disk sda1 is broken")
        raise Failure("exit 1")

    async def fine(job: Job) -> None:
        await start(job)
        await are_there.wait()
        job.log("error: disk sda1 is broken")

    gate = Gate()

    def pipeline() -> Current[Any]:
        return all([do(work, "a").state(), do(fine, "b"), do(gate, "c").state()])

    async with Harness(pipeline, state_dir=tmp_path) as h:
        h.engine.log_rules.add(LogRule(r"disk (\w+) is", r"broken disk: \1", 2))
        h.engine.log_rules.add(LogRule(r"error", "some error", 1))
        h.engine.log_rules.add(LogRule(r"Cancelling", "cancelled!", 1))
        are_there.set()
        await h.settle()
        h.find("do c").cancel("x")
        await h.settle()
        outcomes = {build.key: build.outcome for build in h.history()}
        assert outcomes == {"a": "broken disk: sda1", "b": "done", "c": "Cancelled: x"}
        log = h.log("do a")
        assert "Job failed: exit 1\n" in log
        assert log.endswith(r"Shown as: broken disk: sda1 (log rule 'disk (\\w+) is')" + "\n")
        assert "Shown as" not in h.log("do b")


async def test_a_secret_is_masked_in_the_log_and_in_the_failure(tmp_path: Path) -> None:
    """Whoever prints it; one that is too short is refused."""

    async def work(job: Job) -> None:
        await start(job)
        assert job.secret("hunter22") == "hunter22"
        job.log("it is hunter22")
        with pytest.raises(UsageError):
            job.secret("x")
        raise Failure("hunter22 was refused")

    output, log = await ended(tmp_path, work)
    assert output == Failed("**** was refused")
    assert "hunter22" not in log
    assert "it is ****" in log
    assert "Job failed: **** was refused" in log


# Resources that fail


async def test_a_resource_that_cant_be_given_back_is_logged(tmp_path: Path) -> None:
    """The work has succeeded; the engine lives."""

    @asynccontextmanager
    async def acquire(job: Job) -> AsyncIterator[None]:
        yield
        raise Failure("the worker has gone")

    pool = Pool.of("workers", acquire)

    async def work(job: Job) -> None:
        await job.start(level=Level.HARMLESS, pool=pool)

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert "A resource of pool workers can't be given back: the worker has gone" in log


async def test_the_states_of_a_job(tmp_path: Path) -> None:
    """From its creation to its end, never back."""
    states: list[JobState] = []
    pool = Pool("p", 1)
    holder = Gate(pool=pool)
    jobs: list[DrivenJob] = []

    async def work(job: Job) -> None:
        assert isinstance(job, DrivenJob)
        jobs.append(job)
        states.append(job.state)
        await job.start(level=Level.DANGEROUS, pool=pool)
        states.append(job.state)

    def pipeline() -> Current[Any]:
        return all([do(holder, "holder"), do(work, "work")])

    config = Config(confirm=Level.DANGEROUS)
    async with Harness(pipeline, state_dir=tmp_path, config=config) as h:
        await h.settle()
        states.append(jobs[0].state)
        h.find("do work").approve()
        await h.settle()
        states.append(jobs[0].state)
        assert h.stats == Stats(ready=1, running=1)
        holder.let_through()
        await h.settle()
        states.append(jobs[0].state)
    assert states == [
        JobState.CREATED,
        JobState.WAITING_FOR_CONFIRMATION,
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.ENDED,
    ]
