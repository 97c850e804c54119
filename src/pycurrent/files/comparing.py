"""Comparing: whether files are as a tree has them. They are read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pycurrent.files.content import digest_of_file
from pycurrent.files.errors import FilesLost
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.files.placing import entries_of
from pycurrent.files.store import FileStore
from pycurrent.files.values import File, Tree

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def is_in(store: FileStore, what: Tree | File, target: Path) -> bool:
    """True if a folder has all of a tree, or if a file is at a path, with its content and its
    permissions. Other files in the folder do not count. Blocks.

    A tree whose listing is lost is nowhere. Raises OSError for what can't be read.
    """
    try:
        if isinstance(what, File):
            return _is_file(target, what)
        return target.is_dir() and all(_is_at(target, one) for one in entries_of(store, what))
    except (FileNotFoundError, NotADirectoryError, FilesLost):
        return False


def _is_at(folder: Path, entry: Entry) -> bool:
    path = folder / entry.path
    match entry:
        case FileEntry(_, mode, size, digest):
            return not path.is_symlink() and _is_file(path, File(digest, size, mode))
        case LinkEntry(_, target):
            return path.is_symlink() and str(path.readlink()) == target
        case FolderEntry(_, mode):
            status = path.lstat()
            return stat.S_ISDIR(status.st_mode) and status.st_mode & 0o777 == mode


def _is_file(path: Path, file: File) -> bool:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
        return False
    if stat.S_IMODE(status.st_mode) != file.mode:
        return False
    source = os.open(path, _READ)
    try:
        return digest_of_file(source) == (file.digest, file.size)
    finally:
        os.close(source)
