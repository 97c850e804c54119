"""The submodules that a commit has, as its `.gitmodules` tells.

Whoever can push a commit writes that file, so this is where its names and paths are checked, for
commits that are fetched and for those that have been here for long. Addresses are checked by
`RepositoryAddress.resolve`.
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
"""How deep submodules may have submodules. Each commit of a loop of them is another one, so there
is no end to them that would be found otherwise."""

_SETTING = re.compile(r"submodule\.(?P<name>.*)\.(?P<key>path|url|update)", re.DOTALL)
_BAD = re.compile(r"bad config line (?P<line>\d+) in blob")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Submodule:
    """One that a commit has. `url` is an outsider's word; it is empty if there is none.

    Raises Failure for a name or a path that would lead elsewhere.
    """

    name: str
    path: str
    hash: str
    url: str = ""

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise Failure(f"{self.name!r} can't be the name of a submodule: git refuses it, too")
        if not _is_path(self.path):
            raise Failure(f"{self.path!r} can't be the path of a submodule: git refuses it, too")

    @property
    def place(self) -> tuple[str, ...]:
        """The folders that lead to its clone, below that of all clones."""
        return tuple(part for part in PurePosixPath(self.name).parts if part != "/")

    def clone_in(self, git_dir: Path) -> Path:
        """Where git looks for its clone, in the repository of what it is a part of."""
        return git_dir.joinpath("modules", *self.place)


def submodules_of(git_dir: Path, commit: str) -> list[Submodule]:
    """Those of a commit that is there, but for those that git is told not to check out.

    Blocks for some milliseconds. Raises Failure if one can't be a submodule.
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
    """Those of the commit's file; none if it has no such file."""
    listed = git_now(
        f"--git-dir={git_dir}",
        *("config", f"--blob={commit}:.gitmodules", "-z"),
        *("--get-regexp", r"^submodule\..*\.(path|url|update)$"),
    )
    if found := _BAD.search(listed.stderr):
        raise Failure(f"line {found['line']} of .gitmodules is not as git wants it")
    return _pairs(listed.stdout)


def too_nested() -> Failure:
    """What there is to say of a submodule that is deeper than `MOST_NESTED`."""
    return Failure(f"submodules may be nested {MOST_NESTED} deep, not deeper")


def _is_name(name: str) -> bool:
    """As git has it (`check_submodule_name`): it is a path below the folder of all clones."""
    is_path = bool(name.strip("/")) and name.strip("/") != "."
    return is_path and ".." not in re.split(r"[/\\]", name) and not _CONTROL.search(name)


def _is_path(path: str) -> bool:
    """Whether it stays within the checkout, and is not in the checkout's own repository."""
    parts = [part.casefold() for part in path.split("/")]
    return (
        not {"", ".", "..", ".git"} & set(parts)
        and not path.startswith("-")
        and not _CONTROL.search(path)
    )


def _check_apart(submodules: list[Submodule]) -> None:
    """The clone of one must not be a part of another's: its hooks, say."""
    for one, next in pairwise(sorted(submodules, key=lambda submodule: submodule.place)):
        if next.place[: len(one.place)] == one.place:
            raise Failure(
                f"submodules {one.name!r} and {next.name!r} would have their clones in one folder"
            )


def _links(git_dir: Path, commit: str, paths: list[str]) -> list[tuple[str, str]]:
    """The paths that lead to another repository's commit, and to which."""
    if not paths:
        return []
    # Not patterns: a path is one, whatever it looks like.
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
    """What `git config -z` gives. Blocks for some milliseconds."""
    return _pairs(git_now(*command).stdout)


def _pairs(listed: str) -> list[tuple[str, str]]:
    entries = listed.split("\0")[:-1]
    return [(name, value) for name, _, value in (entry.partition("\n") for entry in entries)]
