"""Repositories on this machine, as inputs of a pipeline."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

from pycurrent.engine import FileMonitor
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins.git.commit import Commit, Head, checked_ref
from pycurrent.plugins.git.repository import NoCommit, Repository
from pycurrent.term import Current, component, shown

T = TypeVar("T")


class Local:
    """A repository on this machine, by its work tree (a linked one, too) or its own folder.

    It is watched while the pipeline needs one of its commits, and never written to. The folder
    need not be a repository yet: what is asked of it fails until it is one, and `check` refuses it.
    """

    given_instead: ClassVar[str] = "write repo.head_commit()"
    """What is told where a repository is given, and a commit is meant."""

    def __init__(self, path: Path | str) -> None:
        if not isinstance(path, str | os.PathLike):
            raise WrongKind(f"git.Local takes the path of a folder, not {shown(path)}")
        self._path = Path(path).absolute()
        # One for each ref: components that follow the same one share it.
        self._commits: dict[str, FileMonitor[Commit]] = {}
        self._head: FileMonitor[Head] = self._monitor("HEAD", Repository.head)

    def __repr__(self) -> str:
        return f"Local({str(self.path)!r})"

    @property
    def path(self) -> Path:
        return self._path

    def head(self) -> Current[Head]:
        """What HEAD is on: a `Branch`, or a commit (`Detached`)."""
        return component(f"head of {self._name}", self._head.get)

    def head_commit(self) -> Current[Commit]:
        """The commit that is checked out. Fails as long as there is none."""
        return component(f"head commit of {self._name}", self._commit("HEAD").get)

    def commit_of_ref(self, ref: str) -> Current[Commit]:
        """The commit of a ref by its full name, such as `refs/heads/main`. Tags are followed.

        Fails as long as there is no such ref. Raises UsageError if it can't be one.
        """
        label = f"{checked_ref(ref)} of {self._name}"
        return component(label, self._commit(ref).get)

    def check(self, ref: str = "HEAD") -> Commit:
        """The commit of a ref at this moment. Blocks for some milliseconds.

        For programs that want to refuse, rather than wait, when there is none: raises
        UsageError if the folder is not a repository, or has no such ref, or no commit yet.
        """
        return _found(Repository.at(self.path).commit(checked_ref(ref)))

    @property
    def _name(self) -> str:
        return self.path.name or str(self.path)

    def _commit(self, ref: str) -> FileMonitor[Commit]:
        if ref not in self._commits:
            self._commits[ref] = self._monitor(ref, lambda found: found.commit(ref))
        return self._commits[ref]

    def _monitor(self, ref: str, look: Callable[[Repository], T | NoCommit]) -> FileMonitor[T]:
        async def read() -> T:
            return _found(await asyncio.to_thread(lambda: look(Repository.at(self.path))))

        return FileMonitor(
            read=read,
            paths=lambda: Repository.at(self.path).files(ref),
            describe=lambda: f"{ref} of {self.path}",
        )


def _found(result: T | NoCommit) -> T:
    """What was looked for. Raises UsageError: a run that is to end has nothing to wait for."""
    if isinstance(result, NoCommit):
        raise UsageError(result.reason)
    return result
