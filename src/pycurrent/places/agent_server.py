"""The agent server: begins the agents of many connections with one place, each in a fork of itself.
A fork begins at once, and a new interpreter takes as long as many commands do.

A program that carries connections there, and lives on between them, starts it. Its standard input
is a socket of packets. A packet that comes is the number of a connection, and has three
descriptors: the input and the outputs of its agent. Packets that it sends tell that an agent has
`BEGUN`, with its pid, and that it has `ENDED`, with its status, as `subprocess` has it. It ends
with the socket; its agents end with their connections.

Its arguments: the digest of the programs of agents, and the program that starts one, which would do
so in a Python of its own, packed as words of a shell. Any Python from 3.8 on will do.
"""

from __future__ import annotations

import base64
import gc
import os
import select
import signal
import socket
import struct
import sys
import zlib

# No pathlib here: each agent would have a copy of it.

PACKET = struct.Struct("!Bii")
BEGUN, ENDED = 0, 1
_NUMBER = struct.Struct("!i")


class Agents:
    """Begins agents, each in a fork of this process."""

    def __init__(self, digest: str, start: str) -> None:
        """`digest`: of their programs; `start`: the program that starts one, packed."""
        self._digest = digest
        self._programs = os.path.expanduser(f"~/.cache/pycurrent/programs/{digest}")  # noqa: PTH111
        self._start = compile(zlib.decompress(base64.b64decode(start)), "<agent>", "exec")

    def fork(self, stdio: list[int], ours: int) -> int:
        """The pid of an agent, which has this input and these outputs, and none of the other
        descriptors, of which `ours` is the highest.
        """
        self._load()
        pid = os.fork()
        if pid == 0:
            self._be_agent(stdio, ours)
        return pid

    def _load(self) -> None:
        """Import what agents do, for all of them; the first one of all has it sent."""
        if self._programs not in sys.path and os.path.isdir(self._programs):  # noqa: PTH112
            sys.path.insert(0, self._programs)
            for name in ("agent", "agent_files", "ctypes"):
                __import__(name)
            # Forks share this memory as long as nobody writes to it, not even the collector.
            gc.freeze()

    def _be_agent(self, stdio: list[int], ours: int) -> None:
        """Does not return."""
        status = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number, descriptor in enumerate(stdio):
                os.dup2(descriptor, number)
            os.closerange(3, max(*stdio, ours) + 1)
            sys.argv[1:] = ["", self._digest]
            exec(self._start, {"__name__": "__main__"})  # noqa: S102
            status = 0
        except SystemExit as end:
            if isinstance(end.code, str):
                sys.stderr.write(f"{end.code}\n")
            status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)


class Server:
    """Begins the agents that are asked for at a socket, and tells of their ends."""

    def __init__(self, control: socket.socket, agents: Agents) -> None:
        self._control = control
        self._agents = agents
        self._numbers: dict[int, int] = {}
        """The connections of the agents that run, by their pids."""
        self._wakeup, self._writer = os.pipe()
        for descriptor in (self._wakeup, self._writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Until nobody has the other end of the socket."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._wakeup in ready:
                os.read(self._wakeup, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._take():
                return

    def _reap(self) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            self._control.send(PACKET.pack(ENDED, self._numbers.pop(pid), code))

    def _take(self) -> bool:
        """Begin an agent. False at the end."""
        space = socket.CMSG_SPACE(3 * struct.calcsize("i"))
        packet, rights, _, _ = self._control.recvmsg(_NUMBER.size, space)
        if not packet:
            return False
        stdio = [number for _, _, data in rights for (number,) in struct.iter_unpack("i", data)]
        pid = self._agents.fork(stdio, self._writer)
        for descriptor in stdio:
            os.close(descriptor)
        (number,) = _NUMBER.unpack(packet)
        self._numbers[pid] = number
        self._control.send(PACKET.pack(BEGUN, number, pid))
        return True


def main() -> None:
    """See the module."""
    Server(socket.socket(fileno=0), Agents(*sys.argv[2:4])).run()


if __name__ == "__main__":
    main()
