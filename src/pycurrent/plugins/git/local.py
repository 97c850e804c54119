"""Repositories on this machine, as inputs of a pipeline."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from pycurrent.engine import FileMonitor, OpenEngine
from pycurrent.engine.changes import ChangeText
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError, WrongKind
from pycurrent.plugins.git.commit import Commit, Detached, Head, checked_ref
from pycurrent.plugins.git.contents import Contents
from pycurrent.plugins.git.repository import NoCommit, Repository
from pycurrent.plugins.git.told import change_told
from pycurrent.term import Current, component, shown

T = TypeVar("T")


class Local:
    """A repository on this machine, by its work tree (a linked one, too) or its own folder.

    The repository is watched while the pipeline needs one of its commits, and never written to. The
    folder need not be a repository yet: until it is one, the commits are failures that say so.
    """

    given_instead: ClassVar[str] = "write repo.head_commit()"
    """The hint in the message when a repository is given in the place of a commit."""

    def __init__(self, path: Path | str) -> None:
        if not isinstance(path, str | os.PathLike):
            raise WrongKind(f"git.Local takes the path of a folder, not {shown(path)}")
        if "://" in (text := os.fspath(path)):
            raise UsageError(
                f"git.Local takes the path of a folder, not {text!r}: write git.clone(...), or"
                " git.heads(...) for its branches"
            )
        self._path = Path(path).absolute()
        # One for each ref: components that follow the same one share it.
        self._commits: dict[str, FileMonitor[Commit]] = {}
        self._head: FileMonitor[Head] = self._monitor("HEAD", Repository.head, Head)

    def __repr__(self) -> str:
        return f"Local({str(self.path)!r})"

    def __str__(self) -> str:
        return self._name

    @property
    def path(self) -> Path:
        """The folder, as an absolute path."""
        return self._path

    def head(self) -> Current[Head]:
        """The `Branch` that HEAD is on, or the commit (`Detached`)."""
        return component(f"head of {self._name}", self._head.get)

    def head_commit(self) -> Current[Commit]:
        """The commit that is checked out. It fails as long as there is none."""
        return component(f"head commit of {self._name}", self._commit("HEAD").get)

    def commit_of_ref(self, ref: str) -> Current[Commit]:
        """The commit of a ref by its full name, such as `refs/heads/main`. Tags are followed.

        It fails as long as the repository does not have the ref. Raises UsageError for a malformed
        name.
        """
        label = f"{checked_ref(ref)} of {self._name}"
        return component(label, self._commit(ref).get)

    def check(self, ref: str = "HEAD") -> Commit:
        """Return the commit of a ref at this moment. Blocks for some milliseconds.

        Use it to refuse a mistyped folder or ref at the start, rather than wait for it: raises
        UsageError if the folder is not a repository, or does not have the ref, or a commit, yet.
        """
        return _found(Repository.at(self.path).commit(checked_ref(ref)))

    @property
    def _name(self) -> str:
        return self.path.name or str(self.path)

    def _commit(self, ref: str) -> FileMonitor[Commit]:
        if ref not in self._commits:
            self._commits[ref] = self._monitor(ref, lambda found: found.commit(ref), Commit)
        return self._commits[ref]

    # `object`: Head is a union, which is of no type that a checker knows.
    def _monitor(
        self, ref: str, look: Callable[[Repository], T | NoCommit], type: object
    ) -> FileMonitor[T]:
        async def read() -> T:
            return _found(await in_thread(lambda: look(Repository.at(self.path))))

        return _OfRef(
            read=read,
            paths=lambda: Repository.at(self.path).files(ref),
            describe=lambda: f"{ref} of {self.path}",
            type=type,
        )


def commit_monitor(repository: Local, ref: str) -> FileMonitor[Commit]:
    """The monitor of a ref's commit, which all that follow the ref of this object share."""
    return repository._commit(ref)


class _OfRef(FileMonitor[T]):
    """A ref, which tells of the commits that it has got."""

    async def prepare(self, engine: OpenEngine, value: T) -> None:
        commit = value.commit if isinstance(value, Detached) else value
        if isinstance(commit, Commit):
            await engine.service(Contents).prepare(commit)

    async def describe_change(self, old: T, new: T) -> ChangeText | None:
        if not (isinstance(old, Commit) and isinstance(new, Commit)):
            return None
        tell = partial(change_told, new.repository, self.describe(), rewritten="rewritten")
        return await in_thread(tell, old.hash, new.hash)


def _found(result: T | NoCommit) -> T:
    """Return the result. Raises UsageError if there is none, which ends a run with --once."""
    if isinstance(result, NoCommit):
        raise UsageError(result.reason)
    return result
