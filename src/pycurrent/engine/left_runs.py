"""The durable jobs that a killed engine has left at work, until they go on or are ended."""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from pycurrent.engine.fence import FencedJob, is_at_work, is_fenced
from pycurrent.engine.journal import Entry, Journal, UnknownJournal
from pycurrent.engine.kept_folders import Terminal
from pycurrent.engine.leftovers import Leftovers
from pycurrent.engine.supervisor import END, HELLO, MOST_DESCRIPTORS, VERSION
from pycurrent.store import Database, JobEnd, JobRecord, StateDir
from pycurrent.store.trees import remove_tree

_ANSWER = 10.0
"""Seconds within which a supervisor has to say who it is."""
_FORGOTTEN = 8 * 24 * 3600.0
"""Seconds after which a place has forgotten a job by itself, of which it was not told."""


Reached: TypeAlias = tuple[socket.socket, list[int]]
"""The socket to a supervisor, and the open files that hold the locks of its command."""


class LeftRun(Struct, frozen=True, eq=False):
    """A durable job whose engine was killed while it was at work."""

    record: JobRecord
    journal: Journal
    reached: dict[Entry, Reached]
    """This engine is attached to the commands that still run, so that their leases do not run while
    nobody knows whether the job is wanted.
    """

    @property
    def work(self) -> tuple[str, str]:
        """The id of the operation and the digest of the key."""
        return self.record.op, self.record.key_digest

    def end(self) -> bool:
        """Have all of its commands end, soon, and forget it. Blocks for a moment. True if its place
        is to be told: until then its run folder stays.
        """
        return _end(self.journal, self.reached)


def look_for_left_runs(
    state: StateDir, store: Database, leftovers: Leftovers
) -> tuple[list[LeftRun], list[Path]]:
    """Find them. One that can't go on is ended; if something of it may be left at a place its end
    is one of the `leftovers`. The run folders of others whose places are to be told stay: they come
    second.
    """
    found: list[LeftRun] = []
    to_be_told: list[Path] = []
    for folder in sorted(state.runs.glob("*/*")):
        if Journal.is_at(folder):
            run = _left_run(folder, state, store, leftovers)
            if isinstance(run, LeftRun):
                found.append(run)
            elif run:
                to_be_told.append(folder)
    if found:
        # Long to load: now, while nobody waits for the loop.
        import_module("pycurrent.engine.driven_job")
    return found, to_be_told


def _left_run(
    folder: Path, state: StateDir, store: Database, leftovers: Leftovers
) -> LeftRun | bool:
    """The run; or whether a place is to be told that it is none."""
    try:
        journal = Journal.read(folder)
    except (UnknownJournal, OSError):
        remove_tree(folder)  # Its lease ends what still runs.
        return False
    found = ((entry, reach(entry)) for entry in journal.unclaimed if entry.ended is None)
    reached = {entry: answer for entry, answer in found if answer is not None}
    record, held = store.job(str(folder.relative_to(state.runs))), journal.held
    if (
        record is not None
        and (held is None or held.goes_on)
        and not is_fenced(folder)
        and record.ended is JobEnd.INTERRUPTED
        and record.started is not None
        and state.job_path(record.job_id).exists()
    ):
        return LeftRun(record, journal, reached)
    if is_at_work(folder):
        with suppress(LookupError, OSError):
            work = None if record is None else (record.op, record.key_digest)
            leftovers.fence(FencedJob(str(folder.relative_to(state.runs)), work, folder))
            end_reached(reached)
            journal.close()
            return False
    return _end(journal, reached)


def end_reached(reached: dict[Entry, Reached]) -> None:
    """Have these commands end, soon."""
    for sock, locks in reached.values():
        with sock, suppress(OSError):
            sock.send(END)
        for lock in locks:
            os.close(lock)
    reached.clear()


def _end(journal: Journal, reached: dict[Entry, Reached]) -> bool:
    end_reached(reached)
    journal.close()
    terminal = Terminal.read(journal.folder)
    if terminal is not None and terminal.known_as is not None:
        with suppress(OSError):
            if time.time() - journal.folder.stat().st_mtime < _FORGOTTEN:
                return True
    remove_tree(journal.folder)
    return False


def reach(entry: Entry) -> Reached | None:
    """The socket to the supervisor of a command, and the locks that it holds; None if it has none
    any more. Blocks.
    """
    try:
        place = os.open(entry.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    sock = socket.socket(socket.AF_UNIX)
    locks: list[int] = []
    try:
        sock.settimeout(_ANSWER)
        sock.connect(f"/proc/self/fd/{place}/socket")
        message, locks = _received(sock)
        if len(message) == HELLO.size and HELLO.unpack(message) == (VERSION, len(locks)):
            sock.setblocking(False)
            return sock, locks
    except OSError:
        """Nobody is there, or it does not answer."""
    finally:
        os.close(place)
    sock.close()
    for lock in locks:
        os.close(lock)
    return None


def _received(sock: socket.socket) -> tuple[bytes, list[int]]:
    """The first message of a supervisor, with its descriptors. No other program inherits them:
    `socket.recv_fds` ignores its flags, and an engine that starts its program again would keep
    the locks.
    """
    fd = struct.Struct("i")
    message, ancillary, _, _ = sock.recvmsg(
        HELLO.size, socket.CMSG_SPACE(MOST_DESCRIPTORS * fd.size), socket.MSG_CMSG_CLOEXEC
    )
    return message, [number for _, _, data in ancillary for (number,) in fd.iter_unpack(data)]
