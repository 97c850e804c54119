"""A registry of the tests' own, and one that stalls."""

import asyncio
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

USER = "joe"
PASSWORD = "correct-horse-battery"

LAYER = 100_000
"""What is larger is a layer."""

CONFIG = """\
version: 0.1
log: {{level: warn}}
http: {{addr: "127.0.0.1:{port}"}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
"""
READ_ONLY = "  maintenance: {{readonly: {{enabled: true}}}}\n"
AUTH = "auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"


class Registry:
    """A registry that keeps to a folder, on a free port of this machine."""

    def __init__(
        self, folder: Path, *, asks_for_password: bool = False, read_only: bool = False
    ) -> None:
        self.folder = folder
        self.host = f"127.0.0.1:{_free_port()}"
        config = CONFIG + (READ_ONLY if read_only else "") + (AUTH if asks_for_password else "")
        port = self.host.rpartition(":")[2]
        (folder / "config.yml").write_text(config.format(folder=folder, port=port))
        users = subprocess.check_output(["htpasswd", "-Bbn", USER, PASSWORD])
        (folder / "htpasswd").write_bytes(users)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self.folder / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        host, _, port = self.host.partition(":")
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "the registry does not come up"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Stalled:
    """A registry that sends, or takes, a layer so slowly that it takes for ever.

    It does: an engine notices that nobody waits for a pull when it has progress to tell.
    """

    host: str = ""
    waiting: int = 0
    """How many layers are on their way."""
    received: int = 0
    """Bytes of layers that have come, of those that are pushed."""


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _serving(answer: Answer) -> AsyncIterator[str]:
    """Where each connection gets one answer."""
    serving: set[asyncio.Task[None]] = set()

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                try:
                    await answer(reader, writer)
                except NotTLS:
                    writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                    await writer.drain()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer_once(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


class NotTLS(Exception):
    """What was taken for a server that speaks TLS does not."""


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Of the request. Raises NotTLS if it is TLS, which the engine tries first."""
    first = await reader.readexactly(1)
    if not first.isalpha():
        raise NotTLS
    return first + await reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def stalling(behind: Registry) -> AsyncIterator[Stalled]:
    """What a registry has, but for its layers."""
    stalled = Stalled()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = await _forward(await _head(reader), behind.host)
        if len(text) < LAYER:
            # It tells where to go on.
            writer.write(text.replace(behind.host.encode(), stalled.host.encode()))
            await writer.drain()
            return
        stalled.waiting += 1
        try:
            await _trickle(reader, writer)
        finally:
            stalled.waiting -= 1

    async with _serving(answer) as stalled.host:
        yield stalled


@asynccontextmanager
async def breaking_off() -> AsyncIterator[str]:
    """Where a registry is said to be that ends each connection without an answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)

    async with _serving(answer) as host:
        yield host


@asynccontextmanager
async def taking_slowly() -> AsyncIterator[Stalled]:
    """An empty registry, which takes what is pushed so slowly that it takes for ever."""
    slow = Stalled()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await _head(reader)
        if not head.startswith((b"PATCH ", b"PUT ")):
            status = {b"POST": "202 Accepted", b"HEAD": "404 Not Found"}.get(head[:4], "200 OK")
            where = f"Location: http://{slow.host}/v2/x/blobs/uploads/1\r\n"
            known = "Docker-Upload-UUID: 1\r\nRange: 0-0\r\nContent-Length: 0\r\n"
            writer.write(f"HTTP/1.1 {status}\r\n{where}{known}Connection: close\r\n\r\n".encode())
            await writer.drain()
            return
        slow.waiting += 1
        try:
            while data := await reader.read(1 << 16):
                slow.received += len(data)
                await asyncio.sleep(0.01)
        finally:
            slow.waiting -= 1

    async with _serving(answer) as slow.host:
        yield slow


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a little now and then, until the other side has enough."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
    while not reader.at_eof():
        writer.write(bytes(1000))
        await writer.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), timeout=0.05)


async def _forward(head: bytes, to: str) -> bytes:
    """The answer to one request without a body."""
    host, _, port = to.partition(":")
    answer, request = await asyncio.open_connection(host, int(port))
    first, rest = head.split(b"\r\n", 1)
    request.write(first + b"\r\nConnection: close\r\n" + rest)
    text = await answer.read()
    request.close()
    await request.wait_closed()
    return text
