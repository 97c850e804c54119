"""A pipeline with a command on a host. As a script it runs that, until it is killed.

killable.py FOLDER, with the way to the host in `FOLDER/host`, and in `FOLDER/plan` which one of the
plans, and SECONDS

The command notes in `FOLDER/ran` that it runs, starts a process in a session of its own that sleeps
for so many SECONDS, says in the FIFO `begun` that it has begun, and goes on when something is
written to the FIFO `go`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from pycurrent import Config, Current, Engine, Secret
from pycurrent.plugins import ssh

LEASE = timedelta(seconds=60)


def told(folder: Path, host: ssh.Host) -> None:
    """Write down the way to a host."""
    way = [host.name, host.user, host.port, str(host.identity), str(host.known_hosts)]
    (folder / "host").write_text(json.dumps(way))


def way(folder: Path) -> ssh.Host:
    """The host of which one was told."""
    name, user, port, identity, known_hosts = json.loads((folder / "host").read_text())
    return ssh.Host(name, user, port, Path(identity), Path(known_hosts))


def _words(folder: Path, number: str, then: str) -> list[str]:
    script = (
        'setsid sleep "$2" >/dev/null 2>&1 & pid=$!; echo ran >> "$1/ran"; echo first;'
        f' echo wrong >&2; echo > "$1/begun"; cat "$1/go"; kill $pid; {then}'
    )
    return ["sh", "-c", script, "sh", str(folder), number]


def runs(folder: Path, number: str) -> Current[None]:
    """A command with an input."""
    argv = _words(folder, number, 'cat >> "$1/ran"; echo second; echo third >&2')
    return ssh.run(way(folder), argv, key="try", stdin="run\n", timeout=3600)


def fails(folder: Path, number: str) -> Current[None]:
    """A command that fails in the end."""
    return ssh.run(way(folder), _words(folder, number, "echo no >&2; exit 7"), key="try")


def reads(folder: Path, number: str) -> Current[None]:
    """A command that reads a secret, and prints it."""
    secret = Secret.from_file(folder / "secret")
    return ssh.run(way(folder), _words(folder, number, "cat"), key="try", secret=secret)


def prints(folder: Path, number: str) -> Current[str]:
    """A command that is run for what it prints."""
    return ssh.output(way(folder), _words(folder, number, r"printf 'second\r\n'; echo third >&2"))


def makes(folder: Path, number: str) -> Current[object]:
    """A command that makes files, of which one can't be kept."""
    then = "echo second; mkfifo pipe; echo made > made"
    return ssh.run(way(folder), _words(folder, number, then), outputs="**")


PLANS: dict[str, Callable[[Path, str], Current[object]]] = {
    plan.__name__: plan for plan in (runs, fails, reads, prints, makes)
}


def pipeline(folder: Path) -> Current[object]:
    """What is to run, as it is written down."""
    plan, number = (folder / "plan").read_text().split()
    return PLANS[plan](folder, number)


async def main(folder: Path) -> None:
    config = Config(lease=LEASE)
    async with Engine(
        lambda: pipeline(folder), state_dir=folder / "state", config=config
    ) as engine:
        await engine.settled()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
