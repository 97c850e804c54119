"""The engine's ends of the sockets to supervisors: of those that have a command, and of the idle.

States of a channel::

    handed over   a supervisor, or the helper, has the other end; the request is being sent
    running       the command has been started
    closed        the last report has come, or the socket has ended without one

After the last report of a command that was not ended from here the supervisor waits for another
one: the channel passes its socket on.

A channel that closes while *handed over*, its request not read to the end, was dropped by a dying
helper or supervisor: nothing has run. The kernel tells by a reset. Any other one that closes
without a last report has lost its supervisor (killed, out of memory): whether and how the command
ended is not known, which is an ending of its own. Ending a command is shutting down our direction
of its channel; it is the same for the supervisor as the engine's death, so there is one way out,
and it is used all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
from collections.abc import Callable, Sequence
from typing import Self, assert_never

from msgspec import Struct

from pycurrent.engine.supervisor import END, REPORT, Report, StartStage

_REPORTS = frozenset(Report)
_MOST_IDLE = 8
"""How many supervisors are kept that have no command: each takes 1 or 2 MB."""


class Started(Struct, frozen=True):
    """The command runs."""

    pid: int


class NotStarted(Struct, frozen=True):
    """The supervisor could not start it: nothing has run."""

    stage: StartStage
    number: int  # errno


class NotAdopted(Struct, frozen=True):
    """Helper or supervisor died before the command was known to it: nothing has run."""


class Exited(Struct, frozen=True):
    """Nothing of the command is left."""

    status: int  # as in `subprocess`


class LeftBehind(Struct, frozen=True):
    """Processes that lived on when the command had exited by itself, and were ended then."""

    count: int
    names: tuple[str, ...]
    """Of the first few."""

    def __str__(self) -> str:
        processes = "a process" if self.count == 1 else f"{self.count} processes"
        more = ", ..." if self.count > len(self.names) else ""
        return f"{processes} that it left behind: {', '.join(self.names)}{more}"


class Used(Struct, frozen=True):
    """The machine's resources that commands have used, as far as somebody waited for each of their
    processes.
    """

    cpu: float
    """Seconds of all processors together."""
    memory: int
    """Bytes that the largest process had."""

    def __add__(self, other: Used) -> Used:
        """As of commands one after the other."""
        return Used(self.cpu + other.cpu, max(self.memory, other.memory))

    @classmethod
    def of(cls, milliseconds: int, kibibytes: int) -> Self:
        """In the units of a supervisor."""
        return cls(milliseconds / 1000, kibibytes << 10)


class Lost(Struct, frozen=True):
    """The supervisor was killed."""


Beginning = Started | NotStarted | NotAdopted | Lost
"""The results of starting a command."""
Ending = Exited | Lost
"""The results of a command that was started."""


class _Phase(enum.Enum):
    HANDED_OVER = enum.auto()
    RUNNING = enum.auto()
    CLOSED = enum.auto()


class SupervisorChannel:
    """The engine's end of the socket to one command's supervisor."""

    def __init__(
        self,
        sock: socket.socket,
        request: bytes,
        on_close: Callable[[SupervisorChannel, socket.socket | None], None],
        told: Callable[[Report], None] | None = None,
    ):
        """Takes over the socket, which doesn't block, and begins to send the request.

        `on_close` is given the socket, if its supervisor waits for another command. The command is
        durable if there is `told`, which is called when its spool has grown, or grows no more.
        """
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._fd = sock.fileno()  # a loop that is given a socket formats it each time
        self._has_writer = False
        self._ends = False
        self._on_close = on_close
        self._told = told
        self._phase = _Phase.HANDED_OVER
        self._received = b""
        self._is_unread = False
        self.left_behind: LeftBehind | None = None
        self.used: Used | None = None
        self._unsent = memoryview(request)
        self.beginning: asyncio.Future[Beginning] = self._loop.create_future()
        self.ending: asyncio.Future[Ending] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._fd, self._receive)
        if request:
            self._send()

    def end(self) -> None:
        """Asks for the end of the command and of all that came of it. Twice is as good as once."""
        if self._phase is _Phase.CLOSED:
            return
        is_first, self._ends = not self._ends, True
        if self._told is not None and not self._unsent:
            # Its end of file would mean that the engine has died.
            if is_first:
                self._unsent = memoryview(END)
                self._send()
            return
        self._stop_sending()
        # The supervisor may have gone just now: the reader tells.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        has_gone = False
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # the supervisor, or the helper: the reader tells
            sent, has_gone = 0, True
        self._unsent = self._unsent[sent:]
        if not self._unsent or has_gone:
            self._stop_sending()
        elif not self._has_writer:
            self._has_writer = True
            self._loop.add_writer(self._fd, self._send)

    def _stop_sending(self) -> None:
        if self._has_writer:
            self._has_writer = False
            self._loop.remove_writer(self._fd)

    def _receive(self) -> None:
        try:
            received = self._sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:  # a reset: it was killed with our request unread
            self._is_unread = True
            received = b""
        self._received += received
        while len(self._received) >= REPORT.size and self._phase is not _Phase.CLOSED:
            report, first, second = REPORT.unpack_from(self._received)
            end = REPORT.size + (second if report == Report.LEFT_BEHIND else 0)
            if len(self._received) < end:
                break
            more, self._received = self._received[REPORT.size : end], self._received[end:]
            # Reports of a later version are passed over.
            if report in _REPORTS:
                self._heard(Report(report), first, second, more)
        if not received and self._phase is not _Phase.CLOSED:
            self._ended_early()

    def _heard(self, report: Report, first: int, second: int, more: bytes) -> None:
        match report:
            case Report.STARTED:
                self._phase = _Phase.RUNNING
                self.beginning.set_result(Started(first))
            case Report.NOT_STARTED:
                self.beginning.set_result(NotStarted(StartStage(first), second))
                self._close()
            case Report.LEFT_BEHIND:
                names = tuple(name.decode(errors="replace") for name in more.split(b"\0"))
                self.left_behind = LeftBehind(first, names)
            case Report.USED:
                self.used = Used.of(first, second)
            case Report.SPOOLED | Report.HELD:
                if self._told is not None:
                    self._told(report)
            case Report.EXITED:
                self.ending.set_result(Exited(first))
                self._close(reusable=not self._ends and not self._unsent)
            case _:
                assert_never(report)

    def _ended_early(self) -> None:
        match self._phase:
            case _Phase.HANDED_OVER if self._is_unread or self._unsent:
                self.beginning.set_result(NotAdopted())
            case _Phase.HANDED_OVER:
                self.beginning.set_result(Lost())
            case _Phase.RUNNING:
                self.ending.set_result(Lost())
            case _Phase.CLOSED:
                raise AssertionError("a closed channel has no reader")
            case _:
                assert_never(self._phase)
        self._close()

    def _close(self, *, reusable: bool = False) -> None:
        self._phase = _Phase.CLOSED
        self._loop.remove_reader(self._fd)
        self._stop_sending()
        if not reusable:
            self._sock.close()
        self.closed.set_result(None)
        self._on_close(self, self._sock if reusable else None)


class IdleSupervisors:
    """The sockets to supervisors that wait for a command; a supervisor goes when its is closed."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: how often to close those that were not needed since the last time."""
        self._seconds = seconds
        self._sockets: list[socket.socket] = []
        self._unneeded = 0  # the fewest that there were since the last look
        self._look: asyncio.TimerHandle | None = None

    def add(self, sock: socket.socket) -> None:
        """Keep it, or close it if there are enough."""
        if len(self._sockets) >= _MOST_IDLE:
            _hang_up(sock)
            return
        self._sockets.append(sock)
        if self._look is None:
            self._look_later()

    def hand_over(
        self, message: bytes, descriptors: Sequence[int]
    ) -> tuple[socket.socket, bytes] | None:
        """One that has been sent the beginning of the message, and the rest; None without any."""
        while self._sockets:
            sock = self._sockets.pop()
            self._unneeded = min(self._unneeded, len(self._sockets))
            try:
                sent = socket.send_fds(sock, [message], descriptors)
            except OSError:  # it was killed, most likely
                sock.close()
            else:
                return sock, message[sent:]
        return None

    def dismiss(self) -> None:
        """Close all of them. Twice does nothing more."""
        self._close(len(self._sockets))
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_later(self) -> None:
        self._unneeded = len(self._sockets)
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(self._seconds, self._close_unneeded)

    def _close_unneeded(self) -> None:
        self._look = None
        self._close(self._unneeded)
        if self._sockets:
            self._look_later()

    def _close(self, count: int) -> None:
        for sock in self._sockets[:count]:  # the one that was used last is the first to be used
            _hang_up(sock)
        del self._sockets[:count]


def _hang_up(sock: socket.socket) -> None:
    # Closing it is not enough: a process that was forked from the engine may have a copy.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
