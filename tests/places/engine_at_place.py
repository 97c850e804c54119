"""Jobs at a place, by the plans of `durable.py`. As a script it runs one, until it is killed.

engine_at_place.py PLAN FOLDER IS_DURABLE ssh HOST USER PORT KEY KNOWN
engine_at_place.py PLAN FOLDER IS_DURABLE slurm
engine_at_place.py PLAN FOLDER IS_DURABLE ray ADDRESS TOKEN
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pycurrent.engine import AnyPool, Config
from pycurrent.facade import Engine
from pycurrent.plugins import ray, slurm, ssh
from pycurrent.term import Current, Ok, component

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.engine import durable

SPOOL = "32M"
"""The room that the spool of a command may take."""


class Passing(durable.Work):
    """The same work, which ends with its engine."""

    id = "passing"
    durable = False

    def describe(self, key: str) -> str:
        return f"work {key}"


def pipeline(plan: str, folder: Path, pool: AnyPool, *, is_durable: bool) -> Current[str]:
    if is_durable:
        return durable.pipeline(plan, folder, pool=pool)
    return component("work", lambda: Passing(folder, pool, None).get(plan))


def pool_of(way: Sequence[str], *, lease: float = 60.0, by_name: bool = True) -> AnyPool:
    """The pool of a place; not `by_name` the same one under another name."""
    match way:
        case ["ssh", host, user, port, key, known]:
            name = user if by_name else None
            made = ssh.Host(host, name, int(port), Path(key), Path(known), connect_timeout=5)
            return ssh.Hosts([made], capacity=2, lease=lease)
        case ["ray", address, token]:
            return ray.Cluster(address, token=token, lease=lease)
        case _:
            return slurm.Partition("ci", memory="100M", lease=lease)


def kill_relays(folder: Path) -> int:
    """Kill the relays of commands whose run folders are below a folder; gives how many."""
    killed = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_relay = (process / "comm").read_text() == "pycurrent-relay\n"
            if is_relay and (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed


async def main(plan: str, folder: Path, pool: AnyPool, *, is_durable: bool) -> None:
    engine = Engine(
        lambda: pipeline(plan, folder, pool, is_durable=is_durable),
        state_dir=folder / "state",
        config=Config(lease=durable.LEASE, spool_max_size=SPOOL),
    )
    async with engine:
        await engine.settled()
        assert isinstance(engine.output, Ok)


if __name__ == "__main__":
    plan, folder, is_durable, *way = sys.argv[1:]
    asyncio.run(main(plan, Path(folder), pool_of(way), is_durable=bool(int(is_durable))))
