"""The processes of this machine, which is the host of the tests, too."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from ..sshd import Sshd

_numbers = count(os.getpid() * 100 + 10_000_000)


def seconds() -> str:
    """A time to sleep that no other process of any test has."""
    return str(next(_numbers))


def sleeping(number: str) -> list[int]:
    """The processes that sleep for so long, on the host: not shells that are about to."""
    return [pid for pid, words in _commands() if words == ["sleep", number]]


def command_lines() -> list[str]:
    """Those of all processes, and their environments, but for this one and its own."""
    found = []
    for pid, words in _commands():
        with suppress(OSError):
            found.append(" ".join(words) + Path(f"/proc/{pid}/environ").read_text(errors="replace"))
    return found


def break_connections(server: Sshd) -> None:
    """Kill what serves connections, and nothing of what is run over them."""
    for pid in sessions(server):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def sessions(server: Sshd) -> list[int]:
    """The processes of the server itself that serve connections."""
    return [pid for pid in _below(server_pid(server)) if _name(pid).startswith("sshd")]


def server_pid(server: Sshd) -> int:
    """The process that waits for connections."""
    assert server._process is not None
    return server._process.pid


def clients(port: int | None) -> list[int]:
    """The clients that are, or want to be, connected to a port."""
    return [pid for pid, words in _commands() if words[:1] == ["ssh"] and str(port) in words]


@contextmanager
def held_up(*pids: int) -> Iterator[None]:
    """Have processes stand still."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _below(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            yield child
            yield from _below(child)


def _commands() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode(errors="replace")
                yield int(folder.name), words.split("\0")[:-1]
