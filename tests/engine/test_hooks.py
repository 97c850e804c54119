"""Cancel hooks: their order, what they may do, and what their faults don't do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Job
from pycurrent.engine.hooks import HEEDS_WITHIN, HOOK_LIMIT, Hook
from pycurrent.term import Ok

from .doing import cancelled, ended, one, start


def works_with(hooks: Callable[[Job], list[Hook]], ends: bool) -> Callable[[Job], Any]:
    """Work that has these hooks, and ends by itself or not."""

    async def work(job: Job) -> None:
        await start(job)
        for hook in hooks(job):
            job.on_cancel(hook)
        if not ends:
            await asyncio.Event().wait()

    return work


@pytest.fixture(params=["the work ends", "the job is cancelled"])
def ends(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "the work ends")


async def outcome_and_log(folder: Path, work: Callable[[Job], Any], ends: bool) -> tuple[Any, str]:
    async with one(folder, work) as h:
        await h.settle()
        if not ends:
            h.find("do a").cancel("enough")
            await h.settle()
        return h.output, h.log("do a")


async def test_hooks_run_one_after_the_other_the_last_one_first(tmp_path: Path, ends: bool) -> None:
    """At the normal end, too; the next one begins when an async one has ended."""
    events: list[str] = []

    def hooks(job: Job) -> list[Hook]:
        async def slow(name: str) -> None:
            events.append(f"{name} begins")
            for _ in range(3):
                await asyncio.sleep(0)
            events.append(f"{name} ends")

        return [
            lambda: slow("first"),
            lambda: events.append("second"),
            lambda: slow("third"),
            lambda: events.append("fourth"),
        ]

    await outcome_and_log(tmp_path, works_with(hooks, ends), ends)
    assert events == [
        "fourth",
        "third begins",
        "third ends",
        "second",
        "first begins",
        "first ends",
    ]


async def test_hooks_may_run_commands(tmp_path: Path, ends: bool) -> None:
    """To their end, after the commands of the work; their output is in the log."""
    outputs: list[str] = []

    def hooks(job: Job) -> list[Hook]:
        async def remove() -> None:
            await job.exec(["sh", "-c", "echo it is removed"])

        async def look() -> None:
            outputs.append(await job.check_output(["echo", "seen"]))

        async def both() -> None:
            await asyncio.gather(remove(), look())

        return [remove, look, both]

    output, log = await outcome_and_log(tmp_path, works_with(hooks, ends), ends)
    assert output == (Ok("done") if ends else cancelled("enough"))
    assert outputs == ["seen\n", "seen\n"]
    assert log.count("\nit is removed\n") == 2


async def test_a_cancellation_leaves_the_commands_of_hooks_alone(tmp_path: Path) -> None:
    """A hook that runs at the normal end goes on."""
    begun = asyncio.Event()

    def hooks(job: Job) -> list[Hook]:
        async def remove() -> None:
            begun.set()
            await job.exec(["sh", "-c", "sleep 0.2; echo it is removed"])

        return [remove]

    async with one(tmp_path, works_with(hooks, True)) as h:
        await begun.wait()
        h.find("do a").cancel("late")
        await h.settle()
        assert h.output == cancelled("late")
        assert "it is removed" in h.log("do a")


async def test_a_hook_can_be_taken_back(tmp_path: Path, ends: bool) -> None:
    """Twice, and once it was called, that does nothing."""
    called: list[str] = []
    take_back: list[Callable[[], None]] = []

    async def work(job: Job) -> None:
        await start(job)
        job.on_cancel(lambda: called.append("kept"))
        take_back.append(job.on_cancel(lambda: called.append("taken back")))
        # The same function once more is another hook.
        job.on_cancel(take_back[0])
        if not ends:
            await asyncio.Event().wait()

    await outcome_and_log(tmp_path, work, ends)
    take_back[0]()
    assert called == ["kept"]


async def test_a_hook_that_is_added_late_runs_at_once(tmp_path: Path) -> None:
    """Whatever other hooks do; and the job's end waits for it."""
    events: list[str] = []
    go = asyncio.Event()

    async def work(job: Job) -> None:
        async def slow() -> None:
            await go.wait()
            events.append("slow")

        async def late() -> None:
            events.append("late")
            await job.exec(["true"])
            events.append("late ends")

        await start(job)
        job.on_cancel(slow)
        try:
            await asyncio.Event().wait()
        finally:
            job.on_cancel(late)

    async with one(tmp_path, work) as h:
        await h.settle()
        h.find("do a").cancel("enough")
        await h.settle()
        assert events == ["late", "late ends"]
        go.set()
        await h.settle()
        assert (events[-1], h.output) == ("slow", cancelled("enough"))


async def test_a_hook_that_hangs_is_ended_and_said(tmp_path: Path, ends: bool) -> None:
    """One that does not even heed that is left alone. The others still run."""
    called: list[str] = []
    go = asyncio.Event()

    def hooks(job: Job) -> list[Hook]:
        async def hangs() -> None:
            await asyncio.Event().wait()

        async def resists() -> None:
            while not go.is_set():
                try:
                    await go.wait()
                except asyncio.CancelledError:
                    called.append("resisted")

        return [lambda: called.append("first"), hangs, resists]

    async with one(tmp_path, works_with(hooks, ends)) as h:
        await h.settle()
        if not ends:
            h.find("do a").cancel("enough")
            await h.settle()
        assert h.stats.running == 1
        await h.advance(HOOK_LIMIT)
        assert called == ["resisted"]
        await h.advance(HEEDS_WITHIN)
        await h.advance(HOOK_LIMIT)
        assert called == ["resisted", "first"]
        assert h.output == (Ok("done") if ends else cancelled("enough"))
        log = h.log("do a")
        assert log.count("A cancel hook takes too long, and is cancelled: ") == 2
        assert "hangs" in log
        assert log.count("A cancel hook does not end, and is left alone: ") == 1
        go.set()
        await asyncio.sleep(0)


class Panic(BaseException):
    """As extensions raise them."""


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        Panic("odd"),
        BaseExceptionGroup("several", [Panic("odd")]),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_whatever_a_hook_raises_stops_nothing(
    tmp_path: Path, ends: bool, error: BaseException, kind: str
) -> None:
    """It is in the log, and the other hooks run."""
    called: list[str] = []

    def hooks(job: Job) -> list[Hook]:
        def bad() -> None:
            raise error

        async def worse() -> None:
            await asyncio.sleep(0)
            raise error

        return [lambda: called.append("first"), bad if kind == "sync" else worse]

    output, log = await outcome_and_log(tmp_path, works_with(hooks, ends), ends)
    assert output == (Ok("done") if ends else cancelled("enough"))
    assert called == ["first"]
    assert "A cancel hook failed: " in log


async def test_a_command_of_a_hook_that_fails_is_the_hooks_fault(tmp_path: Path) -> None:
    """The work has succeeded."""

    def hooks(job: Job) -> list[Hook]:
        return [lambda: job.exec(["sh", "-c", "exit 3"])]

    output, log = await ended(tmp_path, works_with(hooks, True))
    assert output == Ok("done")
    assert "A cancel hook failed: sh -c 'exit 3' exited with status 3" in log
