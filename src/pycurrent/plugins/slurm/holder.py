"""The holder: what runs in a Slurm allocation for as long as a job of the engine has it.

It is the program of the batch script, so all that it starts belongs to the allocation and ends with
it, whatever became of the connections. It listens on a socket that has a name and no file. A bridge
(see `bridge.py`) sends it the words of a command with its own input and outputs; the holder starts
that with `/bin/sh`, and answers with its exit status. If they are those of an agent it begins that
itself, in a fork, once the node has the programs for that: see the room `places`.

It ends when nobody has asked for anything for as long as its lease is, and nothing that it started
runs any more; also when it is told to by SIGTERM, once nothing runs.

Its arguments: the name of the socket, the lease in seconds, and those of agents: the digest of
their programs, and the packed program that starts one. Any Python from 3.8 on will do.
"""

import sys

# Ahead of what older ones don't have.
if sys.version_info < (3, 8):  # noqa: UP036
    sys.exit(64)

import array
import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_MOST = 128 << 10
"""Bytes of the words of a command."""


def _now() -> float:
    # With the time that the node has slept: leases run on meanwhile.
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Holder:
    """Starts what bridges ask for."""

    def __init__(self, name: str, lease: float, digest: str, start: str) -> None:
        self._lease = lease
        self._agents = (digest, start)
        self._forking: Any = None
        """Begins agents, once it is there."""
        self._heard = _now()
        self._askers: dict[int, socket.socket] = {}
        """Of the commands that run, the connections of those who wait for them."""
        self._told_to_end = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind("\0" + name)
        self._listener.listen(128)
        self._wakeup, self._writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        # Handlers, so that commands have the signals at their default.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        # So supervisors, which lose their parents, stay in the tree that Slurm knows.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def _end(self, *_: object) -> None:
        self._told_to_end = True

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            is_busy = self._reap()
            if is_busy:
                self._heard = _now()
            left = self._heard + self._lease - _now()
            if not is_busy and (self._told_to_end or left <= 0):
                return
            ready = {fd for fd, _ in poll.poll(None if is_busy else left * 1000)}
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
            if self._listener.fileno() in ready:
                self._heard = _now()
                with contextlib.suppress(OSError):
                    self._take(self._listener.accept()[0])

    def _reap(self) -> bool:
        """Tell of those that have ended. True if something runs."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            asker = self._askers.pop(pid, None)
            if asker is not None:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                with contextlib.suppress(OSError):
                    asker.send(struct.pack("i", code))
                asker.close()

    def _take(self, asker: socket.socket) -> None:
        credentials = asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.geteuid():
            asker.close()
            return
        asker.settimeout(5)
        stdio = array.array("i")
        words, rights, _, _ = asker.recvmsg(_MOST, socket.CMSG_SPACE(3 * stdio.itemsize))
        for _, _, data in rights:
            stdio.frombytes(data)
        digest, start = self._agents
        is_agent = words.endswith(os.fsencode(f" {start} {digest}")) and self._can_fork()
        if is_agent:
            ours = [self._listener, asker, *self._askers.values()]
            highest = max(self._writer, *(sock.fileno() for sock in ours))
            pid = self._forking.fork(list(stdio), highest)
        else:
            pid = self._shell(words, stdio)
        self._askers[pid] = asker
        for descriptor in stdio:
            os.close(descriptor)

    def _can_fork(self) -> bool:
        """True if agents can be begun as forks."""
        digest, start = self._agents
        programs = os.path.expanduser(f"~/.cache/pycurrent/programs/{digest}")  # noqa: PTH111
        if self._forking is None and os.path.isdir(programs):  # noqa: PTH112
            sys.path.insert(0, programs)
            # Without it a shell begins them, and says what is wrong.
            with contextlib.suppress(Exception):
                self._forking = __import__("agent_server").Agents(digest, start)
            sys.path.remove(programs)
        return self._forking is not None

    def _shell(self, words: bytes, stdio: "array.array[int]") -> int:
        """The pid of a shell that runs these words."""
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number, descriptor in enumerate(stdio):
                os.dup2(descriptor, number)
            os.execv("/bin/sh", [b"sh", b"-c", words])  # noqa: S606
        finally:
            os._exit(126)


if __name__ == "__main__":
    # The commands have ended with the allocation that they were in, and are not begun a second time
    # under the same names, at a node that may know nothing of them.
    if os.environ.get("SLURM_RESTART_COUNT", "0") != "0":
        sys.exit(65)
    Holder(sys.argv[2], float(sys.argv[3]), *sys.argv[4:6]).run()
