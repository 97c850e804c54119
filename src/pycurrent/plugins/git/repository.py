"""A repository on this machine: its files and its refs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pycurrent.errors import UsageError
from pycurrent.plugins.git.commit import Branch, Commit, CommitId, Detached, Head
from pycurrent.plugins.git.environment import git_now

_MOST_LINKS = 5  # of one ref to the next, as git has it
_REFS_NAMED = 10
MOST_COUNTED = 10_000
_LONGEST = 200  # of an author and a subject, in characters
_REMEDY = "name the folder of a repository, or make it one with git init"


@dataclass(frozen=True, slots=True)
class NoCommit:
    """The commit is missing, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class CommitText:
    """A commit, as people read it."""

    hash: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class Between:
    """The way from one commit to another."""

    commits: tuple[CommitText, ...]
    """The newest of the commits that the old one did not have."""
    added: int
    """The number of all these, up to `MOST_COUNTED`."""
    dropped: int
    """The number of the commits that the new one does not have, likewise."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder that is a repository, or may become one.

    `head`, `commit` and `refs` block for the few milliseconds of a git command or two.
    """

    path: Path
    """As the user has named it."""
    git_dir: Path
    """Of this work tree: its HEAD is there."""
    common_dir: Path
    """Of all work trees of the repository: its branches and objects are there."""

    @classmethod
    def at(cls, path: Path) -> Self:
        """The repository whose work tree, or own folder, this is, as the files are now.

        One further up does not count: a mistyped folder must not lead to testing something else.
        """
        inside = path / ".git"
        own = inside if os.path.exists(inside) else path  # noqa: PTH110 - Path's raises
        git_dir = _named_by(inside, "gitdir: ") or own
        return cls(path, git_dir, _named_by(git_dir / "commondir") or git_dir)

    def head(self) -> Head | NoCommit:
        """The branch or the commit that HEAD is on."""
        result = self._git("symbolic-ref", "--quiet", "HEAD")
        if not result.returncode:
            return Branch(result.stdout.strip())
        commit = self.commit("HEAD")
        return Detached(commit) if isinstance(commit, Commit) else commit

    def commit(self, ref: str) -> Commit | NoCommit:
        """Return the commit of HEAD or the full name of a ref. Tags are followed."""
        result = self._git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if not result.returncode:
            hash = result.stdout.strip()
            return Commit(self.common_dir.resolve(), hash, self._id(ref, hash))
        if result.returncode != 1:
            return NoCommit(self._why_unreadable(result))
        return NoCommit(self._why_none(ref))

    def _id(self, ref: str, hash: str) -> CommitId | None:
        """The commit as others know it; HEAD is the branch that it is on."""
        seen_on = (_target(self.git_dir / "HEAD") or ref) if ref == "HEAD" else ref
        try:
            return CommitId(str(self.path), seen_on, hash)
        except UsageError:
            # The path is not an address, or the refs are in a table.
            return None

    def refs(self, *options: str) -> str | NoCommit:
        """List the refs as `git show-ref` does, with the commits that annotated tags lead to."""
        result = self._git("show-ref", "--dereference", *options)
        # 1: it has none.
        if result.returncode not in (0, 1):
            return NoCommit(self._why_unreadable(result))
        return result.stdout

    def text(self, hash: str) -> CommitText | None:
        """A commit, as people read it; None if the repository does not have it."""
        format = "--format=%H%x00%an%x00%s"
        shown = self._git("log", "--max-count=1", "--no-show-signature", format, hash, "--")
        fields = shown.stdout.split("\0")
        if shown.returncode or len(fields) != 3:
            return None
        return CommitText(*map(in_a_line, fields))

    def between(self, old: str, new: str, *, most: int) -> Between | None:
        """The way from one commit to another, with at most `most` commits. None if git can't tell,
        as the old one has gone.
        """
        format = "--format=%H%x00%an%x00%s%x00"
        log = ("log", f"--max-count={most}", "--no-show-signature", format)
        named = self._git(*log, f"{old}..{new}", "--")
        added, dropped = self._count(f"{old}..{new}"), self._count(f"{new}..{old}")
        if named.returncode or added is None or dropped is None:
            return None
        fields = named.stdout.split("\0")
        commits = tuple(
            CommitText(*map(in_a_line, fields[at : at + 3])) for at in range(0, len(fields) - 3, 3)
        )
        # In a part of the history one can't see whether the old commit led to the new one.
        is_whole = not (self.common_dir / "shallow").exists()
        return Between(commits, added, dropped if is_whole else 0)

    def _count(self, commits: str) -> int | None:
        """The number of commits in a range, up to `MOST_COUNTED`."""
        limit = f"--max-count={MOST_COUNTED}"
        counted = self._git("rev-list", "--count", limit, commits, "--")
        return None if counted.returncode else int(counted.stdout)

    def _why_unreadable(self, result: subprocess.CompletedProcess[str]) -> str:
        said = next(iter(result.stderr.strip().splitlines()), "").removeprefix("fatal: ")
        if not said.startswith("not a git repository"):
            return f"git can't read {self.path}: {said or f'it exits with {result.returncode}'}"
        try:
            self.git_dir.stat()
        except FileNotFoundError:
            if self.git_dir == self.path:
                return f"{self.path} does not exist: {_REMEDY}"
            return f"{self.path / '.git'} leads to {self.git_dir}, which does not exist: {_REMEDY}"
        except OSError as error:
            return f"{self.path} can't be read: {error.strerror}"
        return f"{self.path} is not a Git repository: {_REMEDY}"

    def _why_none(self, ref: str) -> str:
        known = self._git("for-each-ref", "--format=%(refname)").stdout.splitlines()
        if ref == "HEAD":
            branch = self._git("symbolic-ref", "--quiet", "--short", "HEAD").stdout.strip()
            on = f"branch {branch} of {self.path}" if known and branch else str(self.path)
            return f"{on} has no commit yet: make one"
        if ref in known:
            return f"{ref} of {self.path} does not lead to a commit: choose another ref"
        if not known:
            return f"{self.path} has no ref {ref}, and no commit yet: make one"
        more = f", and {len(known) - _REFS_NAMED} more" if len(known) > _REFS_NAMED else ""
        return f"{self.path} has no ref {ref}: it has {', '.join(known[:_REFS_NAMED])}{more}"

    def files(self, ref: str) -> list[Path]:
        """The files that change when the commit of the ref does. They need not exist.

        Git replaces each of them by a rename: the file of the ref, the file with packed refs, and
        the table of contents of reftable, the other way to store refs.
        """
        folders = [self.git_dir, self.common_dir]
        names = ["config", "packed-refs", "reftable/tables.list"]
        for _ in range(_MOST_LINKS):
            names.append(ref)
            target = next(filter(None, (_target(folder / ref) for folder in folders)), None)
            if target is None:
                break
            ref = target
        paths = [*self._places(), *(folder / name for folder in folders for name in names)]
        return list(dict.fromkeys(paths))

    def files_below(self, refs: str) -> list[Path]:
        """The files and folders that change when any ref below a folder of refs does."""
        folders = dict.fromkeys((self.git_dir, self.common_dir))
        names = ("config", "packed-refs", "reftable/tables.list", refs)
        paths = [folder / name for folder in folders for name in names]
        for folder in folders:
            for place, below, _ in os.walk(folder / refs):
                paths += [Path(place, name) for name in below]
        return [*self._places(), *paths]

    def _places(self) -> Iterator[Path]:
        """The paths that change when the repository comes, goes or moves."""
        inside = self.path / ".git"
        # Of a folder, the watch would tell of entries that do not matter here.
        if not os.path.isdir(inside):  # noqa: PTH112 - Path's raises
            yield inside
        yield self.git_dir / "HEAD"
        yield self.git_dir / "commondir"
        # Git takes it for a repository once both exist. After that they change too often to watch.
        folders = [self.common_dir / name for name in ("objects", "refs")]
        if not all(map(os.path.isdir, folders)):
            yield from folders

    def _git(self, *args: str) -> subprocess.CompletedProcess[str]:
        try:
            return git_now(f"--git-dir={self.git_dir}", *args)
        except FileNotFoundError:
            raise UsageError("there is no git on the PATH: install it") from None


def in_a_line(text: str) -> str:
    """A text from a commit as people read it: they may have put anything there."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:_LONGEST]


def _named_by(file: Path, prefix: str = "") -> Path | None:
    """Read the path in one of git's files, relative to its folder; None if it has none."""
    try:
        # Anything else, such as a pipe, might block.
        text = file.read_text(errors="surrogateescape") if file.is_file() else ""
    except OSError:
        return None
    if not text.startswith(prefix):
        return None
    named = text.removeprefix(prefix).rstrip("\r\n")
    return file.parent / named if named and "\0" not in named else None


def _target(file: Path) -> str | None:
    """Return the ref that a symbolic ref stands for; None if it has a commit, or does not exist."""
    try:
        text = file.read_text(errors="surrogateescape")
    except OSError:
        return None
    target = text.removeprefix("ref:").strip()
    # Don't follow a ref that leads out of the repository.
    is_inside = target.startswith("refs/") and ".." not in target
    return target if text.startswith("ref:") and is_inside else None
