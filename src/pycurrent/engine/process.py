"""Commands: each runs under a supervisor, so that nothing of it is ever left behind.

This is the engine's side; see `supervisor.py` for what the supervisors do, and how. One
`Processes` holds the resident helper, started with the first command and again after it was
killed, and one `SupervisorChannel` for each command, the socket to its supervisor. A command whose
channel was never adopted is handed to a new helper. A supervisor whose command has ended by itself
is given the next one; a few that have nothing to do are kept for a while.

Two other shapes were considered. A fresh supervisor for each command costs the start of an
interpreter, 30 to 50 ms, each time. Forking from the engine costs a copy of its page tables,
and forking a process that has threads is unsafe.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from pycurrent.engine import supervisor
from pycurrent.engine.channel import (
    Beginning,
    Exited,
    IdleSupervisors,
    LeftBehind,
    Lost,
    NotAdopted,
    NotStarted,
    Started,
    SupervisorChannel,
    Used,
)
from pycurrent.engine.helper import HelperProcess
from pycurrent.engine.machine import Blame
from pycurrent.engine.not_started import CommandNotStarted, blame_of, explain, not_started, reason
from pycurrent.engine.pump import Copiers
from pycurrent.engine.spool import COPIERS
from pycurrent.engine.supervisor import CONTROL, Report, Request
from pycurrent.errors import PycurrentError
from pycurrent.term import FailureKind

_HAND_OVERS = 3
"""How often a command is handed to a helper that dies before anybody has it."""

_CLOSING = "the engine is being closed"
_HELPER_DIES = (
    "the helper that starts commands does not stay alive, see what happens to "
    f"{sys.executable} {supervisor.__file__}"
)


class SupervisorLost(PycurrentError):
    """A command's supervisor was killed; whether and how the command ended is not known."""

    # The kernel does so when it runs out of memory; nothing that a command does by itself.
    blame = Blame.SHORTAGE
    kind = FailureKind.INFRA


class Durability(Struct, frozen=True):
    """How a command outlives the engine: see `supervisor.Durable`."""

    folder: str
    """Its run folder, which is there under this name with `.new`."""
    lease: float
    """Seconds for which it goes on without an engine."""
    told: Callable[[Report], None]
    """Called when it has printed something, and when it has to wait with that."""
    most: int = 0
    """Bytes that its spool may take, 0 for any number."""


class Process:
    """A command that was started. Made by `Processes.start`, or `Processes.attach`."""

    def __init__(self, pid: int, command: str, channel: SupervisorChannel) -> None:
        self.pid = pid
        """Of the command itself, which leads a session and a process group of its own."""
        self._command = command
        self._channel = channel

    async def wait(self) -> int:
        """The exit status, as in `subprocess`: negative for a signal.

        Returns when the command *and everything it started* has gone. May be awaited by several,
        and again; cancelling it leaves the command alone. Raises `SupervisorLost` if the
        supervisor was killed; what it guarded is then killed without a grace period.
        """
        match await asyncio.shield(self._channel.ending):
            case Exited(status):
                return status
            case Lost():
                raise SupervisorLost(
                    f"how {self._command!r} (pid {self.pid}) ended is not known: the process "
                    "that supervised it was killed; run it again"
                )

    @property
    def has_ended(self) -> bool:
        """True once nothing of it is left."""
        return self._channel.closed.done()

    @property
    def left_behind(self) -> LeftBehind | None:
        """The processes that lived on when the command had exited, and were ended. After `wait`."""
        return self._channel.left_behind

    @property
    def used(self) -> Used | None:
        """The resources that it has used, if it has ended and is not durable."""
        return self._channel.used

    def cancel(self) -> None:
        """TERM to everything the command started, KILL to what is left after the grace period.

        `wait` tells when all has gone. Twice, or after the end, it does nothing more.
        """
        self._channel.end()


class Processes:
    """All commands of one engine. Belongs to the event loop it is first used in."""

    def __init__(
        self, *, grace: float = 5.0, descriptors: int | None = None, idle: float = 30.0
    ) -> None:
        """`grace`: seconds between TERM and KILL; `descriptors`: the soft limit of commands, by
        default the engine's own; `idle`: seconds that supervisors are kept without being needed.
        """
        self._grace = grace
        self._descriptors = descriptors
        self._channels: set[SupervisorChannel] = set()
        self._serving: dict[SupervisorChannel, int] = {}
        self._idle = IdleSupervisors(idle)
        self.copiers = Copiers()
        """Copy what the commands print."""
        self.spool_most = 0
        """Bytes that the spool of a durable command may take, 0 for any number."""
        self.spool_turns = asyncio.Semaphore(COPIERS)
        """Of those that copy what durable commands print."""
        self.attaching = asyncio.Lock()
        """Of the jobs that go on with commands of an earlier engine."""
        self._helpers: list[HelperProcess] = []
        """The last one is given commands; what the others guarded may not have ended yet."""
        self._handing_over = asyncio.Lock()
        self._closed = False

    @property
    def running(self) -> int:
        """The commands that were begun and have not ended yet, without those that only serve."""
        return len(self._channels) - len(self._serving)

    @property
    def serving(self) -> list[int]:
        """The pids of the commands that only serve."""
        return list(self._serving.values())

    async def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None,
        env: Mapping[str, str] | None,
        stdin: int,
        stdout: int,
        stderr: int,
        grace: float | None = None,
        pipes: Sequence[int] = (),
        locks: Sequence[int] = (),
        durable: Durability | None = None,
        serves: bool = False,
    ) -> Process:
        """Starts a command; returns once it has been executed.

        `grace` stands in for that of all of them. `pipes` are the other ends of its `stdout` and
        `stderr`: they are drained if this process dies. `locks` are kept open as long as anything
        of the command lives. With `durable` there is one pipe, which the supervisor reads.
        A command that `serves` others runs for as long as they may need it: that does not count as
        work.

        The descriptors are duplicated: the caller keeps its own, and closes them. The command
        has no others. `cwd` and `env` None are the engine's own at this moment. The command is
        looked up on the PATH in `env`. Signals are at their default; umask, limits and the like
        are those the engine had when the first command was started.

        Raises `CommandNotStarted`, after `aclose` too. If cancelled, it ends what it has started
        before it gives way.
        """
        grace = self._grace if grace is None else grace
        request = _encode(argv, cwd, env, grace, durable)
        descriptors = (stdin, stdout, stderr, *pipes, *locks)
        message = CONTROL.pack(len(pipes), len(locks))
        for _ in range(_HAND_OVERS):
            told = None if durable is None else durable.told
            channel = await self._hand_over(argv[0], request, message, descriptors, told)
            if channel is None:
                continue
            process = self._process(argv[0], cwd, await _begin(channel), channel)
            if process is not None:
                if serves and not channel.closed.done():
                    self._serving[channel] = process.pid
                return process
        raise not_started(argv[0], _HELPER_DIES, Blame.SHORTAGE)

    def attach(self, sock: socket.socket, command: str, told: Callable[[Report], None]) -> Process:
        """Attach this engine to a durable command of another one, by the socket that leads to its
        supervisor, which is taken over. `told` is as in `Durability`.
        """
        return Process(0, command, self._channel(sock, b"", told))

    def _process(
        self, command: str, cwd: Path | None, beginning: Beginning, channel: SupervisorChannel
    ) -> Process | None:
        """The process that has begun so; None if nobody has it, so that another helper may try."""
        match beginning:
            case Started(pid):
                return Process(pid, command, channel)
            case NotStarted(stage, number):
                why = explain(command, cwd, stage, number)
                raise not_started(command, why, blame_of(stage, number))
            case Lost() if self._closed:
                raise not_started(command, _CLOSING)
            case Lost():
                why = "the process that was to supervise it was killed"
                raise not_started(command, why, Blame.SHORTAGE)
            case NotAdopted():
                return None

    async def aclose(self) -> None:
        """Ends all commands as `Process.cancel` does, waits for them, and ends the helper.

        No command can be started from then on. Twice does nothing more; if cancelled, it can be
        called again to go on.
        """
        self._closed = True
        async with self._handing_over:
            channels = list(self._channels)
            for channel in channels:
                channel.end()
            for channel in channels:
                await asyncio.shield(channel.closed)
            self._idle.dismiss()
            for helper in self._helpers:
                await helper.aclose()

    async def _hand_over(
        self,
        command: str,
        request: bytes,
        message: bytes,
        descriptors: Sequence[int],
        told: Callable[[Report], None] | None,
    ) -> SupervisorChannel | None:
        """A channel to a supervisor that waits, or to one that the helper will fork; None if the
        helper has gone.
        """
        async with self._handing_over:
            if self._closed:
                raise not_started(command, _CLOSING)
            if self._helpers and self._helpers[-1].gone.done():
                # Nobody would end what they guard if they were killed, too.
                self._idle.dismiss()
            elif handed := self._idle.hand_over(message + request, descriptors):
                return self._channel(*handed, told)
            ours = await self._fork(command, message, descriptors)
            return None if ours is None else self._channel(ours, request, told)

    async def _fork(
        self, command: str, message: bytes, descriptors: Sequence[int]
    ) -> socket.socket | None:
        """Our end of the channel to a supervisor that the helper will fork; None if it has gone."""
        try:
            if not self._helpers or self._helpers[-1].gone.done():
                self._helpers.append(HelperProcess(self._descriptors))
            helper = self._helpers[-1]
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise not_started(command, reason(error.errno), Blame.SHORTAGE) from error
        try:
            ours.setblocking(False)
            await helper.send(message, (theirs.fileno(), *descriptors))
        except (BrokenPipeError, ConnectionResetError):
            ours.close()
            await asyncio.shield(helper.gone)
            return None
        except OSError as error:
            ours.close()
            raise not_started(command, reason(error.errno), Blame.SHORTAGE) from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _channel(
        self, ours: socket.socket, unsent: bytes, told: Callable[[Report], None] | None
    ) -> SupervisorChannel:
        channel = SupervisorChannel(ours, unsent, self._has_ended, told)
        self._channels.add(channel)
        return channel

    def _has_ended(self, channel: SupervisorChannel, waiting: socket.socket | None) -> None:
        self._channels.discard(channel)
        self._serving.pop(channel, None)
        if waiting is not None:
            self._idle.add(waiting)


async def _begin(channel: SupervisorChannel) -> Beginning:
    """Wait until the command has begun, or not. If cancelled, end the command first."""
    try:
        return await asyncio.shield(channel.beginning)
    except asyncio.CancelledError:
        channel.end()
        await asyncio.shield(channel.closed)
        raise


def _encode(
    argv: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    grace: float,
    durable: Durability | None,
) -> bytes:
    """The request to the supervisor. Raises CommandNotStarted for what no command can have."""
    if not argv or not argv[0]:
        raise CommandNotStarted(
            "can't start a command without a name: give it as argv[0]", Blame.WORK
        )
    if env is not None and any(not name or "=" in name for name in env):
        why = "the name of a variable is empty or contains '='"
        raise not_started(argv[0], why, Blame.WORK)
    if env is None:
        environ = _own_environ()
    else:
        environ = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    words = [os.fsencode(word) for word in argv]
    folder, lease = b"", 0.0
    if durable is not None:
        folder, lease = os.fsencode(durable.folder), durable.lease
    directory = _directory(argv[0], cwd)
    most = 0 if durable is None else durable.most
    request = Request(directory, words, environ, grace, folder, lease, most).encode()
    if request is None:
        why = "an argument, a variable or the directory contains NUL"
        raise not_started(argv[0], why, Blame.WORK)
    return request


def _own_environ() -> dict[bytes, bytes]:
    """The engine's variables, as the system has them."""
    # `dict(os.environb)` looks up and checks each name in Python, 1 us for each variable: a tenth
    # of all that the engine does for a small command. In CPython it has a plain dictionary.
    known = getattr(os.environb, "_data", None)
    return dict(known if isinstance(known, dict) else os.environb)


def _directory(command: str, cwd: Path | None) -> bytes:
    """Where a command is to run. Where the engine is now does not matter for an absolute path."""
    if cwd is not None and cwd.is_absolute():
        return os.fsencode(cwd)
    try:
        here = os.getcwdb()  # noqa: PTH109 - a path object would cost more than all else here
    except FileNotFoundError:
        why = (
            "the current directory, where the engine was started, does not exist any more: give"
            " the command an absolute cwd=, or start the engine elsewhere"
        )
        raise not_started(command, why) from None
    return here if cwd is None else here + b"/" + os.fsencode(cwd)
