"""A terminal at a place: what `pycurrent shell` starts there, by the connection of a relay.

Sent as it is, and run by any Python from 3.8 on. The first line of its input is JSON: `job`, the
token by which the place knows the job; `argv`, the command to be run, or null for a shell; and, if
there is a terminal at the other end, `size`, its rows and columns, and `term`, its kind. Without
one, all that follows is the input of the command. With one, messages follow, each a letter and the
length of what comes then: `D`, the keys that are typed, and `W`, the new size, twice two bytes. All
that the command prints comes back as it is, and its status is that of this program.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# ruff: noqa: PTH110, PTH111, PTH112, PTH118, PTH208

_HEAD = struct.Struct("!cI")
_SIZE = struct.Struct("!HH")
_CHUNK = 64 << 10
_NO_FOLDER = "the job has no folder here any more"


def folder_of(runs: str, job: str) -> str:
    """The folder of a job: the one that it works in, if that is clear, else the one of all that it
    has here. Raises OSError.
    """
    top = os.path.join(runs, job)
    names = sorted(os.listdir(top))
    folders = [
        os.path.join(top, name)
        for name in names
        if os.path.isdir(os.path.join(top, name))
        # A folder with a spool is that of a command.
        and not os.path.exists(os.path.join(top, name, "spool"))
    ]
    filled = [folder for folder in folders if os.listdir(folder)]
    return filled[0] if len(filled) == 1 else folders[0] if len(folders) == 1 else top


def _shell() -> list[str]:
    return [os.environ.get("SHELL") or "/bin/sh"]


def _become(argv: list[str]) -> None:
    """Become the command. Never returns."""
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - it is what a person asks for
    except OSError as error:
        os.write(2, f"{argv[0]} can't be run: {error.strerror}\n".encode())
    os._exit(127)


def _read_line() -> bytes:
    """The first line of the input, and no byte of what follows."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)
        line += byte
    return line


class _Terminal:
    """The command, in a terminal here."""

    def __init__(self, argv: list[str], size: list[int]) -> None:
        self._pid, self._far = pty.fork()
        if self._pid == 0:
            _become(argv)
        self._set_size(*size)
        self._received = b""

    def run(self) -> int:
        """Until it has ended, or the other end has gone. Its status."""
        while True:
            ready, _, _ = select.select([0, self._far], [], [])
            if self._far in ready and not self._print():
                break
            if 0 in ready and not self._hear():
                # Nobody is there any more: as if a terminal were closed.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._pid, signal.SIGHUP)
                break
        os.close(self._far)
        _, status = os.waitpid(self._pid, 0)
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)

    def _print(self) -> bool:
        """Pass on what it prints. False at its end."""
        try:
            data = os.read(self._far, _CHUNK)
        except OSError:
            return False
        _write(1, data)
        return bool(data)

    def _hear(self) -> bool:
        """Do what has come. False at the end."""
        data = os.read(0, _CHUNK)
        self._received += data
        while len(self._received) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._received)
            end = _HEAD.size + length
            if len(self._received) < end:
                break
            payload, self._received = self._received[_HEAD.size : end], self._received[end:]
            if kind == b"D":
                _write(self._far, payload)
            elif kind == b"W":
                self._set_size(*_SIZE.unpack(payload))
        return bool(data)

    def _set_size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main() -> int:
    """See the module."""
    request: dict[str, Any] = json.loads(_read_line().decode())
    try:
        folder = folder_of(os.path.expanduser("~/.cache/pycurrent/run"), request["job"])
        os.chdir(folder)
    except OSError:
        os.write(2, f"{_NO_FOLDER}\n".encode())
        return 1
    argv = request["argv"] or _shell()
    if "size" not in request:
        _become(argv)
    os.environ["TERM"] = request["term"]
    return _Terminal(argv, request["size"]).run()


if __name__ == "__main__":
    sys.exit(main())
