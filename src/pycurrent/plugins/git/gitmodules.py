"""The submodules that a commit has, as its `.gitmodules` tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pycurrent.plugins.git.environment import git_now

GIT_LINK = "160000"

_SETTING = re.compile(r"submodule\.(?P<name>.*)\.(?P<key>path|url|update)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Submodule:
    """One that a commit has. `url` is an outsider's word; it is empty if there is none."""

    name: str
    path: str
    hash: str
    url: str = ""


def submodules_of(git_dir: Path, commit: str) -> list[Submodule]:
    """Those of a commit that is there, but for those that git is told not to check out.

    Blocks for some milliseconds.
    """
    found: dict[str, dict[str, str]] = {}
    for setting, value in settings(
        f"--git-dir={git_dir}",
        *("config", f"--blob={commit}:.gitmodules", "-z"),
        *("--get-regexp", r"^submodule\..*\.(path|url|update)$"),
    ):
        if match := _SETTING.fullmatch(setting):
            found.setdefault(match["name"], {})[match["key"]] = value
    by_path = {
        about["path"]: (name, about.get("url", ""))
        for name, about in found.items()
        if "path" in about and about.get("update") != "none"
    }
    links = _links(git_dir, commit, list(by_path))
    return [Submodule(by_path[path][0], path, hash, by_path[path][1]) for path, hash in links]


def _links(git_dir: Path, commit: str, paths: list[str]) -> list[tuple[str, str]]:
    """The paths that lead to another repository's commit, and to which."""
    if not paths:
        return []
    listed = git_now(f"--git-dir={git_dir}", "ls-tree", "-z", "--full-tree", commit, "--", *paths)
    found = []
    for line in listed.stdout.split("\0")[:-1]:
        about, path = line.split("\t", 1)
        mode, _, hash = about.split(" ")
        if mode == GIT_LINK and path in paths:
            found.append((path, hash))
    return found


def settings(*command: str) -> list[tuple[str, str]]:
    """What `git config -z` gives. Blocks for some milliseconds."""
    entries = git_now(*command).stdout.split("\0")[:-1]
    return [(name, value) for name, _, value in (entry.partition("\n") for entry in entries)]
