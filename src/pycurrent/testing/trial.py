"""Rules for the work of an operation, checked by running it in a harness.

Each job needs approval, at any level. So we see when `job.start` is awaited, and nothing can run
where nothing should.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pycurrent.cache import AnyOperation, Handle
from pycurrent.engine import Config, JobState, Level
from pycurrent.term import (
    UNEXPLAINED,
    Active,
    Activity,
    Current,
    Failed,
    Ok,
    Output,
    Primitive,
    Var,
    all,
    component,
    constant,
)
from pycurrent.testing.harness import Harness
from pycurrent.testing.rules import STORABLE, Case, broken
from pycurrent.testing.surroundings import Surroundings, surroundings

AT_WORK = 0.25
"""Seconds after which a running job without a command counts as in the middle of its work."""

TO_GO = 1.0
"""How many seconds processes have to disappear once the job has ended."""


@dataclass(frozen=True)
class _Run:
    """A job under check."""

    work: AnyOperation
    harness: Harness
    handle: Handle
    around: Surroundings
    timeout: float

    @property
    def has_ended(self) -> bool:
        return self.handle.job is None

    def log(self) -> str:
        return self.handle.log_text()

    async def until(self, condition: Callable[[], object], timeout: float | None = None) -> None:
        """Wait until the condition holds, the job has ended, or the time is up."""
        with suppress(TimeoutError):
            await self.harness.until(
                lambda: self.has_ended or condition(),
                timeout=self.timeout if timeout is None else timeout,
            )

    async def end(self) -> Output[Any]:
        """Approve it, and wait for its end."""
        self.handle.approve()
        await self.until(lambda: False)
        if not self.has_ended:
            broken(
                self.work,
                f"it ends within {self.timeout} s",
                f"it still runs, and its log is:\n{self.log()}",
                "Fix it, or give the check a longer `timeout`.",
            )
        return self.handle.outcome

    async def check_nothing_left(self, when: str) -> None:
        with suppress(TimeoutError):
            await self.harness.until(lambda: not self.around.processes(), timeout=TO_GO)
        if processes := self.around.processes():
            broken(
                self.work,
                f"no process is left {when}",
                f"there is {'; '.join(processes)}",
                "Run commands by `job.exec`, which ends all that they have started; end other "
                "processes in `job.on_cancel`.",
            )
        # Large folders are removed behind their jobs.
        await self.harness.engine.opened.host.trash.emptied()
        if folders := self.around.folders():
            broken(
                self.work,
                f"no temporary file is left {when}",
                f"there is {', '.join(folders)}",
                "Use `async with job.tempdir() as folder`.",
            )


@asynccontextmanager
async def _running(
    work: AnyOperation, case: Case, state_dir: Path, timeout: float
) -> AsyncIterator[_Run]:
    """The job of a case, once it needs approval or has ended."""
    primitive = case.wanted(work)

    def pipeline() -> Current[Any]:
        return component("check", lambda: primitive)

    config = Config(confirm=Level.HARMLESS)
    temporary = state_dir.with_name(f"{state_dir.name}-tmp")
    with surroundings(temporary, state_dir) as around:
        async with Harness(pipeline, state_dir=state_dir, config=config) as harness:
            await harness.settle()
            if not harness.jobs:
                broken(work, "it can be asked for", f"that gives {harness.output!r}", "See `get`.")
            handle = next(iter(harness.jobs.values()))
            yield _Run(work, harness, handle, around, timeout)


def _check_start(run: _Run) -> None:
    rule = "`job.start` is awaited before the work"
    mend = "Begin with `await job.start(level=...)`, which waits for approval and resources."
    match run.handle.outcome:
        case Active(Activity.WAITING_FOR_CONFIRMATION) if "Exec: " not in run.log():
            return
        case Active(Activity.WAITING_FOR_CONFIRMATION):
            broken(run.work, rule, f"a command was run before it:\n{run.log()}", mend)
        case Active():
            broken(run.work, rule, "it is busy with something else", mend)
        case Failed(message):
            broken(run.work, rule, f"it failed before: {message}", mend)
        case Ok():
            broken(run.work, rule, "it did not wait for it", mend)


async def check_run(work: AnyOperation, case: Case, state_dir: Path, timeout: float) -> Ok[Any]:
    """Check that it starts as it should, succeeds, and leaves nothing; return its outcome."""
    async with _running(work, case, state_dir, timeout) as run:
        _check_start(run)
        outcome = await run.end()
        await run.check_nothing_left("when it has ended")
        if not isinstance(outcome, Ok):
            _explain(run, outcome.message if isinstance(outcome, Failed) else repr(outcome))
        return outcome


def _explain(run: _Run, message: str) -> NoReturn:
    if "was started twice" in message:
        broken(run.work, "`job.start` is awaited once", message, "Remove all calls but one.")
    if message.startswith("outcome of operation"):
        broken(run.work, "its outcome can be stored", message, STORABLE)
    broken(
        run.work,
        "it succeeds for the key that the test gives",
        f"it failed: {message}",
        f"Give it what it needs, or another key. Its log is:\n{run.log()}",
    )


async def check_restart(
    work: AnyOperation, case: Case, outcome: Ok[Any], other: AnyOperation | None, state_dir: Path
) -> None:
    """Check that the result is known in the same state directory, with any context."""
    asked = {"same": work, "other": copy.copy(work) if other is None else other}
    wanted = {name: case.wanted(work) for name, work in asked.items()}
    seen: dict[str, Output[Any]] = {}

    def pipeline() -> Current[None]:
        return all({name: _kept(name, primitive, seen) for name, primitive in wanted.items()})

    config = Config(confirm=Level.HARMLESS)
    async with Harness(pipeline, state_dir=state_dir, config=config) as h:
        await h.settle()
    if not isinstance(seen["same"], Ok):
        broken(
            work,
            "what is known is not made again after a restart",
            f"it is {seen['same']!r}",
            "The key must hold nothing that differs from run to run: times, random names, "
            "temporary paths.",
        )
    if seen["same"] != outcome:
        broken(
            work,
            "after a restart the outcome is what it was",
            f"it was {outcome!r} and is {seen['same']!r}",
            "Store all of it, and compare by what is stored.",
        )
    if seen["other"] != outcome:
        broken(
            work,
            "the context is not part of the key",
            f"asked for the same key with other fields it is {seen['other']!r}",
            "Credentials, pools and settings belong into fields, and only there.",
        )


def _kept(name: str, primitive: Primitive[Any], seen: dict[str, Output[Any]]) -> Current[Any]:
    """The current of a primitive, with its last output kept in `seen`."""

    def keep(output: Output[Any]) -> Output[Any]:
        seen[name] = output
        return output

    return component(name, lambda: primitive.map_output(keep))


async def check_retire(work: AnyOperation, case: Case, state_dir: Path, timeout: float) -> None:
    """Check that it retires the result in a state directory, and bears that this is done twice."""
    again = state_dir.with_name(f"{state_dir.name}-again")
    shutil.copytree(state_dir, again)
    await _retire(work, case, state_dir, timeout, "it retires its result")
    # As if the first engine had been killed at the end of that.
    await _retire(work, case, again, timeout, "it bears that its result is retired twice")


async def _retire(
    work: AnyOperation, case: Case, state_dir: Path, timeout: float, rule: str
) -> None:
    primitive, wanted = case.wanted(work), Var("wanted", True)

    def pipeline() -> Current[Any]:
        stage = component("check", lambda: primitive)
        return wanted.get().bind(lambda yes: stage if yes else constant("gone"))

    temporary = state_dir.with_name(f"{state_dir.name}-retire-tmp")
    config = Config(confirm=Level.HARMLESS)
    with surroundings(temporary, state_dir) as around:
        async with Harness(pipeline, state_dir=state_dir, config=config) as harness:
            await harness.settle()
            wanted.set(False)
            await harness.settle()
            handle = next(iter(harness.jobs.values()), None)
            if handle is None:
                broken(work, rule, "it began before it was approved", "Await `job.start` first.")
            run = _Run(work, harness, handle, around, timeout)
            _check_start(run)
            outcome = await run.end()
            await run.check_nothing_left("when it has retired its result")
            if isinstance(outcome, Failed):
                mend = f"Fix `retire`; its log is:\n{run.log()}"
                broken(work, rule, f"it failed: {outcome.message}", mend)


async def check_cancel(work: AnyOperation, case: Case, state_dir: Path, timeout: float) -> None:
    """Check that it ends when it is cancelled: at its start, and in the middle of its work."""
    for place, at_work in (("early", 0.0), ("late", AT_WORK)):
        async with _running(work, case, state_dir / place, timeout) as run:
            _check_start(run)
            run.handle.approve()
            await run.until(
                lambda: run.handle.job is not None and run.handle.job.state is JobState.RUNNING
            )
            await run.until(lambda: run.harness.engine.opened.processes.running, at_work)
            run.handle.cancel("check_builder looks how it ends")
            await run.until(lambda: False)
            if not run.has_ended:
                await _stuck(run)
            await run.check_nothing_left("when it is cancelled")


async def _stuck(run: _Run) -> NoReturn:
    log = run.log()
    # The engine waits for the end of its jobs: try everything to end them.
    for task in asyncio.all_tasks():
        if task.get_name() == run.handle.id:
            for _ in range(100):
                task.cancel()
                await asyncio.sleep(0)
    broken(
        run.work,
        "a job that is cancelled ends soon",
        f"{run.timeout} s later it is still at work, and its log is:\n{log}",
        "Don't catch CancelledError without raising it again.",
    )


async def check_failure(work: AnyOperation, case: Case, state_dir: Path, timeout: float) -> None:
    """Check that it fails, even before it starts, and says why."""
    async with _running(work, case, state_dir, timeout) as run:
        outcome = await run.end()
        await run.check_nothing_left("when it has failed")
    match outcome:
        case Failed(message) if _says_why(message):
            pass
        case Failed(message):
            broken(
                work,
                "a failure says why",
                f"for {case.key!r} it says {message!r}",
                'Raise `Failure("what is wrong, and with what")`.',
            )
        case _:
            broken(
                work,
                "it fails for the key that the test gives as `failing`",
                f"for {case.key!r} it is {outcome!r}",
                "Give another key, or none.",
            )


def _says_why(message: str) -> bool:
    """True for more than the type of an exception without a text."""
    if message.startswith(UNEXPLAINED):
        return False
    words = message.split()
    return len(words) > 1 or (bool(words) and not words[0].endswith(("Error", "Exception")))
