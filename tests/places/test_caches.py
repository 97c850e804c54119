"""Cache folders are where the jobs run, and stay there for the next ones."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pycurrent.engine import Cache, Job
from pycurrent.errors import UsageError
from pycurrent.places import agent_caches
from pycurrent.plugins import ssh
from pycurrent.term import Current, Failed, Ok, Untrusted, untrusted
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..engine.doing import do
from ..plugins.sshd import Sshd
from .at import At, started

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


def kept(at: At, *, shared: bool = False) -> Cache:
    """A cache of one test: the home at a cluster is that of others, too."""
    return Cache("mine", str(at.folder), env="MINE", shared=shared)


FREE = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
"""Fails if somebody holds the lock of a file."""


async def ended(
    at: At, folder: Path, *works: Callable[[Job], Awaitable[str | None]]
) -> tuple[object, list[str]]:
    """The outcome of jobs at a place, at the same time, and their logs."""

    def placed(work: Callable[[Job], Awaitable[str | None]]) -> Callable[[Job], Awaitable[str]]:
        async def run(job: Job) -> str:
            await started(job, at.pool)
            return await work(job) or "done"

        return run

    def pipeline() -> Current[None]:
        return all_of([do(placed(work), f"{number}") for number, work in enumerate(works)])

    async with Harness(pipeline, state_dir=folder) as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        return h.output, [h.log(f"do {number}") for number in range(len(works))]


@pytest.mark.every_place
async def test_what_a_job_keeps_is_there_for_the_next_one(at: At) -> None:
    """At the same path, and held by the commands that use it, not by those after its block."""

    async def writes(job: Job) -> str:
        async with job.cache_folder(kept(at)) as folder:
            await job.exec(["sh", "-c", f"echo kept > {folder}/file"])
            await job.write_file(folder / "other", "of the engine")
            await job.exec(["sh", "-c", '! python3 -c "$0" "$1"', FREE, f"{folder}.lock"])
        await job.exec(["python3", "-c", FREE, f"{folder}.lock"])
        return str(folder)

    async def reads(job: Job) -> str:
        async with job.cache_folder(kept(at)) as folder:
            assert await job.read_file(folder / "other") == b"of the engine"
            return str(folder) + await job.check_output(["cat", f"{folder}/file"])

    async def work(job: Job) -> str:
        wrote = await writes(job)
        assert await reads(job) == f"{wrote}kept\n"
        return "done"

    assert (await ended(at, at.folder / "state", work))[0] == Ok(None)


async def test_one_job_uses_it_at_a_time(at: At) -> None:
    """Its commands may be several at once: here one waits for the other."""
    alone = "mkdir {0}/used && mkfifo {0}/said && {{ echo x > {0}/said; rm -r {0}/said; }}"

    async def work(job: Job) -> None:
        async with job.cache_folder(kept(at)) as folder, asyncio.TaskGroup() as both:
            both.create_task(job.exec(["sh", "-c", alone.format(folder)]))
            hears = f"until [ -p {folder}/said ]; do :; done; cat {folder}/said"
            both.create_task(job.exec(["sh", "-c", f"{hears}; rmdir {folder}/used"]))

    assert (await ended(at, at.folder / "state", work, work, work))[0] == Ok(None)


@pytest.mark.every_place
async def test_a_job_has_it_between_its_commands_too(at: At) -> None:
    """Also where the places of jobs are several, with one home."""

    async def work(job: Job) -> None:
        async with job.cache_folder(kept(at)) as folder:
            await job.exec(["mkdir", folder / "used"])
            await job.exec(["rmdir", folder / "used"])

    assert (await ended(at, at.folder / "state", work, work, work))[0] == Ok(None)


async def test_those_who_share_it_use_it_together(at: At) -> None:
    """Each waits for the other one to be there."""

    async def work(job: Job) -> None:
        async with job.cache_folder(kept(at, shared=True)) as folder:
            mine, other = job.description, "do 1" if job.description == "do 0" else "do 0"
            both = f"touch '{folder}/{mine}'; until [ -e '{folder}/{other}' ]; do sleep 0.01; done"
            await job.exec(["sh", "-c", both])

    assert (await ended(at, at.folder / "state", work, work))[0] == Ok(None)


async def test_no_more_is_kept_than_is_wanted(at: At) -> None:
    """The folder goes that was not used for the longest time; the log says so."""

    async def work(job: Job) -> None:
        for key in ("old", "new"):
            async with job.cache_folder(Cache("bounded", key, max_size=15_000)) as folder:
                await job.exec(["sh", "-c", f"head -c 10000 /dev/zero > {folder}/zeros"])
        assert await job.glob(folder.parent, "*/zeros") == [folder / "zeros"]

    outcome, (log,) = await ended(at, at.folder / "state", work)
    assert outcome == Ok(None)
    assert "the folders of cache bounded held more than 15000" in log


async def test_folders_that_nobody_has_used_for_months_are_removed(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path, home: Path
) -> None:
    """Of any name, unless a command uses them. They are looked for once a day."""
    at = At(hosts(server), tmp_path)
    caches = home / ".cache" / "pycurrent" / "caches"
    months_ago = time.time() - 61 * 24 * 3600

    def make(name: str, *, is_old: bool) -> Path:
        folder = caches / name / "k"
        (folder / "content").mkdir(parents=True)
        for end in (".size", ".lock"):
            file = folder.with_name(f"k{end}")
            file.write_text("1")
            if is_old:
                os.utime(file, (months_ago, months_ago))
        return folder

    make("old", is_old=True)
    new, used = make("new", is_old=False), make("used", is_old=True)

    async def work(job: Job) -> None:
        """Any."""

    with used.with_name("k.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert (await ended(at, tmp_path / "first", work))[0] == Ok(None)
    assert {path.parent for path in caches.glob("*/*/content")} == {new, used}
    later = make("later", is_old=True)
    assert (await ended(at, tmp_path / "second", work))[0] == Ok(None)
    assert later.exists()


async def test_one_job_takes_it_once(at: At) -> None:
    """It would wait for itself."""

    async def work(job: Job) -> None:
        async with job.cache_folder(kept(at)):
            with pytest.raises(UsageError, match="has the folder of cache 'mine' already"):
                async with job.cache_folder(kept(at)):
                    """Never here."""

    assert (await ended(at, at.folder / "state", work))[0] == Ok(None)


async def test_untrusted_work_has_a_copy(at: At) -> None:
    """It reads what is kept, and nobody reads what it writes."""

    async def adds(job: Job) -> str:
        await started(job, at.pool)
        async with job.cache_folder(kept(at)) as folder:
            before = [path.name for path in await job.glob(folder, "*")]
            await job.write_file(folder / job.description, "")
            return " ".join(before)

    def pipeline() -> Current[str]:
        def then(text: str) -> Current[str]:
            with untrusted(Untrusted("octo/web", "a" * 40, approval=False, sandbox=False)):
                fork = do(adds, "fork")
            return fork.bind(lambda seen: do(adds, f"after {seen}"))

        return do(adds, "first").bind(then)

    async with Harness(pipeline, state_dir=at.folder / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert h.output == Ok("do first")
        assert "has a copy of the folder of cache mine" in h.log("do fork")


async def test_a_command_of_another_engine_is_waited_for(
    server: Sshd, hosts: Callable[..., ssh.Hosts], home: Path, tmp_path: Path
) -> None:
    """The job says so; when it is cancelled meanwhile nothing has run."""
    pool, path = hosts(server, capacity=1), ""

    async def work(job: Job) -> None:
        nonlocal path
        await started(job, pool)
        async with job.cache_folder(Cache("mine")) as folder:
            path = str(folder)
            await job.exec(["sh", "-c", f"echo has run >> {folder}/ran"])

    def held() -> int:
        lock = agent_caches.take(path, "another engine's job")
        assert lock is not None
        return lock

    async with Harness(lambda: do(work), state_dir=tmp_path / "first") as h:
        await h.until(lambda: h.output == Ok("done"), timeout=60)
    ran = Path(path) / "ran"
    assert ran.read_text() == "has run\n"
    lock = held()
    reason = "Waiting for the folder of cache mine at "
    async with Harness(lambda: do(work), state_dir=tmp_path / "second") as h:
        await h.until(lambda: reason in h.log("do a"), timeout=60)
        os.close(lock)
        await h.until(lambda: h.output == Ok("done"), timeout=60)
    assert ran.read_text() == "has run\n" * 2
    lock = held()
    async with Harness(lambda: do(work), state_dir=tmp_path / "third") as h:
        await h.until(lambda: reason in h.log("do a"), timeout=60)
        h.find("do a").cancel("enough")
        await h.until(lambda: isinstance(h.output, Failed), timeout=60)
    os.close(lock)
    assert ran.read_text() == "has run\n" * 2


def test_a_folder_has_one_owner_until_its_last_lock_is_closed(tmp_path: Path) -> None:
    folder = str(tmp_path / "mine" / "k")
    first, second = agent_caches.take(folder, "a"), agent_caches.take(folder, "a")
    assert first is not None
    assert second is not None
    assert agent_caches.take(folder, "b") is None
    os.close(first)
    assert agent_caches.take(folder, "b") is None
    # It is in use, however large it is.
    (tmp_path / "mine" / "k" / "file").write_bytes(bytes(100))
    assert agent_caches.end_use(folder, 10) == []
    os.close(second)
    third = agent_caches.take(folder, "b")
    assert third is not None
    os.close(third)
    assert agent_caches.end_use(folder, 10) == [(folder, 100)]
    assert [Path(path).parent for path in agent_caches.set_aside(folder)] == [tmp_path / "mine"]
