"""Our mirrors of other people's repositories, one for each address.

    git/<readable address>-<digest>/copy.json      the address, and how much of the history
    git/<readable address>-<digest>/<name>.git/    the mirror, a bare repository
    git/<readable address>-<digest>/damaged        there if a checkout has found it to be
    git/<readable address>-<digest>/lock           held by what changes the mirror

Nothing is ever removed from a mirror: what the other side has rewritten stays, each commit that
was asked for under `refs/pycurrent/keep/`, so that a checkout that shares its objects, or a
`git gc` by hand, can't lose any. A mirror that is removed while no engine runs is made anew.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pycurrent.errors import UsageError
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.commit import Commit, CommitId
from pycurrent.plugins.git.environment import git_now, has_commit
from pycurrent.term import Failure

KEEP = "refs/pycurrent/keep/"
_ABOUT = "copy.json"
_MOST_PACKS = 50
_KEPT = re.compile(re.escape(KEEP) + r"([0-9a-f]{40,64})$", re.MULTILINE)
_SETTINGS = {
    # Git is never to remove anything by itself.
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.logAllRefUpdates": "false",
    # One pack for each fetch, rather than any number of small files.
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
}
_INIT = ("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
# What a git command that was killed leaves behind.
_LEFTOVERS = ("*.lock", "refs/**/*.lock", "objects/info/*.lock", "objects/**/tmp_*")


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirror of a repository: all of its history, or (`depth`) the last commits only.

    All methods block. Those that change the mirror are for whoever holds it: see `Mirrors`.
    """

    root: Path
    address: RepositoryAddress
    depth: int | None = None

    @classmethod
    def around(cls, repository: Path) -> Self | None:
        """The mirror that this repository is, or None."""
        try:
            about = json.loads((repository.parent / _ABOUT).read_text())
            address = RepositoryAddress.of(about["address"])
            mirror = cls(repository.parent.parent, address, about["depth"])
        except (OSError, ValueError, KeyError, TypeError, UsageError):
            return None
        return mirror if mirror.repository == repository else None

    @property
    def container(self) -> Path:
        depth = "" if self.depth is None else f"-depth-{self.depth}"
        return self.root / f"{self.address.folder_name}{depth}"

    @property
    def repository(self) -> Path:
        return self.container / f"{self.address.name}.git"

    @property
    def is_sound(self) -> bool:
        """Whether it is there, and not known to be damaged."""
        return (self.repository / "HEAD").exists() and not self._mark.exists()

    @property
    def object_format(self) -> str:
        """The kind of hashes that it has."""
        config = (self.repository / "config").read_text(errors="replace")
        return "sha256" if "objectformat = sha256" in config else "sha1"

    @property
    def _mark(self) -> Path:
        return self.container / "damaged"

    def commit(self, hash: str, seen_on: str) -> Commit:
        return Commit(self.repository, hash, CommitId(str(self.address), seen_on, hash))

    def of_submodule(self, url: str) -> Mirror:
        """The mirror of what a `.gitmodules` in this one names. Raises UsageError."""
        return Mirror(self.root, self.address.resolve(url), self.depth)

    def holds(self, hash: str) -> bool:
        """Whether the commit is there for good, with all that belongs to it."""
        return self.is_sound and self.commit_of(f"{KEEP}{hash}") == hash

    def commit_of(self, ref: str) -> str | None:
        """The commit that a ref leads to, if there is one."""
        names = ("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        found = git_now(f"--git-dir={self.repository}", *names)
        return None if found.returncode else found.stdout.strip()

    def has(self, hash: str) -> bool:
        return has_commit(self.repository, hash)

    def keep(self, hash: str) -> None:
        """Have the commit stay. Raises Failure if that can't be done."""
        done = git_now(f"--git-dir={self.repository}", "update-ref", f"{KEEP}{hash}", hash)
        if done.returncode:
            raise Failure(f"can't write to {self.repository}: {_last_line(done.stderr)}")

    def kept(self) -> list[str]:
        """The commits that are to stay, as far as a damaged mirror still tells."""
        names = [f"{KEEP}{file.name}" for file in (self.repository / KEEP).glob("*")]
        with suppress(OSError):
            names.append((self.repository / "packed-refs").read_text(errors="replace"))
        return sorted(set(_KEPT.findall("\n".join(names))))

    def mark_damaged(self, why: str) -> None:
        """Have it made anew when it is next fetched to."""
        self._mark.write_text(f"{why}\n")

    def make(self, object_format: str = "sha1") -> None:
        """Make an empty one where there is none. Raises Failure if it can't be made."""
        if (self.repository / "HEAD").exists():
            return
        new = self.container / "new"
        shutil.rmtree(new, ignore_errors=True)
        try:
            new.mkdir(parents=True)
            about = {"address": str(self.address), "depth": self.depth}
            (self.container / _ABOUT).write_text(json.dumps(about))
            _init(new, object_format, {**_SETTINGS, "remote.origin.url": str(self.address)})
            # What is there without a HEAD is no repository.
            shutil.rmtree(self.repository, ignore_errors=True)
            new.rename(self.repository)
            self._mark.unlink(missing_ok=True)
        except OSError as error:
            raise Failure(f"can't make {self.repository}: {error.strerror}") from None

    @property
    def is_empty(self) -> bool:
        """Whether it has no refs, as one that was only just made."""
        refs = self.repository / "refs"
        loose = any(path.is_file() for path in refs.rglob("*"))
        return not loose and not (self.repository / "packed-refs").exists()

    @property
    def first(self) -> Path:
        """Where an empty one is cloned to."""
        return self.container / "first.git"

    def take_first(self) -> None:
        """Have what was cloned take the place of the empty one. Raises Failure if it can't."""
        _set(self.first, _SETTINGS)
        try:
            shutil.rmtree(self.repository, ignore_errors=True)
            self.first.rename(self.repository)
        except OSError as error:
            raise Failure(f"can't make {self.repository}: {error.strerror}") from None

    def remove(self) -> None:
        """Remove one that has nothing to keep."""
        shutil.rmtree(self.repository, ignore_errors=True)

    def anew(self) -> Mirror:
        """Another mirror, to take the place of this one."""
        return replace(self, root=self.container / "anew")

    def replace_by(self, other: Mirror) -> None:
        """Have the other one's repository take the place of this one's."""
        broken = self.container / "broken.git"
        shutil.rmtree(broken, ignore_errors=True)
        if self.repository.exists():
            self.repository.rename(broken)
        other.repository.rename(self.repository)
        self._mark.unlink(missing_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Remove what was left half done. No git command may be at work in the mirror."""
        for name in ("new", "anew", "broken.git", "first.git"):
            shutil.rmtree(self.container / name, ignore_errors=True)
        for pattern in _LEFTOVERS:
            for file in self.repository.glob(pattern):
                file.unlink(missing_ok=True)

    def needs_repack(self) -> bool:
        """Whether there are so many packs that they make git slow."""
        packs = (self.repository / "objects" / "pack").glob("*.pack")
        return len(list(packs)) > _MOST_PACKS


def _init(folder: Path, object_format: str, settings: Mapping[str, str]) -> None:
    _run(folder, *_INIT, f"--object-format={object_format}")
    _set(folder, settings)


def _set(folder: Path, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        _run(folder, "config", name, value)


def _run(folder: Path, *command: str) -> None:
    done = git_now(f"--git-dir={folder}", *command)
    if done.returncode:
        raise Failure(f"can't make {folder}: {_last_line(done.stderr)}")


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["git says nothing"])[-1].removeprefix("fatal: ")
