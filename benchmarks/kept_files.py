"""Files that jobs save and place: ours, and cp and git in the same run.

In memory, for the reason that is told in `checkouts.py`.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.figures import MIDDLE, SMALL, Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.places import Place, scratch

from pycurrent import Current, Engine, Job, Level, Tree, Var, all, builder

_COARSE = 2.1
"""Seconds until a file's time tells that it has not changed since."""


def kept_files(n: int) -> Samples:
    """Save a folder of n small files, save it again unchanged, and place the tree."""
    with scratch(Place.MEMORY) as folder:
        source = folder / "source"
        for number in range(n):
            file = source / str(number // 100) / str(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"content of {number}\n" * 50)
        settings = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
        for command in ("init -q", "add .", "commit -q -m files", "status"):
            subprocess.run(
                ["git", *settings, *command.split()],
                cwd=source,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        sleep(_COARSE)
        took, lag = asyncio.run(_by_us(source, folder))
        status = _quickest(lambda: ["git", "-C", str(source), "status", "--porcelain"])
        targets = iter(range(10))
        plain = folder / "placed"
        cp = _quickest(
            lambda: ["cp", "--reflink=auto", "-r", str(plain), str(folder / f"cp{next(targets)}")]
        )
    return {
        "files-save": took["first"],
        "files-unchanged": took["unchanged"],
        "files-unchanged-over-git": took["unchanged"] / status,
        "files-place": took["place"],
        "files-place-over-cp": took["place"] / cp,
        "files-lag": lag,
    }


async def _by_us(source: Path, folder: Path) -> tuple[dict[str, float], float]:
    """Seconds for each act, the best of three but for the first save; the longest turn of the loop
    while they are done once more: a loop that is watched takes the interpreter a thousand times a
    second from the thread that does them.
    """
    took: dict[str, float] = {}
    again = Var("again", 0)

    @builder("save", level=Level.HARMLESS)
    async def save(job: Job, number: int) -> Tree:
        before = perf_counter()
        tree = await job.save(source)
        name = "first" if number == 0 else "unchanged"
        # The second one reads again what was too young at the first.
        if number != 1:
            took[name] = min(took.get(name, 1e9), perf_counter() - before)
        return tree

    @builder("place", level=Level.HARMLESS)
    async def place(job: Job, tree: Tree, number: int) -> None:
        target = folder / ("placed" if number == 0 else f"placed{number}")
        before = perf_counter()
        await job.put(tree, target)
        took["place"] = min(took.get("place", 1e9), perf_counter() - before)

    def pipeline() -> Current[None]:
        number = again.get()
        return all([place(save(number), number)])

    async with Engine(pipeline, state_dir=folder / "state") as engine:
        await engine.opened.settled()
        for number in range(1, 5):
            again.set(number)
            await engine.opened.settled()
        seconds = dict(took)
        async with Lag.watched() as lag:
            again.set(5)
            await engine.opened.settled()
    return seconds, lag.worst


def _quickest(command: Callable[[], list[str]]) -> float:
    """Seconds of the quickest of three runs."""
    times = []
    for _ in range(3):
        before = perf_counter()
        subprocess.run(command(), check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - before)
    return min(times)


BENCHMARKS = (
    Benchmark(
        "files",
        kept_files,
        (
            Figure("files-save", "save a folder of n files for the first time", "s"),
            Figure("files-unchanged", "save it again, unchanged", "s"),
            Figure("files-unchanged-over-git", "  over git status", "times", {MIDDLE: 1.2}),
            Figure("files-place", "place the tree", "s"),
            Figure("files-place-over-cp", "  over cp --reflink=auto -r", "times", {MIDDLE: 1.5}),
            Figure("files-lag", "  the longest turn of the loop meanwhile", "ms", {MIDDLE: 50}),
        ),
        sizes=(SMALL, MIDDLE),
        runs={SMALL: 3, MIDDLE: 3},
    ),
)
