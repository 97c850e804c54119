"""Placing: from a tree in the store to a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Protocol

from pycurrent.files.content import Stop, never
from pycurrent.files.errors import FilesError, FilesLost, Stopped
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry, entries_in
from pycurrent.files.names import twin_of
from pycurrent.files.store import FileStore
from pycurrent.files.values import File, Tree

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OWN = 0o700


class Contents(Protocol):
    """The contents of files, wherever they are: a `FileStore` has them on this machine."""

    def read(self, digest: str, what: str) -> bytes: ...

    def copy_to(
        self, file: File | FileEntry, target: int, what: str, stop: Stop = never
    ) -> None: ...


def entries_of(store: Contents, tree: Tree) -> list[Entry]:
    """Read the listing of a tree. Raises `FilesLost`."""
    return entries_in(store.read(tree.digest, f"the listing of {tree}"))


def is_kept(store: FileStore, what: Tree | File) -> bool:
    """True if there is a file of the right size for each content. Blocks. `FileStore.verify` reads
    them.
    """
    if isinstance(what, File):
        return store.has(what.digest, what.size)
    try:
        entries = entries_of(store, what)
    except FilesLost:
        return False
    files = (entry for entry in entries if isinstance(entry, FileEntry))
    return all(store.has(file.digest, file.size) for file in files)


def place(
    store: Contents,
    what: Tree | File,
    target: Path,
    stop: Event,
    *,
    select: Callable[[str], bool] | None = None,
) -> None:
    """Place a tree in a folder, which is made where it is missing, or a file at a path. Blocks.

    Of a tree it places the paths that `select` is true of; all without it.

    Files and links that are in the way are replaced; all else in the folder stays. No link in it is
    gone through. The files belong to the caller: the store has other copies, or shares their
    blocks. Raises `FilesLost`; `FilesError` if a folder is where a file is to go, or a file or
    link where a folder is; `Stopped`.
    """
    try:
        if isinstance(what, File):
            target.parent.mkdir(parents=True, exist_ok=True)
            placing = _Placing(store, (), stop, target.parent)
            with _opened(target.parent) as folder:
                placing.file(folder, target.name, what, str(target))
            return
        entries = entries_of(store, what)
        if select is not None:
            entries = [entry for entry in entries if select(entry.path)]
        target.mkdir(parents=True, exist_ok=True)
        _Placing(store, entries, stop, target).all()
    except FilesLost as lost:
        raise FilesLost(what.digest, lost.what, lost.how) from None
    except (FileExistsError, NotADirectoryError) as error:
        raise FilesError(f"{target} can't be a folder: {error.filename} is in the way") from None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A folder that is open for the block."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


class _Placing:
    """The placing of one tree. The folders of the path at which it is are open."""

    def __init__(self, store: Contents, entries: Sequence[Entry], stop: Event, top: Path) -> None:
        self._store = store
        self._entries = entries
        self._is_stopped = stop.is_set
        self._top = top
        self._at = ""
        """The path of the innermost open folder, and the names in it."""
        self._names: list[str] = []
        self._open: list[int] = []
        self._exact: set[int] = set()
        """The modes that new files in this folder get as they are asked for."""
        self._placed = 0

    def all(self) -> None:
        with _opened(self._top) as top:
            self._open.append(top)
            try:
                for entry in self._entries:
                    if self._is_stopped():
                        raise Stopped
                    self._place(entry)
                    self._placed += 1
                for entry in reversed(self._entries):
                    if isinstance(entry, FolderEntry):
                        self._set_mode(entry)
            finally:
                for folder in self._open[1:]:
                    os.close(folder)

    def _place(self, entry: Entry) -> None:
        path = entry.path
        above, _, name = path.rpartition("/")
        folder = self._open[-1] if above == self._at else self._folder(above)
        match entry:
            case FileEntry():
                self.file(folder, name, entry, path)
            case LinkEntry():
                self._link(folder, name, entry.target, path)
            case FolderEntry():
                self._enter(folder, name, path)

    def file(self, folder: int, name: str, file: File | FileEntry, path: str) -> None:
        """Place a file in an open folder."""
        mode = file.mode
        try:
            target = os.open(name, _NEW, mode, dir_fd=folder)
        except FileExistsError:
            self._clear(folder, name, path)
            target = os.open(name, _NEW, mode, dir_fd=folder)
        try:
            self._store.copy_to(file, target, path, self._is_stopped)
            if mode not in self._exact:
                self._set_mode_of(target, mode)
        finally:
            os.close(target)

    def _set_mode_of(self, target: int, mode: int) -> None:
        """Set the mode of a new file, unless the umask or the folder's access list left it alone:
        they do the same to the next ones.
        """
        if stat.S_IMODE(os.fstat(target).st_mode) == mode:
            self._exact.add(mode)
        else:
            os.fchmod(target, mode)

    def _link(self, folder: int, name: str, target: str, path: str) -> None:
        try:
            os.symlink(target, name, dir_fd=folder)
        except FileExistsError:
            self._clear(folder, name, path)
            os.symlink(target, name, dir_fd=folder)

    def _clear(self, folder: int, name: str, path: str) -> None:
        """Remove what is in the way of a file or link."""
        placed = (entry.path for entry in self._entries[: self._placed])
        twin = twin_of(path, placed)
        if twin is not None:
            raise FilesError(
                f"{path} and {twin} can't be in one folder here: this file system takes their"
                " names for the same"
            )
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise FilesError(f"{self._top / path} is a folder: a file of the tree is to be there")
        os.unlink(name, dir_fd=folder)

    def _folder(self, path: str) -> int:
        """The open folder at a path, made where it is missing."""
        if path == self._at:
            return self._open[-1]
        names = path.split("/") if path else []
        common = 0
        while common < min(len(names), len(self._names)) and (names[common] == self._names[common]):
            common += 1
        while len(self._names) > common:
            self._names.pop()
            os.close(self._open.pop())
        for name in names[common:]:
            at = "/".join([*self._names, name])
            self._open.append(self._enter(self._open[-1], name, at, is_kept=True))
            self._names.append(name)
        self._at = path
        self._exact.clear()
        return self._open[-1]

    def _enter(self, above: int, name: str, path: str, *, is_kept: bool = False) -> int:
        """Make a folder where it is missing, and open it, unless it need not be kept open."""
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=above)
        try:
            folder = os.open(name, _FOLDER, dir_fd=above)
        except OSError:
            raise FilesError(
                f"{self._top / path} is not a folder: one of the tree is to be there"
            ) from None
        if not is_kept:
            os.close(folder)
        return folder

    def _set_mode(self, entry: FolderEntry) -> None:
        above, _, name = entry.path.rpartition("/")
        folder = os.open(name, _FOLDER, dir_fd=self._folder(above))
        try:
            os.fchmod(folder, entry.mode)
        finally:
            os.close(folder)
