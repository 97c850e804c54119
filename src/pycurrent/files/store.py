"""The store of contents: below the state directory, each content once, by its digest.

    files/objects/12/3456...     a content, read-only, named by its SHA-256
    files/tmp/<random>           one that is being written
    files/gate, files/lock       see below
    files/lost                   changed when a content is found to be lost

A content is written under another name, brought to the disk, and renamed: it is there as a whole or
not at all. It is compared with its digest when it is read; a large one once, and again when its
file has changed. One that differs is removed, so that it can be kept again.

A job that saves something holds the lock shared, from the first content to the record that names
them all; the collector of garbage holds it alone while it removes some. Both go through the gate,
which the collector holds alone too: so those that save can't keep it out. Contents that a record
names are therefore never removed, and neither are those that are about to be named.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock

from pycurrent.files.content import (
    BLOCK,
    Stop,
    clone,
    copy_content,
    copy_quickly,
    digest_of,
    digest_of_file,
    is_sparse,
    never,
    write_all,
)
from pycurrent.files.errors import FilesError, FilesLost, Stopped
from pycurrent.files.listing import FileEntry
from pycurrent.files.values import File
from pycurrent.store import Sharing
from pycurrent.store.trees import remove_tree

_READ = os.O_RDONLY | os.O_CLOEXEC
_POLL = 0.02
"""Seconds between two looks at a lock: who waits for the kernel to give it can't be stopped."""
_FEW = 16
"""So many new contents are brought to the disk one by one; of more the whole file system is."""
_AT_ONCE = 2000
"""How many new contents wait to be brought to the disk together."""

Signature = tuple[int, int, int, int]
"""The number of a file, its size, and its times: they tell whether it has changed."""


class FileStore:
    """The contents below one folder, which is made when the first of them is kept.

    All methods block, and may be called from any thread. They raise OSError where the disk fails.
    """

    def __init__(self, root: Path, sharing: Sharing = Sharing.OWNER) -> None:
        self.root = root
        self._sharing = sharing
        self._objects = root / "objects"
        self._objects_at = str(self._objects)
        self._tmp = root / "tmp"
        self._is_made = False
        self._making = Lock()
        self._verified: dict[str, Signature] = {}
        """The large contents that were found whole, as their files were then."""

    def path_of(self, digest: str) -> Path:
        """Where the content with a digest is, if it is kept."""
        return self._objects / digest[:2] / digest[2:]

    def has(self, digest: str, size: int) -> bool:
        """True if there is a file for a content, which has the right size."""
        try:
            return os.stat(self._path(digest)).st_size == size  # noqa: PTH116 - of 10,000
        except OSError:
            return False

    # Reading

    def read(self, digest: str, what: str) -> bytes:
        """A content, whole. Raises `FilesLost`, which says `what` is lost."""
        try:
            data = self.path_of(digest).read_bytes()
        except FileNotFoundError:
            raise self._lost(digest, what, "missing") from None
        if digest_of(data) != digest:
            raise self._damaged(digest, what)
        return data

    def copy_to(self, file: File | FileEntry, target: int, what: str, stop: Stop = never) -> None:
        """Copy a content to an empty file, open for reading too: where blocks can be shared, they
        are, and the copy is read. Raises `FilesLost`, which says `what` is lost.
        """
        digest, size = file.digest, file.size
        source = self._open(digest, what)
        try:
            if size <= BLOCK:
                data = os.read(source, size + 1)
                # Without a call of ours: a tree has 10,000 of these.
                if sha256(data).hexdigest() != digest:
                    raise self._damaged(digest, what)
                written = os.write(target, data)
                if written < size:
                    write_all(target, data[written:])
            else:
                self._copy_large(file, source, target, what, stop)
        finally:
            os.close(source)

    def _copy_large(
        self, file: File | FileEntry, source: int, target: int, what: str, stop: Stop
    ) -> None:
        status = os.fstat(source)
        signature = _signature(status)
        if self._verified.get(file.digest) == signature:
            if clone(source, target):
                return
            if not is_sparse(status):
                copy_quickly(source, target, status.st_size, stop)
                return
            copied = copy_content(source, target, stop)
        elif clone(source, target):
            copied = digest_of_file(target, stop)
        else:
            copied = copy_content(source, target, stop)
        if copied != (file.digest, file.size):
            raise self._damaged(file.digest, what)
        self._verified[file.digest] = signature

    def verify(self, file: File, what: str, stop: Stop = never) -> None:
        """Read a content through. Raises `FilesLost`, which says `what` is lost."""
        source = self._open(file.digest, what)
        try:
            if digest_of_file(source, stop) != (file.digest, file.size):
                raise self._damaged(file.digest, what)
        finally:
            os.close(source)

    def open(self, file: File, what: str, stop: Stop = never) -> int:
        """The descriptor of a content that is whole, to be read and closed by the caller. Raises
        `FilesLost`, which says `what` is lost.
        """
        source = self._open(file.digest, what)
        try:
            signature = _signature(os.fstat(source))
            if self._verified.get(file.digest) != signature:
                if digest_of_file(source, stop) != (file.digest, file.size):
                    raise self._damaged(file.digest, what)
                if file.size > BLOCK:
                    self._verified[file.digest] = signature
                os.lseek(source, 0, os.SEEK_SET)
        except BaseException:
            os.close(source)
            raise
        return source

    def _open(self, digest: str, what: str) -> int:
        try:
            return os.open(f"{self._objects_at}/{digest[:2]}/{digest[2:]}", _READ)
        except FileNotFoundError:
            raise self._lost(digest, what, "missing") from None

    def _damaged(self, digest: str, what: str) -> FilesLost:
        """It is removed: a file of that name says that the content is there."""
        self._verified.pop(digest, None)
        self.path_of(digest).unlink(missing_ok=True)
        return self._lost(digest, what, "damaged")

    def _lost(self, digest: str, what: str, how: str) -> FilesLost:
        self.note_loss()
        return FilesLost(digest, what, how)

    def note_loss(self) -> None:
        """Something that was kept is gone: who relies on that has to look again."""
        with suppress(OSError):
            (self.root / "lost").write_bytes(os.urandom(8))

    @property
    def losses(self) -> bytes:
        """Differs whenever something that was kept has gone since."""
        try:
            return (self.root / "lost").read_bytes()
        except OSError:
            return b""

    # Writing

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Keep contents in the block, for somebody who holds the store. They are there when it
        ends, unless by an exception.
        """
        writer = Writer(self, self._sharing, self._tmp)
        try:
            yield writer
            writer.finish()
        finally:
            writer.drop()

    def hold(self, stop: Event, waits: Callable[[], None] = lambda: None) -> int:
        """Hold the store, so that the collector of garbage keeps away, until the file that this
        returns is closed. Waits while that is at work, and calls `waits` again and again; raises
        `Stopped` if `stop` is set.
        """
        self.make()
        gate = self._locked("gate", fcntl.LOCK_SH, stop, waits)
        try:
            return self._locked("lock", fcntl.LOCK_SH, stop, waits)
        finally:
            os.close(gate)

    @contextmanager
    def removing(self, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Let nobody save anything in the block. Waits for those who do, as `hold` does."""
        gate = self._locked("gate", fcntl.LOCK_EX, Event(), waits)
        try:
            lock = self._locked("lock", fcntl.LOCK_EX, Event(), waits)
            try:
                yield
            finally:
                os.close(lock)
        finally:
            os.close(gate)

    def _locked(self, name: str, how: int, stop: Event, waits: Callable[[], None]) -> int:
        file = os.open(self.root / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(file, how | fcntl.LOCK_NB)
                    return file
                except BlockingIOError:
                    waits()
                    if stop.wait(_POLL):
                        raise Stopped from None
        except BaseException:
            os.close(file)
            raise

    def make(self) -> None:
        """Make the folders, where they are missing."""
        with self._making:
            if not self._is_made:
                for folder in (self.root, self._objects, self._tmp):
                    self._sharing.make_folder(folder)
                self._is_made = True

    def remove_leftovers(self) -> None:
        """Remove what an engine has left that was killed while it saved something. Only for the
        engine that has the state directory, before it saves anything.
        """
        with suppress(FileNotFoundError):
            for left in list(self._tmp.iterdir()):
                remove_tree(left) if left.is_dir() else left.unlink(missing_ok=True)

    def contents(self) -> Iterator[os.DirEntry[str]]:
        """The files of all contents, in no order."""
        for folder in _entries(self._objects):
            yield from _entries(folder)

    def _path(self, digest: str) -> str:
        return f"{self._objects_at}/{digest[:2]}/{digest[2:]}"


class Writer:
    """Keeps contents in a store, until it is finished. Made by `FileStore.writing`."""

    def __init__(self, store: FileStore, sharing: Sharing, tmp: Path) -> None:
        self._store = store
        self._sharing = sharing
        self._mode = sharing.file_mode & 0o444
        self._tmp = f"{tmp}/{os.urandom(8).hex()}"
        self._count = 0
        self._new: dict[str, Path] = {}
        """The files that are not in their places yet, by digest."""
        self._folders: set[str] = set()

    def add(self, data: bytes) -> str:
        """Keep a content; gives its digest."""
        digest = digest_of(data)
        if not self._is_known(digest, len(data)):
            file, path = self._open()
            try:
                write_all(file, data)
                os.fchmod(file, self._mode)
            finally:
                os.close(file)
            self._take(digest, path)
        return digest

    def add_file(self, source: int, status: os.stat_result, what: str, stop: Stop) -> File:
        """Keep the content of an open file that had this status. Raises `FilesError` if it changes
        meanwhile.
        """
        mode = stat.S_IMODE(status.st_mode) & 0o777
        if status.st_size <= BLOCK:
            data = os.read(source, status.st_size + 1)
            if len(data) == status.st_size:
                self._check_unchanged(source, status, what)
                return File(self.add(data), len(data), mode)
            raise _changed(what)
        digest, size = digest_of_file(source, stop)
        if not self._is_known(digest, size):
            self._add_large(source, digest, size, what, stop)
        self._check_unchanged(source, status, what)
        return File(digest, size, mode)

    def _add_large(self, source: int, digest: str, size: int, what: str, stop: Stop) -> None:
        file, path = self._open()
        try:
            if clone(source, file):
                copied = digest_of_file(file, stop)
            else:
                copied = copy_content(source, file, stop)
            os.fchmod(file, self._mode)
        finally:
            os.close(file)
        if copied != (digest, size):
            path.unlink()
            raise _changed(what)
        self._take(digest, path)

    def _check_unchanged(self, source: int, status: os.stat_result, what: str) -> None:
        if _signature(os.fstat(source)) != _signature(status):
            raise _changed(what)

    def _is_known(self, digest: str, size: int) -> bool:
        return digest in self._new or self._store.has(digest, size)

    def _open(self) -> tuple[int, Path]:
        self._count += 1
        path = Path(f"{self._tmp}-{self._count}")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), path

    def _take(self, digest: str, path: Path) -> None:
        self._new[digest] = path
        if len(self._new) >= _AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Bring what is new to the disk, and then to its place."""
        _sync([*self._new.values()])
        for digest, path in self._new.items():
            target = self._store.path_of(digest)
            if digest[:2] not in self._folders:
                self._sharing.make_folder(target.parent)
                self._folders.add(digest[:2])
            path.rename(target)
        self._new.clear()

    def drop(self) -> None:
        """Remove what is not in its place. Twice is fine."""
        for path in self._new.values():
            with suppress(OSError):
                path.unlink()
        self._new.clear()


def _changed(what: str) -> FilesError:
    return FilesError(f"{what} has changed while it was read: save it when nothing writes to it")


def _signature(status: os.stat_result) -> Signature:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _entries(folder: Path | os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from entries


def _sync(paths: list[Path]) -> None:
    """Bring files to the disk."""
    if len(paths) > _FEW and _sync_file_system(paths[0]):
        return
    for path in paths:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def _sync_file_system(path: Path) -> bool:
    """Bring a whole file system to the disk, as 10,000 files take minutes. False: it can't."""
    sync = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if sync is None:
        return False
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return bool(sync(file) == 0)
    finally:
        os.close(file)
