"""The relay: a command on the engine's machine that stands for one at another place.

The engine runs it as it runs any command of a job, so it is logged, cancelled, and found again
after the engine was killed like one. It prints what the command there prints. How that ended it
writes to `end` in its working directory, which is the run folder of the command here, and what it
waits for meanwhile to `state`.

It reaches the place by a *transport*, the words of a command that connects it with a shell there,
`ssh build1` say, or a bridge (see `connection.py`), and starts an agent by that: see `agent.py`.
When the connection is lost it makes
a new one, with growing pauses, and goes on after the last byte that it has printed: what is in the
files `spool` and `out` here when it starts, and what it has added since. Only when the lease at
the place must be over, counted from the last message that was *sent*, or the transport ends with
status 254, by which it says that the place is gone with all that ran there, it gives up: then the
command is lost.

It reads a request from its standard input: a line of JSON, and the input of the command behind it.
Told to end by SIGTERM it has the command end, and goes on until that has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pycurrent.places import frames
    from pycurrent.places.connection import (
        Connection,
        Gone,
        NotConnected,
        NotPossible,
        Told,
        now,
    )
    from pycurrent.places.frames import Kind
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    import frames
    from connection import Connection, Gone, NotConnected, NotPossible, Told, now
    from frames import Kind

# ruff: noqa: PTH116
# No pathlib here: it would add to the time that each command takes to begin.

_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts to connect: the first, and the most."""
_MARGIN = 10.0
"""Seconds that are waited for longer than a command can be there."""
_KEPT = 16 << 20
"""So many bytes that it has printed are known to the place at once: see `Kind.KEPT`."""


class Relay:
    """Stands for one request."""

    def __init__(self, request: dict[str, Any], stdin: bytes) -> None:
        self._transport: list[str] | dict[str, Any] = request.pop("transport")
        self._programs: str = request.pop("programs")
        self._patience: float = request.pop("patience")
        silence: float = request["silence"]
        self._alive = silence / 4
        lease: float = request.get("lease", 0.0)
        self._bound: float = silence + lease + request.get("grace", 0.0) + min(_MARGIN, 5 * lease)
        self._input_file: str | None = request.pop("input_file", None)
        self._output_file: str | None = request.pop("output_file", None)
        self._request = request
        self._stdin = stdin
        self._told = Told()
        self._is_command = request["do"] == "run"
        self._sent: float | None = None
        """When a message was sent last to an agent that has the request."""
        self._began = now()
        self._at = [_size("spool"), _size("out")] if self._is_command else [0, 0]
        self._kept = self._at[0]
        """How much of what it has printed is known to the place."""
        self._said_alive = now()
        self._has_cancelled = False
        self._state: str | dict[str, str] = ""
        if self._is_command:
            # The engine takes what is printed, or the disk is full of it.
            os.set_blocking(2, False)

    def run(self) -> dict[str, Any]:
        """Do it, to its end."""
        pause = _PAUSE
        while True:
            try:
                connection = Connection(self._transport, self._told)
                connection.greet(
                    self._programs.encode(), self._limit, may_give_up=self._sent is None
                )
                pause = _PAUSE
                self._say("")
                return self._over(connection)
            except Gone as why:
                return {"not_started" if self._sent is None else "lost": str(why)}
            except NotPossible as why:
                if self._sent is None:
                    return {"not_started": str(why)}
                reason = str(why)
            except NotConnected as why:
                reason = str(why)
            if self._told.to_end and self._sent is None:
                return {"status": -signal.SIGTERM, "how": "asked", "left": None}
            if now() + pause > self._limit:
                kind = "not_started" if self._sent is None else "silent"
                return {kind: reason}
            self._say(reason)
            self._wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @property
    def _limit(self) -> float:
        """When it gives up."""
        if self._sent is not None and self._is_command:
            return self._sent + self._bound
        return self._began + self._patience

    def _wait(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._told.wakeup, select.POLLIN)
        if poll.poll(seconds * 1000):
            self._told.settle()

    def _say(self, state: str, cache: str = "") -> None:
        """Say why there is no connection, or which cache folder is waited for; nothing if all is
        well.
        """
        told = {"cache": cache} if cache else state
        if told != self._state and self._is_command:
            self._state = told
            with contextlib.suppress(OSError):
                frames.write_whole("state", told)

    def _over(self, connection: Connection) -> dict[str, Any]:
        """Send the request, and follow it to its end. Raises `NotConnected`."""
        request = dict(self._request, version=frames.VERSION)
        if self._is_command:
            request.update(spool_at=self._at[0], out_at=self._at[1])
            if self._told.to_end and self._sent is None:
                connection.close()
                return {"status": -signal.SIGTERM, "how": "asked", "left": None}
            if self._told.to_end:
                request["begin"] = False
        connection.outbox.add(frames.encode_json(Kind.REQUEST, request))
        output = -1
        if self._output_file is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            output = os.open(self._output_file, flags, 0o600)
        try:
            return self._follow(connection, self._feeding(), output)
        finally:
            if output >= 0:
                os.close(output)

    def _feeding(self) -> Iterator[bytes]:
        """The parts of the input."""
        if self._input_file is None:
            for at in range(0, len(self._stdin), frames.CHUNK):
                yield self._stdin[at : at + frames.CHUNK]
        else:
            with open(self._input_file, "rb") as file:  # noqa: PTH123
                while data := file.read(frames.CHUNK):
                    yield data
        yield b""

    def _follow(
        self, connection: Connection, feeding: Iterator[bytes], output: int
    ) -> dict[str, Any]:
        self._said_alive, self._has_cancelled, feeds = now(), False, True
        while True:
            while feeds and not connection.outbox.is_full:
                part = next(feeding)
                connection.outbox.add(frames.encode(Kind.INPUT, part))
                feeds = bool(part)
            if self._told.to_end and not self._is_command:
                connection.close()
                return {"lost": "its job has ended"}
            self._tell(connection)
            # Once it may have come it counts, whether or not it has.
            self._sent = connection.sent
            for kind, data in connection.messages(self._alive):
                if kind is Kind.END:
                    return self._ended(connection, json.loads(data))
                self._take(connection, kind, data, output)

    def _tell(self, connection: Connection) -> None:
        """Have the place hear what is to be said by now, with what is sent next."""
        if self._told.to_end and not self._has_cancelled and self._is_command:
            self._has_cancelled = True
            connection.outbox.add(frames.encode(Kind.CANCEL))
        if now() > self._said_alive + self._alive:
            self._said_alive = now()
            connection.outbox.add(frames.encode(Kind.ALIVE))
        if self._at[0] >= self._kept + _KEPT:
            # The rest of it is in a pipe, and gone if this machine loses its power.
            self._kept = _size("spool")
            connection.outbox.add(frames.encode(Kind.KEPT, frames.PLACE.pack(self._kept)))

    def _print(self, connection: Connection, data: bytes) -> None:
        """Print it. As long as nobody takes it the place is told that this is there."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(2, view) :]
            except BlockingIOError:
                self._tell(connection)
                connection.send()
                self._sent = connection.sent
                self._await_reader()

    def _await_reader(self) -> None:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        poll.register(self._told.wakeup, select.POLLIN)
        if self._told.wakeup in {fd for fd, _ in poll.poll(self._alive * 1000)}:
            self._told.settle()

    def _take(self, connection: Connection, kind: Kind, data: bytes, output: int) -> None:
        if kind is Kind.SPOOL:
            self._print(connection, data)
            self._at[0] += len(data)
        elif kind is Kind.WAITS:
            self._say("", cache=json.loads(data))
        elif kind is Kind.BEGUN:
            self._say("")
        elif kind is Kind.OUTPUT:
            _write(1 if output < 0 else output, data)
            self._at[1] += len(data)

    def _ended(self, connection: Connection, end: dict[str, Any]) -> dict[str, Any]:
        if self._is_command:
            # The agent may forget it only when it is known here.
            _tell(end)
            connection.leave(frames.encode(Kind.TAKEN))
        else:
            connection.leave()
        return end


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size
    except OSError:
        return 0


def _tell(end: dict[str, Any]) -> None:
    frames.write_whole("end", end)


def main() -> None:
    """See the module."""
    received = b""
    while part := os.read(0, 1 << 20):
        received += part
    line, _, stdin = received.partition(b"\n")
    request = json.loads(line)
    is_command = request["do"] == "run"
    end = Relay(request, stdin).run()
    if not is_command:
        os.write(1, json.dumps(end).encode())
    elif not os.path.exists("end"):  # noqa: PTH110
        _tell(end)


if __name__ == "__main__":
    main()
