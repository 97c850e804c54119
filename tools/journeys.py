"""Follows some journeys through the source by a profile, and prints how far each goes.

Run it in its own process, with the package to look at on PYTHONPATH. It prints JSON: for each
journey the number of our functions that it calls, the number of their files, and how often the file
changes from one of these functions to the next, in the order of their first calls. A journey that
this version of the package can't make is null.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pycurrent as current
from pycurrent import Builder, Current, Failure, Job, Level, Primitive, Var, component
from pycurrent.plugins import command, git
from pycurrent.service import Service
from pycurrent.testing import Harness

HOME = str(Path(current.__file__).parent)
OURS = tuple(
    f"{HOME}/{room}/"
    for room in ("incr", "term", "store", "engine", "cache", "facade", "plugins", "view", "service")
)


@dataclass
class Profile:
    """Our functions, in the order of their first calls."""

    functions: dict[tuple[str, str], None] = field(default_factory=dict)

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS):
            self.functions[code.co_filename, code.co_qualname] = None

    def within(self, *rooms: str) -> Profile:
        """Only the functions of these rooms."""
        folders = tuple(f"{HOME}/{room}/" for room in rooms)
        return Profile({one: None for one in self.functions if one[0].startswith(folders)})

    def result(self) -> tuple[int, int, int]:
        files = [file for file, _ in self.functions]
        switches = sum(one != other for one, other in pairwise(files))
        return len(self.functions), len(set(files)), switches


@contextmanager
def profiled() -> Iterator[Profile]:
    """Profile the block, in all threads that it starts."""
    profile = Profile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield profile
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


class Length(Builder[str, int]):
    id = "length"

    async def build(self, job: Job, key: str) -> int:
        await job.start(level=Level.HARMLESS)
        return len(key)


class Fail(Builder[str, None]):
    """Fails when it is told to."""

    id = "fail"

    def __init__(self, told: asyncio.Event) -> None:
        self.told = told

    async def build(self, job: Job, key: str) -> None:
        await job.start(level=Level.HARMLESS)
        await self.told.wait()
        raise Failure("broken")


class Sleep(Builder[str, None]):
    id = "sleep"

    async def build(self, job: Job, key: str) -> None:
        await job.start(level=Level.HARMLESS)
        await job.exec(["sleep", "100"])


@component("length {key}")
def length(key: str) -> Primitive[int]:
    return Length().get(key)


@component("sleep")
def sleep(key: str) -> Primitive[None]:
    return Sleep().get(key)


@asynccontextmanager
async def served(
    pipeline: Callable[[], Current[Any]], folder: Path
) -> AsyncIterator[tuple[Harness, list[Service]]]:
    """A harness whose engine has a service."""
    harness = Harness(pipeline, state_dir=folder / "state")
    services: list[Service] = []
    on_open: Callable[..., None] | None = getattr(harness.engine, "on_open", None)
    if on_open is None:
        services.append(Service(harness.engine))  # type: ignore[arg-type,unused-ignore]
    else:
        on_open(lambda engine: services.append(Service(engine)))
    async with harness:
        yield harness, services


async def result_to_disk(folder: Path) -> Profile:
    """From `Builder.get` to SQLite."""
    with profiled() as profile:
        async with Harness(lambda: length("a"), state_dir=folder / "state") as h:
            await h.settle()
    return profile


async def result_from_disk(folder: Path) -> Profile:
    """And back, after a restart."""
    await result_to_disk(folder)
    return await result_to_disk(folder)


async def _key(folder: Path, *, is_known: bool) -> Profile:
    """A key that a running engine is asked for, which it has made before or not."""
    key = Var("key", "a")
    async with Harness(lambda: length(key.get()), state_dir=folder / "state") as h:
        await h.settle()
        if is_known:
            key.set("b")
            await h.settle()
        with profiled() as profile:
            key.set("a" if is_known else "b")
            await h.settle()
    return profile


async def new_key(folder: Path) -> Profile:
    """From a new key to its result in SQLite, in an engine that runs."""
    return await _key(folder, is_known=False)


async def known_key(folder: Path) -> Profile:
    """From a known key to its result, in an engine that runs."""
    return await _key(folder, is_known=True)


async def commit_to_job(folder: Path) -> Profile:
    """From a commit in a repository to a running job."""
    repo = folder / "repo"
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]

    def git_in_repo(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(repo), *who, *arguments], check=True)

    repo.mkdir()
    git_in_repo("init", "--quiet")
    commit = ("commit", "--quiet", "--allow-empty", "--message", "One")
    git_in_repo(*commit)
    local = git.Local(repo)

    def pipeline() -> Current[None]:
        argv = ["sh", "-c", "git log --oneline | wc -l; sleep 0.5"]
        return command.run(local.head_commit(), argv, label="check")

    async with Harness(pipeline, state_dir=folder / "state") as h:
        await h.settle()
        with profiled() as profile:
            git_in_repo(*commit)
            await h.until(lambda: h.stats.running == 1)
        await h.settle()
    return profile


async def cancel_to_socket(folder: Path) -> Profile:
    """From `Jobs.cancel` to the shutdown of the supervisor's socket."""
    async with served(lambda: sleep("a"), folder) as (h, services):
        await h.until(lambda: "sleep 100" in h.log("sleep"))
        job = h.find("sleep").id
        with profiled() as profile:
            services[0].jobs.cancel(job, by="ada")
        await h.settle()
    return profile


async def failure_to_event(folder: Path) -> Profile:
    """From an exception in a job to the batch of events that tells it."""
    told = asyncio.Event()
    work = Fail(told)
    batches: list[object] = []

    async def follow(service: Service) -> None:
        async for batch in service.events.follow():
            batches.append(batch)  # noqa: PERF401 - to be seen as soon as it comes

    async with served(lambda: component("fail", work.get, current.constant("a")), folder) as (
        h,
        services,
    ):
        await h.until(lambda: h.stats.running == 1)
        following = asyncio.ensure_future(follow(services[0]))
        await h.settle()
        seen = len(batches)
        with profiled() as profile:
            told.set()
            await h.until(lambda: len(batches) > seen)
        following.cancel()
    return profile


JOURNEYS: dict[str, Callable[[Path], Awaitable[Profile]]] = {
    "result to SQLite": result_to_disk,
    "and back after a restart": result_from_disk,
    "new key, in a running engine": new_key,
    "known key, in a running engine": known_key,
    "commit to running job": commit_to_job,
    "cancel to shutdown of the socket": cancel_to_socket,
    "exception to event batch": failure_to_event,
}
THROUGH_THE_CACHE = (new_key, known_key)


async def main() -> None:
    """Print the result of each journey."""
    found: dict[str, tuple[int, int, int] | None] = {}
    for name, journey in JOURNEYS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                profile = await journey(Path(folder))
                found[name] = profile.result()
                if journey in THROUGH_THE_CACHE:
                    found[f"{name}: cache, store"] = profile.within("cache", "store").result()
            except Exception as error:  # noqa: BLE001, RUF100 - a version that can't do it
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
                found[name] = None
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
