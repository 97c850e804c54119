"""Removing contents that nothing names.

First all rows are read, and the listings of the trees that they name: what is in none of them is a
candidate. Then candidates are removed, some at a time, while nobody saves anything; those are left
that a row names by then. So jobs wait for a moment at most, and nothing goes that is named, however
long the first part takes. Killed in between, it leaves contents for the next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from pycurrent.files.errors import FilesError
from pycurrent.files.listing import FileEntry, entries_in
from pycurrent.files.store import FileStore
from pycurrent.store.sweep import NamedContents, Progress, Sweep

_AT_ONCE = 500
"""How many are removed while others wait: in some 10 ms."""


def sweeping(store: FileStore) -> Sweep:
    """Return what removes the contents of a store which nothing names. It blocks."""
    return _Sweep(store)


class _Sweep:
    """The contents of one store, for the collector of garbage."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def __call__(
        self, named: NamedContents, *, is_dry: bool, progress: Progress
    ) -> tuple[int, int]:
        return _Sweeping(self._store, named, progress).swept(is_dry=is_dry)

    def contents_of(self, digest: str, is_tree: bool, size: int, /) -> Iterator[tuple[bytes, int]]:
        """The contents that a row names, each with its bytes; none of a tree that is lost."""
        if not is_tree:
            yield bytes.fromhex(digest), size
            return
        with suppress(OSError, FilesError):
            listing = self._store.path_of(digest).read_bytes()
            yield bytes.fromhex(digest), len(listing)
            for entry in entries_in(listing):
                if isinstance(entry, FileEntry):
                    yield bytes.fromhex(entry.digest), entry.size


class _Sweeping:
    """One removal."""

    def __init__(self, store: FileStore, named: NamedContents, progress: Progress) -> None:
        self._store = store
        self._named = named
        self._progress = progress
        self._last = 0
        """The number of the last row that was read."""
        self._kept: set[bytes] = set()

    def swept(self, *, is_dry: bool) -> tuple[int, int]:
        if not self._store.root.is_dir():
            return 0, 0
        self._mark()
        candidates = self._candidates()
        count = size = 0
        while part := list(islice(candidates, _AT_ONCE)):
            removed = part if is_dry else self._remove(part)
            count += len(removed)
            size += sum(bytes for _, bytes in removed)
            self._progress(f"{count:,} saved files so far")
        if count and not is_dry:
            self._store.note_loss()
        return count, size

    def _mark(self) -> None:
        """Keep all that rows name which were not read yet."""
        for number, digest, is_tree in self._named(self._last):
            self._last = number
            self._kept.add(bytes.fromhex(digest))
            if is_tree:
                self._kept.update(self._in_tree(digest))

    def _in_tree(self, digest: str) -> Iterator[bytes]:
        try:
            entries = entries_in(self._store.path_of(digest).read_bytes())
        except (OSError, FilesError):
            return  # It can't be placed any more, so its files are of no use.
        for entry in entries:
            if isinstance(entry, FileEntry):
                yield bytes.fromhex(entry.digest)

    def _candidates(self) -> Iterator[tuple[Path, int]]:
        for entry in self._store.contents():
            path = Path(entry.path)
            if self._is_garbage(path):
                yield path, entry.stat(follow_symlinks=False).st_size

    def _is_garbage(self, path: Path) -> bool:
        try:
            return bytes.fromhex(path.parent.name + path.name) not in self._kept
        except ValueError:
            return False  # None of ours.

    def _remove(self, part: list[tuple[Path, int]]) -> list[tuple[Path, int]]:
        with self._store.removing(lambda: self._progress("waiting for jobs that save files")):
            self._mark()
            garbage = [(path, size) for path, size in part if self._is_garbage(path)]
            for path, _ in garbage:
                path.unlink(missing_ok=True)
        return garbage
