"""Reads commits and folders of a repository on this machine, by one `git cat-file --batch`.

That takes some milliseconds to start, and well below one for each object.
"""

from __future__ import annotations

import select
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pycurrent.errors import UsageError
from pycurrent.plugins.git.environment import GIT, engines_outside_repositories
from pycurrent.term import Failure, FailureKind

PATIENCE = 10
"""Seconds that git has for an object."""

_READ = 1 << 20
_ENV = {
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
    # A partial clone must not fetch now.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


@dataclass(frozen=True, slots=True)
class GitObject:
    """An object of a repository."""

    hash: str
    kind: str
    data: bytes


class ObjectReader:
    """One `git cat-file --batch`, for one thread. Its methods block: an answer takes about 50 us,
    and git has `PATIENCE`. After a Failure all raise.
    """

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._folders: dict[str, dict[str, tuple[str, str]]] = {}
        argv = [*GIT, f"--git-dir={repository}", "cat-file", "--batch"]
        try:
            self._process = subprocess.Popen(
                argv,
                env=engines_outside_repositories(_ENV),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except FileNotFoundError:
            raise UsageError("there is no git on the PATH: install it") from None
        assert self._process.stdout is not None
        self._poll = select.poll()
        self._poll.register(self._process.stdout, select.POLLIN)
        self._data = bytearray()

    def read(self, name: str) -> GitObject | None:
        """Return an object by its hash, or by an expression without a path; None if there is none.

        Raises Failure if git can't tell.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{name}\n".encode())
        head = self._until(b"\n").decode(errors="replace").split(" ")
        if len(head) != 3 or not head[2].isdigit():
            return None
        size = int(head[2])
        return GitObject(head[0], head[1], self._exactly(size + 1)[:size])

    def folder(self, hash: str) -> dict[str, tuple[str, str]]:
        """Return the entries of a folder by their names: modes and hashes. Raises Failure."""
        found = self._folders.get(hash)
        if found is None:
            tree = self.read(hash)
            if tree is None or tree.kind != "tree":
                raise Failure(f"{self._repository} lacks the folder {hash} of one of its commits")
            found = self._folders[hash] = _entries(tree.data, len(hash) // 2)
        return found

    def kill(self) -> None:
        """End the command: what reads fails. Any thread may call it, and after `close`, too."""
        self._process.kill()

    def close(self) -> None:
        """End the command, and wait for its end. Called once, by the thread that reads."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def _until(self, end: bytes) -> bytes:
        while (at := self._data.find(end)) < 0:
            self._take()
        return self._exactly(at + len(end))[:at]

    def _exactly(self, size: int) -> bytes:
        while len(self._data) < size:
            self._take()
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def _take(self) -> None:
        assert self._process.stdout is not None
        if not self._poll.poll(PATIENCE * 1000):
            why = f"git does not read {self._repository} within {PATIENCE} seconds"
            raise Failure(why, kind=FailureKind.INFRA)
        data = self._process.stdout.read(_READ)
        if not data:
            assert self._process.stderr is not None
            lines = self._process.stderr.read().decode(errors="replace").strip().splitlines()
            said = (lines or ["it has ended"])[-1].removeprefix("fatal: ")
            raise Failure(f"git can't read {self._repository}: {said}")
        self._data += data


def _entries(data: bytes, width: int) -> dict[str, tuple[str, str]]:
    """Read the entries of a tree as git keeps it: mode, name and the bytes of a hash."""
    entries = {}
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        mode = data[at:space].decode().zfill(6)
        name = data[space + 1 : end].decode(errors="surrogateescape")
        at = end + 1 + width
        entries[name] = mode, data[end + 1 : at].hex()
    return entries
