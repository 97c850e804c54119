"""A forge: deliveries of webhooks by the thousand, and what idle repositories cost of its quota."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.figures import MIDDLE, SMALL, Benchmark, Figure, NotMeasured, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch
from benchmarks.site import serving

from pycurrent import Active, Current, Job, Level, Ok, builder
from pycurrent.plugins.forge import Forge, Ref, Repository
from pycurrent.plugins.forge.sweep import SWEEP
from pycurrent.plugins.github import App
from pycurrent.testing import Harness

_SECRET = "very-secret-webhook"
_REPOSITORIES = 100
"""They get the deliveries."""
_FIRST = 20
"""How many single pushes are timed."""
_REFS = 20
"""Refs of an idle repository."""
_QUOTA = 5_000
"""Requests, and points of queries, that GitHub gives an installation for an hour."""
_EACH = {most: {SMALL: float(most), MIDDLE: float(most)} for most in (0, 50, 500, 1000)}
_TENTH = {SMALL: 10.0}


class Looked:
    """The hashes for which a job has begun."""

    def __init__(self) -> None:
        self.begun: dict[str, asyncio.Event] = {}

    def of(self, hash: str) -> asyncio.Event:
        return self.begun.setdefault(hash, asyncio.Event())

    def pipeline(self, forge: Forge) -> Callable[[], Current[Any]]:
        """A job for the head of each branch."""

        @builder("look", level=Level.HARMLESS)
        async def look(job: Job, hash: str) -> str:
            self.of(hash).set()
            return hash

        def each(repository: Current[Repository]) -> Current[object]:
            return forge.each_ref(repository, lambda ref: look(ref.map(_hash_of)))

        return lambda: forge.each_repository(each)


def _hash_of(ref: Ref) -> str:
    return ref.hash


@dataclass
class _Forge:
    """The forge's process."""

    url: str
    process: asyncio.subprocess.Process
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def do(self, command: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        async with self.turn:
            self.process.stdin.write(f"{command}\n".encode())
            return json.loads(await self.process.stdout.readline())


@asynccontextmanager
async def _forge(key: Path) -> AsyncIterator[_Forge]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.forge_server", str(_REPOSITORIES), str(key)),
        cwd=Path(__file__).parent.parent,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        if not url:
            raise NotMeasured("the forge of the tests could not start")
        yield _Forge(url, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _delivered(folder: Path, count: int) -> Samples:
    key, looked = folder / "app.pem", Looked()
    async with _forge(key) as forge:
        app = App("1234", key, webhook_secret=_SECRET, url=forge.url)
        hook = app.webhook()
        async with serving(looked.pipeline(app), folder / "state", routes=[hook]) as site:
            await site.engine.settled()
            address = site.address
            await forge.do(f"hook http://{address.host}:{address.port}{hook.path}")
            firsts = [await _first_job(forge, looked, number) for number in range(_FIRST)]
            async with Lag.watched() as lag:
                told = await forge.do(f"flood {count}")
            await _all_begun(looked, told["heads"].values())
    return {
        "forge-first": median(firsts) * 1e3,
        "forge-flood": told["took"],
        "forge-answer": told["slowest"] * 1e3,
        "forge-held": lag.worst,
        "forge-lost": count - told["taken"],
    }


async def _first_job(forge: _Forge, looked: Looked, number: int) -> float:
    """Seconds from the push to the begin of its job."""
    head = f"{number + 1000:040x}"
    began = perf_counter()
    await forge.do(f"push lib{number:04} {number + 1000}")
    await looked.of(head).wait()
    return perf_counter() - began


async def _all_begun(looked: Looked, heads: Any) -> None:
    async with asyncio.timeout(60):
        for head in heads:
            await looked.of(head).wait()


def deliveries(count: int) -> Samples:
    """Bring so many deliveries to a site, one by one and then in bursts."""
    with scratch(Place.DISK) as folder:
        return asyncio.run(_delivered(folder, count))


async def _idle(folder: Path, count: int) -> Samples:
    from tests.plugins.forge.judge import Judge
    from tests.plugins.forge.model import sha
    from tests.plugins.github.fake import FakeGithubOfApp

    github, key = FakeGithubOfApp(), folder / "app.pem"
    github.judge = Judge()
    key.write_text(github.token)
    await github.start()
    for number in range(count):
        made = github.add(f"octo/lib{number:04}")
        made.branches |= {f"b{ref:02}": sha(ref) for ref in range(_REFS - 1)}
    app = App("1234", key, url=github.url)

    def heads(repository: Current[Repository]) -> Current[tuple[str, ...]]:
        return app.refs(repository).map(lambda refs: tuple(ref.hash for ref in refs))

    def pipeline() -> Current[list[tuple[str, ...]]]:
        return app.repositories().list_map(heads, key=str)

    async with Harness(pipeline, state_dir=folder / "state") as h:
        await h.until(lambda: not isinstance(h.output, Active), timeout=300)
        used = await _idle_hour(h, github)
        for made in github.repositories.values():
            made.branches["main"] = sha(10**6 + made.id)
        began = perf_counter()
        await _swept(h, github)
        took = perf_counter() - began
        match h.output:
            case Ok(value):
                known = {head for heads in value for head in heads}
            case output:
                raise NotMeasured(f"the refs are not read: {output}")
    await github.stop()
    wanted = {made.branches["main"] for made in github.repositories.values()}
    return {
        **used,
        "forge-sweep": took,
        "forge-missed": len(wanted - known),
    }


async def _idle_hour(h: Harness, github: Any) -> Samples:
    """Measure the part of the quotas that six sweeps take, in percent."""
    prices, requests = len(github.prices), len(github.requests) - github.unchanged
    for _ in range(6):
        await _swept(h, github)
    queries = github.prices[prices:]
    beside = len(github.requests) - github.unchanged - requests - len(queries)
    points = sum(price.points for price in queries)
    return {"forge-points": 100 * points / _QUOTA, "forge-requests": 100 * beside / _QUOTA}


async def _swept(h: Harness, github: Any) -> None:
    """Ten minutes pass: everything is read once, whatever was delivered."""
    before = sum(price.points for price in github.prices)
    due = len(github.repositories) / 33
    h.clock.move(SWEEP)
    github.now = h.clock.now()
    await h.until(
        lambda: sum(price.points for price in github.prices) - before >= due and h.engine.idle,
        timeout=300,
    )


def idle(count: int) -> Samples:
    """Watch so many repositories for an hour, in which nothing happens."""
    with scratch(Place.DISK) as folder:
        return asyncio.run(_idle(folder, count))


BENCHMARKS = (
    Benchmark(
        "forge",
        deliveries,
        (
            Figure("forge-first", "a push is delivered, until its job begins", "ms", _EACH[500]),
            Figure("forge-flood", "n deliveries in bursts of 20 answered", "s", {MIDDLE: 60.0}),
            Figure("forge-answer", "  the slowest answer", "ms", _EACH[1000]),
            Figure("forge-held", "  loop held meanwhile, at most", "ms", _EACH[50]),
            Figure("forge-lost", "  not taken", "", _EACH[0]),
        ),
        sizes=(SMALL, MIDDLE),
        runs={SMALL: 3, MIDDLE: 1},
    ),
    Benchmark(
        "forge-idle",
        idle,
        (
            Figure("forge-points", "n idle repositories of 20 refs, an hour: points", "%", _TENTH),
            Figure("forge-requests", "  requests beside them", "%", _TENTH),
            Figure("forge-sweep", "all have moved, no delivery came: a sweep", "s"),
            Figure("forge-missed", "  heads that were not seen then", "", {SMALL: 0.0}),
        ),
        sizes=(SMALL,),
        runs={SMALL: 1},
    ),
)
