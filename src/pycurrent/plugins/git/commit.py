"""What pipelines say of commits. Values: they may be keys of operations, and results.

All names are checked when they are made, so that none can be taken for an option of git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import RepositoryAddress

_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

# As `git check-ref-format` has it, for full names.
_REF = re.compile(
    r"refs/(?!.*(\.\.|//|@\{|/\.|\.lock(/|$)))(?!\.)[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])"
)


def checked_ref(ref: str) -> str:
    """The ref, if it is a full name of one, or HEAD. Raises UsageError."""
    if ref == "HEAD" or _REF.fullmatch(ref):
        return ref
    if _REF.fullmatch(f"refs/heads/{ref}"):
        raise UsageError(
            f"{ref!r} is not the full name of a ref: write refs/heads/{ref}, or refs/tags/{ref}"
        )
    raise UsageError(f"{ref!r} can't be the name of a ref: write one like refs/heads/main")


def _check_hash(value: str) -> None:
    if not _HASH.fullmatch(value):
        raise UsageError(f"{value!r} is not the hash of a commit: 40 or 64 hexadecimal digits")


@dataclass(frozen=True, slots=True)
class CommitId:
    """A commit as others know it. It need not be on this machine.

    `repository` is the address by which one gets the repository, and `ref` the full name of
    the ref on which the commit was seen. Raises UsageError for what can't be one.
    """

    repository: str
    ref: str
    hash: str

    def __post_init__(self) -> None:
        RepositoryAddress.of(self.repository)
        checked_ref(self.ref)
        _check_hash(self.hash)

    def __str__(self) -> str:
        return f"{self.repository}#{self.ref} ({self.hash[:10]})"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that is on this machine.

    `repository` is the folder in which git keeps it (`.git`, or a bare repository), the same
    for all work trees of the repository. Raises UsageError for what can't be a commit.
    """

    had_by: ClassVar[str] = "see git.Local(...).head_commit(), and git.clone(...)"
    """What is told where something else is given."""

    repository: Path
    hash: str
    id: CommitId | None = field(default=None, compare=False, repr=False)
    """What others know it as, and on which ref it was seen, if it was cloned or fetched. Not a part
    of keys, nor of what is recorded: a commit that comes from another operation has none.
    """

    def __post_init__(self) -> None:
        if not self.repository.is_absolute():
            raise UsageError(f"the path of a repository must be absolute: {self.repository}")
        _check_hash(self.hash)

    def __str__(self) -> str:
        return f"{self.name} {self.hash[:10]}"

    @property
    def name(self) -> str:
        """What people call the repository: the name of its folder, without a `.git`."""
        folder = self.repository
        name = (folder.parent if folder.name == ".git" else folder).name
        return name.removesuffix(".git") or "repository"


@dataclass(frozen=True, slots=True)
class Branch:
    """HEAD is on a branch, which may have no commit yet."""

    ref: str

    @property
    def name(self) -> str:
        return self.ref.removeprefix("refs/heads/")


@dataclass(frozen=True, slots=True)
class Detached:
    """HEAD is on no branch, but on this commit."""

    commit: Commit


Head = Branch | Detached
