"""The engine: jobs that only start and succeed, restarts, commands, commits, kills."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, time
from typing import Any

from benchmarks.figures import (
    LARGE,
    MIDDLE,
    SMALL,
    Benchmark,
    Better,
    Figure,
    NotMeasured,
    Samples,
    ocurrent,
    python_peer,
)
from benchmarks.floor import fill
from benchmarks.places import Place, scratch, space

from pycurrent import Builder, Current, Engine, Job, Level, Ok, Pool, Var, all, component, constant
from pycurrent.store import Database, StateDir

COMMANDS = 50
COMMITS = 11


class Trivial(Builder[int, int]):
    """Only starts and succeeds."""

    id = "trivial"

    async def build(self, job: Job, key: int) -> int:
        await job.start(level=Level.HARMLESS)
        return key


class Touch(Builder[int, None]):
    """Runs the smallest command there is."""

    id = "touch"

    async def build(self, job: Job, key: int) -> None:
        await job.start(level=Level.HARMLESS)
        await job.exec(["true"])


TRIVIAL = Trivial()
TOUCH = Touch()


def trivial(n: int, builder: Trivial | None = None) -> Callable[[], Current[Any]]:
    """A pipeline of n builds."""
    get = (builder or TRIVIAL).get

    def pipeline() -> Current[None]:
        return all([component(f"trivial {i}", get, constant(i)) for i in range(n)])

    return pipeline


async def until_ok(engine: Engine) -> None:
    """Wait until the pipeline of an engine that runs has succeeded."""
    done = asyncio.Event()

    def look(step: object) -> None:
        if isinstance(engine.output, Ok):
            done.set()

    forget = engine.listen(look)
    look(None)
    await done.wait()
    forget()


async def seconds_to_ok(pipeline: Callable[[], Current[Any]], state_dir: Path) -> float:
    gc.collect()
    before = perf_counter()
    async with Engine(pipeline, state_dir=state_dir) as engine:
        await until_ok(engine)
        return perf_counter() - before


def builds(n: int) -> Samples:
    """A fresh state directory, and the same again after a restart."""
    samples = {}
    for place in Place:
        with scratch(place) as folder:
            pipeline = trivial(n)
            samples[f"builds-{place.value}"] = n / asyncio.run(seconds_to_ok(pipeline, folder))
            samples[f"builds-space-{place.value}"] = space(folder) / 1e6
            samples[f"restart-{place.value}"] = n / asyncio.run(seconds_to_ok(pipeline, folder))
    return samples


def restart(n: int) -> Samples:
    """Where all results are known, but no log is there."""
    with scratch(Place.MEMORY) as folder:
        fill(folder, n, op="trivial", value="1")
        return {"restart-known": n / asyncio.run(seconds_to_ok(trivial(n), folder))}


def commands(n: int) -> Samples:
    """One command after the other, each as a job; and the same command without us."""
    with scratch(Place.MEMORY) as folder:
        jobs, alone = asyncio.run(_commands(folder))
    return {"command": jobs - alone, "command-alone": alone}


async def _commands(state_dir: Path) -> tuple[float, float]:
    """Milliseconds that a job with a command takes, and that the command takes."""
    var = Var("number", 0)
    jobs, alone = [], []
    pipeline = component("touch", TOUCH.get, var.get())
    async with Engine(lambda: pipeline, state_dir=state_dir) as engine:
        await until_ok(engine)
        for number in range(1, COMMANDS + 1):
            before = perf_counter()
            var.set(number)
            await asyncio.sleep(0)
            await until_ok(engine)
            jobs.append(perf_counter() - before)
            before = perf_counter()
            subprocess.run(["true"], check=True)  # noqa: ASYNC221
            alone.append(perf_counter() - before)
    half = COMMANDS // 2
    return sorted(jobs)[half] * 1e3, sorted(alone)[half] * 1e3


def commits(n: int) -> Samples:
    """From when a commit is there to when the first job for it runs."""
    with scratch(Place.MEMORY) as folder:
        return {"commit": asyncio.run(_commits(folder))}


async def _commits(folder: Path) -> float:
    """The median in milliseconds."""
    try:
        from pycurrent.plugins import git
    except ImportError as error:
        raise NotMeasured(str(error)) from error
    commit, ref = _new_repository(folder / "repository")
    begun: asyncio.Queue[float] = asyncio.Queue()

    class Begin(Builder[str, None]):
        id = "begin"

        async def build(self, job: Job, key: str) -> None:
            await job.start(level=Level.HARMLESS)
            begun.put_nowait(time())

    head = git.Local(folder / "repository").head_commit()
    pipeline = component("begin", lambda commit: Begin().get(str(commit)), head)
    took = []
    async with Engine(lambda: pipeline, state_dir=folder / "state"):
        await begun.get()
        for _ in range(COMMITS):
            await asyncio.to_thread(commit)
            # From when git has written the ref; that it then exits is not waited for.
            made = ref.stat().st_mtime
            took.append(await begun.get() - made)
    return sorted(took)[len(took) // 2] * 1e3


def _new_repository(repository: Path) -> tuple[Callable[[], None], Path]:
    """Make a repository with one commit; return a function that commits, and its branch's file."""
    environ = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "bench" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "bench@example.org" for who in ("AUTHOR", "COMMITTER")},
    }

    def run(*arguments: str) -> None:
        command = ["git", "-C", str(repository), *arguments]
        subprocess.run(command, check=True, env=environ, capture_output=True)

    def commit() -> None:
        run("commit", "--allow-empty", "--message", "a change")

    repository.mkdir()
    run("init", "--initial-branch", "main")
    commit()
    return commit, repository / ".git" / "refs" / "heads" / "main"


class InTurn(Trivial):
    """The same work, a few at a time, so that many steps bring the results."""

    def __init__(self) -> None:
        self.pool = Pool("few", 5)

    async def build(self, job: Job, key: int) -> int:
        await job.start(level=Level.HARMLESS, pool=self.pool)
        return key


async def run_and_tell(n: int, state_dir: Path) -> None:
    """Print how many results there are after each step: what is told must not be lost."""
    in_turn = InTurn()
    engine = Engine(trivial(n, in_turn), state_dir=state_dir)
    async with engine:
        engine.listen(lambda step: print(engine.stats.ok, flush=True))
        await until_ok(engine)


KILLED = """
import asyncio, sys
from pathlib import Path
from benchmarks.engine import run_and_tell
asyncio.run(run_and_tell(int(sys.argv[1]), Path(sys.argv[2])))
"""


def kills(n: int) -> Samples:
    """Kill an engine in the midst of n builds; count what it had told and has lost."""
    told = lost = again = 0
    for part in (0.1, 0.3, 0.5, 0.8):
        with scratch(Place.DISK) as folder:
            seen = _kill(folder, n, int(part * n))
            told += seen
            lost += max(0, seen - _known(folder))
            asyncio.run(seconds_to_ok(trivial(n), folder))
            with StateDir.open(folder) as state, Database.open(state.database) as store:
                jobs = store.history("trivial", ok=True, limit=10 * n)
            again += len(jobs) - n
    return {"killed-told": told, "killed-lost": lost, "killed-again": again}


def _known(state_dir: Path) -> int:
    with StateDir.open(state_dir) as state, Database.open(state.database) as store:
        return len(store.history("trivial", ok=True, limit=1_000_000))


def _kill(folder: Path, n: int, after: int) -> int:
    """Kill it when it has told of so many results; gives how many it had told by then."""
    arguments = [sys.executable, "-c", KILLED, str(n), str(folder)]
    told = 0
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while told < after:
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        return max([told, *map(int, process.stdout.read().split())])


DISK_PEERS = (
    ocurrent(1070, 1470),
    python_peer("doit", {SMALL: 1881, MIDDLE: 3932}),
    python_peer("huey", {MIDDLE: 4579}),
)
MEMORY_PEERS = (ocurrent(4700, 1550),)

BENCHMARKS = (
    Benchmark(
        "builds",
        builds,
        (
            Figure(
                "builds-memory",
                f"builds that only start and succeed, {Place.MEMORY.title}",
                "/s",
                {MIDDLE: 10_000},
                Better.HIGHER,
                MEMORY_PEERS,
            ),
            Figure(
                "builds-disk",
                f"  {Place.DISK.title}",
                "/s",
                {MIDDLE: 6000},
                Better.HIGHER,
                DISK_PEERS,
            ),
            Figure(
                "builds-space-memory",
                f"  space that their records and logs take, {Place.MEMORY.title}",
                "MB",
                {MIDDLE: 10},
            ),
            Figure("builds-space-disk", f"  space, {Place.DISK.title}", "MB", {MIDDLE: 10}),
            Figure(
                "restart-memory",
                f"  restart with all of them known, {Place.MEMORY.title}",
                "/s",
                {MIDDLE: 30_000},
                Better.HIGHER,
                (ocurrent(30_700, 24_000),),
            ),
            Figure(
                "restart-disk",
                f"  restart, {Place.DISK.title}",
                "/s",
                {MIDDLE: 30_000},
                Better.HIGHER,
            ),
        ),
        sizes=(SMALL, MIDDLE),
        runs={SMALL: 3, MIDDLE: 2},
    ),
    Benchmark(
        "restart",
        restart,
        (
            Figure(
                "restart-known",
                "restart with n known results",
                "/s",
                {MIDDLE: 30_000, LARGE: 30_000},
                Better.HIGHER,
                (ocurrent(30_700, 24_000),),
            ),
        ),
        runs={MIDDLE: 3, LARGE: 1},
    ),
    Benchmark(
        "commands",
        commands,
        (
            Figure("command", "a trivial command as a job, over the command itself", "ms", {1: 15}),
            Figure("command-alone", "  the command itself, by subprocess", "ms"),
        ),
        sizes=(1,),
    ),
    Benchmark(
        "commits",
        commits,
        (
            Figure(
                "commit",
                "a commit is made -> its first job runs",
                "ms",
                {1: 50},
                peers=(
                    python_peer("Buildbot", {1: 223}),
                    python_peer("huey", {1: 7}),
                    python_peer("Prefect", {1: 121}),
                    python_peer("Dagster", {1: 4025}),
                ),
            ),
        ),
        sizes=(1,),
    ),
    Benchmark(
        "kills",
        kills,
        (
            Figure(
                "killed-told", "killed (-9) in the midst of n builds, 4 times: results told", ""
            ),
            Figure("killed-lost", "  told results that were lost", "", {SMALL: 0}),
            Figure("killed-again", "  known results that were built again", "", {SMALL: 0}),
        ),
        sizes=(SMALL,),
        runs={SMALL: 1},
    ),
)
