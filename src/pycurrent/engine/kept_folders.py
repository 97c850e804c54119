"""Folders of jobs that have failed, which stay for a while, so that people can look at them.

    kept/<job id>/<name>     a temporary folder, made here from its beginning on: builds write down
                             paths, which would be wrong if it were moved
                  terminal   leads to the place where the folders are, if that is another one
                  until      when they go, in seconds since 1970

`pycurrent shell` opens a terminal there. A job at another place has the file `terminal` in its run
folder, too, while it runs.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import TypeAlias

import msgspec
from msgspec import Struct

from pycurrent.engine.clock import Clock, Timer
from pycurrent.engine.place import JobPath
from pycurrent.engine.tasks import in_thread
from pycurrent.engine.tempdirs import GONE, Trash
from pycurrent.store.trees import remove_tree

TERMINAL = "terminal"
_UNTIL = "until"
_LATER = timedelta(minutes=1)


class Terminal(Struct, frozen=True):
    """The way to the folders of a job at another place."""

    place: str
    argv: tuple[str, ...]
    """The command that opens a terminal there: see `places/terminal.py`."""
    job: str
    """The token by which the place knows the job."""
    known_as: str | None = None
    """The name of the place for engines, if it is told of the end of the job: see `leaving.py`."""

    def write(self, folder: Path) -> None:
        """Have it in a folder, whole. Raises OSError."""
        part = folder / f"{TERMINAL}.part"
        part.write_bytes(msgspec.json.encode(self))
        part.rename(folder / TERMINAL)

    @classmethod
    def read(cls, folder: Path) -> Terminal | None:
        """The one in a folder; None if there is none."""
        try:
            return msgspec.json.decode((folder / TERMINAL).read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError):
            return None


Kept: TypeAlias = tuple[timedelta, Terminal]
"""For how long the folders of a job stay at another place, and the way there."""


def kept_folder(kept: Path, job_id: str) -> Path:
    """The folder with what is kept of a job."""
    return kept / job_id.replace("/", "-")


class KeptFolders:
    """The folders that one engine keeps. Belongs to the thread of the loop."""

    def __init__(self, path: Path, runs: Path, clock: Clock, trash: Trash) -> None:
        """`runs`: where the run folders of jobs are that may go on."""
        self._path = path
        self._runs = runs
        self._clock = clock
        self._trash = trash
        self._timers: dict[Path, Timer] = {}

    def close(self) -> None:
        """Remove nothing any more: the next engine does. Twice is fine."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    @asynccontextmanager
    async def folder(
        self, job_id: str, prefix: str, name: str | None, kept: Callable[[BaseException], bool]
    ) -> AsyncIterator[JobPath]:
        """A new folder for the block, which goes at its end, unless it is `kept` for an exception.
        With a `name` it is the one that a killed engine has left.
        """
        parent = kept_folder(self._path, job_id)
        parent.mkdir(0o700, parents=True, exist_ok=True)
        path = JobPath(mkdtemp(prefix=prefix, dir=parent) if name is None else parent / name)
        path.mkdir(0o700, exist_ok=True)
        try:
            yield path
        except BaseException as error:
            if not kept(error):
                await self._drop(path)
            raise
        else:
            await self._drop(path)

    async def _drop(self, path: Path) -> None:
        """Remove a folder, with that of its job if nothing else is in it."""
        rest = [name for name in os.listdir(path.parent) if not name.startswith(GONE)]  # noqa: PTH208
        if self._trash.take(path.parent if rest == [path.name] else path):
            return
        await in_thread(remove_tree, path)
        with suppress(OSError):  # of another one, or of what is kept
            path.parent.rmdir()

    def keep(self, job_id: str, time: timedelta, terminal: Terminal | None = None) -> datetime:
        """Keep what a job has for so long from now; gives when it goes. Raises OSError."""
        folder = kept_folder(self._path, job_id)
        folder.mkdir(0o700, parents=True, exist_ok=True)
        if terminal is not None:
            terminal.write(folder)
        until = self._clock.now() + time
        (folder / _UNTIL).write_text(f"{until.timestamp():.3f}")
        self._remove_at(folder, until)
        return until

    def tidy(self) -> None:
        """At the start: remove what an earlier engine has kept for long enough, or has left."""
        with suppress(OSError):
            for folder in list(self._path.iterdir()):
                until = kept_until(folder)
                if until is not None:
                    self._remove_at(folder, until)
                elif not self._goes_on(folder.name):
                    self._remove(folder)

    def _goes_on(self, name: str) -> bool:
        """True if a job may go on that an earlier engine has begun."""
        day, _, rest = name[: len("2026-11-22")], "-", name[len("2026-11-22-") :]
        return (self._runs / day / rest).exists()

    def _remove_at(self, folder: Path, until: datetime) -> None:
        if folder in self._timers:
            self._timers[folder].cancel()
        left = max(timedelta(0), until - self._clock.now())
        self._timers[folder] = self._clock.call_later(left, lambda: self._remove(folder))

    def _remove(self, folder: Path) -> None:
        self._timers.pop(folder, None)
        if self._trash.take(folder):
            return
        if folders_in(folder):
            # There is much to remove already.
            self._remove_at(folder, self._clock.now() + _LATER)
        else:
            remove_tree(folder)


def kept_until(folder: Path) -> datetime | None:
    """Until when what is kept of a job is kept; None if that is not known."""
    try:
        return datetime.fromtimestamp(float((folder / _UNTIL).read_text()), UTC)
    except (OSError, ValueError, OverflowError):
        return None


def folders_in(folder: Path) -> list[Path]:
    """The folders that are kept of a job, the one that was made last first."""
    try:
        found = [entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [Path(entry) for entry in sorted(found, key=lambda e: e.stat().st_ctime, reverse=True)]
