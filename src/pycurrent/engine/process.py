"""Commands: each runs under a supervisor, so that nothing of it is ever left behind.

What the supervisors do, and how, is told in `supervisor.py`; this is the engine's side. One
`Processes` holds the resident helper, started with the first command and again after it was
killed, and one `_Line` for each command, the socket to its supervisor. States of a line::

    handed over   the helper has been given the other end; the request is being sent
    adopted       a supervisor has it
    running       the command has been started
    closed        the last report has come, or the socket has ended without one

A line that closes while *handed over* was dropped by a dying helper: nothing has run, and the
command is handed to a new helper. One that closes without a last report later on has lost its
supervisor (killed, out of memory): whether and how the command ended is not known, which is an
error of its own. Ending a command is shutting down our direction of its line; it is the same
for the supervisor as the engine's death, so there is one way out, and it is used all the time.

Two other shapes were considered. A fresh supervisor for each command costs the start of an
interpreter, 30 to 50 ms, each time. Forking from the engine costs a copy of its page tables,
and forking a process that has threads is unsafe.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from pycurrent.engine import supervisor
from pycurrent.engine.supervisor import REPORT, Report, Request, Stage
from pycurrent.errors import PycurrentError

_HAND_OVERS = 3
"""How often a command is handed to a helper that dies before anybody has it."""


_CLOSING = "the engine is being closed"


class CommandNotStarted(PycurrentError):
    """A command could not be started; nothing of it has run."""


class SupervisorLost(PycurrentError):
    """A command's supervisor was killed; whether and how the command ended is not known."""


# What becomes of starting a command, and of a started one.


@dataclass(frozen=True)
class _Started:
    pid: int


@dataclass(frozen=True)
class _NotStarted:
    stage: Stage
    number: int  # errno


@dataclass(frozen=True)
class _NotAdopted:
    """The helper died before a supervisor had the command: nothing has run."""


@dataclass(frozen=True)
class _Exited:
    status: int


@dataclass(frozen=True)
class _Lost:
    """The supervisor was killed."""


_Beginning = _Started | _NotStarted | _NotAdopted | _Lost
_Ending = _Exited | _Lost


class _Phase(enum.Enum):
    HANDED_OVER = enum.auto()
    ADOPTED = enum.auto()
    RUNNING = enum.auto()
    CLOSED = enum.auto()


class _Line:
    """The engine's end of the socket to one command's supervisor."""

    def __init__(self, sock: socket.socket, request: bytes, on_close: Callable[[_Line], None]):
        """Takes over the socket, and begins to send the request."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._on_close = on_close
        self._phase = _Phase.HANDED_OVER
        self._received = b""
        self._unsent = memoryview(request)
        self.beginning: asyncio.Future[_Beginning] = self._loop.create_future()
        self.ending: asyncio.Future[_Ending] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        sock.setblocking(False)
        self._loop.add_reader(sock, self._receive)
        self._send()

    def end(self) -> None:
        """Asks for the end of the command and of all that came of it. Twice is as good as once."""
        if self._phase is _Phase.CLOSED:
            return
        self._loop.remove_writer(self._sock)
        # The supervisor may have gone just now: the reader tells.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:  # the supervisor, or the helper, has gone: the reader tells
            sent = len(self._unsent)
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._sock, self._send)
        else:
            self._loop.remove_writer(self._sock)

    def _receive(self) -> None:
        try:
            received = self._sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:  # a reset: it was killed with our request unread
            received = b""
        self._received += received
        while len(self._received) >= REPORT.size and self._phase is not _Phase.CLOSED:
            report, first, second = REPORT.unpack_from(self._received)
            self._received = self._received[REPORT.size :]
            self._heard(Report(report), first, second)
        if not received and self._phase is not _Phase.CLOSED:
            self._ended_early()

    def _heard(self, report: Report, first: int, second: int) -> None:
        match report:
            case Report.ADOPTED:
                self._phase = _Phase.ADOPTED
            case Report.STARTED:
                self._phase = _Phase.RUNNING
                self.beginning.set_result(_Started(first))
            case Report.NOT_STARTED:
                self.beginning.set_result(_NotStarted(Stage(first), second))
                self._close()
            case Report.EXITED:
                self.ending.set_result(_Exited(first))
                self._close()
            case _:
                assert_never(report)

    def _ended_early(self) -> None:
        match self._phase:
            case _Phase.HANDED_OVER:
                self.beginning.set_result(_NotAdopted())
            case _Phase.ADOPTED:
                self.beginning.set_result(_Lost())
            case _Phase.RUNNING:
                self.ending.set_result(_Lost())
            case _Phase.CLOSED:
                raise AssertionError("a closed line has no reader")
            case _:
                assert_never(self._phase)
        self._close()

    def _close(self) -> None:
        self._phase = _Phase.CLOSED
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        self.closed.set_result(None)
        self._on_close(self)


class Process:
    """A command that was started. Made by `Processes.start`."""

    def __init__(self, pid: int, command: str, line: _Line) -> None:
        self.pid = pid
        """Of the command itself, which leads a session and a process group of its own."""
        self._command = command
        self._line = line

    async def wait(self) -> int:
        """The exit status, as in `subprocess`: negative for a signal.

        Returns when the command *and everything it started* has gone. May be awaited by several,
        and again; cancelling it leaves the command alone. Raises `SupervisorLost` if the
        supervisor was killed; what it guarded is then killed without a grace period.
        """
        match await asyncio.shield(self._line.ending):
            case _Exited(status):
                return status
            case _Lost():
                raise SupervisorLost(
                    f"how {self._command!r} (pid {self.pid}) ended is not known: the process "
                    "that supervised it was killed; run it again"
                )

    def cancel(self) -> None:
        """TERM to everything the command started, KILL to what is left after the grace period.

        `wait` tells when all has gone. Twice, or after the end, it does nothing more.
        """
        self._line.end()


class Processes:
    """All commands of one engine. Belongs to the event loop it is first used in."""

    def __init__(self, *, grace: float = 5.0) -> None:
        """`grace`: seconds between TERM and KILL."""
        self._grace = grace
        self._lines: set[_Line] = set()
        self._helper: _Helper | None = None
        self._handing_over = asyncio.Lock()
        self._closed = False

    @property
    def running(self) -> int:
        """The commands that were begun and have not ended yet."""
        return len(self._lines)

    async def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None,
        env: Mapping[str, str] | None,
        stdin: int,
        stdout: int,
        stderr: int,
    ) -> Process:
        """Starts a command; returns once it has been executed.

        The descriptors are duplicated: the caller keeps its own, and closes them. The command
        has no others. `cwd` and `env` None are the engine's own at this moment. The command is
        looked up on the PATH in `env`. Signals are at their default; umask, limits and the like
        are those the engine had when the first command was started.

        Raises `CommandNotStarted`, after `aclose` too. If cancelled, it ends what it has started
        before it gives way.
        """
        request = _encode(argv, cwd, env, self._grace)
        for _ in range(_HAND_OVERS):
            line = await self._hand_over(argv[0], request, (stdin, stdout, stderr))
            if line is None:
                continue
            match await _begin(line):
                case _Started(pid):
                    return Process(pid, argv[0], line)
                case _NotStarted(stage, number):
                    raise _not_started(argv[0], _explain(argv[0], cwd, stage, number))
                case _Lost() if self._closed:
                    raise _not_started(argv[0], _CLOSING)
                case _Lost():
                    raise _not_started(argv[0], "the process that was to supervise it was killed")
                case _NotAdopted():
                    pass
        raise _not_started(
            argv[0],
            "the helper that starts commands does not stay alive, see what happens to "
            f"{sys.executable} {supervisor.__file__}",
        )

    async def aclose(self) -> None:
        """Ends all commands as `Process.cancel` does, waits for them, and ends the helper.

        No command can be started from then on. Twice does nothing more; if cancelled, it can be
        called again to go on.
        """
        self._closed = True
        async with self._handing_over:
            lines = list(self._lines)
            for line in lines:
                line.end()
            for line in lines:
                await asyncio.shield(line.closed)
            if self._helper is not None:
                await self._helper.aclose()

    async def _hand_over(
        self, command: str, request: bytes, stdio: tuple[int, int, int]
    ) -> _Line | None:
        """A line to the supervisor that the helper will fork; None if the helper has gone."""
        async with self._handing_over:
            if self._closed:
                raise _not_started(command, _CLOSING)
            try:
                if self._helper is None or self._helper.gone.done():
                    self._helper = _Helper()
                ours, theirs = socket.socketpair()
            except OSError as error:
                raise _not_started(command, _reason(error.errno)) from error
            try:
                await self._helper.send((theirs.fileno(), *stdio))
            except (BrokenPipeError, ConnectionResetError):
                ours.close()
                await asyncio.shield(self._helper.gone)
                return None
            except OSError as error:
                ours.close()
                raise _not_started(command, _reason(error.errno)) from error
            except BaseException:
                ours.close()
                raise
            finally:
                theirs.close()
            line = _Line(ours, request, self._lines.discard)
            self._lines.add(line)
            return line


async def _begin(line: _Line) -> _Beginning:
    """What becomes of starting the command. Cancelled, it ends the command first."""
    try:
        return await asyncio.shield(line.beginning)
    except asyncio.CancelledError:
        line.end()
        await asyncio.shield(line.closed)
        raise


class _Helper:
    """The resident helper process, and the control socket to it."""

    def __init__(self) -> None:
        """Starts the process; does not wait for it to be up. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._control, theirs = socket.socketpair()
        if sys.platform == "linux":
            # The smallest there is, room for a few messages: descriptors in flight count against
            # a limit, too. Other systems may take the number at its word.
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self._control.setblocking(False)
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(theirs.close)
            engine = -1
            # Not Linux, or a sandbox: then the sockets alone tell of the engine's death.
            with contextlib.suppress(AttributeError, OSError):
                engine = os.pidfd_open(os.getpid())
                cleanup.callback(os.close, engine)
            try:
                self._process = _launch_helper(theirs.fileno(), engine)
            except BaseException:
                self._control.close()
                raise
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._writable: asyncio.Future[None] | None = None
        self._loop.add_reader(self._control, self._receive)

    async def send(self, descriptors: Sequence[int]) -> None:
        """Hands one command over; one call at a time.

        Raises BrokenPipeError or ConnectionResetError if the helper has gone, another OSError if
        the descriptors can't be sent. If it returns the helper may still die before it looks.
        """
        while not self.gone.done():
            try:
                socket.send_fds(self._control, [b"\0"], descriptors)
            except BlockingIOError:
                self._writable = self._loop.create_future()
                self._loop.add_writer(self._control, self._wake)
                await self._writable
            else:
                return
        raise BrokenPipeError

    async def aclose(self) -> None:
        """Lets the process end, and reaps it. Twice does nothing more."""
        if not self.gone.done():
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)
            await asyncio.shield(self.gone)

    def _wake(self) -> None:
        self._loop.remove_writer(self._control)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _receive(self) -> None:
        """The helper says nothing: this is the end of the socket, and so of the process."""
        self._wake()
        self._loop.remove_reader(self._control)
        self._control.close()
        self._process.wait()  # its descriptors are closed: it is a moment from being a zombie
        self.gone.set_result(None)


def _launch_helper(control: int, engine: int) -> subprocess.Popen[bytes]:
    kept = [descriptor for descriptor in (control, engine) if descriptor >= 0]
    # The helper's own environment can be read by others with the same user id, and lives long:
    # only what an interpreter may need to find its libraries.
    environ = {name: value for name, value in os.environ.items() if "LIBRARY_PATH" in name}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-E", supervisor.__file__, str(control), str(engine)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
        pass_fds=kept,
        start_new_session=True,
    )


def _encode(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, grace: float
) -> bytes:
    """The request to the supervisor. Raises CommandNotStarted for what no command can have."""
    if not argv or not argv[0]:
        raise CommandNotStarted("can't start a command without a name: give it as argv[0]")
    environ = os.environ if env is None else env
    if any("\0" in word for word in (*argv, str(cwd), *environ, *environ.values())):
        raise _not_started(argv[0], "an argument, a variable or the directory contains NUL")
    if any(not name or "=" in name for name in environ):
        raise _not_started(argv[0], "the name of a variable is empty or contains '='")
    try:
        directory = Path.cwd() / (cwd or "")
    except FileNotFoundError:
        raise _not_started(argv[0], "the current directory does not exist any more") from None
    return Request(
        os.fsencode(directory),
        [os.fsencode(word) for word in argv],
        {os.fsencode(name): os.fsencode(value) for name, value in environ.items()},
        grace,
    ).encode()


def _not_started(command: str, why: str) -> CommandNotStarted:
    """Only the name of the command is told: its arguments may be secret."""
    return CommandNotStarted(f"can't start {command!r}: {why}")


def _explain(command: str, cwd: Path | None, stage: Stage, number: int) -> str:
    """What was missing, when `stage` failed with the errno `number`."""
    match stage:
        case Stage.FORK:
            return f"no further process can be made ({_reason(number)})"
        case Stage.CHDIR:
            return f"its working directory {str(cwd or Path())!r}: {_reason(number)}"
        case Stage.INTERPRETER:
            return "the interpreter that its first line names does not exist"
        case Stage.EXEC:
            return _explain_exec(command, number)
        case _:
            assert_never(stage)


def _explain_exec(command: str, number: int) -> str:
    match number:
        case errno.ENOENT if "/" not in command:
            return "there is no such command on the PATH"
        case errno.E2BIG:
            return "its arguments and environment are longer than the system allows"
        case errno.ENOEXEC:
            return "the file is no program that this system can run (no #! line?)"
        case errno.EACCES:
            return "permission denied (is the file executable?)"
        case _:
            return _reason(number)


def _reason(number: int | None) -> str:
    """The system's words for an errno, lower-cased to stand in a sentence."""
    words = os.strerror(number or 0)
    return words[0].lower() + words[1:]
