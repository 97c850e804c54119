"""The connections of a relay: a transport with an agent at its other end.

It runs beside `relay.py`, without its package.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import Any

    from pycurrent.places import frames
    from pycurrent.places.frames import Kind
else:
    import frames

_GREETING = 64 << 10
"""Bytes that a login shell may print."""
_GREETED, _LEAST_GREETED = 120.0, 10.0
"""Seconds that an agent may take to greet: at most, and where the time is over."""
_KEPT = 8 << 10
"""Bytes of what the transport says that are kept."""
_NO_CONNECTION = 255
"""The status of a transport that has no connection: ssh's own, for all that fails before."""
_GONE = 254
"""The status of a transport whose place is gone for good: nothing runs there any more."""
_LAST = 10.0
"""Seconds for which the end of a connection is waited for that is needed no more."""
_GLANCE, _LONGEST_GLANCE = 0.0005, 0.005
"""Seconds between two looks at a transport that is to end."""


class NotConnected(Exception):
    """There is no connection; a later attempt may help."""


class NotPossible(Exception):
    """There is a connection, but nothing that could run there."""


class Gone(Exception):
    """The place is gone for good, and all that ran there has ended."""


def now() -> float:
    """The time in seconds, on a clock of this machine alone."""
    # With the time that this machine has slept: leases run on meanwhile.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Told:
    """Knows whether this was told to end, and wakes up a poll for that."""

    def __init__(self) -> None:
        self.to_end = False
        self.wakeup, writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._hear)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def _hear(self, _: int, __: FrameType | None) -> None:
        self.to_end = True

    def settle(self) -> None:
        """It was heard."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wakeup, 4096)


class _Command:
    """A transport which is a command."""

    def __init__(self, words: list[str], stdio: tuple[int, int, int]) -> None:
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(stdio)]
        # It is not ended with this one: what is there is to be ended by a message.
        ignoring = ["/bin/sh", "-c", 'trap "" TERM INT HUP; exec "$@"', "sh", *words]
        self._pid = os.posix_spawn(
            ignoring[0], ignoring, os.environ, file_actions=actions, setpgroup=0
        )

    def status(self, is_due: bool) -> tuple[int, str] | None:
        """Its status, and nothing more; None if it has not ended. It is killed if that is due."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            if is_due:
                os.killpg(self._pid, signal.SIGKILL)
            return None
        return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)), ""


class _Bridge:
    """A transport which is a process of the engine's that connects many, at a socket of which each
    packet is a JSON object: it takes a request with the descriptors of an input and two outputs,
    and answers when they are connected no more, with the `status` of the other end, or why they
    could not be, `down`.
    """

    def __init__(self, bridge: dict[str, Any], stdio: tuple[int, int, int]) -> None:
        """`bridge` has the path of the `socket`, and the `request`."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._why = "it has ended"
        try:
            self._socket.connect(bridge["socket"])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("3i", *stdio))]
            self._socket.sendmsg([json.dumps(bridge["request"]).encode()], rights)
        except OSError as error:
            self._why = error.strerror or str(error)
        self._socket.setblocking(False)

    def status(self, is_due: bool) -> tuple[int, str] | None:
        """Like that of a command, and why there is no connection."""
        answer = b""
        try:
            answer = self._socket.recv(1 << 16)
        except BlockingIOError:
            if not is_due:
                return None
        except OSError:
            """It has gone."""
        self._socket.close()
        end = json.loads(answer) if answer else {"down": f"the bridge: {self._why}"}
        return int(end.get("status", _NO_CONNECTION)), str(end.get("down", ""))

    def leave(self) -> None:
        """The status is not awaited."""
        self._socket.close()


class Connection:
    """A transport with an agent at its other end. Messages are sent while others are awaited."""

    def __init__(self, transport: list[str] | dict[str, Any], told: Told) -> None:
        """Raises `NotConnected`, `NotPossible` and `Gone`."""
        self._told = told
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        stdio = (theirs_in, theirs_out, theirs_err)
        self._transport: _Command | _Bridge
        if isinstance(transport, list):
            self._transport = _Command(transport, stdio)
        else:
            self._transport = _Bridge(transport, stdio)
        for descriptor in stdio:
            os.close(descriptor)
        for descriptor in (ours_in, ours_out, ours_err):
            os.set_blocking(descriptor, False)
        self._in, self._out, self._err = ours_in, ours_out, ours_err
        self._said = b""
        self._reader = frames.Reader()
        self.outbox = frames.Outbox(ours_in)
        self.sent = now()
        """When something was sent last."""
        self.early = b""

    def greet(self, programs: bytes, limit: float, *, may_give_up: bool) -> None:
        """Wait for the agent, which is sent its program if it has none: until the time `limit`, but
        some seconds at least. It may give up if this is told to end.
        """
        received = b""
        deadline = now() + min(_GREETED, max(_LEAST_GREETED, limit - now()))
        while True:
            _, mark, after = received.partition(frames.MARK)
            if mark and after:
                break
            if (self._told.to_end and may_give_up) or now() > deadline:
                self.close()
                raise NotConnected("there is no answer of python3 there")
            more = self._receive(deadline - now())
            if more == b"" or len(received) > _GREETING:
                raise self._failure(is_early=True)
            received += more or b""
        if after[:1] == b"n":
            self.outbox.add(b"%8d" % len(programs) + programs)
        self.early = after[1:]

    def _receive(self, seconds: float | None) -> bytes | None:
        """Send, and what has come; None if nothing has, empty at the end."""
        poll = select.poll()
        for descriptor in (self._out, self._err, self._told.wakeup):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        if self.outbox:
            poll.register(self._in, select.POLLOUT)
        ready = {fd for fd, _ in poll.poll(None if seconds is None else max(0, seconds) * 1000)}
        if self._told.wakeup in ready:
            self._told.settle()
        if self._err in ready:
            self._hear()
        if self._in in ready:
            try:
                self.outbox.send()
                self.sent = now()
            except OSError:
                return b""
        return frames.read_some(self._out) if self._out in ready else None

    def send(self) -> None:
        """Send what can be sent now. That the other end has gone is noticed by `messages`."""
        with contextlib.suppress(OSError):
            self.outbox.send()
            self.sent = now()

    def _hear(self) -> None:
        said = frames.read_some(self._err)
        if said == b"":
            os.close(self._err)
            self._err = -1
        self._said = (self._said + (said or b""))[-_KEPT:]

    def messages(self, seconds: float | None) -> Iterator[tuple[Kind, bytes]]:
        """The messages that come within so long. Raises `NotConnected` at their end."""
        if self.early:
            early, self.early = self.early, b""
            yield from self._reader.feed(early)
            return
        received = self._receive(seconds)
        if received == b"":
            raise self._failure(is_early=False)
        try:
            yield from self._reader.feed(received or b"")
        except frames.Damaged as why:
            raise NotConnected(f"the agent there has sent {why}") from None

    def _failure(self, *, is_early: bool) -> NotConnected | NotPossible | Gone:
        status = self.close()
        lines = [line for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"it ended with status {status}"
        if status == _GONE:
            return Gone(said)
        if status == _NO_CONNECTION or status < 0 or not is_early:
            return NotConnected(said)
        if status == 127:
            return NotPossible(f"there is no python3 there: {said}")
        return NotPossible(said)

    def close(self) -> int:
        """Its status. Once."""
        os.close(self._in)
        os.close(self._out)
        deadline, pause = now() + 1, _GLANCE
        while True:
            while self._err >= 0 and _poll_one(self._err):
                self._hear()
            end = self._transport.status(now() > deadline)
            if end is not None:
                break
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_GLANCE)
        while self._err >= 0 and _poll_one(self._err):
            self._hear()
        if self._err >= 0:
            os.close(self._err)
        status, why = end
        self._said += why.encode()
        return status

    def leave(self, last: bytes = b"") -> None:
        """Nothing more is awaited of the agent, which is sent this. Once, instead of `close`."""
        self.outbox.add(last)
        deadline = now() + _LAST
        if isinstance(self._transport, _Bridge):
            # It passes on what it was sent, also when this has gone.
            while self.outbox and now() < deadline and self._receive(deadline - now()) != b"":
                """The rest of it."""
            self._transport.leave()
        elif not last:
            self.close()
        else:
            with contextlib.suppress(NotConnected, NotPossible, Gone):
                while True:
                    for _ in self.messages(_LAST):
                        """It has nothing to say."""


def _poll_one(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
