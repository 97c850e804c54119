"""A small pipeline that every released version can run, and the state directory that it leaves.

`make(folder)` fills a state directory. It was run once by the code of each released version, and
the result is kept beside this file; see `test_upgrade.py`. It uses only names that every version
has, and no paths in keys.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pycurrent as current
from pycurrent import Builder, Current, Failure, Job, Level, LogRule, Primitive, Publisher, Var
from pycurrent.store import AccessDatabase, SessionRecord, TokenRecord
from pycurrent.testing import Harness

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RULE = LogRule(r"error: (\d+) of (\d+) tests failed", r"\1 of \2 failed", 5)
SECRET = "0123456789abcdef" * 4
"""The digest of the session and of the token: a text that nothing else has."""


@dataclass(frozen=True)
class Report:
    """The outcome of a check."""

    branch: str
    passed: int
    day: date
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check(Builder[str, Report]):
    """Checks a branch; `broken` fails, in words that a log rule finds."""

    id: ClassVar[str] = "check"

    async def build(self, job: Job, key: str) -> Report:
        await job.start(level=Level.HARMLESS)
        if key == "broken":
            job.log("error: 3 of 7 tests failed")
            raise Failure("the tests failed")
        job.log(f"checked {key}")
        return Report(key, 7, date(2026, 11, 22), ("fast", "slow"))

    def describe(self, key: str) -> str:
        return f"check {key}"


@dataclass(frozen=True)
class Deploy(Publisher[str, str, None]):
    """Deploys a version to a place."""

    id: ClassVar[str] = "deploy"

    async def publish(self, job: Job, key: str, value: str) -> None:
        await job.start(level=Level.DANGEROUS)
        job.log(f"deployed {value} to {key}")

    def describe(self, key: str, value: str) -> str:
        return f"deploy {value} to {key}"


@dataclass(frozen=True)
class Wait(Builder[str, None]):
    """Waits until it is cancelled."""

    id: ClassVar[str] = "wait"
    auto_cancel: ClassVar[bool] = True

    async def build(self, job: Job, key: str) -> None:
        await job.start(level=Level.HARMLESS)
        await asyncio.Event().wait()

    def describe(self, key: str) -> str:
        return f"wait for {key}"


@dataclass(frozen=True)
class Crash(Builder[str, str]):
    """Kills its engine if it is told to."""

    id: ClassVar[str] = "crash"

    is_fatal: bool = False

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS)
        job.log("about to crash")
        if self.is_fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"survived {key}"

    def describe(self, key: str) -> str:
        return f"crash {key}"


@current.component("check")
def check(branch: str) -> Primitive[Report]:
    return Check().get(branch)


@current.component("deploy")
def deploy(version: str) -> Primitive[None]:
    return Deploy().set("production", version)


@current.component("wait")
def wait(what: str) -> Primitive[None]:
    return Wait().get(what)


@current.component("crash")
def crash(key: str, is_fatal: bool) -> Primitive[str]:
    return Crash(is_fatal).get(key)


def pipeline(version: str = "v2") -> Current[None]:
    """All that has a result in the kept state directory."""
    return current.all(
        {
            "main": check("main"),
            "broken": check("broken"),
            "deploy": deploy(version),
            "cancelled": wait("a person"),
        }
    )


def crashing(*, is_fatal: bool) -> Current[str]:
    """The work that the killed engine left."""
    return crash("at night", is_fatal)


async def make(folder: Path) -> None:
    """Fill a state directory with results of each kind."""
    async with Harness(lambda: pipeline("v1"), state_dir=folder, start=START) as h:
        h.engine.log_rules.add(
            LogRule(r"error: (\d+) of (\d+) tests failed", r"\1 of \2 failed", 5)
        )
        await h.until(lambda: h.find("wait").job is not None and h.stats.running == 1)
        h.find("wait").cancel("by ada")
        await h.settle()
        h.find("check broken").rebuild()
        await h.settle()
    async with Harness(pipeline, state_dir=folder, start=START + timedelta(hours=1)) as h:
        await h.settle()
        h.find("check main").rebuild()
        await h.settle()
    await _superseded(folder)
    with AccessDatabase.open_or_make(folder) as access:
        later = START + timedelta(days=7)
        access.add_session(SessionRecord(SECRET, "local:ada", "ada", START, later))
        access.add_token(TokenRecord("deployer", "admin", START, None, None), SECRET)


async def _superseded(folder: Path) -> None:
    """A run that was cancelled because nobody wanted it any more."""
    wanted = Var("wanted", True)

    def some() -> Current[None]:
        return wanted.get().bind(lambda on: wait("nobody") if on else current.constant(None))

    async with Harness(some, state_dir=folder, start=START + timedelta(hours=2)) as h:
        await h.until(lambda: h.stats.running == 1)
        wanted.set(False)
        await h.settle()


async def crash_in(folder: Path) -> None:
    """Leave a job that its killed engine interrupted."""
    start = START + timedelta(hours=3)
    async with Harness(lambda: crashing(is_fatal=True), state_dir=folder, start=start) as h:
        await h.settle()


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
    asyncio.run(crash_in(Path(sys.argv[1])))
