"""The submodules of a commit, read from its `.gitmodules`.

Anybody who can push a commit can write that file, so this module checks its names and paths, for
newly fetched commits as well as old ones. `RepositoryAddress.resolve` checks the addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from pycurrent.plugins.git.environment import git_now
from pycurrent.term import Failure

GIT_LINK = "160000"

MOST_NESTED = 32
"""How deep submodules may have submodules. A loop of them can have a new commit each time round, so
only a limit ends it."""

_SETTING = re.compile(r"submodule\.(?P<name>.*)\.(?P<key>path|url|update)", re.DOTALL)
_BAD = re.compile(r"bad config line (?P<line>\d+) in blob")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Submodule:
    """A submodule of a commit. `url` is not checked; it is empty if the file has none.

    Raises Failure for a name or a path that would lead out of the checkout.
    """

    name: str
    path: str
    hash: str
    url: str = ""

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise Failure(f"{self.name!r} is not the name of a submodule: git refuses it, too")
        if not _is_path(self.path):
            raise Failure(f"{self.path!r} is not the path of a submodule: git refuses it, too")

    @property
    def place(self) -> tuple[str, ...]:
        """The folders that lead to its clone, within the folder of all clones."""
        return tuple(part for part in PurePosixPath(self.name).parts if part != "/")

    def clone_in(self, git_dir: Path) -> Path:
        """Return the folder where git looks for its clone, in the repository that it is part of."""
        return git_dir.joinpath("modules", *self.place)


def submodules_of(git_dir: Path, commit: str) -> list[Submodule]:
    """Return the submodules of a commit, without those that git is told not to check out.

    The repository must have the commit. Blocks for some milliseconds. Raises Failure for a
    malformed submodule.
    """
    found: dict[str, dict[str, str]] = {}
    for setting, value in _settings_in(git_dir, commit):
        if match := _SETTING.fullmatch(setting):
            found.setdefault(match["name"], {})[match["key"]] = value
    wanted = {
        about["path"]: Submodule(name, about["path"], "", about.get("url", ""))
        for name, about in found.items()
        if "path" in about and about.get("update") != "none"
    }
    links = _links(git_dir, commit, list(wanted))
    submodules = [replace(wanted[path], hash=hash) for path, hash in links]
    _check_apart(submodules)
    return submodules


def _settings_in(git_dir: Path, commit: str) -> list[tuple[str, str]]:
    """Read the settings of the commit's `.gitmodules`; none if it does not have that file."""
    listed = git_now(
        f"--git-dir={git_dir}",
        *("config", f"--blob={commit}:.gitmodules", "-z"),
        *("--get-regexp", r"^submodule\..*\.(path|url|update)$"),
    )
    if found := _BAD.search(listed.stderr):
        raise Failure(f"line {found['line']} of .gitmodules is malformed: git can't read it")
    return _pairs(listed.stdout)


def too_nested() -> Failure:
    """The failure of a submodule that is deeper than `MOST_NESTED`."""
    return Failure(f"submodules are nested more than {MOST_NESTED} deep: do they form a loop?")


def _is_name(name: str) -> bool:
    """True if it is a path within the folder of all clones (git's `check_submodule_name`)."""
    is_path = bool(name.strip("/")) and name.strip("/") != "."
    return is_path and ".." not in re.split(r"[/\\]", name) and not _CONTROL.search(name)


def _is_path(path: str) -> bool:
    """True if it stays within the checkout, and outside the checkout's own repository."""
    parts = [part.casefold() for part in path.split("/")]
    return (
        not {"", ".", "..", ".git"} & set(parts)
        and not path.startswith("-")
        and not _CONTROL.search(path)
    )


def _check_apart(submodules: list[Submodule]) -> None:
    """Refuse a clone within that of another submodule: it could be the other one's hooks."""
    for one, next in pairwise(sorted(submodules, key=lambda submodule: submodule.place)):
        if next.place[: len(one.place)] == one.place:
            raise Failure(
                f"submodules {one.name!r} and {next.name!r} would have their clones in one folder"
            )


def _links(git_dir: Path, commit: str, paths: list[str]) -> list[tuple[str, str]]:
    """Return the paths that lead to commits of other repositories, and these commits."""
    if not paths:
        return []
    # Paths are taken literally, even if they look like patterns.
    listed = git_now(
        *("--literal-pathspecs", f"--git-dir={git_dir}"),
        *("ls-tree", "-z", "--full-tree", commit, "--", *paths),
    )
    found = []
    for line in listed.stdout.split("\0")[:-1]:
        about, path = line.split("\t", 1)
        mode, _, hash = about.split(" ")
        if mode == GIT_LINK and path in paths:
            found.append((path, hash))
    return found


def settings(*command: str) -> list[tuple[str, str]]:
    """Read the output of a `git config -z`. Blocks for some milliseconds."""
    return _pairs(git_now(*command).stdout)


def _pairs(listed: str) -> list[tuple[str, str]]:
    entries = listed.split("\0")[:-1]
    return [(name, value) for name, _, value in (entry.partition("\n") for entry in entries)]
