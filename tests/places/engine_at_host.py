"""Jobs at a host, by the plans of `durable.py`. As a script it runs one, until it is killed.

engine_at_host.py PLAN FOLDER IS_DURABLE HOST USER PORT KEY KNOWN
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from pycurrent.engine import Config
from pycurrent.facade import Engine
from pycurrent.plugins import ssh
from pycurrent.term import Current, Ok, component

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.engine import durable


class Passing(durable.Work):
    """The same work, which ends with its engine."""

    id = "passing"
    durable = False

    def describe(self, key: str) -> str:
        return f"work {key}"


def pipeline(plan: str, folder: Path, hosts: ssh.Hosts, *, is_durable: bool) -> Current[str]:
    if is_durable:
        return durable.pipeline(plan, folder, pool=hosts)
    return component("work", lambda: Passing(folder, hosts, None).get(plan))


def kill_relays(folder: Path) -> int:
    """Kill the relays of commands whose run folders are below a folder; gives how many."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            is_relay = any(word.endswith(b"/relay.py") for word in words)
            if is_relay and (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


async def main(plan: str, folder: Path, hosts: ssh.Hosts, *, is_durable: bool) -> None:
    engine = Engine(
        lambda: pipeline(plan, folder, hosts, is_durable=is_durable),
        state_dir=folder / "state",
        config=Config(lease=durable.LEASE),
    )
    async with engine:
        await engine.settled()
        assert isinstance(engine.output, Ok)


if __name__ == "__main__":
    plan, folder, is_durable, host, user, port, key, known = sys.argv[1:]
    way = ssh.Host(host, user, int(port), Path(key), Path(known), connect_timeout=5)
    hosts = ssh.Hosts([way], capacity=2)
    asyncio.run(main(plan, Path(folder), hosts, is_durable=bool(int(is_durable))))
