"""The resident helper that has commands started, and the supervisor that stands over each of them.

A program of its own, run as a script by a fresh interpreter (`helper.py` does that) and
imported by the engine only for the format of the messages. So it stays one file, longer than
the others, and imports little, all of it from the standard library: it is forked again and again,
and a fork copies what it has imported.

Four kinds of processes, each the parent of the next::

    engine ── guard ── helper ── supervisor (one a command at work) ── command ── whatever it starts

**Guard.** Does nothing but wait for the helper to end. If that was killed, its supervisors and all
that it would have ended fall to the guard, a subreaper, which ends what loses its supervisor. So it
takes more than two kills at once for a command to get away; and the guard has a name of its own,
so that `killall -9 python3` is not three. It holds one end of a pipe, its stdout, that ends with
it: the engine reaps it then. A system without subreapers has no guard.

**Helper.** Holds one end of the *control* socket. Each message on it comes with descriptors: a
supervisor's *channel*, and those of its first command: stdin, stdout, stderr; then the *pipes* that
the engine reads what it prints from, and *locks*, whose numbers are the message's two bytes. The
helper forks a supervisor for it, closes its own copies and forgets them, so that no two supervisors
share a channel. It never reads what is on a channel: arguments and environments, which may carry
secrets, do not pass through it. It reaps supervisors; what a dead supervisor leaves behind falls to
it (it is a subreaper), and it kills that. When the engine is gone (end of file on control, or its
pidfd says so) it waits for its supervisors and exits.

**Supervisor.** States, in order; each may go straight to *gone* when the channel ends::

    adopted     reads the request from the channel
    starting    has called `posix_spawn`, which waits for exec
    running     the command runs; waits for its exit or for the end of the channel
    ending      TERM has gone to the tree; waits for it to empty, KILL after the grace period
    idle        nothing is left below it; the exit status has been reported; waits on the channel
                for the next command, a control message with its descriptors: *adopted* again
    gone        the channel has ended, or a command could not be started

A fork of this program costs more than a small command, so the engine gives a supervisor one command
after the other, as long as none was cancelled. And so a supervisor does not fork for a command:
`posix_spawn` borrows its memory until exec. A forked child could ask the kernel to be killed with
the supervisor, once for itself, but not for what it starts; helper and guard do that for all.

The *channel* is a socket of which only the engine holds the other end. Its end of file means: end
the command. The engine causes it on purpose (cancel) or by dying, by SIGKILL too. A process that
the engine forked without exec may hold a copy of that end open; therefore the supervisor also
watches a pidfd of the engine. A supervisor is a child subreaper: a process below it that loses
its parent becomes its child, whatever sessions and double forks were between, so "no children
left" means "nothing of this command is left". All of these processes ignore TERM, INT and
HUP: they live as long as what they guard.

A supervisor holds the locks until nothing is left of the command, so that the next engine can tell
that something of it still lives. It does nothing with the pipes while the engine lives. When that
has died it reads them in its place, and drops what comes: a command that tidies up, and prints what
it does, is neither killed by a broken pipe nor stopped by a full one.

TERM goes to every process in the tree when the ending begins, parents first (a shell must not see
its command fail and go on to the next). A process that is started later, say by a shell's `trap`,
is left alone, so that it can clean up, unless it loses its parent: then it gets TERM, too.

A *durable* command goes on when the engine has died: its supervisor puts what it prints into a
file, and waits for the next engine on a socket with a name, for as long as the *lease* says. There
the engine that dies closes its end of the channel; to end the command it sends a message. See
`Durable`, and `docs/durable.md` for other programs.

Without prctl (not Linux) the tree is the command's process group, and what leaves the group is
not reached.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import gc
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

# ruff: noqa: PTH104, PTH110, PTH118, PTH123, PTH208
# No typing, dataclasses or pathlib here: they would double the time this program takes to start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypedDict

    Prctl = Callable[[int, int], None]

    class _Leader(TypedDict, total=False):
        setsid: bool
        setpgroup: int


LEFTOVER_GRACE = 1.0
"""Seconds between TERM and KILL for what a command leaves behind when it exits by itself, if
the grace period of a cancel is not shorter."""

_ENDING = 0.2
"""Seconds in which what is left when a command exits may end by itself: the first process of a
sandbox ends a moment after the one that waited for it, and nobody has left that behind."""

_TICK = 0.05
"""Seconds between two looks at a tree that is being ended: not each change in it is signalled."""

_LEAST = 32 << 20
"""Bytes that a spool may take in any case: the engine gives many back at once."""

_BETWEEN_LOOKS = 4 << 20
"""Bytes of output between two looks at how much the spool takes."""

_REQUEST_BUFFER = 1 << 14
"""Bytes of a request that are received together with its descriptors: all of most of them."""

_MOST_NAMES = 8
"""Of those that were left behind, how many are named."""

_RSS_UNIT = 1024 if sys.platform == "darwin" else 1
"""The units of `ru_maxrss` in a KiB."""

_PR_SET_CHILD_SUBREAPER = 36

# Not at their default in helper and supervisor; a command gets the default back.
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)

_NO_PROCESS = (errno.EAGAIN, errno.ENOMEM)
"""The errors that tell of a process that can't be made, rather than of one that can't be run."""

if sys.platform in {"linux", "darwin"}:
    _LEADER: _Leader = {"setsid": True}
else:
    # Not all know how to begin a session so: a group is what they can end.
    _LEADER = {"setpgroup": 0}


class Report(enum.IntEnum):
    """The reports of a supervisor to the engine; each has two numbers."""

    STARTED = 1
    """pid, 0"""
    NOT_STARTED = 2
    """stage, errno; the last report"""
    EXITED = 3
    """exit status as in `subprocess`, 0; the last report: nothing of the command is left"""
    LEFT_BEHIND = 4
    """How many processes the command had left when it exited by itself, and the length of what
    follows: their names, separated by NUL."""
    SPOOLED = 5
    """0, 0; the spool has grown"""
    USED = 6
    """The milliseconds of processors that a command has used, and the KiB of memory that the
    largest of its processes had: before EXITED. For one that is durable its `status` says it."""
    HELD = 7
    """0, 0; the spool is as large as it may be: the command waits until there is room"""


class StartStage(enum.IntEnum):
    """Where starting a command failed."""

    FORK = 1
    CHDIR = 2
    EXEC = 3
    INTERPRETER = 4
    """The file is there; what its first line names (or its dynamic loader) is not."""


REPORT = struct.Struct("!Bii")
"""Report, and its two numbers."""

REQUEST = struct.Struct("!QQddQ")
"""Lengths of the two parts that follow; the grace and the lease in seconds; how many bytes the
spool may take, 0 for any number. The first part is the working directory, the run folder (empty:
not durable) and the arguments, the second one the NAME=value pairs; each is separated by NUL, which
none of them can contain."""

HELLO = struct.Struct("!BB")
"""The first message to an engine that has attached itself: the version of the messages, and the
number of locks, which come with it as descriptors. The report STARTED follows."""

PUNCH_HOLE = 0x02 | 0x01  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE

VERSION = 1
"""Of the messages between an engine and the supervisor of a durable command."""

END = b"E"
"""The one message of an engine to such a supervisor while the command runs: end it."""

NEW = b".new"
"""How the name of a run folder ends whose command nobody has begun."""

PROGRAM = b"/dev/null/program"
"""The first word of a command which is a program of ours, for this interpreter; the second one is
its file. It is not executed: the supervisor imports it, once, and calls its `main` in a fork of
itself, since most of a short program's time is the start of an interpreter. SIGTERM is blocked
there until it has said what is to become of that. No command of anybody else's has such a name.
"""

CONTROL = struct.Struct("!BB")
"""A control message: the numbers of pipes and of locks, which follow on stdin, stdout and stderr
among its descriptors. Before them there is the channel, if it goes to the helper.
"""

MOST_DESCRIPTORS = 16
"""That a control message may carry."""


class Request:
    """A command to be run."""

    def __init__(
        self,
        cwd: bytes,
        argv: list[bytes],
        environ: dict[bytes, bytes],
        grace: float,
        folder: bytes = b"",
        lease: float = 0.0,
        most: int = 0,
    ) -> None:
        """`grace`: seconds between TERM and KILL. No name may be empty, or contain `=`.

        With a run `folder` the command is durable: see `Durable`. `lease`: seconds for which it
        runs on without an engine. `most`: bytes that its spool may take, 0 for any number.
        """
        self.cwd = cwd
        self.argv = argv
        self.environ = environ
        self.grace = grace
        self.folder = folder
        self.lease = lease
        self.most = most

    def encode(self) -> bytes | None:
        """The request as it is sent; None if something of it contains NUL."""
        words = b"\0".join([self.cwd, self.folder, *self.argv])
        pairs = b"\0".join([name + b"=" + value for name, value in self.environ.items()])
        if words.count(0) != 1 + len(self.argv) or pairs.count(0) != max(0, len(self.environ) - 1):
            return None
        head = REQUEST.pack(len(words), len(pairs), self.grace, self.lease, self.most)
        return head + words + pairs


class RequestReader:
    """Reads requests from a channel, blocking. It keeps what it has received of the next one."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._received = b""
        self._pairs = b""
        self._environ: dict[bytes, bytes] = {}

    def received(self, beginning: bytes) -> None:
        """The beginning of a request has come with something else."""
        self._received += beginning

    def read(self) -> Request | None:
        """The next request; None if the channel ends before it is complete."""
        head = self._take(REQUEST.size)
        if head is None:
            return None
        words_size, pairs_size, grace, lease, most = REQUEST.unpack(head)
        words, pairs = self._take(words_size), self._take(pairs_size)
        if words is None or pairs is None:
            return None
        cwd, folder, *argv = words.split(b"\0")
        return Request(cwd, argv, self._environment(pairs), grace, folder, lease, most)

    def rest(self) -> bytes:
        """The bytes that have come after the last request. They are given out once."""
        rest, self._received = self._received, b""
        return rest

    def _environment(self, pairs: bytes) -> dict[bytes, bytes]:
        # As a rule it is that of the last command.
        if pairs != self._pairs:
            parts = [pair.partition(b"=") for pair in pairs.split(b"\0")]
            self._environ = {name: value for name, _, value in parts if name}
            self._pairs = pairs
        return self._environ

    def _take(self, size: int) -> bytes | None:
        while len(self._received) < size:
            # A reset is what a peer's death looks like while it still had something to read.
            with contextlib.suppress(ConnectionResetError):
                if part := self._channel.recv(1 << 20):
                    self._received += part
                    continue
            return None
        taken, self._received = self._received[:size], self._received[size:]
        return taken


def _receive_descriptors(
    sock: socket.socket, *, first: int, more: int = 0
) -> tuple[list[int], int, bytes] | None:
    """The descriptors of one control message, how many of the last are pipes and locks, and at
    most so many bytes `more` that follow the message.

    `first` come before stdin. None at the end of the socket. No descriptors, if some are missing as
    this process has run out of them.
    """
    space = socket.CMSG_SPACE(MOST_DESCRIPTORS * struct.calcsize("i"))
    flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    try:
        message, ancillary, _, _ = sock.recvmsg(CONTROL.size + more, space, flags)
    except ConnectionResetError:
        return None
    descriptors = [
        number for _, _, data in ancillary for (number,) in struct.iter_unpack("i", data)
    ]
    if not message:
        return None
    pipes, locks = CONTROL.unpack_from(message)
    if len(descriptors) != first + 3 + pipes + locks:
        _close_all(descriptors)
        return [], 0, b""
    return descriptors, pipes, message[CONTROL.size :]


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


# --- the processes of a command -----------------------------------------------------------------


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def children_of(pid: int) -> list[int]:
    """The living and dead-but-unreaped children of a process; none if it has gone."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    children: list[int] = []
    for thread in threads:
        # The thread may have ended since; its children are then another thread's, and a later
        # look finds them.
        with contextlib.suppress(OSError):
            children += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return children


def name_of(pid: int) -> bytes:
    """The system's name of a process; empty if it has ended."""
    try:
        _, _, rest = _read(f"/proc/{pid}/stat").partition(b"(")
    except OSError:
        return b""
    name, _, state = rest.rpartition(b") ")
    return b"" if state[:1] in b"ZX" else name


class Subtree:
    """All descendants of this process, which is a child subreaper."""

    def members(self) -> list[int]:
        """Parents before children. Some may be missing while the tree changes: look again."""
        found: list[int] = self.orphans()
        for pid in found:  # grows while it is walked: breadth first
            found += children_of(pid)
        return found

    def orphans(self) -> list[int]:
        """The children of this process: the command, and what lost its parent."""
        return children_of(os.getpid())


class ProcessGroup:
    """A command's process group: all that can be reached on a system without subreapers."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def members(self) -> list[int]:
        """The group in kill's notation, a negative number, or nothing if it has gone."""
        try:
            os.killpg(self.leader, 0)
        except OSError:
            return []
        return [-self.leader]

    def orphans(self) -> list[int]:
        return []


def _send_signals(pids: list[int], *signals: signal.Signals) -> None:
    for pid in pids:
        for number in signals:
            # Gone in the meantime, or somebody else's by now (setuid).
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


class Children:
    """The children of this process: wakes a poll when one of them ends, and reaps them."""

    def __init__(self) -> None:
        self.wakeup, self._writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # any handler: the wakeup needs one
        self.used = 0.0
        """Seconds of processors that were used by those that were reaped, since `begin`."""
        self.largest = 0
        """KiB of memory that the largest of them had."""

    def begin(self) -> None:
        """Another command begins."""
        self.used, self.largest = 0.0, 0

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self.wakeup)
        os.close(self._writer)

    def reap(self) -> tuple[dict[int, int], bool]:
        """Exit status by pid of those that have ended, and whether any child is left."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wakeup, 4096)
        ended: dict[int, int] = {}
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return ended, False
            if pid == 0:
                return ended, True
            self.used += usage.ru_utime + usage.ru_stime
            self.largest = max(self.largest, usage.ru_maxrss // _RSS_UNIT)
            killed = os.WIFSIGNALED(status)
            ended[pid] = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)


def _poll_on(*descriptors: int) -> select.poll:
    """A poll for what can be read; a negative descriptor stands for one that is not there."""
    poll = select.poll()
    for descriptor in descriptors:
        if descriptor >= 0:
            poll.register(descriptor, select.POLLIN)
    return poll


# --- what outlives the engine -------------------------------------------------------------------


class Durable:
    """The run folder of a command that outlives its engine, and the engine that is attached to it.

    The folder has, once its name has lost its `.new`:

    - `spool`: all that the command has printed so far; the engine copies it to the log;
    - `socket`, on which an engine attaches itself; the newest one counts;
    - `status`, once nothing of the command is left: its exit status, how it came to its end, and
      the milliseconds and KiB that it has used, as in `Report.USED`.

    An engine that means to start the command makes the folder, and the supervisor takes `.new`
    away. If the engine has been killed meanwhile the next one renames it first: who comes too late
    leaves the command alone, so it is never run twice.

    While nobody is attached the lease runs; at its end the command is ended.

    The engine gives back to the disk what it has copied, so what the spool takes there is what
    nobody has read yet. When that is as much as it may be, nothing more is read from the pipe: the
    command waits as soon as that is full, and goes on when the engine has copied some.
    """

    def __init__(
        self, request: Request, channel: socket.socket, engine: int, stdio: tuple[int, list[int]]
    ) -> None:
        """`stdio`: the pipe that the command prints to, and the locks."""
        self.channel: socket.socket | None = channel
        """To the engine that is attached."""
        self.how: bytes = b"exited"
        """Why it has come to its end."""
        self._first = channel
        self._folder = request.folder
        self._lease = request.lease
        self._engine = engine
        self._pipe, self._locks = stdio
        self._until: float | None = None
        self._poll = select.poll()
        self._listener = socket.socket(socket.AF_UNIX)
        self._place = self._spool = -1
        self._is_full = False
        self._most = request.most
        self._unlooked = 0
        """Bytes that were copied since the last look at what the spool takes."""
        self._is_held = False
        self._is_hold_told = False

    def open(self) -> bool:
        """Take the folder. False if somebody else has it, or there is nothing to be done there."""
        try:
            self._place = os.open(self._folder + NEW, os.O_RDONLY | os.O_DIRECTORY)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._spool = os.open(b"spool", flags, 0o600, dir_fd=self._place)
            # By its descriptor, as the path of a socket may have no more than 107 bytes.
            self._listener.bind(f"/proc/self/fd/{self._place}/socket")
            self._listener.listen(4)
            os.rename(self._folder + NEW, self._folder)
            if self._most:
                disk = os.fstatvfs(self._spool)
                self._most = max(min(self._most, disk.f_bavail * disk.f_frsize // 2), _LEAST)
        except OSError:
            return False
        os.set_blocking(self._pipe, False)
        for descriptor in (self._pipe, self._listener.fileno(), self._first.fileno(), self._engine):
            if descriptor >= 0:
                self._poll.register(descriptor, select.POLLIN)
        return True

    def give_up(self) -> None:
        """The command could not be started."""
        with contextlib.suppress(OSError):
            os.rename(self._folder, self._folder + NEW)
        self._close()

    @property
    def is_to_end(self) -> bool:
        """True once an engine has asked for the end, or the lease is over."""
        return self.how != b"exited"

    def wait(self, wakeup: int, seconds: float | None = None) -> None:
        """Do what is to be done, until a child may have ended, or so long."""
        self._poll.register(wakeup, select.POLLIN)
        if self._until is not None and not self.is_to_end:
            left = self._until - time.clock_gettime(time.CLOCK_BOOTTIME)
            if left <= 0:
                self.how = b"lease"
                return
            seconds = left if seconds is None else min(left, seconds)
        if self._is_held:
            seconds = _TICK if seconds is None else min(_TICK, seconds)
            self._look_at_spool()
        for descriptor, _ in self._poll.poll(None if seconds is None else seconds * 1000):
            if descriptor == self._pipe:
                if self._copy() is None:
                    self._poll.unregister(self._pipe)
                elif self._most and self._unlooked >= _BETWEEN_LOOKS:
                    self._look_at_spool()
            elif descriptor == self._listener.fileno():
                self._attach()
            elif descriptor == self._engine:
                # Another process may have a copy of its end of the channel.
                self._poll.unregister(self._engine)
                if self.channel is self._first:
                    self._detach()
            elif self.channel is not None and descriptor == self.channel.fileno():
                self._hear(self.channel)

    def _look_at_spool(self) -> None:
        """Read no more from the pipe while the spool takes as much as it may, or do so again."""
        self._unlooked = 0
        is_over = os.fstat(self._spool).st_blocks * 512 >= self._most
        if is_over and not self._is_held:
            if not gives_back(self._spool):
                self._most = 0  # It keeps what was copied: nobody could ever make room.
                return
            self._poll.unregister(self._pipe)
            self._is_hold_told = False
        elif self._is_held and not is_over:
            self._poll.register(self._pipe, select.POLLIN)
        self._is_held = is_over
        # Again, until the engine listens: it has to know why nothing more comes.
        if is_over and not self._is_hold_told:
            self._is_hold_told = self._tell(Report.HELD)

    def _tell(self, report: Report) -> bool:
        """Tell the engine, if one is attached. False if it does not listen now."""
        if self.channel is not None:
            with contextlib.suppress(OSError):
                self.channel.send(REPORT.pack(report, 0, 0), socket.MSG_DONTWAIT)
                return True
        return False

    def heard(self, message: bytes) -> None:
        """The engine has sent this."""
        if END in message and not self.is_to_end:
            self.how = b"asked"

    def _hear(self, channel: socket.socket) -> None:
        message = b""
        with contextlib.suppress(ConnectionResetError):
            message = channel.recv(64)
        if message:
            self.heard(message)
        else:
            self._detach()

    def _attach(self) -> None:
        try:
            channel, _ = self._listener.accept()
        except OSError:
            return
        self._detach()
        try:
            locks = struct.pack(f"{len(self._locks)}i", *self._locks)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, locks)] if self._locks else []
            channel.sendmsg([HELLO.pack(VERSION, len(self._locks))], rights)
            channel.sendall(REPORT.pack(Report.STARTED, 0, 0))
        except OSError:
            channel.close()
            return
        self.channel, self._until = channel, None
        self._poll.register(channel, select.POLLIN)
        self._is_hold_told = False

    def _detach(self) -> None:
        """Nobody is attached any more: the lease runs."""
        if self.channel is not None:
            self._poll.unregister(self.channel)
            self.channel.close()
            self.channel = None
            self._until = time.clock_gettime(time.CLOCK_BOOTTIME) + self._lease

    def _copy(self) -> int | None:
        """Copy what is in the pipe to the spool. None at its end; else how much that was."""
        try:
            data = os.read(self._pipe, 1 << 18)
        except BlockingIOError:
            return 0
        view = memoryview(data)
        try:
            while view and not self._is_full:
                view = view[os.write(self._spool, view) :]
        except OSError:
            # The rest is lost, but the command is not to hang for it.
            self._is_full = True
        if data:
            self._unlooked += len(data)
            self._tell(Report.SPOOLED)  # One that is not read yet says as much.
        return len(data) or None

    def finish(self, status: int, used: tuple[int, int]) -> bool:
        """Nothing of the command is left. True if the engine that it was started by is still there,
        and may give this supervisor the next one.
        """
        left = 1 << 20
        while left > 0 and (copied := self._copy()):
            left -= copied
        # Where that is impossible, an engine that is not attached learns that it is not known.
        with contextlib.suppress(OSError):
            how = b"spool" if self._is_full else self.how
            self._write(b"status.part", b"%d %s %d %d\n" % (status, how, *used))
            place = self._place
            os.rename(b"status.part", b"status", src_dir_fd=place, dst_dir_fd=place)
        self._close()
        return self.channel is self._first

    def _write(self, name: bytes, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        file = os.open(name, flags, 0o600, dir_fd=self._place)
        try:
            os.write(file, content)
        finally:
            os.close(file)

    def _close(self) -> None:
        self._listener.close()
        for descriptor in (self._place, self._spool):
            if descriptor >= 0:
                os.close(descriptor)


# --- one command --------------------------------------------------------------------------------


class Supervisor:
    """Stands over one command at a time: starts it, waits for it, ends all that came of it."""

    def __init__(self, channel: socket.socket, engine: int, prctl: Prctl | None) -> None:
        """`engine`: a pidfd of the engine, -1 if there is none."""
        self._channel = channel
        self._requests = RequestReader(channel)
        self._pipes: list[int] = []
        self._durable: Durable | None = None
        self._engine = engine
        self._prctl = prctl
        self._children = Children()

    def run(self, descriptors: list[int], pipes: int) -> None:
        """The whole life of a supervisor, from the descriptors of its first command on. Closes
        them: stdin, stdout, stderr, a number of `pipes`, and locks.
        """
        os.setsid()
        if self._prctl is not None:
            self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
        while descriptors and self._run_command(descriptors, pipes):
            descriptors, pipes = self._await_command()

    def _await_command(self) -> tuple[list[int], int]:
        """The descriptors of the next command; none if there is none any more."""
        poll = _poll_on(self._channel.fileno(), self._engine)
        if self._engine in {descriptor for descriptor, _ in poll.poll()}:
            return [], 0
        received = _receive_descriptors(self._channel, first=0, more=_REQUEST_BUFFER)
        if received is None:
            return [], 0
        descriptors, pipes, beginning = received
        self._requests.received(beginning)
        return descriptors, pipes

    def _run_command(self, descriptors: list[int], pipes: int) -> bool:
        """False if there is nobody who could give this the next one."""
        stdio, rest = descriptors[:3], descriptors[3:]
        self._pipes = rest[:pipes]
        request = self._requests.read()
        is_due = request is not None and self._takes(request, rest)
        main = self._start(request, stdio) if request is not None and is_due else None
        _close_all(stdio)
        if request is None or main is None:
            if self._durable is not None and is_due:
                self._durable.give_up()
            return False
        self._report(Report.STARTED, main)
        self._children.begin()
        status = self._await_end(request, main)
        used = round(1000 * self._children.used), self._children.largest
        goes_on = self._durable is None or self._durable.finish(status, used)
        if self._durable is None:
            self._report(Report.USED, *used)
        # Before the report: who hears it may take a lock again at once.
        _close_all(rest)
        self._report(Report.EXITED, status)
        self._durable = None
        return goes_on

    def _takes(self, request: Request, rest: list[int]) -> bool:
        """False if the command is left to somebody else."""
        if not request.folder:
            return True
        stdio = self._pipes[0], rest[len(self._pipes) :]
        self._durable = Durable(request, self._channel, self._engine, stdio)
        self._durable.heard(self._requests.rest())
        return self._durable.open()

    def _await_end(self, request: Request, main: int) -> int:
        """The exit status of the command, once nothing of it is left."""
        status, any_left = self._await_exit(main)
        if status is not None and any_left:
            any_left = self._await_rest()
        if status is None or any_left or self._prctl is None:
            tree = Subtree() if self._prctl is not None else ProcessGroup(main)
            grace = request.grace
            if status is not None:
                grace = min(grace, LEFTOVER_GRACE)
                self._report_left_behind(tree)
            ended = self._end(tree, grace)
            status = ended[main] if status is None else status
        return status

    def _report(self, report: Report, first: int = 0, second: int = 0, more: bytes = b"") -> None:
        channel = self._channel if self._durable is None else self._durable.channel
        # Nobody listens when the engine has died, and the work goes on all the same.
        if channel is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                channel.sendall(REPORT.pack(report, first, second) + more)

    def _report_left_behind(self, tree: Subtree | ProcessGroup) -> None:
        names = [name for pid in tree.members() if (name := name_of(pid))]
        if names:
            text = b"\0".join(names[:_MOST_NAMES])
            self._report(Report.LEFT_BEHIND, len(names), len(text), text)

    def _start(self, request: Request, stdio: list[int]) -> int | None:
        """The pid of the command, which has been executed; None if it can't be: that is reported.

        This process goes to the command's directory for that, as nobody else uses its own.
        """
        stage = StartStage.CHDIR
        try:
            os.chdir(request.cwd)
            stage = StartStage.EXEC
            if request.argv[0] == PROGRAM:
                return _fork_program(os.fsdecode(request.argv[1]), request.environ, stdio)
            return spawn(request.argv, request.environ, stdio)
        except MissingInterpreterError as error:
            stage, number = StartStage.INTERPRETER, error.errno or errno.ENOENT
        except OSError as error:
            number = error.errno or errno.EINVAL
            if stage is StartStage.EXEC and number in _NO_PROCESS:
                stage = StartStage.FORK
        finally:
            os.chdir("/")
        self._report(Report.NOT_STARTED, stage, number)
        return None

    def _await_exit(self, main: int) -> tuple[int | None, bool]:
        """Exit status of the command; None if it is to end first. And whether any child is left."""
        durable, wakeup = self._durable, self._children.wakeup
        poll = _poll_on(self._channel.fileno(), self._engine, wakeup)
        is_to_end = False
        while not is_to_end:
            if durable is None:
                is_to_end = any(descriptor != wakeup for descriptor, _ in poll.poll())
            else:
                durable.wait(wakeup)
                is_to_end = durable.is_to_end
            ended, any_left = self._children.reap()
            if main in ended:
                return ended[main], any_left
        return None, any_left

    def _await_rest(self) -> bool:
        """True if any child is left a moment after the command has exited."""
        deadline = time.monotonic() + _ENDING
        poll = _poll_on(self._children.wakeup)
        while (remaining := deadline - time.monotonic()) > 0:
            if self._durable is not None:
                self._durable.wait(self._children.wakeup, remaining)
            else:
                poll.poll(remaining * 1000)
            if not self._children.reap()[1]:
                return False
        return True

    def _end(self, tree: Subtree | ProcessGroup, grace: float) -> dict[int, int]:
        """Ends the tree and waits until it is empty. Exit statuses of what was reaped."""
        deadline = time.monotonic() + grace
        told: set[int] = set()
        poll = _poll_on(self._children.wakeup)
        abandoned: list[int] = []
        statuses, any_left = self._children.reap()
        while any_left or tree.members():
            remaining = deadline - time.monotonic()
            if remaining > 0:
                candidates = tree.orphans() if told else tree.members()
                newcomers = [pid for pid in candidates if pid not in told]
                # A stopped process sees TERM only when it goes on.
                _send_signals(newcomers, signal.SIGTERM, signal.SIGCONT)
                told.update(newcomers)
            else:
                _send_signals(tree.members(), signal.SIGKILL)
                remaining = _TICK
            if self._durable is not None:
                self._durable.wait(self._children.wakeup, min(remaining, _TICK))
            else:
                abandoned = abandoned or self._abandoned(poll)
                for descriptor, _ in poll.poll(min(remaining, _TICK) * 1000):
                    if descriptor in abandoned and not _drop(descriptor):
                        poll.unregister(descriptor)
            ended, any_left = self._children.reap()
            statuses.update(ended)
        return statuses

    def _abandoned(self, poll: select.poll) -> list[int]:
        """The pipes that nobody reads any more: they are added to the poll."""
        if not self._pipes or not self._engine_has_died():
            return []
        for pipe in self._pipes:
            os.set_blocking(pipe, False)
            poll.register(pipe, select.POLLIN)
        return self._pipes

    def _engine_has_died(self) -> bool:
        poll = _poll_on(self._engine)
        # Told whatever is asked for, when the other end is closed and not only shut for writing.
        poll.register(self._channel, 0)
        return bool(poll.poll(0))


def _drop(pipe: int) -> bool:
    """Reads what is in a pipe. False at its end."""
    try:
        return bool(os.read(pipe, 1 << 18))
    except BlockingIOError:
        return True


class MissingInterpreterError(OSError):
    """The program's file is there, but not what is needed to run it."""


def spawn(argv: list[bytes], environ: dict[bytes, bytes], stdio: list[int]) -> int:
    """Runs a command, looked up on the PATH of its own environment, as the leader of a session.

    Returns its pid once it has been executed. Raises OSError: the most telling of those that the
    places on the PATH gave.
    """
    command = argv[0]
    if b"/" in command:
        places = [command]
    else:
        path = environ.get(b"PATH", os.fsencode(os.defpath))
        places = [os.path.join(place, command) for place in path.split(b":")]
    stdin_to_stderr = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in enumerate(stdio)]
    telling: OSError | None = None
    for place in places:
        # To ask first is cheaper than to let exec fail: it takes a process.
        if not os.access(place, os.F_OK) and len(places) > 1:
            continue
        try:
            return os.posix_spawn(
                place, argv, environ, file_actions=stdin_to_stderr, setsigdef=_IGNORED, **_LEADER
            )
        except FileNotFoundError as error:
            if os.access(place, os.F_OK):
                telling = telling or MissingInterpreterError(error.errno, error.strerror)
        except (PermissionError, NotADirectoryError) as error:
            telling = telling or error
    raise telling or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _fork_program(path: str, environ: dict[bytes, bytes], stdio: list[int]) -> int:
    """Like `spawn`, for a `PROGRAM`. Raises OSError."""
    folder, name = os.path.split(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        program = __import__(name.partition(".")[0])
    except ImportError as error:
        raise FileNotFoundError(errno.ENOENT, str(error)) from error
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    try:
        pid = os.fork()
        if pid == 0:
            _be_program(program, environ, stdio)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    return pid


def _be_program(program: Any, environ: dict[bytes, bytes], stdio: list[int]) -> None:
    """Does not return: a fork must not go on as its supervisor."""
    status = 1
    try:
        os.setsid()
        for theirs, ours in enumerate(stdio):
            os.dup2(ours, theirs)
        _close_others(set())
        signal.set_wakeup_fd(-1)
        for number in (*_IGNORED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.environb.clear()
        os.environb.update(environ)
        _take_name(_PROGRAM_NAME)
        program.main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


# --- the guard and the helper -------------------------------------------------------------------


# As much as the kernel keeps.
_GUARD_NAME = "pycurrent-guard"
_PROGRAM_NAME = "pycurrent-relay"


def _take_name(name: str) -> None:
    """The name that this process has for the system from here on, if it can be said."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as file:
        file.write(name)


_LOOK = 1.0
"""Seconds between two looks of a guard whose helper was killed, and of a helper without an engine:
durable commands may go on for hours. Each death in between wakes them, too.
"""


class Guard:
    """Stands over the helper; if that is killed, over its supervisors."""

    def __init__(self, helper: int) -> None:
        self._helper = helper
        self._children = Children()

    def run(self) -> None:
        """Returns when nothing is left to guard."""
        _take_name(_GUARD_NAME)
        poll = _poll_on(self._children.wakeup)
        guarded = False
        while True:
            ended, any_left = self._children.reap()
            guarded = guarded or self._helper in ended
            if guarded:
                # Each death brings the children of the dead here, and us back to look again.
                strays = [pid for pid in children_of(os.getpid()) if not _runs_this_program(pid)]
                _send_signals(strays, signal.SIGKILL)
            if not any_left:
                return
            poll.poll(_LOOK * 1000 if guarded else None)


def _runs_this_program(pid: int) -> bool:
    """True for a process that was forked from this one, and stands over others as it does."""
    try:
        is_forked = _read(f"/proc/{pid}/cmdline") == _read("/proc/self/cmdline")
        return is_forked and name_of(pid) != os.fsencode(_PROGRAM_NAME)
    except OSError:
        return False


def _leave_guard_behind(control: int, engine: int, prctl: Prctl) -> None:
    """Goes on in a child of this process, which becomes its guard."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        helper = os.fork()
    except OSError:  # it works without one, and the first command will tell
        return
    if helper == 0:
        os.setsid()  # who kills a process group may not get both
        os.dup2(0, 1)
        return
    try:
        for descriptor in (control, engine):
            if descriptor >= 0:
                os.close(descriptor)
        Guard(helper).run()
    finally:
        os._exit(0)


class Helper:
    """Forks a supervisor for each command handed over on the control socket."""

    def __init__(self, control: socket.socket, engine: int, prctl: Prctl | None) -> None:
        """`engine`: a pidfd of the engine, -1 if there is none."""
        self._control = control
        self._engine = engine
        self._prctl = prctl
        self._children = Children()
        self._supervisors: set[int] = set()

    def run(self) -> None:
        """Returns when the engine has gone and nothing is left to guard."""
        if self._prctl is not None:
            self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
        control, wakeup = self._control.fileno(), self._children.wakeup
        poll = _poll_on(control, self._engine, wakeup)
        listening, any_left = True, False
        while listening or any_left:
            ready = {descriptor for descriptor, _ in poll.poll(None if listening else _LOOK * 1000)}
            if self._engine in ready or (control in ready and not self._take_command()):
                listening = False
                poll = _poll_on(wakeup)
            any_left = self._reap(suspicious=not listening)

    def _take_command(self) -> bool:
        """Forks a supervisor for one control message. False at end of file."""
        received = _receive_descriptors(self._control, first=1)
        if received is None:
            return False
        descriptors, pipes, _ = received
        # None, when this process has run out of them: the engine sees its channel end.
        if descriptors:
            self._fork_supervisor(descriptors, pipes)
        _close_all(descriptors)
        return True

    def _fork_supervisor(self, descriptors: list[int], pipes: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            report = REPORT.pack(Report.NOT_STARTED, StartStage.FORK, error.errno or 0)
            with contextlib.suppress(OSError):  # the engine has lost interest
                os.write(descriptors[0], report)
            return
        if pid:
            self._supervisors.add(pid)
            return
        status = 1
        try:
            self._control.close()
            self._children.close()
            gc.enable()  # it may run many commands
            channel = socket.socket(fileno=descriptors[0])
            Supervisor(channel, self._engine, self._prctl).run(descriptors[1:], pipes)
            status = 0
        finally:
            # Not a return: this is a fork of the helper, and must not go on as one.
            os._exit(status)

    def _reap(self, *, suspicious: bool) -> bool:
        """Reaps supervisors and kills what fell to this process. Whether any child is left.

        `suspicious`: looks for the latter even if nothing says that there is something.
        """
        ended, any_left = self._children.reap()
        strays = ended.keys() - self._supervisors
        self._supervisors -= ended.keys()
        if self._prctl is not None and (suspicious or strays or any(ended.values())):
            # Of a supervisor that ended before its tree. Killing a process brings its children
            # here, and its own end brings us back to look again.
            orphans = set(children_of(os.getpid())) - self._supervisors
            _send_signals(list(orphans), signal.SIGKILL)
        return any_left


def stand_alone(channel: socket.socket, descriptors: list[int], pipes: int) -> None:
    """Has a process of its own stand over one durable command, whose request comes by the channel:
    it goes on when this process ends. The descriptors are those of `Supervisor.run`; the caller
    closes its own copies.
    """
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            _stand_over(channel, descriptors, pipes)
        status = 0
    finally:
        os._exit(status)


def _stand_over(channel: socket.socket, descriptors: list[int], pipes: int) -> None:
    """A guard over a supervisor. Nothing else of the process that this was forked from stays."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    kept = {channel.fileno(), *descriptors}
    _close_others(kept)
    _settle_signals()
    os.chdir("/")
    prctl = _load_prctl()
    if prctl is not None:
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
    supervisor = 0 if prctl is None else os.fork()
    if supervisor:
        _close_others(set())
        Guard(supervisor).run()
    else:
        Supervisor(channel, -1, prctl).run(descriptors, pipes)


def _close_others(kept: set[int]) -> None:
    """Close all descriptors but the standard ones and these."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(number)


def give_back(file: int, begin: int, size: int) -> bool:
    """Give bytes of a file back to the disk. False where that can't be done."""
    try:
        import ctypes

        fallocate = ctypes.CDLL(None).fallocate
    except (ImportError, AttributeError, OSError):
        return False
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    end: int = fallocate(file, PUNCH_HOLE, begin, size)
    return end == 0


def gives_back(file: int) -> bool:
    """True if a file's bytes can be given back to the disk, which this asks for none of them."""
    return give_back(file, os.fstat(file).st_size + (1 << 20), 1)


def _load_prctl() -> Prctl | None:
    """The system call, for options that take one number.

    None on a system without subreapers, or whose subreapers can't know their descendants (a
    kernel built without the listing of children).
    """
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return None
    try:
        import ctypes
    except ImportError:
        return None
    function = ctypes.CDLL(None, use_errno=True).prctl
    function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def prctl(option: int, argument: int) -> None:
        if function(option, argument, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    return prctl


def _settle_signals() -> None:
    """Nothing inherited from the engine: all at their default, but for those ignored here."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # The C library keeps some of the real-time signals for itself.
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def main(control: int, engine: int, descriptors: int) -> None:
    """`control`: descriptor of the control socket; `engine`: pidfd of the engine, or -1;
    `descriptors`: the soft limit for commands, -1 to leave it.
    """
    if descriptors >= 0:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
    for descriptor in (control, engine):
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    _settle_signals()
    os.chdir("/")
    prctl = _load_prctl()
    # Forks share this memory as long as nobody writes to it, the collector's marks included.
    gc.disable()
    gc.freeze()
    if prctl is not None:
        _leave_guard_behind(control, engine, prctl)
    Helper(socket.socket(fileno=control), engine, prctl).run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
