"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from enum import Enum
from pathlib import Path

from pycurrent.plugins.fs.file import File


class Change(Enum):
    """What had to be done to a file."""

    NONE = "no change"
    MODE = "changed its mode"
    CONTENTS = "wrote it"


def write_if_different(path: Path, file: File) -> Change:
    """Have a path lead to this file. A link stays one, and leads to the new contents.

    Raises OSError. Killed midway it leaves the file as it was, and maybe a hidden one beside.
    """
    path = path.resolve()
    mode = file.mode
    try:
        has_contents = path.read_bytes() == file.data
        had = stat.S_IMODE(path.stat().st_mode)
        mode = had if mode is None else mode
        if has_contents:
            return _change_mode(path, had, mode)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    try:
        write_new(new, file.data, mode)
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    sync_folder(path.parent)
    return Change.CONTENTS


def _change_mode(path: Path, had: int, wanted: int) -> Change:
    if had == wanted:
        return Change.NONE
    path.chmod(wanted)
    return Change.MODE


def write_new(path: Path, data: bytes, mode: int | None) -> None:
    """Write a new file, to the disk. Without a mode it gets that of any new file.

    Nobody else can open it before it has its mode.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0)
    with os.fdopen(descriptor, "wb") as file:
        if mode is not None:
            os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Otherwise what was renamed, or made, in it may be lost with the machine's power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
