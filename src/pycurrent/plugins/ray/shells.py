"""The shells of a node of a Ray cluster, by which relays reach their agents: see the room `places`.

Sent to the nodes, as `carrier.py` is. An agent which has a Python of its own takes longer to begin
than most commands take. So the shells which begin one are those of an agent server, if it can be
had.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import struct
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path

PYTHON = "python-of-ray"
"""The word that stands for the Python which Ray has on its node."""
_CHUNK = 256 << 10
"""Bytes that are carried at once."""
_LAST = 5.0
"""Seconds that a shell has to end once its connection is lost."""
_PACKET = "!Bii"
_LONGEST = 16
_BEGUN = 0
"""As agent servers have it: see `agent_server.py`."""


def environment() -> dict[str, str]:
    """The variables of the node, as Ray was started there, without Ray's own. These may have the
    token of the cluster; and what Ray sets for its workers slows down or changes other programs.
    """
    try:
        listed = Path(f"/proc/{os.getppid()}/environ").read_bytes().split(b"\0")
        found = dict(os.fsdecode(item).split("=", 1) for item in listed if b"=" in item)
    except OSError:
        found = dict(os.environ)
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("RAY_") and not (name == "LD_PRELOAD" and "/ray/core/" in value)
    }


def _with_python(words: str) -> str:
    return words.replace(PYTHON, shlex.quote(sys.executable), 1)


class Shell:
    """A shell, and what it prints."""

    def __init__(
        self,
        stdin: asyncio.StreamWriter,
        streams: tuple[asyncio.StreamReader, asyncio.StreamReader],
        ended: Awaitable[int],
        kill: Callable[[], None],
        *others: asyncio.StreamWriter,
    ) -> None:
        """`ended` gives its status, and `kill` ends it, when it has begun. `others` are closed with
        its input.
        """
        self._stdin = stdin
        self._others = others
        self._streams = streams
        self._ended = asyncio.ensure_future(ended)
        self._kill = kill
        self._reads: list[asyncio.Task[bytes] | None] = [
            asyncio.ensure_future(stream.read(_CHUNK)) for stream in streams
        ]

    async def give(self, data: bytes) -> None:
        """More input; none is its end. It is dropped if nobody reads it any more."""
        with contextlib.suppress(OSError):
            if data:
                self._stdin.write(data)
                await self._stdin.drain()
            else:
                self._stdin.write_eof()

    async def take(self) -> tuple[bytes, bytes, int | None]:
        """The bytes that have come on both streams, and the status, when all have."""
        waited = [read for read in self._reads if read is not None]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        taken = [b"", b""]
        for number, read in enumerate(self._reads):
            if read is not None and read.done():
                # The other end may have gone without having read all.
                has_gone = read.cancelled() or isinstance(read.exception(), OSError)
                taken[number] = b"" if has_gone else read.result()
                more = self._streams[number].read(_CHUNK) if taken[number] else None
                self._reads[number] = None if more is None else asyncio.ensure_future(more)
        is_over = self._reads == [None, None]
        return taken[0], taken[1], await asyncio.shield(self._ended) if is_over else None

    async def end(self) -> None:
        """It is needed no more: the agent ends when nobody is at the other end."""
        for writer in (self._stdin, *self._others):
            writer.close()
        for read in self._reads:
            if read is not None:
                read.cancel()
        try:
            await asyncio.wait_for(asyncio.shield(self._ended), _LAST)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._kill()
            await self._ended


class _Server:
    """An agent server, as long as it is there."""

    def __init__(self, control: socket.socket, process: Process) -> None:
        self._control = control
        # It would be killed when nobody refers to it.
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._numbers = 0
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._pids: dict[int, int] = {}
        self.is_there = True
        self._loop.add_reader(control.fileno(), self._hear)

    async def begin(self) -> Shell:
        """A shell. Raises OSError if the server has gone."""
        self._numbers += 1
        number = self._numbers
        ended = self._ended[number] = self._loop.create_future()
        ours, theirs = socket.socketpair()
        ours_err, theirs_err = socket.socketpair()
        with theirs, theirs_err:
            stdio = [theirs.fileno(), theirs.fileno(), theirs_err.fileno()]
            try:
                socket.send_fds(self._control, [struct.pack("!i", number)], stdio)
            except OSError:
                del self._ended[number]
                ours.close()
                ours_err.close()
                raise
        reader, writer = await asyncio.open_connection(sock=ours, limit=_CHUNK)
        errors, other = await asyncio.open_connection(sock=ours_err, limit=_CHUNK)
        return Shell(writer, (reader, errors), ended, lambda: self._kill(number), other)

    def _kill(self, number: int) -> None:
        pid = self._pids.get(number)
        if pid is not None:
            os.killpg(pid, signal.SIGKILL)

    def _hear(self) -> None:
        try:
            packet = self._control.recv(_LONGEST)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._gone()
            return
        kind, number, value = struct.unpack(_PACKET, packet)
        if kind == _BEGUN:
            self._pids[number] = value
        else:
            self._pids.pop(number, None)
            self._ended.pop(number).set_result(value)

    def _gone(self) -> None:
        self.is_there = False
        self._loop.remove_reader(self._control.fileno())
        self._control.close()
        for ended in self._ended.values():
            # As a lost connection has it: the agents may be there.
            ended.set_result(255)
        self._ended.clear()


class Shells:
    """The shells of this node."""

    def __init__(self) -> None:
        self._servers: dict[str, asyncio.Task[_Server]] = {}

    async def begin(self, words: str, serving: str) -> Shell:
        """Have a shell run these words. `serving` are the words of a server of such shells; there
        is none if they are empty.
        """
        if serving:
            with contextlib.suppress(OSError):
                return await (await self._server(serving)).begin()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _with_python(words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            limit=_CHUNK,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        streams = (process.stdout, process.stderr)
        kill = lambda: os.killpg(process.pid, signal.SIGKILL)  # noqa: E731
        return Shell(process.stdin, streams, process.wait(), kill)

    async def _server(self, words: str) -> _Server:
        found = self._servers.get(words)
        if found is None or (found.done() and (found.exception() or not found.result().is_there)):
            found = self._servers[words] = asyncio.ensure_future(self._start(words))
        return await asyncio.shield(found)

    async def _start(self, words: str) -> _Server:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                _with_python(words),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(),
                start_new_session=True,
            )
        return _Server(ours, process)
