"""Calls that an author forgot to await."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from pathlib import Path

import pytest

from pycurrent.engine import Job, Level, Pool
from pycurrent.engine.forgotten import Calls
from pycurrent.term import Failed, Failure, Ok

from .doing import ended, start

FORGETFUL: dict[str, Callable[[Job], object]] = {
    "job.exec('echo hello') was never awaited: write `await job.exec('echo hello')`": (
        lambda job: job.exec(["echo", "hello"])
    ),
    "job.exec('login ****') was never awaited: write `await job.exec('login ****')`": (
        lambda job: job.exec(["login", job.secret("s3cr3t")])
    ),
    "job.exec('login <token>') was never awaited: write `await job.exec('login <token>')`": (
        lambda job: job.exec(["login", "s3cr3t"], show="login <token>")
    ),
    "job.check_output('ls') was never awaited: write `await job.check_output('ls')`": (
        lambda job: job.check_output(["ls"])
    ),
    "job.use_pool(...) was never entered: write `async with job.use_pool(...)`": (
        lambda job: job.use_pool(Pool("p", 1))
    ),
    "job.tempdir(...) was never entered: write `async with job.tempdir(...)`": (
        lambda job: job.tempdir()
    ),
}


@pytest.mark.parametrize("message", FORGETFUL)
async def test_a_call_that_was_not_awaited_fails_the_job(tmp_path: Path, message: str) -> None:
    """It has done nothing; the failure names the call, and what to write."""

    async def work(job: Job) -> None:
        await start(job)
        FORGETFUL[message](job)

    output, log = await ended(tmp_path, work)
    assert output == Failed(message)
    assert f"Job failed: {message}" in log
    assert "Exec:" not in log


async def test_a_start_that_was_not_awaited_is_named(tmp_path: Path) -> None:
    """Rather than told that it was not called."""

    async def work(job: Job) -> None:
        job.start(level=Level.HARMLESS)  # type: ignore[unused-coroutine]

    output, _ = await ended(tmp_path, work)
    assert output == Failed("job.start(...) was never awaited: write `await job.start(...)`")


async def test_a_pool_that_is_awaited_says_what_to_write(tmp_path: Path) -> None:
    """A context manager is to be entered."""

    async def work(job: Job) -> None:
        await start(job)
        await job.use_pool(Pool("p", 1))  # type: ignore[misc]

    output, _ = await ended(tmp_path, work)
    assert output == Failed(
        "job.use_pool(...) can't be awaited: write `async with job.use_pool(...)`"
    )


async def test_what_follows_from_a_forgotten_call_comes_second(tmp_path: Path) -> None:
    """A coroutine used as if it were text is the fault of the missing `await`."""

    async def work(job: Job) -> str:
        await start(job)
        return job.check_output(["ls"]).strip()  # type: ignore[attr-defined, no-any-return]

    output, _ = await ended(tmp_path, work)
    assert output == Failed(
        "job.check_output('ls') was never awaited: write `await job.check_output('ls')`; "
        "AttributeError: 'coroutine' object has no attribute 'strip'"
    )


async def test_another_failure_stays_and_the_call_is_in_the_log(tmp_path: Path) -> None:
    """A failure that the author meant is the outcome."""

    async def work(job: Job) -> None:
        await start(job)
        job.exec(["ls"])  # type: ignore[unused-coroutine]
        raise Failure("3 tests fail")

    output, log = await ended(tmp_path, work)
    assert output == Failed("3 tests fail")
    assert "job.exec('ls') was never awaited" in log


async def test_a_hook_that_forgets_is_told_in_the_log(tmp_path: Path) -> None:
    """The work itself is done by then."""

    async def work(job: Job) -> None:
        await start(job)

        def clean_up() -> None:
            job.tempdir("left")

        job.on_cancel(clean_up)

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert "job.tempdir('left') was never entered" in log


WAYS: dict[str, Callable[[Job], Awaitable[object]]] = {
    "gather": lambda job: asyncio.gather(job.exec(["true"]), job.check_output(["true"])),
    "task": lambda job: asyncio.create_task(job.exec(["true"])),
    "future": lambda job: asyncio.ensure_future(job.exec(["true"])),
    "shield": lambda job: asyncio.shield(job.exec(["true"])),
    "timeout": lambda job: asyncio.wait_for(job.exec(["true"]), timeout=60),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_await_counts(tmp_path: Path, way: str) -> None:
    """Through a task, a group, in parallel."""

    async def work(job: Job) -> None:
        await start(job)
        await WAYS[way](job)
        async with asyncio.TaskGroup() as group:
            group.create_task(job.exec(["true"]))

    output, _ = await ended(tmp_path, work)
    assert output == Ok("done")


async def test_a_task_that_has_only_been_made_is_ended_with_the_job(tmp_path: Path) -> None:
    """It has begun, which is not forgotten; what it runs ends with the job."""

    async def work(job: Job) -> None:
        await start(job)
        kept.append(asyncio.create_task(job.exec(["sleep", "1000"])))

    kept: list[asyncio.Task[None]] = []
    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    assert "Exec: sleep 1000" in log
    await asyncio.wait(kept)
    kept[0].exception()


def test_work_that_is_closed_in_another_context() -> None:
    """As the collector does with what a stopped engine has left alone: it just ends."""

    @types.coroutine
    def forever() -> Generator[None, None, None]:
        yield

    said: list[str] = []
    work = Calls(said.append).checked(forever())
    copy_context().run(work.send, None)
    work.close()
    assert said == []
