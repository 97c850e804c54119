"""A repository on this machine: where its files are, and what its refs are."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pycurrent.errors import UsageError
from pycurrent.plugins.git.commit import Branch, Commit, Detached, Head
from pycurrent.plugins.git.environment import git_now

_MOST_LINKS = 5  # of one ref to the next, as git has it
_REFS_NAMED = 10


@dataclass(frozen=True, slots=True)
class NoCommit:
    """There is no commit to be had, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Repository:
    """Its methods block for the few milliseconds of a git command or two."""

    path: Path
    """As the user has named it."""
    git_dir: Path
    """Of this work tree: its HEAD is there."""
    common_dir: Path
    """Of all work trees of the repository: its branches and objects are there."""

    @classmethod
    def at(cls, path: Path) -> Self:
        """The repository whose work tree, or own folder, this is. Raises UsageError.

        One further up is not taken: a mistyped folder is not to test something else.
        """
        path = path.absolute()
        inside = path / ".git"
        place = inside if inside.exists() else path
        try:
            result = git_now(
                f"--git-dir={place}",
                "rev-parse",
                "--path-format=absolute",
                "--git-dir",
                "--git-common-dir",
            )
        except FileNotFoundError:
            raise UsageError("there is no git on the PATH: install it") from None
        if result.returncode:
            raise UsageError(_not_a_repository(path, result))
        git_dir, common_dir = result.stdout.splitlines()
        return cls(path, Path(git_dir), Path(common_dir))

    @property
    def name(self) -> str:
        return self.path.name or str(self.path)

    def head(self) -> Head | NoCommit:
        """What HEAD is on."""
        result = self._git("symbolic-ref", "--quiet", "HEAD")
        if not result.returncode:
            return Branch(result.stdout.strip())
        commit = self.commit("HEAD")
        return Detached(commit) if isinstance(commit, Commit) else commit

    def commit(self, ref: str) -> Commit | NoCommit:
        """The commit of a ref, which is a full name, or HEAD. Tags are followed."""
        result = self._git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if not result.returncode:
            return Commit(self.common_dir, result.stdout.strip())
        if result.returncode != 1:
            return NoCommit(_not_a_repository(self.path, result))
        return NoCommit(self._why_none(ref))

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

        Git replaces each of them by a rename: a ref's own file, where one is, the one with many
        packed refs, and the table of contents of the other way to store refs, reftable.
        """
        folders = [self.git_dir, self.common_dir]
        names = ["packed-refs", "reftable/tables.list"]
        for _ in range(_MOST_LINKS):
            names.append(ref)
            target = next(filter(None, (_target(folder / ref) for folder in folders)), None)
            if target is None:
                break
            ref = target
        return list({folder / name: None for folder in folders for name in names})

    def _git(self, *args: str) -> subprocess.CompletedProcess[str]:
        return git_now(f"--git-dir={self.git_dir}", *args)


def _target(file: Path) -> str | None:
    """The ref that this one stands for; None if it has a commit of its own, or none."""
    try:
        text = file.read_text(errors="surrogateescape")
    except OSError:
        return None
    target = text.removeprefix("ref:").strip()
    # What leads out of the repository is not for us to follow.
    is_inside = target.startswith("refs/") and ".." not in target
    return target if text.startswith("ref:") and is_inside else None


def _not_a_repository(path: Path, result: subprocess.CompletedProcess[str]) -> str:
    said = next(iter(result.stderr.strip().splitlines()), "").removeprefix("fatal: ")
    if said.startswith("not a git repository"):
        return f"{path} is not a Git repository: name a folder that has a .git, or is bare"
    return f"git can't read {path}: {said or f'it exits with status {result.returncode}'}"
