"""Mirrors: our copies of remote repositories, one for each address.

    git/<readable address>-<digest>/copy.json      the address, and the depth of the history
    git/<readable address>-<digest>/<name>.git/    the mirror, a bare repository
    git/<readable address>-<digest>/damaged        exists if a checkout has found damage
    git/<readable address>-<digest>/lock           held by commands that change the mirror

Nothing is ever removed from a mirror. Each commit that was asked for has a ref below
`refs/pycurrent/keep/`, so it stays when the other side rewrites its history, and neither a checkout
that shares its objects nor a `git gc` by hand can lose it. A mirror that somebody deletes while no
engine runs is made again.
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
    # Git must never remove anything by itself.
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.logAllRefUpdates": "false",
    # One pack for each fetch, instead of many small files.
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
}
_INIT = ("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
# Files that a killed git command leaves behind.
_LEFTOVERS = ("*.lock", "refs/**/*.lock", "objects/info/*.lock", "objects/**/tmp_*")


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirror of a repository, with all of its history, or only the last `depth` commits.

    All methods block. Only the holder of the mirror may call methods that change it: see `Mirrors`.
    """

    root: Path
    address: RepositoryAddress
    depth: int | None = None

    @classmethod
    def around(cls, repository: Path) -> Self | None:
        """Return the mirror that this repository belongs to; None if it is not a mirror's."""
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
        """True if the mirror exists, and is not known to be damaged."""
        return (self.repository / "HEAD").exists() and not self._mark.exists()

    @property
    def object_format(self) -> str:
        """The kind of its hashes."""
        config = (self.repository / "config").read_text(errors="replace")
        return "sha256" if "objectformat = sha256" in config else "sha1"

    @property
    def _mark(self) -> Path:
        return self.container / "damaged"

    def commit(self, hash: str, seen_on: str) -> Commit:
        return Commit(self.repository, hash, CommitId(str(self.address), seen_on, hash))

    def of_submodule(self, url: str) -> Mirror:
        """Return the mirror of a submodule of this one. Raises UsageError for a bad address."""
        return Mirror(self.root, self.address.resolve(url), self.depth)

    def holds(self, hash: str) -> bool:
        """True if the mirror keeps the commit, with everything that belongs to it."""
        return self.is_sound and self.commit_of(f"{KEEP}{hash}") == hash

    def commit_of(self, ref: str) -> str | None:
        """Return the commit that a ref leads to; None if there is none."""
        names = ("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        found = git_now(f"--git-dir={self.repository}", *names)
        return None if found.returncode else found.stdout.strip()

    def has(self, hash: str) -> bool:
        return has_commit(self.repository, hash)

    def keep(self, hash: str) -> None:
        """Make a ref that keeps the commit. Raises Failure if that is not possible."""
        done = git_now(f"--git-dir={self.repository}", "update-ref", f"{KEEP}{hash}", hash)
        if done.returncode:
            raise Failure(f"can't write to {self.repository}: {_last_line(done.stderr)}")

    def kept(self) -> list[str]:
        """Return the kept commits, as far as a damaged mirror still tells."""
        names = [f"{KEEP}{file.name}" for file in (self.repository / KEEP).glob("*")]
        with suppress(OSError):
            names.append((self.repository / "packed-refs").read_text(errors="replace"))
        return sorted(set(_KEPT.findall("\n".join(names))))

    def mark_damaged(self, why: str) -> None:
        """Have the next fetch replace this mirror by a new one."""
        self._mark.write_text(f"{why}\n")

    def make(self, object_format: str = "sha1") -> None:
        """Make an empty mirror, unless there is one. Raises Failure if that is not possible."""
        if (self.repository / "HEAD").exists():
            return
        new = self.container / "new"
        shutil.rmtree(new, ignore_errors=True)
        try:
            new.mkdir(parents=True)
            about = {"address": str(self.address), "depth": self.depth}
            (self.container / _ABOUT).write_text(json.dumps(about))
            _init(new, object_format, {**_SETTINGS, "remote.origin.url": str(self.address)})
            # Without a HEAD it is not a repository.
            shutil.rmtree(self.repository, ignore_errors=True)
            new.rename(self.repository)
            self._mark.unlink(missing_ok=True)
        except OSError as error:
            raise Failure(f"can't make {self.repository}: {error.strerror}") from None

    @property
    def is_empty(self) -> bool:
        """True if it does not have any refs yet."""
        refs = self.repository / "refs"
        loose = any(path.is_file() for path in refs.rglob("*"))
        return not loose and not (self.repository / "packed-refs").exists()

    @property
    def first(self) -> Path:
        """The folder for the first clone, which replaces an empty mirror."""
        return self.container / "first.git"

    def take_first(self) -> None:
        """Replace the empty mirror by the first clone. Raises Failure if that is not possible."""
        _set(self.first, _SETTINGS)
        try:
            shutil.rmtree(self.repository, ignore_errors=True)
            self.first.rename(self.repository)
        except OSError as error:
            raise Failure(f"can't make {self.repository}: {error.strerror}") from None

    def remove(self) -> None:
        """Remove a mirror that does not keep any commits."""
        shutil.rmtree(self.repository, ignore_errors=True)

    def replacement(self) -> Mirror:
        """Return a new mirror, which is to replace this one."""
        return replace(self, root=self.container / "anew")

    def replace_by(self, other: Mirror) -> None:
        """Replace the repository of this mirror by that of the other one."""
        broken = self.container / "broken.git"
        shutil.rmtree(broken, ignore_errors=True)
        if self.repository.exists():
            self.repository.rename(broken)
        other.repository.rename(self.repository)
        self._mark.unlink(missing_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Remove half-done work. No git command may be at work in the mirror."""
        for name in ("new", "anew", "broken.git", "first.git"):
            shutil.rmtree(self.container / name, ignore_errors=True)
        for pattern in _LEFTOVERS:
            for file in self.repository.glob(pattern):
                file.unlink(missing_ok=True)

    def needs_repack(self) -> bool:
        """True if there are so many packs that they make git slow."""
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
