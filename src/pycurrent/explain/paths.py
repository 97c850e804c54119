"""Paths of files in what jobs print."""

from __future__ import annotations

import posixpath


def repository_path(text: str) -> str | None:
    """A path in a log as one within the repository; None for one that leads out of it."""
    path = text.strip()
    if not path or path.startswith("/") or not path.isprintable():
        return None
    path = posixpath.normpath(path)
    return None if path == "." or path.split("/")[0] == ".." else path
