"""Commands at a host by ssh, beside `ssh` alone: an OpenSSH server on this machine.

`hosts-command` is the smallest command of a job from its start to its end, the connection being
there already. `hosts-ssh` is the same by a client that goes by a connection that is there, and
`hosts-ssh-new` by one that makes its own.
"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.figures import SMALL, Benchmark, Figure, NotMeasured, Samples
from benchmarks.places import Place, scratch
from tests.debian import MissingPart
from tests.plugins.sshd import Sshd, find_sshd, new_key

from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.facade import Engine
from pycurrent.plugins import ssh
from pycurrent.plugins.ssh.host import transport
from pycurrent.plugins.ssh.hosts import HostPlace

_TIMES = 12


def command(_: int) -> Samples:
    """The milliseconds of a small command, after some others."""
    try:
        find_sshd()
    except MissingPart as why:
        raise NotMeasured(str(why)) from None
    with scratch(Place.DISK) as folder:
        key, home = new_key(folder / "key"), folder / "home"
        home.mkdir()
        # Without the settings of a login shell, which may take longer than all else.
        server = Sshd(folder / "sshd", environment={"HOME": str(home)})
        server.authorize(key)
        server.start()
        try:
            known = folder / "known"
            known.write_text(server.known_hosts_line)
            host = ssh.Host(server.host, server.user, server.port, key, known)
            return asyncio.run(_measured(host, folder / "state"))
        finally:
            server.stop()


async def _measured(host: ssh.Host, state: Path) -> Samples:
    took: dict[str, list[float]] = {"ours": [], "through": [], "new": []}
    hosts = ssh.Hosts([host])

    @builder("measured", level=Level.HARMLESS, pool=hosts)
    async def measured(job: Job) -> str:
        assert isinstance(job.place, HostPlace)
        control = job.place.control
        for _ in range(_TIMES):
            began = perf_counter()
            await job.exec(["echo", "hello"])
            took["ours"].append(perf_counter() - began)
            for name, path in (("through", control), ("new", None)):
                began = perf_counter()
                await asyncio.to_thread(_run, transport(host, "echo hello", path))
                took[name].append(perf_counter() - began)
        return "done"

    async with Engine(measured, state_dir=state) as engine:
        await engine.settled()
    ours, through, new = (median(times[2:]) * 1e3 for times in took.values())
    return {"hosts-command": ours, "hosts-ssh": through, "hosts-ssh-new": new}


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)


BENCHMARKS = (
    Benchmark(
        "hosts",
        command,
        (
            Figure("hosts-command", "a small command of a job at a host", "ms", {SMALL: 200}),
            Figure("hosts-ssh", "  by ssh alone, through a connection that is there", "ms"),
            Figure("hosts-ssh-new", "  by ssh alone", "ms"),
        ),
        sizes=(SMALL,),
        runs={SMALL: 1},
    ),
)
