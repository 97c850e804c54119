"""The agent: what runs at another place for one command, or one look at the files there.

It is sent there by the relay (see `relay.py`), with `frames.py` and the engine's `supervisor.py`,
into `~/.cache/pycurrent/programs/<digest>/`, and started by `python3` over a connection, of which
it has the standard input and output. Any Python from 3.8 on will do.

It has the command stood over by a supervisor, in a *run folder* of its own, as the engine does on
its own machine::

    ~/.cache/pycurrent/run/<job>/<name>/   spool, out, socket, status: see `supervisor.Durable`
                           tmp-<digest>/   a temporary folder of the job
                           work/           the working directory of commands that name none

The agent passes on what the command prints. When its connection ends it ends, too, and the command
goes on, for as long as the lease says. The next agent that is asked to run the same name attaches
itself instead of running it again, and passes on what comes after the byte that it is told. So
asking twice is as good as once, whatever became of the first one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pycurrent.engine import supervisor
    from pycurrent.places import frames
    from pycurrent.places.agent_link import Link, Refused, receive
    from pycurrent.places.frames import Kind
else:
    import frames
    import supervisor
    from agent_link import Link, Refused, receive
    from frames import Kind

# ruff: noqa: PTH102, PTH103, PTH104, PTH106, PTH108, PTH112
# ruff: noqa: PTH110, PTH118, PTH119, PTH120, PTH123, PTH208
# No pathlib here: it would add to the time that each command takes to begin.

_BEGINNING = 10.0
"""Seconds for which another agent may take to begin a command."""
_LOOK = 0.05
_GIVEN_BACK = 16 << 20
"""So many bytes of a spool are given back to the disk at once."""
ENDED = "ended"
"""The file in the folder of a job that may begin nothing here any more: see `ending.py`."""


# --- commands -----------------------------------------------------------------------------------


class Run:
    """One command at this place."""

    def __init__(self, link: Link, folder: str, request: dict[str, Any]) -> None:
        self._link = link
        self._folder = folder
        self._request = request
        self._channel: socket.socket | None = None
        self._received = b""
        self._files: list[tuple[Kind, str, int]] = [
            (Kind.SPOOL, "spool", request["spool_at"]),
            (Kind.OUTPUT, "out", request["out_at"]),
        ]
        self._given_back = 0
        self._left: list[Any] | None = None
        self._not_started: list[int] | None = None
        self._locks: list[int] = []
        """Of the cache folders that it uses, until its supervisor has them."""

    def await_caches(self, incoming: list[tuple[Kind, bytes]]) -> bool:
        """Get the cache folders that the command uses, once others use them no more. False if it is
        not to begin any more.
        """
        wanted = self._request.get("caches")
        if not wanted or not self._request["begin"] or os.path.isdir(self._folder):
            return True
        # Most commands begin sooner without it.
        caches: Any = __import__("agent_caches")
        waits = False
        while not self._link.has_ended:
            if any(kind is Kind.CANCEL for kind, _ in incoming):
                return False
            locks = caches.take_all(wanted)
            if locks is not None:
                self._locks = locks
                return True
            if not waits:
                waits = True
                names = {os.path.basename(os.path.dirname(folder)) for folder, _ in wanted}
                self._link.out.add(frames.encode_json(Kind.WAITS, ", ".join(sorted(names))))
            if 0 in self._link.wait(seconds=caches.LOOK):
                incoming += self._link.messages()
        return False

    def _close_locks(self) -> None:
        for lock in self._locks:
            os.close(lock)
        self._locks = []

    def begin(self, stdin: bytes) -> bool:
        """Begin the command, or attach to it if it has begun. False if there is nothing to attach
        to, and it is not to begin.
        """
        deadline = time.monotonic() + _BEGINNING
        while not os.path.isdir(self._folder):
            if not self._request["begin"]:
                return False
            new = self._folder + os.fsdecode(supervisor.NEW)
            try:
                os.mkdir(new, 0o700)
            except FileExistsError:
                # Another agent is about to begin it, or was killed there.
                if time.monotonic() > deadline:
                    with contextlib.suppress(OSError):
                        gone = f"{self._folder}.gone-{os.getpid()}"
                        os.rename(new, gone)
                        _remove_run(gone)
                self._link.wait(seconds=_LOOK)
                continue
            # Behind the folder: an ending that has not made the file yet sees that.
            if os.path.exists(os.path.join(os.path.dirname(new), ENDED)):
                os.rmdir(new)
                return False
            self._channel = self._start(new, stdin)
            return True
        self._close_locks()
        self._channel = _attach(self._folder)
        return True

    def _start(self, new: str, stdin: bytes) -> socket.socket:
        request = self._request
        os.close(os.open(f"{new}/spool", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        work = f"{os.path.dirname(self._folder)}/work"
        if request["cwd"] is None:
            os.makedirs(work, 0o700, exist_ok=True)
        environ = dict(os.environ)
        for name, value in request["env"].items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
        command = supervisor.Request(
            os.fsencode(work if request["cwd"] is None else request["cwd"]),
            [os.fsencode(word) for word in request["argv"]],
            {os.fsencode(name): os.fsencode(value) for name, value in environ.items()},
            request["grace"],
            os.fsencode(self._folder),
            request["lease"],
            request["most"],
        ).encode()
        if command is None:
            raise Refused("an argument, a variable or the directory contains NUL")
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        # In memory: it may be a secret, and is on no disk.
        given = os.memfd_create("stdin")
        with open(os.dup(given), "wb") as file:
            file.write(stdin)
        os.lseek(given, 0, os.SEEK_SET)
        out = os.dup(writer)
        if request["output"]:
            os.close(out)
            out = os.open(f"{new}/out", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        descriptors = [given, out, writer, reader, *self._locks]
        self._locks = []
        supervisor.stand_alone(theirs, descriptors, 1)
        for descriptor in descriptors:
            os.close(descriptor)
        theirs.close()
        ours.sendall(command)
        return ours

    def follow(self, *, to_end: bool) -> dict[str, Any]:
        """Pass on what it prints until it has ended; gives its end. Or the link has ended. It is
        ended if it is `to_end`, or the relay says so.
        """
        link, is_over = self._link, self._channel is None
        if self._channel is not None:
            self._channel.setblocking(False)
        if to_end:
            self._cancel()
        link.out.add(frames.encode(Kind.BEGUN))
        self._give_back(self._request["spool_at"])
        while not link.has_ended:
            has_more = self._pass_on()
            if is_over and not has_more and not link.out:
                break
            waited = [] if self._channel is None or is_over else [self._channel.fileno()]
            at_once = has_more and not link.out.is_full
            ready = link.wait(*waited, seconds=0 if at_once else None)
            for kind, data in link.messages() if 0 in ready else ():
                if kind is Kind.CANCEL:
                    self._cancel()
                elif kind is Kind.KEPT:
                    self._give_back(*frames.PLACE.unpack(data))
            if ready & set(waited):
                is_over = self._hear()
        return self._end()

    def _pass_on(self) -> bool:
        """Pass on a part of what is there. True if there may be more."""
        has_more = False
        for number, (kind, name, at) in enumerate(self._files):
            if self._link.out.is_full:
                return True
            data = _read_at(f"{self._folder}/{name}", at)
            if data:
                self._link.out.add(frames.encode(kind, data))
                self._files[number] = (kind, name, at + len(data))
                has_more = True
        return has_more

    def _give_back(self, place: int) -> None:
        """The engine's machine has the spool up to this place: give the disk its room back."""
        size = place - self._given_back
        if size < _GIVEN_BACK:
            return
        with contextlib.suppress(OSError):
            file = os.open(f"{self._folder}/spool", os.O_RDWR | os.O_CLOEXEC)
            supervisor.give_back(file, self._given_back, size)
            os.close(file)
        self._given_back = place

    def _cancel(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.send(supervisor.END)

    def _hear(self) -> bool:
        """Hear what the supervisor says. True if it is the last."""
        assert self._channel is not None
        try:
            data = self._channel.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._received += data
        size = supervisor.REPORT.size
        while len(self._received) >= size:
            report, first, second = supervisor.REPORT.unpack_from(self._received)
            is_long = report == supervisor.Report.LEFT_BEHIND
            end = size + (second if is_long else 0)
            if len(self._received) < end:
                break
            names, self._received = self._received[size:end], self._received[end:]
            if is_long:
                self._left = [first, [os.fsdecode(name) for name in names.split(b"\0")]]
            elif report == supervisor.Report.NOT_STARTED:
                self._not_started = [first, second]
                return True
            elif report == supervisor.Report.EXITED:
                return True
        return not data

    def _end(self) -> dict[str, Any]:
        if self._not_started is not None:
            _remove_run(self._folder + os.fsdecode(supervisor.NEW))
            return {"not_started": self._not_started}
        status = status_of(self._folder)
        if status is None:
            return {"lost": "its supervisor there was killed"}
        return {**status, "left": self._left}

    def forget(self) -> None:
        """Its end is known to the engine. The relay waits for this."""
        _remove_run(self._folder)


def _remove_run(folder: str) -> None:
    """Remove a run folder, which has files alone."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)


def _read_at(path: str, at: int) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(file, frames.CHUNK, at)
    finally:
        os.close(file)


def status_of(folder: str) -> dict[str, Any] | None:
    """How the command of a run folder has ended; None if it has not, or that is not known."""
    try:
        with open(f"{folder}/status") as file:
            status, how, *used = file.read().split()
        return {"status": int(status), "how": how, "used": [int(part) for part in used] or None}
    except (OSError, ValueError):
        return None


def _attach(folder: str) -> socket.socket | None:
    """The socket to the supervisor of a command; None if it has none any more."""
    sock = socket.socket(socket.AF_UNIX)
    place = -1
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        sock.settimeout(_BEGINNING)
        sock.connect(f"/proc/self/fd/{place}/socket")
        size = socket.CMSG_SPACE(supervisor.MOST_DESCRIPTORS * struct.calcsize("i"))
        message, rights, _, _ = sock.recvmsg(supervisor.HELLO.size, size)
        for _, _, data in rights:
            for (lock,) in struct.iter_unpack("i", data):
                os.close(lock)
        if len(message) == supervisor.HELLO.size:
            return sock
    except OSError:
        """It has ended, or does not answer."""
    finally:
        if place >= 0:
            os.close(place)
    sock.close()
    return None


def _run(
    link: Link,
    runs: str,
    request: dict[str, Any],
    stdin: bytes,
    incoming: list[tuple[Kind, bytes]],
) -> None:
    """Run a command, and keep its end until that is taken. `incoming` came with the request."""
    job = os.path.join(runs, request["job"])
    os.makedirs(job, 0o700, exist_ok=True)
    os.utime(job)
    run = Run(link, os.path.join(job, request["name"]), request)
    if not run.await_caches(incoming):
        link.end({"status": -signal.SIGTERM, "how": "asked", "left": None})
        return
    if not run.begin(stdin):
        link.end({"unknown": True})
        return
    end = run.follow(to_end=any(kind is Kind.CANCEL for kind, _ in incoming))
    if link.has_ended:
        return
    link.end(end)
    while not link.has_ended:
        if 0 in link.wait() and any(kind is Kind.TAKEN for kind, _ in link.messages()):
            run.forget()
            return


def main(home: str) -> None:
    """Do what the relay at the other end asks for. `home`: the folder of all that is ours."""
    runs = os.path.join(home, "run")
    umask = os.umask(0o077)
    link = Link()
    try:
        os.makedirs(runs, 0o700, exist_ok=True)
        received = receive(link)
        if received is None:
            return
        request, stdin, incoming = received
        os.umask(umask)
        if request["do"] == "run":
            _run(link, runs, request, stdin, incoming)
        else:
            # Commands begin sooner without it.
            files: Any = __import__("agent_files")
            link.end({"answer": files.Files(link, runs, incoming).do(request)})
    except OSError as error:
        what = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        link.end({"error": f"{what}{error.strerror or error}", "errno": error.errno})
    except (Refused, frames.Damaged) as error:
        link.end({"error": str(error), "errno": None})
