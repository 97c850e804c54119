"""The engine's side of the driver: a job that needs it has it started, also again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from pycurrent.engine.job_host import JobHost
from pycurrent.engine.leftovers import locked_file
from pycurrent.engine.process import Process, Processes
from pycurrent.engine.secret import Secret
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import PycurrentError

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from pycurrent.plugins.ray.driver import main; main()"
)
_ROOT = Path(__file__).parents[3]
"""Where our package is."""
_LONGEST_SOCKET = 100
"""Characters that the path of a socket may have."""
_DAY = 24 * 3600.0
_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two starts of a driver."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files by which both ends of a connection know each other: the engine's certificate, its
    key, and the certificate of the authority that the cluster trusts.
    """

    cert: Path
    key: Path
    ca: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Ray knows of them."""
        return {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(self.cert.absolute()),
            "RAY_TLS_SERVER_KEY": str(self.key.absolute()),
            "RAY_TLS_CA_CERT": str(self.ca.absolute()),
        }


class NoDriver(Exception):
    """There is no driver; the text says why."""


class _Driver:
    """A driver of this process, and when it may be started again."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.process: Process | None = None
        self.pause = _PAUSE
        self.again_at = 0.0


class Connection:
    """Leads to a cluster by a driver, which the engines that use it have one of each."""

    def __init__(
        self, address: str, token: Secret | str | None, tls: Tls | None, patience: float
    ) -> None:
        self.address = address
        self._token = token
        self._tls = tls
        self._patience = patience
        self._drivers: WeakKeyDictionary[Processes, _Driver] = WeakKeyDictionary()

    def socket_of(self, host: JobHost) -> Path:
        """Where the driver of an engine listens. The next engine's will be there, too: relays that
        have outlived this one look for it.
        """
        text = f"{host.runs.absolute()} {self.address} {self._tls!r}"
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Path.home() / ".cache" / "pycurrent" / "ray" / name

    async def open(self, host: JobHost) -> socket.socket:
        """A connection with the driver. Raises `NoDriver`."""
        path = self.socket_of(host)
        driver = self._drivers.setdefault(host.processes(), _Driver())
        async with driver.lock:
            found = await _connected(path)
            if found is not None:
                return found
            await asyncio.sleep(max(0.0, driver.again_at - time.monotonic()))
            driver.again_at = time.monotonic() + driver.pause
            driver.pause = min(2 * driver.pause, _LONGEST_PAUSE)
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                await in_thread(_remove_left, path.parent)
                # Another cluster of the same address has the same driver.
                lock = path.with_suffix(".lock")
                async with locked_file(lock, host.locks, lambda: None):
                    found = await _connected(path)
                    if found is not None:
                        return found
                    await self._start(host, path, driver)
            except (OSError, PycurrentError) as error:
                raise NoDriver(str(error)) from error
            found = await _connected(path)
        if found is None:
            raise NoDriver(await in_thread(_last_line, path.with_suffix(".log")))
        return found

    def works(self, host: JobHost) -> None:
        """It has led to the cluster: the next start need not wait."""
        driver = self._drivers.get(host.processes())
        if driver is not None:
            driver.pause = _PAUSE

    async def _start(self, host: JobHost, path: Path, driver: _Driver) -> None:
        """Start the driver, and wait until it listens, or has ended."""
        if len(str(path)) > _LONGEST_SOCKET:
            raise NoDriver(f"the path {path} is too long for a socket: use a shorter HOME")
        options = await self._options(path)
        reader, writer = os.pipe()
        # In memory: the token is on no disk.
        given = os.memfd_create("options")
        log = os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(given, options)
            os.lseek(given, 0, os.SEEK_SET)
            driver.process = await host.processes().start(
                [sys.executable, "-P", "-c", _START, str(_ROOT)],
                cwd=None,
                env=None,
                stdin=given,
                stdout=writer,
                stderr=log,
                serves=True,
            )
            os.close(writer)
            writer = -1
            await _ended(reader)
        finally:
            for descriptor in (reader, given, log, writer):
                if descriptor >= 0:
                    os.close(descriptor)

    async def _options(self, path: Path) -> bytes:
        environment = {"RAY_DISABLE_IMPORT_WARNING": "1"}
        if self._token is not None:
            token = self._token
            text = token if isinstance(token, str) else await in_thread(token.read)
            environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": text}
        if self._tls is not None:
            environment |= self._tls.environment
        return json.dumps(
            {
                "address": self.address,
                "socket": str(path),
                "log": str(path.with_suffix(".log")),
                "patience": self._patience,
                "environment": environment,
            }
        ).encode()


async def _connected(path: Path) -> socket.socket | None:
    """A connection with the driver that listens there; None if none does."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, str(path))
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            return None
        raise
    return sock


def _settle(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _ended(descriptor: int) -> None:
    """Wait until nobody has the other end of a pipe."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ended)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)


def _remove_left(folder: Path) -> None:
    """Remove the files of drivers that have ended, after a day."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if path.suffix or time.time() - path.stat().st_mtime < _DAY:
                continue
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
                try:
                    asking.connect(str(path))
                except ConnectionRefusedError:
                    for left in (path, path.with_suffix(".log"), path.with_suffix(".lock")):
                        left.unlink(missing_ok=True)


def _last_line(path: Path) -> str:
    """The last line that a driver has printed."""
    with suppress(OSError):
        lines = [line.strip() for line in path.read_text(errors="replace").splitlines()]
        said = next((line for line in reversed(lines) if line), "")
        if said:
            return f"its driver has ended: {said[:300]}"
    return "its driver has ended at once"
