"""The client: a command on the engine's machine that stands for one on a host.

The engine runs it as it runs any command of a job, and so it goes on, with the command on the host,
when the engine is killed. It starts `ssh`, and passes on what the command there prints, to its
standard output and its standard error, without what others print before: see `Said`. It ends with
the status of `ssh`.

The input of `ssh` is the *lifeline* of `lifeline.py`. This fills it once the connection is there,
and keeps it open as long as the command is wanted: until it is told to end by SIGTERM. `ssh` itself
ignores TERM, so that it can report when everything on the host has gone. If this is killed, the
lifeline ends as well.

It reads a request from its standard input: a line of JSON, and the bytes to send behind it. The
content of the file `payload` follows, if that is given. With `output` the standard output goes to a
file, as it comes. In the folder of the request it makes two pipes: `errors`, for what `ssh` says,
and `gate`, into which `ssh` has a line written when it is connected: before that nothing is sent,
because it could arrive, and the command begin, after this was told to end.

If what the command prints can't be written, as the disk is full, the command is ended, and this by
the signal `NOT_KEPT`: each status may be that of a command.
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
    from collections.abc import Callable, Iterator
    from typing import Any

# ruff: noqa: PTH118, PTH123
# No pathlib here: it would add to the time that each command takes to begin.

_CHUNK = 1 << 16

_MOST_HELD = 1 << 16
"""Bytes after which we stop waiting for our line: the host may restrict the key to one command, and
then our script does not run.
"""

_SIGNALLED = 128

NOT_KEPT = signal.SIGUSR1
"""Ends this if the standard output could not be kept."""


class Said:
    """Passes on the part of one output that comes after the beginning of the command.

    A server's banner, and the files that a shell on the host reads at its start, may print text
    before the command begins. Two lines of ours mark where that ends: the client writes one to its
    errors when it is `connected`, and the script on the host one to both outputs when the command
    has `begun`.
    """

    def __init__(self, connected: str, begun: str, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._connected = f"{connected}\n".encode()
        self._begun = f"{begun}\n".encode()
        self._held: bytes | None = b""  # None: nothing is held back any more

    def take(self, data: bytes) -> None:
        if self._held is None:
            self._write(data)
            return
        self._held += data
        _, mark, after = self._held.partition(self._begun)
        if mark:
            self._held = None
            self._write(after)
        elif len(self._held) > _MOST_HELD:
            self.end()

    def end(self) -> None:
        """The output has ended. Without our mark, all of it counts as the command's."""
        if self._held is not None:
            held, self._held = self._held, None
            before, mark, after = held.partition(self._connected)
            self._write(after if mark else before)


class Lifeline:
    """The input of `ssh`: filled, then kept open."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._parts = parts
        self._part: bytes | None = b""  # None: there is nothing more to be written

    @property
    def due(self) -> int:
        """The descriptor that more is to be written to; -1 if there is nothing more."""
        return -1 if self._part is None else self._writer

    def feed(self) -> None:
        """Write what it takes now."""
        while self._part is not None:
            # Its end may come at any moment here.
            part = self._part or next(self._parts, None)
            if part is None:
                self._part = None
                return
            try:
                self._part = part[os.write(self._writer, part) :]
            except BlockingIOError:
                self._part = part
                return
            except OSError:  # `ssh` has gone, or this was told to end.
                self._part = None

    def end(self) -> None:
        """Twice is fine. The handler of a signal may call it."""
        writer, self._writer = self._writer, -1
        if writer >= 0:
            os.close(writer)


class Client:
    """One `ssh`, from its start to its end."""

    def __init__(self, request: dict[str, Any], parts: Iterator[bytes]) -> None:
        self._request = request
        self._lifeline = Lifeline(parts)
        self._is_connected = self._is_told = False
        self.has_lost_output = False
        """True if not all that the command has printed could be written."""
        self._wakeup, writer = os.pipe()
        for end in (self._wakeup, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._told_to_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))

    def _told_to_end(self, *_: object) -> None:
        # Here, as all else may be waiting for somebody to take what was printed.
        self._is_told = True
        self._lifeline.end()

    def run(self) -> int:
        """The status of the client, once all that it has said was passed on."""
        gate, errors, writer = self._make_pipes()
        output, stdout = self._make_output()
        if self._is_told:
            return _SIGNALLED + signal.SIGTERM
        pid = _start(self._request["client"], (self._lifeline.reader, stdout, writer))
        for descriptor in (self._lifeline.reader, stdout, writer):
            os.close(descriptor)
        marks = self._request["connected"], self._request["begun"]
        # In this order, so that the last error is the last line.
        listening = {
            output: Said(*marks, self._keep),
            errors: Said(*marks, lambda data: _write(2, data)),
        }
        listening.pop(-1, None)
        while (status := _status_of(pid)) is None:
            self._wait(gate, list(listening))
            for descriptor in list(listening):
                if not _pass_on(descriptor, listening[descriptor]):
                    listening.pop(descriptor).end()
        for descriptor, said in listening.items():
            while _pass_on(descriptor, said, is_whole=True):
                """There is more."""
            said.end()
        return status

    def _keep(self, data: bytes) -> None:
        """Write what the command prints, to a pipe or a file."""
        if self.has_lost_output:
            return
        try:
            _write(1, data)
        except BrokenPipeError:
            raise
        except OSError:
            self.has_lost_output = True
            self._lifeline.end()

    def _make_pipes(self) -> tuple[int, int, int]:
        """The ends of the pipes in the folder: the gate, the errors, and where these are written
        to.
        """
        gate, errors = (os.path.join(self._request["folder"], name) for name in ("gate", "errors"))
        os.mkfifo(gate, 0o600)
        os.mkfifo(errors, 0o600)
        reader = os.open(errors, os.O_RDONLY | os.O_NONBLOCK)
        # Open for both, a pipe has no end.
        return os.open(gate, os.O_RDWR | os.O_NONBLOCK), reader, os.open(errors, os.O_WRONLY)

    def _make_output(self) -> tuple[int, int]:
        """The pipe with what the client prints, -1 if nobody reads that here, and its other end."""
        if self._request["output"] is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            return -1, os.open(self._request["output"], flags, 0o600)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        return reader, writer

    def _wait(self, gate: int, listening: list[int]) -> None:
        """Wait until something has happened, and feed the lifeline."""
        poll = select.poll()
        for descriptor in (self._wakeup, *listening):
            poll.register(descriptor, select.POLLIN)
        due = self._lifeline.due
        if not self._is_connected:
            poll.register(gate, select.POLLIN)
        elif due >= 0:
            poll.register(due, select.POLLOUT)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
        if gate in ready:
            self._is_connected = True
        if self._is_connected:
            self._lifeline.feed()


def _start(words: list[str], stdio: tuple[int, int, int]) -> int:
    """Start a client that ignores TERM."""
    ignoring = ["/bin/sh", "-c", 'trap "" TERM; exec "$@"', "sh", *words]
    return os.posix_spawn(
        ignoring[0],
        ignoring,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in enumerate(stdio)],
        setsigdef=[signal.SIGPIPE],
    )


def _status_of(pid: int) -> int | None:
    """The status of a client as a shell tells it; None if it has not ended."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        return None
    if os.WIFSIGNALED(status):
        return _SIGNALLED + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _pass_on(descriptor: int, said: Said, *, is_whole: bool = False) -> bool:
    """Pass on a piece of what was said. False at its end; if it `is_whole`, where there is nothing
    now, too.
    """
    try:
        data = os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return not is_whole
    said.take(data)
    return bool(data)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _parts(beginning: bytes, payload: str | None) -> Iterator[bytes]:
    """All that is to be sent."""
    if beginning:
        yield beginning
    while part := os.read(0, _CHUNK):
        yield part
    if payload is not None:
        with open(payload, "rb") as file:
            while part := file.read(_CHUNK):
                yield part


def main() -> None:
    """See the module."""
    received = b""
    while b"\n" not in received and (part := os.read(0, _CHUNK)):
        received += part
    line, _, beginning = received.partition(b"\n")
    request = json.loads(line)
    client = Client(request, _parts(beginning, request["payload"]))
    status = client.run()
    if client.has_lost_output:
        os.kill(os.getpid(), NOT_KEPT)
    sys.exit(status)


if __name__ == "__main__":
    main()
