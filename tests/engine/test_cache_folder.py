"""Folders that jobs keep between runs, and who has one when."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Cache, Job, Level, Pool
from pycurrent.errors import UsageError
from pycurrent.store.cache_folders import CacheFolders
from pycurrent.term import Failed, Ok, all
from pycurrent.testing import Harness

from . import keeping
from .doing import cancelled, do, ended, one, start


class Users:
    """Jobs that use a folder until they are let go, and what the folder held when each began."""

    def __init__(self, cache: Cache, **limits: Any) -> None:
        self.cache = cache
        self.at_work: list[Job] = []
        self.saw: list[list[str]] = []
        self._limits = limits
        self._go = asyncio.Event()

    async def __call__(self, job: Job) -> str:
        await job.start(level=Level.HARMLESS, **self._limits)
        async with job.cache_folder(self.cache) as folder:
            self.saw.append(sorted(path.name for path in folder.iterdir()))
            (folder / job.description.replace(" ", "-")).write_text("kept")
            self.at_work.append(job)
            await self._go.wait()
            self.at_work.remove(job)
        return str(folder)

    def let_go(self) -> None:
        self._go.set()


async def until(condition: Callable[[], bool]) -> None:
    """Looks until it holds: the kernel's locks tell nobody."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_what_a_job_leaves_is_there_for_the_next_one(tmp_path: Path) -> None:
    """At the same path, also in the next engine."""
    cache = CacheFolders(tmp_path / "cache").of("pip", "k")
    for key in "ab":
        users = Users(Cache("pip", "k"))
        users.let_go()
        async with Harness(partial(do, users, key), state_dir=tmp_path) as h:
            await h.settle()
            assert h.output == Ok(str(cache.path))
            assert users.saw == [[] if key == "a" else ["do-a"]]
    assert cache.size == 2 * len("kept")


async def test_one_job_uses_a_folder_at_a_time(tmp_path: Path) -> None:
    """The others wait, say so, and come in their order; those of other keys don't wait."""
    users, others = Users(Cache("pip", "k")), Users(Cache("pip", "other"))

    async with Harness(
        lambda: all([do(users, "a"), do(users, "b"), do(users, "c"), do(others, "o")]),
        state_dir=tmp_path,
    ) as h:
        await until(lambda: len(users.at_work) == 1 and len(others.at_work) == 1)
        (first,) = users.at_work
        says = f"Waiting for the folder of cache pip: job {first.id} uses it"
        names = {"do a", "do b", "do c"} - {first.description}
        await until(lambda: sum(says in h.log(name) for name in names) == len(names))
        users.let_go()
        others.let_go()
        await h.settle()
        assert isinstance(h.output, Ok)
        assert [len(saw) for saw in users.saw] == [0, 1, 2]
        assert others.saw == [[]]


async def test_jobs_share_a_folder_if_all_say_so(tmp_path: Path) -> None:
    """One that wants it for itself waits until they are done."""
    sharing = Users(Cache("pip", "k", shared=True))
    alone = Users(Cache("pip", "k"))

    async with Harness(
        lambda: all([do(sharing, "a"), do(sharing, "b"), do(alone, "x")]), state_dir=tmp_path
    ) as h:
        await until(lambda: len(sharing.at_work) + len(alone.at_work) >= 1)
        alone.let_go()
        await until(lambda: len(sharing.at_work) == 2)
        assert alone.at_work == []
        sharing.let_go()
        await h.settle()
        assert isinstance(h.output, Ok)


async def test_a_job_that_waits_for_a_folder_can_be_cancelled(tmp_path: Path) -> None:
    """The next one has its place."""
    users = Users(Cache("pip"))

    async with Harness(lambda: all([do(users, "a"), do(users, "b")]), state_dir=tmp_path) as h:
        await until(lambda: len(users.at_work) == 1)
        (first,) = users.at_work
        waits = "do b" if first.description == "do a" else "do a"
        await until(lambda: "Waiting for the folder" in h.log(waits))
        h.find(waits).cancel("enough")
        await until(lambda: isinstance(h.output, Failed))
        users.let_go()
        await h.settle()
        assert h.output == cancelled("enough")
        assert len(users.saw) == 1
        h.find(waits).rebuild()
        await h.settle()
        assert isinstance(h.output, Ok)


async def test_waiting_for_a_folder_does_not_count_for_the_timeout(tmp_path: Path) -> None:
    """Only the job's own work does."""
    users, late = Users(Cache("pip")), Users(Cache("pip"), timeout=10)
    late.let_go()

    async with Harness(lambda: all([do(users, "a"), do(late, "b")]), state_dir=tmp_path) as h:
        await until(lambda: len(users.at_work) == 1)
        if not late.saw:
            await until(lambda: "Waiting for the folder" in h.log("do b"))
        h.clock.move(timedelta(seconds=60))
        users.let_go()
        await h.settle()
        assert isinstance(h.output, Ok)


async def test_a_place_in_a_pool_and_a_folder_are_taken_in_one_order(tmp_path: Path) -> None:
    """Nobody holds a folder and waits for the place of one that waits for the folder."""
    users = Users(Cache("pip"), pool=Pool("one", 1))
    users.let_go()
    async with Harness(lambda: all([do(users, key) for key in "abcd"]), state_dir=tmp_path) as h:
        await h.settle()
        assert isinstance(h.output, Ok)
        assert len(users.saw) == 4


async def test_a_job_can_hold_several_folders_but_none_twice(tmp_path: Path) -> None:
    """It would wait for itself."""

    async def work(job: Job) -> str:
        await start(job)
        async with AsyncExitStack() as held:
            one = await held.enter_async_context(job.cache_folder(Cache("a")))
            two = await held.enter_async_context(job.cache_folder(Cache("b")))
            assert one != two
            with pytest.raises(UsageError, match="has the folder of cache 'a' already"):
                await held.enter_async_context(job.cache_folder(Cache("a", shared=True)))
        return "done"

    output, _ = await ended(tmp_path, work)
    assert output == Ok("done")


async def test_a_folder_that_somebody_removes_is_made_again(tmp_path: Path) -> None:
    """With all of the caches, while a job uses it too; or with something else in its place."""
    folder = CacheFolders(tmp_path / "cache").of("pip", "").path

    async def work(job: Job) -> str:
        await start(job)
        async with job.cache_folder(Cache("pip")) as path:
            await asyncio.to_thread(CacheFolders(tmp_path / "cache").of("pip", "").path.rmdir)
            assert path == folder
        folder.write_text("in the way")
        async with job.cache_folder(Cache("pip")) as path:
            assert path.is_dir()
        folder.rmdir()
        folder.symlink_to(tmp_path)
        async with job.cache_folder(Cache("pip")) as path:
            assert not path.is_symlink()
        return "done"

    output, _ = await ended(tmp_path, work)
    assert output == Ok("done")
    assert (tmp_path / "job").is_dir()


async def test_folders_of_a_name_are_bounded_together(tmp_path: Path) -> None:
    """The one that was not used for the longest time goes first, and the log says so."""

    async def work(job: Job) -> str:
        await start(job)
        for number, key in enumerate("abc"):
            async with job.cache_folder(Cache("pip", key, max_size=2500)) as folder:
                (folder / "file").write_bytes(b"x" * 1000)
            note = folder.with_name(f"{folder.name}.json")
            os.utime(note, (number, number))
        return "done"

    output, log = await ended(tmp_path, work)
    assert output == Ok("done")
    folders = CacheFolders(tmp_path / "cache")
    assert [f.path for f in folders.all()] == [folders.of("pip", k).path for k in "bc"]
    assert "the folders of cache pip held more than 2500" in log


async def test_a_folder_that_alone_is_too_large_is_removed(tmp_path: Path) -> None:
    """The others of its name stay."""

    async def work(job: Job) -> str:
        await start(job)
        for key, size in (("small", 10), ("large", 5000)):
            async with job.cache_folder(Cache("pip", key, max_size="1k")) as folder:
                (folder / "file").write_bytes(b"x" * size)
        return "done"

    output, _ = await ended(tmp_path, work)
    assert output == Ok("done")
    folders = CacheFolders(tmp_path / "cache")
    assert [f.path for f in folders.all()] == [folders.of("pip", "small").path]


async def test_a_folder_outside_of_what_can_be_written_fails_the_job(tmp_path: Path) -> None:
    """With the place that is in the way."""
    (tmp_path / "cache").write_text("a file")

    async def work(job: Job) -> str:
        await start(job)
        async with job.cache_folder(Cache("pip")):
            return "done"

    async with one(tmp_path, work) as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "cache" in h.output.message


@pytest.mark.skipif(sys.platform != "linux", reason="needs subreapers")
@pytest.mark.timeout(60)
async def test_a_job_waits_for_the_commands_of_a_killed_engine_that_use_the_folder(
    tmp_path: Path,
) -> None:
    """The lock lives as long as they do, and no longer."""
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "tests.engine.keeping", str(tmp_path / "state"), str(tmp_path)],
        cwd=Path(__file__).parents[2],
    )
    try:
        await asyncio.to_thread((tmp_path / "begun").read_bytes)
    finally:
        process.kill()
        process.wait()
    users = Users(keeping.CACHE)
    users.let_go()
    try:
        async with Harness(lambda: do(users), state_dir=tmp_path / "state") as h:
            says = "Waiting for the folder of cache pip: other commands use it"
            await until(lambda: says in h.log("do a"))
            assert users.saw == []
            await asyncio.to_thread((tmp_path / "go").write_bytes, b"")
            await h.settle()
            assert isinstance(h.output, Ok)
            assert users.saw == [["left"]]
    finally:
        with suppress(OSError):
            os.close(os.open(tmp_path / "go", os.O_WRONLY | os.O_NONBLOCK))


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([""], {}, "takes a name"),
        (["../x"], {}, "takes a name"),
        ([".."], {}, "takes a name"),
        (["a/b"], {}, "takes a name"),
        (["a\n"], {}, "takes a name"),
        ([7], {}, "takes a name"),
        (["x" * 65], {}, "takes a name"),
        (["pip", 7], {}, "key= takes a text, not 7"),
        (["pip"], {"env": "A=B"}, "env= takes the name of a variable"),
        (["pip"], {"max_size": "2 GiB"}, "max_size= takes bytes"),
        (["pip"], {"max_size": -1}, "max_size= takes bytes"),
        (["pip"], {"max_size": True}, "max_size= takes bytes"),
        (["pip"], {"shared": "no"}, "shared= takes True or False"),
    ],
)
def test_what_cannot_be_a_cache_is_refused(
    words: list[Any], options: dict[str, Any], message: str
) -> None:
    """With what to write instead."""
    with pytest.raises(UsageError, match=message):
        Cache(*words, **options)


def test_sizes_are_bytes_or_texts() -> None:
    """In thousands, as disks are sold."""
    sizes: list[int | str] = [1500, "1500", "1.5k", "500M", "2G", "1 TB"]
    limits = [Cache("pip", max_size=size).limit for size in sizes]
    assert limits == [1500, 1500, 1500, 500_000_000, 2_000_000_000, 10**12]
