"""Large files that jobs save and place: one tree at fifty places, and a file of many gigabytes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.figures import Benchmark, Figure, Samples
from benchmarks.lag import Lag
from benchmarks.many import resident
from benchmarks.places import Place, scratch, sharing_blocks

from pycurrent import Current, Engine, File, Job, Level, Tree, all, builder

JOBS = 50
FILES = 10
"""The files of the tree."""
_MEGABYTE = 1 << 20


def shared(megabytes: int) -> Samples:
    """Place a tree of so many megabytes by fifty jobs, where the file system can share blocks."""
    with sharing_blocks(5 * megabytes) as folder:
        source = folder / "source"
        source.mkdir()
        for number in range(FILES):
            with (source / str(number)).open("wb") as file:
                for _ in range(megabytes // FILES):
                    file.write(os.urandom(_MEGABYTE))
        taken, seconds, lag = asyncio.run(_placed(source, folder))
    return {
        "files-shared-disk": taken / (megabytes * _MEGABYTE),
        "files-shared": seconds,
        "files-shared-lag": lag,
    }


async def _placed(source: Path, folder: Path) -> tuple[int, float, float]:
    """The bytes that the places take, the seconds for all, and the loop's lag."""

    @builder("save", level=Level.HARMLESS)
    async def save(job: Job, key: str) -> Tree:
        return await job.save(source)

    @builder("place", level=Level.HARMLESS)
    async def place(job: Job, tree: Tree, number: int) -> None:
        await job.put(tree, folder / "placed" / str(number))

    async with Engine(lambda: save("tree"), state_dir=folder / "state") as engine:
        await engine.settled()

    def pipeline() -> Current[object]:
        tree = save("tree")
        return all([place(tree, number) for number in range(JOBS)])

    before, began = _free(folder), perf_counter()
    async with Engine(pipeline, state_dir=folder / "state") as engine, Lag.watched() as lag:
        await engine.settled()
    took = perf_counter() - began
    size = sum(path.stat().st_size for path in (folder / "placed").rglob("*") if path.is_file())
    assert size == JOBS * sum(path.stat().st_size for path in source.iterdir())
    return before - _free(folder), took, lag.worst


def _free(folder: Path) -> int:
    os.sync()
    told = os.statvfs(folder)
    return told.f_bfree * told.f_frsize


def large(gigabytes: int) -> Samples:
    """Save a file of so many gigabytes, nearly all of it a hole, and place it."""
    with scratch(Place.DISK) as folder:
        source = folder / "image"
        with source.open("wb") as file:
            file.write(os.urandom(_MEGABYTE))
            file.truncate(gigabytes << 30)
            file.seek(-_MEGABYTE, os.SEEK_END)
            file.write(os.urandom(_MEGABYTE))
        return asyncio.run(_large(source, folder))


async def _large(source: Path, folder: Path) -> Samples:
    samples: Samples = {}

    def timed(name: str) -> Callable[[], None]:
        began = perf_counter()

        def end() -> None:
            samples[name] = perf_counter() - began

        return end

    @builder("save", level=Level.HARMLESS)
    async def save(job: Job, key: str) -> File:
        end = timed("files-large-save")
        file = await job.save_file(source)
        end()
        return file

    @builder("place", level=Level.HARMLESS)
    async def place(job: Job, file: File) -> None:
        end = timed("files-large-place")
        await job.put(file, folder / "placed")
        end()

    async with Engine(lambda: place(save("image")), state_dir=folder / "state") as engine:
        before, most, done = resident(), 0.0, asyncio.ensure_future(engine.settled())
        async with Lag.watched() as lag:
            while not done.done():
                most = max(most, resident() - before)
                await asyncio.wait([done], timeout=0.05)
    assert (folder / "placed").stat().st_size == source.stat().st_size
    assert (folder / "placed").stat().st_blocks * 512 < 16 * _MEGABYTE
    return {**samples, "files-large-memory": most, "files-large-lag": lag.worst}


BENCHMARKS = (
    Benchmark(
        "files-shared",
        shared,
        (
            Figure("files-shared", f"a tree of n MB placed by {JOBS} jobs", "s"),
            Figure("files-shared-disk", "  disk that they take, over the tree", "times", {1000: 1}),
            Figure("files-shared-lag", "  loop held meanwhile, at most", "ms", {1000: 50}),
        ),
        sizes=(1000,),
        runs={1000: 1},
    ),
    Benchmark(
        "files-large",
        large,
        (
            Figure("files-large-save", "a file of n GB, nearly all a hole, saved", "s"),
            Figure("files-large-place", "  placed", "s"),
            Figure("files-large-memory", "  memory that both take", "MB", {10: 50}),
            Figure("files-large-lag", "  loop held meanwhile, at most", "ms", {10: 50}),
        ),
        sizes=(10,),
        runs={10: 1},
    ),
)
