"""Hosts on which jobs run their commands."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from weakref import WeakKeyDictionary

from pycurrent.engine.place import Place
from pycurrent.engine.process import Process, Processes
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import PycurrentError, UsageError, WrongKind
from pycurrent.places import ConnectedPlace, PlacePool
from pycurrent.plugins.ssh.host import Host, master, transport
from pycurrent.term import shown


def _remove_left(folder: Path) -> None:
    """Remove the sockets of connections that are gone: their engines were killed."""
    for path in folder.iterdir():
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                """It is just being made, or removed."""


_LONGEST_SOCKET = 80
"""Characters that the path of a socket may have: the client adds some to it."""


@dataclass(frozen=True, slots=True)
class HostPlace(ConnectedPlace):
    """A host as a place."""

    host: Host
    python: str
    lease: float

    @property
    def name(self) -> str:
        return str(self.host)

    @property
    def kind(self) -> str:
        return "ssh"

    @property
    def known_as(self) -> str:
        return f"ssh {self.host}"

    @property
    def control(self) -> Path | None:
        """The socket of the connection that the commands of this process go by; None if there can
        be none.
        """
        text = f"{self.host!r} {os.getpid()}"
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = Path.home() / ".cache" / "pycurrent" / "ssh" / name
        return path if len(str(path)) < _LONGEST_SOCKET else None

    def connect(self, words: str) -> Sequence[str]:
        return transport(self.host, words, self.control)


class Hosts(PlacePool):
    """A pool of hosts: a job that is started with it runs its commands on one of them, by OpenSSH.

    `capacity` jobs run at once on each. The hosts are names, as in `~/.ssh/config`, or `Host`
    objects; the other options are those of `Host`, for the names. A host needs a `python3` of
    version 3.8 or later, or the one at the path `python`, and nothing else: no daemon, and no
    package.

    While the connection to a host is lost its commands go on, for as long as the longer one of
    `lease` (in seconds, if a number) and the engine's lease says; then they are ended there, and
    the job fails. A host that can't be reached leaves the pool until it can; the jobs say why.
    Raises `UsageError` for malformed names, and for the same host twice.
    """

    def __init__(
        self,
        hosts: Sequence[str | Host],
        *,
        capacity: int = 1,
        label: str = "hosts",
        user: str | None = None,
        port: int | None = None,
        identity: Path | None = None,
        known_hosts: Path | None = None,
        config: Path | None = None,
        connect_timeout: int = 15,
        python: str = "python3",
        lease: timedelta | float = 60.0,
    ) -> None:
        if isinstance(hosts, str) or not hosts:
            raise WrongKind(
                f'ssh.Hosts takes a list of hosts, not {shown(hosts)}: write ["build1", "build2"]'
            )
        made = [
            Host(host, user, port, identity, known_hosts, config, connect_timeout)
            if isinstance(host, str)
            else host
            for host in hosts
        ]
        names = [str(host) for host in made]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(
                f"ssh.Hosts has got {', '.join(twice)} twice: give it a larger capacity= instead"
            )
        seconds = lease.total_seconds() if isinstance(lease, timedelta) else float(lease)
        if not seconds > 0:
            raise UsageError(f"ssh.Hosts: lease= takes a time above 0, not {shown(lease)}")
        super().__init__(label, [HostPlace(host, python, seconds) for host in made], capacity)
        self._masters: WeakKeyDictionary[Processes, dict[Place, Process]] = WeakKeyDictionary()

    async def keep_open(self, place: Place, processes: Processes) -> None:
        assert isinstance(place, HostPlace)
        control, masters = place.control, self._masters.setdefault(processes, {})
        known = masters.get(place)
        if control is None or (known is not None and not known.has_ended):
            return
        # Without it each command has a connection of its own, which takes longer.
        with suppress(OSError, PycurrentError):
            control.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await in_thread(_remove_left, control.parent)
            nothing = os.open(os.devnull, os.O_RDWR)
            try:
                masters[place] = await processes.start(
                    master(place.host, control),
                    cwd=None,
                    env=None,
                    stdin=nothing,
                    stdout=nothing,
                    stderr=nothing,
                    serves=True,
                )
            finally:
                os.close(nothing)

    def __repr__(self) -> str:
        return f"ssh.Hosts({[place.name for place in self.places]!r})"
