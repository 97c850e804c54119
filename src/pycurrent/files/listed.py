"""The entries of a tree, found by their paths, as people look at a tree that nobody has placed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.files.names import Astray, followed

_AFTER_SLASH = "0"
"""The character behind the slash: below a folder is all from `folder/` to before `folder0`."""


class Inside(Struct, frozen=True):
    """A folder in a folder, with the number and the size of the files in it, in bytes."""

    name: str
    count: int
    size: int


class Listed:
    """The entries of one tree, in the order of their paths."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._paths = [entry.path for entry in entries]

    def find(self, path: str) -> FileEntry | None:
        """The file at a path, through links; None where there is none."""
        entry = self._resolved(path)
        return entry if isinstance(entry, FileEntry) else None

    def folder(self, path: str) -> str | None:
        """The path of the folder at a path, without links; None where there is none. That of the
        whole tree is empty.
        """
        entry = self._resolved(path)
        return entry if isinstance(entry, str) else None

    def below(self, folder: str) -> Sequence[Entry]:
        """The entries within a folder, given by its path without links."""
        return self.entries[self._range(folder)] if folder else self.entries

    def children(self, folder: str) -> list[Inside | FileEntry | LinkEntry]:
        """The contents of a folder, given by its path without links: by name, folders first."""
        within = self._range(folder) if folder else slice(0, len(self._paths))
        skipped = len(folder) + 1 if folder else 0
        folders: list[Inside] = []
        others: list[FileEntry | LinkEntry] = []
        at = within.start
        while at < within.stop:
            entry = self.entries[at]
            name, slash, _ = entry.path[skipped:].partition("/")
            if not slash and not isinstance(entry, FolderEntry):
                others.append(entry)
                at += 1
                continue
            inside = self._range(entry.path[: skipped + len(name)]) if slash else slice(at, at + 1)
            folders.append(_inside(name, self.entries[inside]))
            at = inside.stop
        return [*sorted(folders, key=lambda inside: inside.name), *others]

    def _range(self, folder: str) -> slice:
        start = bisect_left(self._paths, f"{folder}/")
        return slice(start, bisect_left(self._paths, f"{folder}{_AFTER_SLASH}", start))

    def _at(self, path: str) -> Entry | None:
        place = bisect_left(self._paths, path)
        return self.entries[place] if self._paths[place : place + 1] == [path] else None

    def _target(self, path: str) -> str | None:
        entry = self._at(path)
        return entry.target if isinstance(entry, LinkEntry) else None

    def _resolved(self, path: str) -> Entry | str | None:
        """The file at a path, or the path of the folder there; links are followed."""
        found = followed(path, self._target)
        if isinstance(found, Astray):
            return None
        entry = self._at(found)
        if isinstance(entry, FileEntry):
            return entry
        within = self._range(found)
        is_folder = not found or entry is not None or within.start < within.stop
        return found if is_folder else None


def _inside(name: str, entries: Sequence[Entry]) -> Inside:
    files = [entry.size for entry in entries if isinstance(entry, FileEntry)]
    links = sum(1 for entry in entries if isinstance(entry, LinkEntry))
    return Inside(name, len(files) + links, sum(files))
