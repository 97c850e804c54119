"""Saving: from a folder, or parts of it, to a tree in the store."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from pycurrent.files.errors import FilesError, Stopped
from pycurrent.files.index import FolderIndex
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry, listing_text
from pycurrent.files.looking import Look, look_at, told_of_file, told_of_folder, told_of_link
from pycurrent.files.names import check_path
from pycurrent.files.patterns import Patterns
from pycurrent.files.store import FileStore, Writer
from pycurrent.files.values import File, Tree

_LARGE = 1000
"""A folder with fewer files is walked through before two processes have begun to look at it."""
_ORDINARY = 0o755
"""The mode of folders that listings leave out."""
_REPOSITORY = ".git"
_OF_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EIO})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_ENTERED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Saved:
    """A tree that was saved, and what its maker may want to know."""

    tree: Tree
    unmatched: tuple[str, ...]
    """The patterns that have matched nothing."""
    left_out: tuple[str, ...]
    """The paths of what is neither a file nor a folder nor a link."""


def save(
    store: FileStore,
    writer: Writer,
    folder: Path,
    patterns: Sequence[str],
    stop: Event,
    *,
    large: int = _LARGE,
    now: Callable[[], int] = time.time_ns,
) -> Saved:
    """Save what the patterns select in a folder, or all of it without any. Blocks.

    A folder of which so many files were saved that it is `large` is looked at as a whole before it
    is walked through. `now` tells the time, in nanoseconds.

    Links are kept as links, and not gone through. The folder `.git` at the top is left out. Raises
    `FilesError` for a name or a link that can't be in a tree, a file that can't be read or changes
    meanwhile, and `Stopped`; `UsageError` for a malformed pattern.
    """
    index = FolderIndex.read(store, folder, now())
    saving = _Saving(index, writer, folder, Patterns(patterns), stop, large)
    try:
        return saving.saved()
    except OSError as error:
        if error.filename is None:
            raise  # Of the store.
        raise FilesError(f"{error.filename} can't be read: {error.strerror}") from None


def save_file(writer: Writer, path: Path, stop: Event) -> File:
    """Save one file, through links. Blocks. Raises as `save` does."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise FilesError(f"{path} can't be read: {error.strerror}") from None
    try:
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode):
            raise FilesError(f"{path} is not a file: job.save saves a folder")
        return writer.add_file(source, status, str(path), stop.is_set)
    finally:
        os.close(source)


class _Saving:
    """One walk through a folder."""

    def __init__(
        self,
        index: FolderIndex,
        writer: Writer,
        folder: Path,
        patterns: Patterns,
        stop: Event,
        large: int,
    ) -> None:
        self._index = index
        self._writer = writer
        self._folder = folder
        self._patterns = patterns
        self._stop = stop
        self._large = large
        self._others: list[Entry] = []
        """The links, and the folders that are worth an entry."""
        self._left_out: list[str] = []
        self._folders: dict[str, int] = {}
        """All folders, with their modes."""
        self._passed: list[str] = []
        """The paths that were not selected."""

    def saved(self) -> Saved:
        if not self._folder.is_dir():
            raise FilesError(f"{self._folder} is not a folder, so nothing in it can be saved")
        look = self._look()
        if look is not None and (tree := self._index.looks_same(look.digest)) is not None:
            return Saved(tree, (), ())
        top = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._walk(top, "", is_selected=self._patterns.are_none)
        finally:
            os.close(top)
        self._others.sort(key=lambda entry: entry.path)
        tree = self._index.unchanged(self._others)
        if tree is None:
            tree = self._written()
        elif look is not None and self._has_seen_the_same(look):
            self._index.note_look(look.digest)
        return Saved(tree, tuple(self._patterns.unmatched), tuple(self._left_out))

    def _look(self) -> Look | None:
        if self._index.count < self._large:
            return None
        return look_at(self._folder, _REPOSITORY, self._patterns.texts, self._stop.is_set)

    def _has_seen_the_same(self, look: Look) -> bool:
        """True if the walk has found what the look had, and all that the look can tell of."""
        if self._left_out or self._patterns.unmatched:
            return False
        files = {path: told_of_file(seen.stamp) for path, seen in self._index.now.items()}
        folders = {path: told_of_folder(mode) for path, mode in self._folders.items()}
        links = {
            one.path: told_of_link(one.target) for one in self._others if isinstance(one, LinkEntry)
        }
        return look.has_found(files | folders | links, self._passed)

    def _written(self) -> Tree:
        files = [
            FileEntry(path, seen.stamp[2] & 0o777, seen.stamp[1], seen.digest)
            for path, seen in self._index.now.items()
        ]
        links = sum(isinstance(entry, LinkEntry) for entry in self._others)
        digest = self._writer.add(listing_text([*files, *self._others]))
        tree = Tree(digest, len(files) + links, sum(file.size for file in files))
        self._index.write(self._others, tree)
        return tree

    def _walk(self, folder: int, path: str, *, is_selected: bool) -> bool:
        """Save what is selected in an open folder; True if there was anything."""
        found = False
        for entry in self._listed(folder, path):
            if self._stop.is_set():
                raise Stopped
            name = f"{path}/{entry.name}" if path else entry.name
            if name == _REPOSITORY:
                continue
            wanted = is_selected or self._patterns.select(name)
            if entry.is_dir(follow_symlinks=False):
                found |= self._enter(folder, entry, name, is_selected=wanted)
            elif wanted:
                found = True
                self._keep(folder, entry, name)
            else:
                self._passed.append(name)
        return found

    def _listed(self, folder: int, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError as error:
            raise self._unreadable(path, error) from None

    def _enter(self, above: int, entry: os.DirEntry[str], path: str, *, is_selected: bool) -> bool:
        try:
            folder = os.open(entry.name, _ENTERED, dir_fd=above)
        except OSError as error:
            raise self._unreadable(path, error) from None
        try:
            is_filled = self._walk(folder, path, is_selected=is_selected)
            mode = stat.S_IMODE(os.fstat(folder).st_mode)
        finally:
            os.close(folder)
        self._folders[path] = mode
        mode &= 0o777
        if (is_selected and not is_filled) or (is_filled and mode != _ORDINARY):
            check_path(path)
            self._others.append(FolderEntry(path, mode))
        return is_selected or is_filled

    def _keep(self, folder: int, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_symlink():
            check_path(path)
            self._others.append(LinkEntry(path, os.readlink(entry.name, dir_fd=folder)))
        elif entry.is_file(follow_symlinks=False):
            self._file(folder, entry, path)
        else:
            self._left_out.append(path)

    def _file(self, folder: int, entry: os.DirEntry[str], path: str) -> None:
        try:
            if not self._index.knows(path, entry.stat(follow_symlinks=False)):
                self._read(folder, entry, path)
        except OSError as error:
            raise self._unreadable(path, error) from None

    def _read(self, folder: int, entry: os.DirEntry[str], path: str) -> None:
        check_path(path)
        source = os.open(entry.name, _READ, dir_fd=folder)
        try:
            status = os.fstat(source)
            if not stat.S_ISREG(status.st_mode):
                raise FilesError(f"{self._folder / path} was replaced while it was read")
            what = str(self._folder / path)
            file = self._writer.add_file(source, status, what, self._stop.is_set)
        finally:
            os.close(source)
        self._index.note(path, status, file)

    def _unreadable(self, path: str, error: OSError) -> FilesError | OSError:
        if error.errno in _OF_MACHINE:
            return error
        return FilesError(f"{self._folder / path} can't be read: {error.strerror}")
