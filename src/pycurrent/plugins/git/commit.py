"""Commits, and the names of refs, as values of pipelines: they can be keys and results.

All names are checked when they are made, so that git can't take one for an option.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import RepositoryAddress

_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

# The rules of `git check-ref-format` for full names.
_REF = re.compile(
    r"refs/(?!.*(\.\.|//|@\{|/\.|\.lock(/|$)))(?!\.)[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])"
)


def checked_ref(ref: str) -> str:
    """Return the ref if it is HEAD or a full name. Otherwise raises UsageError."""
    if ref == "HEAD" or _REF.fullmatch(ref):
        return ref
    if _REF.fullmatch(f"refs/heads/{ref}"):
        raise UsageError(
            f"{ref!r} is not the full name of a ref: write refs/heads/{ref}, or refs/tags/{ref}"
        )
    raise UsageError(f"{ref!r} is not the name of a ref: write one like refs/heads/main")


def _check_hash(value: str) -> None:
    if not _HASH.fullmatch(value):
        raise UsageError(
            f"{value!r} is not the hash of a commit: expected 40 or 64 hexadecimal digits"
        )


def repository_name(folder: Path) -> str:
    """Return the name of a repository by the folder in which git keeps it."""
    name = (folder.parent if folder.name == ".git" else folder).name
    return name.removesuffix(".git") or "repository"


def short_ref(ref: str) -> str:
    """Return the name of a ref as people write it: `main`, `v1.0`, `pull/7`."""
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.startswith(prefix):
            return ref.removeprefix(prefix)
    return ref.removeprefix("refs/").removesuffix("/head")


def _after(prefix: str, ref: str) -> str | None:
    return ref.removeprefix(prefix) if ref.startswith(prefix) else None


@dataclass(frozen=True, slots=True)
class CommitId:
    """The identity of a commit elsewhere. The commit need not be on this machine.

    `repository` is the address of the repository, and `ref` the full name of the ref on which the
    commit was seen. Raises UsageError for malformed values.
    """

    repository: str
    ref: str
    hash: str

    def __post_init__(self) -> None:
        RepositoryAddress.of(self.repository)
        checked_ref(self.ref)
        _check_hash(self.hash)

    @property
    def name(self) -> str:
        """The short name of the ref: `main` of a branch, `v1.0` of a tag, `pull/7` of a pull
        request (`refs/pull/7/head`).
        """
        return short_ref(self.ref)

    @property
    def branch(self) -> str | None:
        """The name of the branch on which it was seen, without `refs/heads/`; None if the ref is
        not that of a branch.
        """
        return _after("refs/heads/", self.ref)

    @property
    def tag(self) -> str | None:
        """The name of the tag, likewise."""
        return _after("refs/tags/", self.ref)

    def __str__(self) -> str:
        return f"{self.repository}#{self.ref} ({self.hash[:10]})"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that is on this machine.

    `repository` is the folder in which git keeps it (`.git`, or a bare repository), the same for
    all work trees of the repository. Raises UsageError for a relative path or a malformed hash.
    """

    had_by: ClassVar[str] = "see git.Local(...).head_commit(), and git.clone(...)"
    """The hint in the message when something else is given in its place."""

    repository: Path
    hash: str
    id: CommitId | None = field(default=None, compare=False, repr=False)
    """Its address, and the ref on which it was seen, unless somebody made it by hand. It
    is not part of keys or records, so a commit that comes from another operation has None.
    """

    def __post_init__(self) -> None:
        if not self.repository.is_absolute():
            raise UsageError(
                f"the path of a repository must be absolute, not {self.repository}: write "
                "path.absolute()"
            )
        _check_hash(self.hash)

    def __str__(self) -> str:
        return f"{self.name} {self.hash[:10]}"

    @property
    def name(self) -> str:
        """The repository's name: that of its folder, without `.git`."""
        return repository_name(self.repository)


@dataclass(frozen=True, slots=True)
class Branch:
    """HEAD is on a branch, which need not have a commit yet."""

    ref: str

    @property
    def name(self) -> str:
        """The name of the branch, without `refs/heads/`."""
        return self.ref.removeprefix("refs/heads/")


@dataclass(frozen=True, slots=True)
class Detached:
    """HEAD is on this commit, and not on a branch."""

    commit: Commit


Head = Branch | Detached
