"""The lock of a state directory, so that only one engine uses it.

It is the kernel's (flock), so it ends with the process that holds it, however that dies. There
are two: one on the file `lock`, in which its holder tells others who it is, and one on the
directory itself, which nobody can remove by deleting a file, and which moves with the directory.
Where a directory can't be locked (NFS) the file alone has to do: a holder whose file was removed
puts it back.
"""

import errno
import fcntl
import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from pycurrent.store.errors import StateDirLocked
from pycurrent.store.sharing import Sharing

_NOT_FOR_FOLDERS = frozenset({errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL})


def is_at(file: int, path: Path) -> bool:
    """True if an open file is the one that has this name: nobody has removed or replaced it."""
    held = os.fstat(file)
    try:
        there = os.stat(path)  # noqa: PTH116 - each step of an engine does it
    except OSError:
        return False
    return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)


class StateLock:
    """The lock of a state directory, by `take` until `release`."""

    def __init__(self, path: Path, sharing: Sharing, folder: int | None, file: int) -> None:
        self._path = path
        self._sharing = sharing
        self._folder = folder
        self._file = file

    @classmethod
    def take(cls, path: Path, sharing: Sharing = Sharing.OWNER) -> Self:
        """Not inherited by commands. Raises `StateDirLocked` or OSError."""
        folder = _lock_folder(path)
        try:
            file = _lock_file(path, sharing)
        except BaseException:
            if folder is not None:
                os.close(folder)
            raise
        return cls(path, sharing, folder, file)

    @property
    def files(self) -> tuple[int, ...]:
        return (self._file,) if self._folder is None else (self._folder, self._file)

    def keep(self) -> None:
        """Take the lock again if its file was removed or replaced. Raises `StateDirLocked`."""
        if self._is_in_place():
            return
        # With the directory, when that is gone: there is nothing left to lock.
        with suppress(OSError):
            file = _lock_file(self._path, self._sharing)
            # By the same number, which is known to others.
            os.dup2(file, self._file, inheritable=False)
            os.close(file)

    def refuse(self, why: str) -> None:
        """Tell others why the program of this process can't be started again. Raises OSError."""
        holder = Holder.told_by(self._path) or Holder.this_process()
        _write(self._file, replace(holder, refused=why))

    def release(self) -> None:
        """To be called once."""
        # The file stays: if it were removed, two could hold locks on two files of its name.
        with suppress(OSError):
            os.ftruncate(self._file, 0)
        for file in self.files:
            os.close(file)

    def _is_in_place(self) -> bool:
        return is_at(self._file, self._path / "lock")


class Holder(Struct, frozen=True):
    """The process that holds a lock, as the lock file tells."""

    pid: int
    command: str
    since: str
    refused: str = ""
    """Why its program could not be started again, when somebody last asked for that."""

    @classmethod
    def this_process(cls) -> Self:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), " ".join(sys.orig_argv), since)

    def is_same(self, other: Self | None) -> bool:
        """True if that is the same process, at work for as long."""
        return other is not None and (self.pid, self.since) == (other.pid, other.since)

    @classmethod
    def told_by(cls, path: Path) -> Self | None:
        """The one that the lock file in a state directory tells of."""
        try:
            return cls.from_json((path / "lock").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None

    @property
    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def to_json(self) -> str:
        fields = {"pid": self.pid, "command": self.command, "since": self.since}
        return json.dumps({**fields, "refused": self.refused} if self.refused else fields)

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """None where the holder has not written it yet, or something else did."""
        try:
            fields = json.loads(text)
            pid, refused = int(fields["pid"]), str(fields.get("refused", ""))
            return cls(pid, str(fields["command"]), str(fields["since"]), refused)
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self) -> str:
        if self.pid == os.getpid():
            return "this process"
        # One line, and not too long, whatever the command's arguments hold.
        command = " ".join(self.command.split())
        if len(command) > 100:
            command = f"{command[:99]}…"
        return f"process {self.pid} ({command}, since {self.since})"


def _lock_folder(path: Path) -> int | None:
    """None where the file system has no locks for folders."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise _locked(path, Holder.told_by(path)) from None
    except OSError as error:
        os.close(folder)
        if error.errno not in _NOT_FOR_FOLDERS:
            raise
        return None
    return folder


def _lock_file(path: Path, sharing: Sharing) -> int:
    file = sharing.make_file(path / "lock", os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write(file, Holder.this_process())
    except BlockingIOError:
        os.close(file)
        raise _locked(path, Holder.told_by(path)) from None
    except BaseException:
        os.close(file)
        raise
    return file


def _write(file: int, holder: Holder) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, f"{holder.to_json()}\n".encode(), 0)


def _locked(path: Path, holder: Holder | None) -> StateDirLocked:
    return StateDirLocked(
        f"state directory {path} is in use by {holder or 'another process'}: "
        "stop it, or use another --state-dir",
        None if holder is None else holder.pid,
    )
