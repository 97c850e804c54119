"""The content below some paths of a commit, as a value of pipelines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycurrent.errors import UsageError
from pycurrent.plugins.git.commit import Commit, repository_name

FOLDER = "040000"
SUBMODULE = "160000"
_FEW = 3
"""How many paths a text about a subtree names."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """The content at a path of a commit. The path of a whole commit is empty."""

    path: str
    mode: str
    """The mode of a file as git has it, such as 100644; that of a folder is 040000."""
    hash: str
    """The id of git's tree, or of its blob."""

    @property
    def is_folder(self) -> bool:
        """True if it is a folder, and not a file or a link."""
        return self.mode == FOLDER


@dataclass(frozen=True, slots=True)
class Subtree:
    """The content below some paths of a commit that is on this machine, made by `git.tree`.

    Two of them are equal if the same repository has the same content at the same paths, whatever
    the commit.
    """

    repository: Path
    """The folder in which git keeps it, as with `Commit`."""
    entries: tuple[TreeEntry, ...]
    commit: Commit | None = field(default=None, compare=False, repr=False)
    """The commit in which it was found first. It is not part of keys or records, so a subtree that
    comes from another operation has None.
    """

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths, in their order; none for the content of a whole commit."""
        return tuple(entry.path for entry in self.entries if entry.path)

    @property
    def name(self) -> str:
        """The repository's name, as with `Commit`."""
        return repository_name(self.repository)

    def __str__(self) -> str:
        return f"{self.name} {content_text(content_of(self))}"


Source = Commit | Subtree
"""A checkout can be made of either."""


def content_of(source: Source) -> str | dict[str, str]:
    """Return what a checkout depends on, for keys: the hash of a commit, or the ids of the content
    at each path of a subtree. The repository does not matter.
    """
    if isinstance(source, Commit):
        return source.hash
    return {
        entry.path: entry.hash if entry.is_folder else f"{entry.mode} {entry.hash}"
        for entry in source.entries
    }


def commit_labels(source: object) -> Mapping[str, str]:
    """Return the labels of a job that works on a commit, or on a part of one."""
    commit = source.commit if isinstance(source, Subtree) else source
    return {"commit": commit.hash} if isinstance(commit, Commit) else {}


def content_text(content: str | Mapping[str, str]) -> str:
    """Return a short text for people: `packages/a 1f3870be27`, with the first digits of the id."""
    if isinstance(content, str):
        return content[:10]
    paths = [path or "tree" for path in content]
    if len(paths) == 1:
        (id,) = content.values()
        return f"{paths[0]} {id.split()[-1][:10]}"
    more = f" and {len(paths) - _FEW} more" if len(paths) > _FEW else ""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{', '.join(paths[:_FEW])}{more} {digest[:10]}"


def checked_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths in their order, without those below others. Raises UsageError."""
    known = {_checked(path) for path in paths}
    return tuple(sorted(path for path in known if not known & set(_above(path))))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _checked(path: str) -> str:
    taken = path.removesuffix("/")
    if path.startswith(":") or set("*?") & set(path):
        raise UsageError(
            f"{path!r} is a pattern: git.tree takes the paths of files and folders, such as "
            "packages/a"
        )
    if not path.isprintable() or {"", ".", ".."} & set(taken.split("/")):
        raise UsageError(
            f"{path!r} is not a path within a commit: write one like packages/a, or none for all "
            "of the commit"
        )
    return taken
