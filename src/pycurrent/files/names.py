"""Checks of names and links: a tree stays within its folder, wherever it is placed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum

from pycurrent.files.errors import FilesError

MOST_LINKS = 40
"""More in the path of one link are a circle, as for Linux."""


class Astray(Enum):
    """Where a path leads that leads nowhere in its tree."""

    OUT = "out of the tree"
    ROUND = "in a circle"


def check_path(path: str) -> None:
    """Raise `FilesError` for a path that does not lie within a folder, or is not text in UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise FilesError(
            f"the name {path!r} is not text in UTF-8, as all names in a tree are: rename it"
        ) from None
    if "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise FilesError(f"{path!r} is not a path within a folder")


def check_paths(paths: Sequence[str]) -> None:
    """Raise `FilesError` as `check_path` does, for the first of many paths."""
    try:
        all = "/".join(paths)
        all.encode()
        is_fine = "\0" not in all and {"", ".", ".."}.isdisjoint(all.split("/"))
    except UnicodeEncodeError:
        is_fine = False
    if not is_fine:
        for path in paths:
            check_path(path)


def check_links(links: Mapping[str, str]) -> None:
    """Raise `FilesError` for a link that leads out of the tree, by way of others too.

    `links` are the targets of all links, by their paths.
    """
    for path, target in links.items():
        if followed(path, links.get) is Astray.OUT:
            raise FilesError(
                f"the link {path} leads out of the folder, to {target}: save what it leads to, or"
                " leave it out"
            )


def followed(path: str, target_of: Callable[[str], str | None]) -> str | Astray:
    """The path within a tree to which a path leads, once the links in it are followed. `target_of`
    gives the target of the link at a path, None if there is no link.
    """
    at: list[str] = []
    todo = path.split("/")[::-1]
    links = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not at:
                return Astray.OUT
            at.pop()
            continue
        at.append(part)
        target = target_of("/".join(at))
        if target is None:
            continue
        links += 1
        if target.startswith("/"):
            return Astray.OUT
        if links > MOST_LINKS:
            return Astray.ROUND
        at.pop()
        todo += target.split("/")[::-1]
    return "/".join(at)


def twin_of(path: str, paths: Iterable[str]) -> str | None:
    """Another of the paths that some file systems don't tell from this one: they differ in case, or
    in how Unicode is written.
    """
    folded = _folded(path)
    return next((other for other in paths if other != path and _folded(other) == folded), None)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
