"""The state directory of one engine: where everything is that it keeps on disk.

    job/YYYY-MM-DD/HHMMSS-<operation id>-<random>.log    the logs that are files
    job/.begun                                           jobs have been run here
    db/pycurrent.db                                      the database
    git/                                                 clones
    cache/                                               see `cache_folders.py`
    files/                                               what jobs have saved, by content
    own/<name>/                                          what the author's code keeps
    run/<job id>/lock                                    held by what runs the job's commands
    kept/<job id>/                                       folders of jobs that have failed
    tmp/<engine>/                                        what lives no longer than a job
    lock                                                 held by the engine that uses it
    version                                              of this layout
    .gitignore                                           keeps it all out of `git status`

How the lock works is told in `lock.py`.
"""

import errno
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pycurrent.errors import UsageError
from pycurrent.store.errors import BadJobId, NewerVersion, StateDirError
from pycurrent.store.lock import Holder, StateLock
from pycurrent.store.sharing import Sharing, check_writable

_VERSION = 1
_FOLDERS = ("job", "db", "git", "run", "tmp")

# The characters that a file name does not keep from an operation's id.
_UNSAFE = r"[^A-Za-z0-9._-]"
_LONGEST_OP = 64
_OWN_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# An odd step goes through all numbers of a power of two before it comes back to the first.
_RANDOM_STEP = 0x9E3779
_RANDOM_MASK = 0xFFFFFF


class StateDir:
    """A state directory, by `open` for the one engine that uses it, by `read` for all others.

    Paths are absolute: a change of the working directory changes nothing.
    """

    def __init__(
        self, path: Path, lock: StateLock | None, sharing: Sharing = Sharing.OWNER
    ) -> None:
        self.path = path
        self.sharing = sharing
        self.jobs = path / "job"
        self.git = path / "git"
        self.cache = path / "cache"
        self.own = path / "own"
        self.files = path / "files"
        self.runs = path / "run"
        self.kept = path / "kept"
        self.tmp = path / "tmp"
        """The folder for temporary files of the engine that uses the directory."""
        self.database = path / "db" / "pycurrent.db"
        self._lock = lock
        self._begun = self.jobs / ".begun"
        self._is_marked = False
        self._random = int.from_bytes(os.urandom(3), "big")
        # A time and an operation, and how ids begin with them: thousands of jobs have the same.
        self._last_stem = datetime.min, "", ""

    @classmethod
    def open(cls, path: Path | str, *, sharing: Sharing = Sharing.OWNER) -> Self:
        """Makes the directory where needed, and locks it until `close` or the process's end.

        `sharing` says who may read what is made; what is there keeps its mode.
        Raises `StateDirLocked` if an engine holds it, this process's too; `NewerVersion`; or
        another `StateDirError`.
        """
        path = _absolute(path)
        try:
            _make_state_folder(path, sharing)
            lock = StateLock.take(path, sharing)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _check_version(path)
            for name in _FOLDERS:
                sharing.make_folder(path / name)
                check_writable(path / name)
            _write_version(path, sharing)
            state = cls(path, lock, sharing)
            # Not by `tempfile`, which takes 3 ms to import.
            state.tmp = path / "tmp" / f"{os.getpid()}-{os.urandom(4).hex()}"
            state.tmp.mkdir(0o700)
        except BaseException as error:
            lock.release()
            if isinstance(error, OSError):
                raise _unusable(path, error) from error
            raise
        return state

    def own_folder(self, name: str) -> Path:
        """The folder of this name that the author's code or a plugin has for itself. It is made if
        it is missing, for its owner only, and nothing of ours looks into it.

        Raises `UsageError` for a name that can't be, and `StateDirError` if it can't be made.
        """
        if not isinstance(name, str) or not re.fullmatch(_OWN_NAME, name):
            raise UsageError(
                f"{name!r} can't be the name of a folder in the state directory: use up to 64"
                " letters, digits and . _ -, beginning with a letter or digit"
            )
        folder = self.own / name
        try:
            Sharing.OWNER.make_folder(self.own)
            Sharing.OWNER.make_folder(folder)
            check_writable(folder)
        except OSError as error:
            raise _unusable(folder, error) from error
        return folder

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """The directory as it is, without the lock and without a change, to look at its history.

        Raises `StateDirError` if it is not there, or not a state directory.
        """
        path = _absolute(path)
        if not path.is_dir():
            raise StateDirError(
                f"no state directory at {path}: run a pipeline first, or say where it is "
                "with --state-dir"
            )
        if not (path / "version").exists():
            raise StateDirError(f"{path} is not a state directory: it holds no file 'version'")
        try:
            _check_version(path)
        except OSError as error:
            raise _unusable(path, error) from error
        return cls(path, None)

    def close(self) -> None:
        """Lets another engine in. Closing twice does nothing."""
        if self._lock is not None:
            with suppress(OSError):
                self.tmp.rmdir()
            self._lock.release()
            self._lock = None

    @property
    def locks(self) -> tuple[int, ...]:
        """The open files that hold the lock: no fork of this process may keep one."""
        return () if self._lock is None else self._lock.files

    def keep_lock(self) -> None:
        """Put the lock back where somebody has removed it. Costs one look at the file.

        Raises `StateDirLocked` if another engine has taken it since.
        """
        if self._lock is not None:
            self._lock.keep()

    def refuse(self, why: str) -> None:
        """Tell who has asked for it why the program of this engine can't be started again. Raises
        OSError.
        """
        if self._lock is not None:
            self._lock.refuse(why)

    @property
    def is_in_use(self) -> bool:
        """True if an engine holds the directory, by what it has written about itself.

        The lock is not touched: to try it would keep an engine out that comes just then. So an
        engine that was killed is taken to live on if another process has got its number.
        """
        holder = Holder.told_by(self.path)
        return holder is not None and holder.is_alive

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def left_tmp(self) -> list[Path]:
        """The temporary folders of earlier engines, whose commands may still be at work there."""
        return [entry for entry in (self.path / "tmp").iterdir() if entry != self.tmp]

    @property
    def has_run(self) -> bool:
        """True if jobs have begun here, whatever the records say."""
        return self._begun.exists() or next(self.jobs.glob("*/*.log"), None) is not None

    def mark_run(self) -> None:
        """Keep beside the logs that jobs have begun. Twice costs nothing."""
        if not self._is_marked:
            with suppress(OSError):  # the next job tries it again
                self.sharing.write_file(self._begun, "")
                self._is_marked = True

    def job_path(self, job_id: str) -> Path:
        """The log file of a job. Raises `BadJobId` for an id that leads out of `job/`."""
        parts = job_id.split("/")
        if "\0" in job_id or any(part in {"", ".", ".."} for part in parts):
            raise BadJobId(
                f"{job_id!r} is not a job id: one looks like 2026-11-22/084703-docker-build-1a2b3c"
            )
        return self.jobs / f"{job_id}.log"

    def new_job_id(self, op_id: str, now: datetime) -> str:
        """An id for a new job of an operation, created at `now`, an aware time.

        Does not repeat itself within 16 million ids. It can meet the id of an earlier process, of
        which `Database.is_new` knows: then ask again.
        """
        self._random = (self._random + _RANDOM_STEP) & _RANDOM_MASK
        last, last_op, stem = self._last_stem
        if now is not last or op_id != last_op:
            op = re.sub(_UNSAFE, "_", op_id[:_LONGEST_OP])
            time = now if now.tzinfo is UTC else _utc(now)
            stem = f"{time:%Y-%m-%d/%H%M%S}-{op}-"
            self._last_stem = now, op_id, stem
        return f"{stem}{self._random:06x}"


def _absolute(path: Path | str) -> Path:
    try:
        return Path(path).absolute()
    except FileNotFoundError:
        raise StateDirError(
            f"state directory {path} can't be found, as the current directory does not exist any"
            " more: go to one that does, or give an absolute path as --state-dir"
        ) from None


def _make_state_folder(path: Path, sharing: Sharing) -> None:
    """Only in a folder that is made here, and so holds nothing else, git is told to look away."""
    if sharing.make_folder(path):
        sharing.write_file(path / ".gitignore", "*\n")


def _check_version(path: Path) -> None:
    """Raises `NewerVersion` if the layout is one that this version does not know."""
    try:
        text = (path / "version").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return
    if not text.isdecimal():
        raise StateDirError(
            f"the file {path / 'version'} holds {text[:40]!r} in place of a number: "
            f"write {_VERSION} to it if this is a state directory, or use another --state-dir"
        )
    if int(text) > _VERSION:
        raise NewerVersion(
            f"state directory {path} is from a newer version of pycurrent (its layout is "
            f"{text}, this one knows up to {_VERSION}): update pycurrent, or use another "
            "--state-dir"
        )


def _write_version(path: Path, sharing: Sharing) -> None:
    file = path / "version"
    if not file.exists():
        # Never seen half-written.
        new = path / "version.new"
        sharing.write_file(new, f"{_VERSION}\n")
        new.replace(file)


def _unusable(path: Path, error: OSError) -> StateDirError:
    """The error for a state directory at `path` that the system does not let us use."""
    match error.errno:
        case errno.EEXIST | errno.ENOTDIR:
            why = f"is not a directory ({error.filename} is in the way)"
        case errno.EROFS:
            why = "is on a read-only file system"
        case errno.EACCES | errno.EPERM:
            why = f"is not writable ({error.filename}: {error.strerror})"
        case errno.ENOSPC | errno.EDQUOT:
            why = "is on a disk that is full"
        case _:
            why = f"can't be used ({error.filename or 'lock'}: {error.strerror})"
    return StateDirError(f"state directory {path} {why}: use another --state-dir, or correct that")


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no time zone: job ids are in UTC")
    return time.astimezone(UTC)
