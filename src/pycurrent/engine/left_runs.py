"""The durable jobs that a killed engine has left at work, until they go on or are ended."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from pycurrent.engine.journal import Entry, Journal, UnknownJournal
from pycurrent.engine.supervisor import END, HELLO, MOST_DESCRIPTORS, VERSION
from pycurrent.store import Database, JobEnd, JobRecord, StateDir
from pycurrent.store.trees import remove_tree

_ANSWER = 10.0
"""Seconds within which a supervisor has to say who it is."""


class LeftRun(Struct, frozen=True, eq=False):
    """A durable job whose engine was killed while it was at work."""

    record: JobRecord
    journal: Journal

    @property
    def work(self) -> tuple[str, str]:
        """The id of the operation and the digest of the key."""
        return self.record.op, self.record.key_digest

    def end(self) -> None:
        """Have all of its commands end, soon, and forget it. Blocks for a moment."""
        end_run(self.journal)
        remove_tree(self.journal.folder)


def look_for_left_runs(state: StateDir, store: Database) -> list[LeftRun]:
    """Find them. One that can't go on is ended."""
    found = []
    for folder in sorted(state.runs.glob("*/*")):
        if Journal.is_at(folder):
            run = _left_run(folder, state, store)
            if run is not None:
                found.append(run)
    return found


def _left_run(folder: Path, state: StateDir, store: Database) -> LeftRun | None:
    try:
        journal = Journal.read(folder)
    except (UnknownJournal, OSError):
        remove_tree(folder)  # Its lease ends what still runs.
        return None
    record = store.job(str(folder.relative_to(state.runs)))
    if (
        record is not None
        and record.ended is JobEnd.INTERRUPTED
        and record.started is not None
        and state.job_path(record.job_id).exists()
    ):
        return LeftRun(record, journal)
    end_run(journal)
    remove_tree(folder)
    return None


def end_run(journal: Journal) -> None:
    """Have all of its commands end. Blocks for a moment, but not until they have."""
    for entry in journal.unclaimed:
        found = reach(entry) if entry.ended is None else None
        if found is not None:
            sock, locks = found
            with sock, suppress(OSError):
                sock.send(END)
            for lock in locks:
                os.close(lock)
    journal.close()


def reach(entry: Entry) -> tuple[socket.socket, list[int]] | None:
    """The socket to the supervisor of a command, and the locks that it holds; None if it has none
    any more. Blocks.
    """
    try:
        place = os.open(entry.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(_ANSWER)
        sock.connect(f"/proc/self/fd/{place}/socket")
        message, locks, _, _ = socket.recv_fds(
            sock, HELLO.size, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        if len(message) == HELLO.size and HELLO.unpack(message) == (VERSION, len(locks)):
            sock.setblocking(False)
            return sock, locks
    except OSError:
        """Nobody is there, or it does not answer."""
    finally:
        os.close(place)
    sock.close()
    return None
