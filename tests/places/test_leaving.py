"""What a job has left at its place is removed behind it: no job waits for that, and none is
forgotten.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pycurrent.engine import Job
from pycurrent.engine.place import Place
from pycurrent.plugins import ssh
from pycurrent.term import Current, Ok
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..engine.doing import do, one
from ..plugins.sshd import Sshd
from .at import At, started

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


def folders(home: Path) -> list[Path]:
    """The folders of jobs at a place."""
    return list(home.glob(".cache/pycurrent/run/*"))


def runs(state: Path) -> list[Path]:
    """The run folders of jobs on the engine's machine."""
    return list(state.glob("run/*/*"))


@pytest.mark.every_place
async def test_folders_go_behind_the_end_of_a_job(at: At, home: Path) -> None:
    """While the engine goes on. Its run folder, which has the way there, goes last."""

    async def work(job: Job) -> None:
        await started(job, at.pool)
        async with job.tempdir() as folder:
            await job.exec(["touch", "file"], cwd=folder)

    async with one(at.folder / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=60)
        await h.until(lambda: not runs(at.folder / "state"), timeout=60)
        assert folders(home) == []


async def test_many_are_removed_with_one_request(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path, home: Path
) -> None:
    """The jobs that have ended by then."""
    pool = hosts(server, capacity=8)

    async def work(job: Job) -> None:
        await started(job, pool)
        await job.exec(["true"])

    def pipeline() -> Current[None]:
        return all_of([do(work, key) for key in "abcdefgh"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=60)
    assert folders(home) == []
    assert runs(tmp_path / "state") == []


class Away:
    """A host that is away once a job has done its work there."""

    def __init__(self, server: Sshd, pool: ssh.Hosts, state: Path) -> None:
        self.server = server
        self.state = state
        self._pool = pool

    async def stops(self, job: Job) -> None:
        await self.works(job)
        self.server.drop_connections()
        self.server.stop()

    async def works(self, job: Job) -> None:
        await started(job, self._pool)
        await job.exec(["true"])

    async def ended(self, work: Callable[[Job], Awaitable[None]], key: str) -> None:
        """An engine has run a job to its end."""
        async with Harness(lambda: do(work, key), state_dir=self.state) as h:
            await h.until(lambda: isinstance(h.output, Ok), timeout=60)


@pytest.fixture
def away(server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path) -> Away:
    # A short lease: so the end of an engine gives up soon.
    return Away(server, hosts(server, capacity=1, lease=0.5), tmp_path / "state")


async def test_a_host_that_is_away_is_told_when_it_is_there_again(away: Away, home: Path) -> None:
    """By the next engine, too, as soon as a job of its own is there."""
    await away.ended(away.stops, "a")
    assert len(folders(home)) == len(runs(away.state)) == 1
    away.server.start()
    await away.ended(away.works, "b")
    assert folders(home) == []
    assert runs(away.state) == []


async def test_nothing_is_removed_while_a_command_may_run(away: Away, home: Path) -> None:
    """An engine that finds a job of another one does not know whether it is over."""
    await away.ended(away.stops, "a")
    away.server.start()
    (left,) = folders(home)
    command = left / "9-a"
    command.mkdir()
    (command / "spool").touch()
    await away.ended(away.works, "b")
    assert folders(home) == [left]
    assert len(runs(away.state)) == 1
    (command / "status").write_text("0 exited\n")
    await away.ended(away.works, "c")
    assert folders(home) == []
    assert runs(away.state) == []


async def test_nobody_waits_for_the_removal(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """A job has its place in the pool although the host of the one before it is away by now."""
    pool = hosts(server, capacity=1, lease=60)
    begun: list[Job] = []

    async def work(job: Job) -> None:
        await started(job, pool)
        begun.append(job)
        await job.exec(["true"])
        if len(begun) == 1:
            server.drop_connections()
            server.stop()

    def pipeline() -> Current[None]:
        return all_of([do(work, key) for key in "ab"])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: len(begun) == 2, timeout=30)
        server.start()
        await h.until(lambda: isinstance(h.output, Ok), timeout=60)


async def test_a_job_says_that_its_place_has_much_to_remove(
    server: Sshd,
    hosts: Callable[..., ssh.Hosts],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It ends when that is done, so jobs leave no more behind than goes."""
    monkeypatch.setattr("pycurrent.engine.leaving._MANY", 1)
    pool = hosts(server, capacity=2, lease=60)
    was_there, may_end = asyncio.Event(), asyncio.Event()
    at: list[Place] = []

    async def last(job: Job) -> None:
        await started(job, pool)
        await job.exec(["true"])
        assert job.place is not None
        at.append(job.place)
        was_there.set()
        await may_end.wait()

    async def stops(job: Job) -> None:
        await started(job, pool)
        await job.exec(["true"])
        await was_there.wait()
        server.drop_connections()
        server.stop()

    def pipeline() -> Current[None]:
        return all_of([do(last, "last"), do(stops, "stops")])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        leaving = h.engine.opened.host.leaving()
        await h.until(lambda: at and leaving.much_to_tell(at[0]), timeout=30)
        may_end.set()
        says = "it removes what other jobs have left there"
        await h.until(lambda: says in str(h.engine.why("do last")), timeout=30)
        server.start()
        await h.until(lambda: isinstance(h.output, Ok), timeout=60)
