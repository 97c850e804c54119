"""The processes that a test has started, and their activity, as Linux reports it.

On other systems it finds no processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine import supervisor

PROC = Path("/proc")

_GONE = frozenset("ZXx")
_AT_REST = frozenset("STtIP")


@dataclass(frozen=True, slots=True)
class ProcessActivity:
    """The activity of a process so far. Two equal ones show no sign of life in between."""

    pid: int
    state: str
    ticks: int

    @property
    def is_at_rest(self) -> bool:
        """True if it sleeps. Other processes run, or wait for a processor or disk."""
        return self.state in _AT_REST


def processes_under(parent: int) -> list[ProcessActivity]:
    """All descendants of a process, except those that only wait to be reaped."""
    children: dict[int, list[ProcessActivity]] = {}
    for pid in _pids():
        found = _activity(f"{PROC}/{pid}", pid)
        if found is not None:
            children.setdefault(found[0], []).append(found[1])
    below: list[ProcessActivity] = []
    stack = [parent]
    while stack:
        mine = children.get(stack.pop(), [])
        below.extend(mine)
        stack.extend(child.pid for child in mine)
    return below


def threads_of_ours(native_ids: Iterable[int]) -> list[ProcessActivity]:
    """The activity of threads of this process, by native id."""
    found = (_activity(f"{PROC}/self/task/{number}", number) for number in native_ids)
    return [entry[1] for entry in found if entry is not None]


def processes_marked(name: str, value: str) -> dict[int, str]:
    """The processes with this in their environment, and their commands.

    This also finds processes whose parents have gone.
    """
    mark = f"{name}={value}".encode()
    found = {}
    for pid in _pids():
        # Another user's, or gone meanwhile.
        with suppress(OSError):
            folder = PROC / str(pid)
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
                found[pid] = command.decode(errors="replace")
    return found


def is_resident(pid: int) -> bool:
    """True for the helper, or a supervisor, of an engine's commands."""
    try:
        return os.fsencode(supervisor.__file__) in (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _pids() -> Iterator[int]:
    if PROC.is_dir():
        with os.scandir(PROC) as entries:
            for entry in entries:
                if entry.name.isdecimal():
                    yield int(entry.name)


def _activity(folder: str, pid: int) -> tuple[int, ProcessActivity] | None:
    """The parent of a process, and its activity; None if it has gone."""
    # Each engine in a test looks at all processes of the machine: this is quicker than `Path`.
    try:
        file = os.open(f"{folder}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            stat = os.read(file, 4096)
        finally:
            os.close(file)
    except OSError:
        return None
    # The name, in parentheses, may hold anything.
    fields = stat.rpartition(b")")[2].split()
    state = fields[0].decode()
    parent, user, system = int(fields[1]), int(fields[11]), int(fields[12])
    return None if state in _GONE else (parent, ProcessActivity(pid, state, user + system))
