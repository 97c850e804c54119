"""Hosts as a pool: they share the jobs, leave it when they can't be used, and come back."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycurrent.cache import Builder
from pycurrent.cli.load import load
from pycurrent.engine import Job, Level
from pycurrent.errors import UsageError, WrongKind
from pycurrent.explain.reasons import WaitsInQueue
from pycurrent.plugins import ssh
from pycurrent.term import Current, Failed, Ok, component
from pycurrent.term import all as all_of
from pycurrent.testing import Harness

from ..engine.doing import do, one
from ..plugins.sshd import Sshd
from ..web.visits import open_site, text_of

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="places need Linux"),
]


@pytest.fixture
def other(key: Path, tmp_path: Path, home: Path) -> Iterator[Sshd]:
    """A second host."""
    server = Sshd(tmp_path / "other", environment={"HOME": str(home)})
    server.authorize(key)
    server.start()
    yield server
    server.stop()


async def says_where(job: Job, hosts: ssh.Hosts) -> str:
    place = await job.start(level=Level.HARMLESS, pool=hosts)
    await job.exec(["true"])
    return place.name


async def test_the_hosts_share_the_jobs(
    server: Sshd, other: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """Each has as many as its capacity; the others wait."""
    pool = hosts(server, other, capacity=1)
    gate = asyncio.Event()
    begun: list[str] = []

    async def work(job: Job) -> str:
        place = await job.start(level=Level.HARMLESS, pool=pool)
        begun.append(place.name)
        await gate.wait()
        return place.name

    def pipeline() -> Current[None]:
        return all_of({key: do(work, key) for key in "abc"})

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: h.stats.running == 2, timeout=30)
        assert len(set(begun)) == 2

        def waits() -> list[WaitsInQueue]:
            reasons = [reason for key in "abc" for reason in h.engine.why(f"do {key}").reasons]
            return [reason for reason in reasons if isinstance(reason, WaitsInQueue)]

        await h.until(waits, timeout=30)
        (queued,) = waits()
        assert (queued.pool, queued.place, queued.waiting) == ("hosts", 1, 1)
        assert len(queued.holders) == 2
        gate.set()
        await h.until(lambda: h.output == Ok(None), timeout=30)
        assert len(begun) == 3


async def test_a_host_that_is_down_leaves_the_pool(
    server: Sshd, other: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """The job says why, and runs at another one."""
    pool = hosts(server, other, capacity=1)
    server.stop()

    async def work(job: Job) -> str:
        return await says_where(job, pool)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=30)
        assert h.output == Ok(f"{other.user}@{other.host}:{other.port}")
        assert f":{server.port} (ssh) can't be used: " in h.log("do a")
        assert "Connection refused" in h.log("do a")


async def test_a_job_waits_until_a_host_is_there(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """And `why` says what it waits for."""
    pool = hosts(server, capacity=1)
    server.stop()

    async def work(job: Job) -> str:
        return await says_where(job, pool)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "Waiting for a place of pool hosts (" in h.log("do a"), timeout=30)
        server.start()
        await h.until(lambda: isinstance(h.output, Ok), timeout=30)


async def test_pages_and_api_say_where_a_job_runs(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """The page of the job, that of its pool, and the API; once it has ended, the history, too."""
    pool = hosts(server, capacity=1)
    gate = asyncio.Event()

    async def work(job: Job) -> str:
        place = await job.start(level=Level.HARMLESS, pool=pool)
        await gate.wait()
        return str(place)

    async with open_site(tmp_path, lambda: do(work, "a")) as site:
        await site.harness.until(lambda: site.harness.stats.running == 1, timeout=30)
        client, visitor = site.client(), site.visitor()
        (job,) = (await client.get("/api/v1/jobs")).json()["jobs"]
        assert job["runs_at"] == f"{pool.places[0]}"
        (held,) = (await client.get("/api/v1/pools")).json()["pools"][0]["holders"]
        assert held["runs_at"] == job["runs_at"]
        assert f"Runs at {job['runs_at']}" in text_of(await visitor.get(f"/job/{job['id']}"))
        assert f"at {job['runs_at']}" in text_of(await visitor.get("/pools"))
        gate.set()
        await site.harness.until(lambda: site.harness.output == Ok(job["runs_at"]), timeout=30)
        where = {"place": pool.places[0].name}
        (entry,) = (await client.get("/api/v1/history", params=where)).json()["entries"]
        assert (entry["ran_at"], entry["pool"]) == (job["runs_at"], pool.label)
        assert f"Ran at {job['runs_at']}" in text_of(await visitor.get(f"/job/{job['id']}"))
        history = await visitor.get("/history", params=where)
        assert f"at {job['runs_at']}" in text_of(history)
        metrics = (await client.get("/metrics")).text
        assert f'place_jobs_total{{place="{where["place"]}",result="ok"}} 1.0' in metrics


BROKEN = {
    "key": "Permission denied",
    "python": "there is no python3 there",
    "old": "python3 there is 2.7: 3.8 or later is needed",
    "full": "can't write to ",
    "host key": "Host key verification failed",
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_host_that_can_t_be_used_is_explained(
    what: str, server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path, home: Path
) -> None:
    """In a line of the log."""
    options: dict[str, Any] = {}
    match what:
        case "key":
            (server.folder / "authorized_keys").write_text("")
        case "python":
            options["python"] = "/no/such/python3"
        case "old":
            old = tmp_path / "old"
            old.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{OLD}' \"$@\"\n")
            old.chmod(0o755)
            options["python"] = str(old)
        case "full":
            (home / ".cache").write_text("no folder")
        case _:
            server.stop()
            server.change_host_key()
    pool = hosts(server, capacity=1, **options)
    if what == "host key":
        (tmp_path / "known").write_text(f"[{server.host}]:{server.port} ssh-ed25519 AAAA\n")
        server.start()

    async def work(job: Job) -> str:
        return await says_where(job, pool)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: "can't be used: " in h.log("do a"), timeout=30)
        (line,) = [line for line in h.log("do a").splitlines() if "can't be used: " in line]
        assert BROKEN[what] in line
        h.find("do a").cancel("enough")
        await h.until(lambda: isinstance(h.output, Failed), timeout=30)


OLD = "import sys; sys.argv = sys.argv[5:]; sys.version_info = (2, 7); exec(sys.argv[0])"


async def test_what_nobody_has_come_back_for_is_removed(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path, home: Path
) -> None:
    """After a week, unless a command may still run there."""
    pool = hosts(server, capacity=1)
    runs = home / ".cache" / "pycurrent" / "run"
    for job, has_ended in (("ended", True), ("runs", False), ("new", True)):
        command = runs / job / "1-a"
        command.mkdir(parents=True)
        (command / "spool").touch()
        if has_ended:
            (command / "status").write_text("0 exited\n")
    week_ago = time.time() - 8 * 24 * 3600
    for job in ("ended", "runs"):
        os.utime(runs / job, (week_ago, week_ago))

    async def work(job: Job) -> str:
        return await says_where(job, pool)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Ok), timeout=30)
    assert sorted(path.name for path in runs.iterdir()) == ["new", "runs"]


class Here(Builder[str, str]):
    """Needs files of the engine's machine."""

    id = "here"
    local = True

    def __init__(self, hosts: ssh.Hosts) -> None:
        self.hosts = hosts

    async def build(self, job: Job, key: str) -> str:
        await job.start(level=Level.HARMLESS, pool=self.hosts)
        return "done"


async def test_what_needs_the_engine_s_machine_is_refused(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """Before it starts: the host is not asked."""
    pool = hosts(server, capacity=1)
    server.stop()
    stage = component("here", lambda: Here(pool).get("a"))
    async with Harness(lambda: stage, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "needs files of the engine's machine" in h.output.message


async def test_a_job_has_no_folders_before_it_has_a_place(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path
) -> None:
    """They would be on another machine than its commands."""
    pool = hosts(server, capacity=1)

    async def work(job: Job) -> str:
        await job.exec(["true"])
        return await says_where(job, pool)

    async with one(tmp_path / "state", work) as h:
        await h.until(lambda: isinstance(h.output, Failed), timeout=30)
        assert "call job.start first" in str(h.output)


@pytest.mark.parametrize(
    ("hosts", "options", "error", "says"),
    [
        ("build1", {}, WrongKind, 'write ["build1", "build2"]'),
        ([], {}, WrongKind, 'write ["build1", "build2"]'),
        (["a", "a"], {}, UsageError, "has got a twice"),
        (["user@host"], {}, UsageError, "give the user as user="),
        (["a"], {"capacity": 0}, UsageError, "capacity of 1 or more"),
        (["a"], {"lease": 0}, UsageError, "lease= takes a time above 0"),
    ],
)
def test_wrong_arguments_are_explained(
    hosts: Any, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says.replace("[", r"\[")):
        ssh.Hosts(hosts, **options)


async def test_the_build_matrix_runs_at_a_host(
    server: Sshd, hosts: Callable[..., ssh.Hosts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does here, but for the pool."""

    matrix = load(f"{Path(__file__).parents[2] / 'examples' / 'build_matrix.py'}:matrix").pipeline
    pool = hosts(server, capacity=2)
    monkeypatch.setitem(matrix.__globals__, "pool_of", lambda on, workers: pool)
    (tmp_path / "checked").mkdir()
    (tmp_path / "checked" / "module.py").write_text("")

    def pipeline() -> Current[None]:
        made: Current[None] = matrix(("python3",), ("-m compileall -q .",), tmp_path / "checked")
        return made

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.until(lambda: isinstance(h.output, Ok | Failed), timeout=60)
        assert isinstance(h.output, Ok)
        assert "Runs at " in h.log("python3 -m compileall")
