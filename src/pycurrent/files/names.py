"""Checks of names and links: a tree stays within its folder, wherever it is placed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from pycurrent.files.errors import FilesError

MOST_LINKS = 40
"""More in the path of one link are a circle, as for Linux."""


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


def check_links(links: Mapping[str, str]) -> None:
    """Raise `FilesError` for a link that leads out of the tree, by way of others too.

    `links` are the targets of all links, by their paths.
    """
    for path, target in links.items():
        if _leads_out(path, links):
            raise FilesError(
                f"the link {path} leads out of the folder, to {target}: save what it leads to, or"
                " leave it out"
            )


def _leads_out(path: str, links: Mapping[str, str]) -> bool:
    at: list[str] = []
    todo = path.split("/")[::-1]
    followed = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not at:
                return True
            at.pop()
            continue
        at.append(part)
        target = links.get("/".join(at))
        if target is None:
            continue
        followed += 1
        if target.startswith("/"):
            return True
        if followed > MOST_LINKS:
            return False
        at.pop()
        todo += target.split("/")[::-1]
    return False


def twin_of(path: str, paths: Iterable[str]) -> str | None:
    """Another of the paths that some file systems don't tell from this one: they differ in case, or
    in how Unicode is written.
    """
    folded = _folded(path)
    return next((other for other in paths if other != path and _folded(other) == folded), None)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
