"""The answers of an agent about files at its place: see `agent.py`, which is sent there with this.

To be asked for the same again does no harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pycurrent.places import agent_caches, frames
    from pycurrent.places.agent import status_of
    from pycurrent.places.agent_contents import Contents
    from pycurrent.places.agent_link import Link, Refused
    from pycurrent.places.frames import Kind
else:
    import agent_caches
    import frames
    from agent import status_of
    from agent_contents import Contents
    from agent_link import Refused
    from frames import Kind

# ruff: noqa: PTH101, PTH102, PTH103, PTH105, PTH108, PTH110, PTH112, PTH114, PTH116, PTH118, PTH120, PTH123

_KNOWN = (
    "hello",
    "folder",
    "remove",
    "forget",
    "read",
    "write",
    "glob",
    "pack",
    "has",
    "unpack",
    "cache",
    "cache_copied",
    "cache_used",
)
_KEEP, _KEPT = "keep:", "kept:"
"""How the names begin that members of an archive have where links have their targets. There follow
a digest, and for one that is kept here its size: such a member comes without its content.
"""
_UNTIL = "until"
"""The name of the file that says until when the folders of a job stay, in seconds since 1970."""
_STALE = 7 * 24 * 3600.0
"""Seconds after which a job that nobody has asked for is forgotten."""


class Files:
    """The answers to requests about files at this place."""

    def __init__(self, link: Link, runs: str, incoming: list[tuple[Kind, bytes]]) -> None:
        self._link = link
        self._runs = runs
        self._incoming = incoming
        self._contents = Contents(os.path.join(os.path.dirname(runs), "files"))

    def do(self, request: dict[str, Any]) -> object:
        """The answer. Raises OSError, and `Refused`."""
        what = request["what"]
        if what not in _KNOWN:
            raise Refused(f"an agent of this version does not know {what}")
        return getattr(self, f"_{what}")(**request["args"])

    def _hello(self) -> object:
        major, minor = sys.version_info[:2]
        self._tidy()
        return {"python": f"{major}.{minor}", "machine": os.uname().machine}

    def _folder(self, job: str, name: str) -> object:
        path = os.path.join(self._runs, job, name)
        os.makedirs(path, 0o700, exist_ok=True)
        return path

    def _remove(self, path: str) -> None:
        _remove_tree(path)

    def _forget(self, jobs: dict[str, tuple[float, bool]]) -> object:
        """Forget jobs. The folders of each, but for its commands', stay for so many seconds. Gives
        those of which something may run yet, unless they are said to be over: these stay.
        """
        left = []
        for job, (keep, is_over) in jobs.items():
            # The others go although one can't be removed: see `_forget_stale`.
            with contextlib.suppress(OSError):
                if is_over or not _is_at_work(os.path.join(self._runs, job)):
                    _forget_one(os.path.join(self._runs, job), keep)
                else:
                    left.append(job)
        self._tidy()
        return left

    def _tidy(self) -> None:
        """Remove what nobody has come back for."""
        _forget_stale(self._runs)
        for gone in agent_caches.unused(os.path.join(os.path.dirname(self._runs), "caches")):
            _remove_tree(gone)

    def _read(self, path: str) -> None:
        with open(path, "rb") as file:
            while data := file.read(frames.CHUNK):
                self.put(data)

    def _write(self, path: str) -> None:
        part = f"{path}.part-{os.getpid()}"
        try:
            with open(part, "wb") as file:
                for data in self._input():
                    file.write(data)
            with contextlib.suppress(FileNotFoundError):
                os.chmod(part, os.stat(path).st_mode & 0o7777)
            os.replace(part, path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    def _glob(self, path: str, pattern: str) -> object:
        return sorted(_matching(path, pattern.split("/")))

    def _pack(self, path: str, names: list[str]) -> None:
        import tarfile

        os.stat(os.path.join(path, ""))  # raises for what is not a folder
        target: Any = _Sender(self)
        with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name in names:
                if os.path.lexists(os.path.join(path, name)):
                    archive.add(os.path.join(path, name), name or ".")

    def _has(self) -> object:
        """The digests, of those in the input, whose contents are kept here."""
        digests = json.loads(b"".join(self._input()))
        return [digest for digest in digests if self._contents.has(digest)]

    def _unpack(self, path: str, most: int) -> object:
        """Gives the digests of contents that were to be here, and are not: then not all is placed.
        At most so many bytes of contents are kept here from then on.
        """
        import tarfile

        lacking = []

        os.makedirs(path, exist_ok=True)
        # The engine has made it: links may lead anywhere.
        has_filters = hasattr(tarfile, "fully_trusted_filter")
        trusting: Any = {"filter": "fully_trusted"} if has_filters else {}
        source: Any = _Receiver(self._input())
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for member in archive:
                # A file that is in the way is replaced, as `Job.put` says.
                target = os.path.join(path, member.name)
                if os.path.islink(target) or (os.path.exists(target) and not member.isdir()):
                    os.unlink(target)
                name = member.linkname if member.isreg() else ""
                if name.startswith(_KEPT):
                    digest, _, size = name[len(_KEPT) :].partition(":")
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    if self._contents.take(digest, int(size), target):
                        os.chmod(target, member.mode)
                        os.utime(target, (member.mtime, member.mtime))
                    else:
                        lacking.append(digest)
                    continue
                archive.extract(member, path, **trusting)
                if name.startswith(_KEEP):
                    self._contents.keep(name[len(_KEEP) :], target)
        self._contents.trim(most)
        return lacking

    # Cache folders: see `agent_caches.py`

    def _cache_path(self, name: str, digest: str) -> str:
        return os.path.join(os.path.dirname(self._runs), "caches", name, digest)

    def _cache(self, name: str, digest: str) -> object:
        """Its path, and the name of what it is in. Commands that use it make it again if others
        have removed it meanwhile.
        """
        path = self._cache_path(name, digest)
        os.makedirs(path, 0o700, exist_ok=True)
        return path, agent_caches.identity(os.path.dirname(path))

    def _cache_copied(self, name: str, digest: str, target: str) -> None:
        """Copy what is in it, once nobody uses it, to a folder that is not there."""
        import shutil  # long to load, and not always needed

        path = self._cache_path(name, digest)
        if not os.path.isdir(path):
            os.mkdir(target)
            return
        # An owner of its own: it uses it alone.
        while (lock := agent_caches.take(path, target)) is None:
            if 0 in self._link.wait(seconds=agent_caches.LOOK):
                self._incoming += self._link.messages()
            if self._link.has_ended:
                raise SystemExit
        try:
            shutil.copytree(path, target, symlinks=True)
        finally:
            os.close(lock)

    def _cache_used(self, name: str, digest: str, most: int) -> object:
        """Remove what all of its name hold above so many bytes: gives the paths and sizes."""
        path = self._cache_path(name, digest)
        removed = agent_caches.end_use(path, most)
        for gone in agent_caches.set_aside(path):
            _remove_tree(gone)
        return removed

    def put(self, data: bytes) -> None:
        """Send a part of the output."""
        self._link.out.add(frames.encode(Kind.OUTPUT, data))
        while self._link.out.is_full:
            self._wait()

    def _wait(self) -> None:
        if 0 in self._link.wait():
            self._incoming += self._link.messages()
        if self._link.has_ended:
            raise SystemExit

    def _input(self) -> Any:
        while True:
            while self._incoming:
                kind, data = self._incoming.pop(0)
                if kind is Kind.INPUT:
                    if not data:
                        return
                    yield data
            self._wait()


class _Sender:
    """The file that an archive is written to."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, data: bytes) -> int:
        for at in range(0, len(data), frames.CHUNK):
            self._files.put(data[at : at + frames.CHUNK])
        return len(data)


class _Receiver:
    """The file that an archive is read from."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            part = next(self._parts, b"")
            if not part:
                break
            self._rest += part
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _matching(top: str, parts: list[str], below: str = "") -> set[str]:
    """The paths below a folder that match a pattern; `**` stands for any folders."""
    first, rest = parts[0], parts[1:]
    found = set()
    with contextlib.suppress(OSError):
        if first == "**":
            found |= _matching(top, rest or ["*"], below)
        for entry in os.scandir(os.path.join(top, below)):
            path = f"{below}/{entry.name}" if below else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if first == "**":
                if is_folder:
                    found |= _matching(top, parts, path)
            elif _matches(entry.name, first):
                if not rest:
                    found.add(path)
                elif is_folder:
                    found |= _matching(top, rest, path)
    return found


def _matches(name: str, pattern: str) -> bool:
    import fnmatch  # most agents look for no files

    return fnmatch.fnmatchcase(name, pattern)


def _remove_tree(path: str) -> None:
    """Remove a folder, even if a command has made parts of it read-only."""
    import shutil  # long to load, and not always needed

    def again(function: Any, name: str, _: object) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(name), 0o700)
            os.chmod(name, 0o700)
            function(name)

    shutil.rmtree(path, onerror=again)


def _forget_one(path: str, keep: float) -> None:
    if not keep:
        _remove_tree(path)
        return
    for folder in list(os.scandir(path)):
        if os.path.exists(os.path.join(folder.path, "spool")):
            _remove_tree(folder.path)
    frames.write_whole(os.path.join(path, _UNTIL), time.time() + keep)


def _forget_stale(runs: str) -> None:
    """Remove what jobs have left for which no engine has come back."""
    with contextlib.suppress(OSError):
        for job in os.scandir(runs):
            until = _until(job.path)
            if until is None:
                until = job.stat().st_mtime + _STALE
            if time.time() > until and not _is_at_work(job.path):
                _remove_tree(job.path)


def _until(job: str) -> float | None:
    try:
        with open(os.path.join(job, _UNTIL)) as file:
            return float(file.read())
    except (OSError, ValueError):
        return None


def _is_at_work(job: str) -> bool:
    """True if a command of a job may still run. Its supervisor is not asked: it would take that for
    an engine, and leave the one that it has.
    """
    started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for folder in os.scandir(job):
        is_run = os.path.exists(f"{folder.path}/spool")
        if is_run and status_of(folder.path) is None and folder.stat().st_mtime > started:
            return True
    return False
