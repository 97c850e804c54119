"""Files that are written as a whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pycurrent.files.content import clone, copy_content
from pycurrent.plugins.fs.attributes import Attributes
from pycurrent.plugins.fs.content import Content, Staged
from pycurrent.term import Failure

CAN_NOT_MOVE = frozenset({errno.EBUSY, errno.EXDEV})
"""Errors for a place that is mounted by itself, or belongs to a layer of a container."""

Data = bytes | Path
"""The contents of a file, or the path of a file that has them."""

_CHUNK = 1 << 20
_LONGEST_NAME = 255  # in bytes
_READABLE = 200
_KINDS = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


class Change(Enum):
    """The change that was made to a file."""

    NONE = "no change"
    MODE = "changed its mode"
    CONTENTS = "wrote it"


@dataclass(frozen=True, slots=True)
class Written:
    """The change, and the attributes of the old file that the new one could not get."""

    change: Change
    lost: tuple[str, ...] = ()


def write_if_different(path: Path, file: Content | Staged) -> Written:
    """Set the file at a path to this content. A link stays a link, to the new contents.

    The file keeps its owner, group and access lists, and without a mode its permissions. Raises
    OSError, or Failure where that says more; anything but a regular file is left alone. If killed
    midway, it leaves the file as it was, and possibly a hidden one beside it.
    """
    path = real(path)
    old = _look(path)
    if old is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    elif has_contents(path, file.data):
        return Written(_change_mode(path, old.mode, old.mode if file.mode is None else file.mode))
    new = path.with_name(hidden(path.name, f".{secrets.token_hex(4)}"))
    try:
        lost = write_new(new, file.data, file.mode, old)
        _replace(path, new)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    sync_folder(path.parent)
    return Written(Change.CONTENTS, tuple(lost))


def real(path: Path) -> Path:
    """Return the path with all links followed. Raises OSError."""
    try:
        return path.resolve()
    except RuntimeError:  # Python's, before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


def hidden(name: str, end: str) -> str:
    """Return a hidden name, which differs for each name, also for long ones."""
    whole = f".{name}{end}"
    if len(os.fsencode(whole)) <= _LONGEST_NAME:
        return whole
    data = os.fsencode(name)
    readable = data[:_READABLE].decode(errors="ignore")
    return f".{readable}-{hashlib.sha256(data).hexdigest()[:16]}{end}"


def has_contents(path: Path, data: Data) -> bool:
    """True if a regular file has these contents. Reads no more than it has to compare."""
    size = len(data) if isinstance(data, bytes) else data.stat().st_size
    if path.stat().st_size != size:
        return False
    with path.open("rb") as file, _opened(data) as other:
        while part := other.read(_CHUNK):
            if file.read(_CHUNK) != part:
                return False
        return not file.read(1)


def _opened(data: Data) -> BinaryIO:
    return BytesIO(data) if isinstance(data, bytes) else data.open("rb")


def is_saved(path: Path, file: Content) -> bool:
    """True if there is a regular file with this content, and with its mode if it has one.

    Raises OSError where that can't be seen.
    """
    try:
        status = path.stat()
        is_such = stat.S_ISREG(status.st_mode) and file.mode in {None, stat.S_IMODE(status.st_mode)}
        return is_such and has_contents(path, file.data)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _look(path: Path) -> Attributes | None:
    """Read the attributes of an existing file. Raises Failure for anything but a regular file."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise Failure(f"can't save {path}: it is {kind}, not a file")
    return Attributes.of(path)


def _replace(path: Path, new: Path) -> None:
    try:
        new.replace(path)
    except OSError as error:
        if error.errno in CAN_NOT_MOVE:
            raise Failure(
                f"can't save {path}: it is mounted by itself, so it can't be replaced: mount its "
                "folder instead"
            ) from None
        raise


def _change_mode(path: Path, had: int, wanted: int) -> Change:
    if had == wanted:
        return Change.NONE
    path.chmod(wanted)
    return Change.MODE


def write_new(
    path: Path, data: Data, mode: int | None, like: Attributes | None = None
) -> list[str]:
    """Write a new file to the disk; return the attributes of `like` that it could not get.

    Without `mode` and `like` it gets the mode of any new file. Nobody else can open it before it
    has its mode.
    """
    is_usual = mode is None and like is None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(path, flags, 0o666 if is_usual else 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if isinstance(data, bytes):
            file.write(data)
            file.flush()
        else:
            _copy(data, descriptor)
        lost = [] if like is None else like.give_to(descriptor, mode)
        if like is None and mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    return lost


def _copy(source: Path, target: int) -> None:
    with source.open("rb") as file:
        if not clone(file.fileno(), target):
            copy_content(file.fileno(), target)


def sync_folder(folder: Path, like: Attributes | None = None, mode: int | None = None) -> None:
    """Write a folder to the disk, so that a power cut can't undo changes of its entries.

    A new folder gets the attributes of `like`, as far as possible, and a `mode` as it is.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if like is not None:
            like.give_to(descriptor, mode)
        elif mode is not None:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
