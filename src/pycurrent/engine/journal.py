"""The journal of a durable job: what it has done, so that another engine can go on with it.

    run/<job id>/lock            held by what runs the job's commands
                 cursor          how much of all this the log has, and the key of the digests
                 <n>-<digest>/   a command: see `supervisor.Durable`; with `out`, its output, if
                                 that was asked for
                 tmp-<digest>/   a temporary folder
                 once-<digest>   what `job.once` has given
                 held            the resource that its pool has lent it
                 fence           the way to end what it has at another place: see `fence.py`

The operation's function is called again by the engine that goes on. All it asks for is found here
by what it is, and by how often the same was asked for before, not by the order: so two tasks of a
job may run commands at the same time. A command that stands here is *claimed* when it is asked for
again. Digests are made with a secret key, as what they are of may hold secrets.

All of it is for the owner only, and goes with the job, once its end is recorded.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from pycurrent.engine.channel import Used
from pycurrent.store.trees import remove_tree

_CURSOR = "cursor"
_KEY = "key"
_ONCE = "once-"
_HELD = "held"
_NEW = ".new"
_HEAD = struct.Struct("!HQQQ32s")
"""The version of the file, the bytes and lines of the log, the number of the first command of
which not all is in the log, and the key. The places in the spools of all from that one on follow.
"""
_OLD_HEAD = struct.Struct("!HQQQ")
"""In version 1, which has the key in a file of its own."""
_PLACE = struct.Struct("!QQ")
"""The number of a command, and how many bytes of its spool are in the log."""
_VERSION = 2
_OLD_VERSION = 1
_SHORT = 64
"""No status is as long as that."""
_DONE = (1 << 64) - 1
"""Stands for the place of a command of which all is in the log."""


class UnknownJournal(Exception):
    """There is no journal, or one of another version, or it is damaged: nobody can go on."""


class Held(Struct, frozen=True):
    """The resource that a job has of a pool which can give it back to the next engine."""

    resource: Any
    """As the pool tells it, in what can be JSON."""
    goes_on: bool
    """False for a job that is not durable: its commands end with the engine."""
    is_place: bool = False
    """True if that is where its commands run."""


class Ended(Struct, frozen=True):
    """How a command came to its end."""

    status: int
    """As in `subprocess`."""
    how: str
    """`exited`; or what has ended it: `asked`, `lease`; or `spool`: not all that it has printed
    was kept, as the disk was full.
    """
    used: Used | None
    """The resources that it has used, if its supervisor has told."""


class Entry:
    """One command in the journal."""

    def __init__(self, at: str, number: int, digest: str, copied: int = 0) -> None:
        self.at = at
        """Its run folder. Path objects would take longer than all that is done with it."""
        self.number = number
        self.digest = digest
        self.copied = copied
        """How many bytes of its spool are in the log."""

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return Path(self.at)

    @property
    def spool(self) -> str:
        """The file with what it has printed."""
        return f"{self.at}/spool"

    @property
    def out(self) -> Path:
        """The file with its standard output, if that was asked for."""
        return self.folder / "out"

    @property
    def has_begun(self) -> bool:
        """False for a new one that no supervisor has taken."""
        return self.folder.exists()

    @property
    def ended(self) -> Ended | None:
        """How it has ended; None: it has not, or that is not known."""
        try:
            status, how, *used = _read_short(f"{self.at}/status").split()
            return Ended(int(status), how, Used.of(*map(int, used)) if used else None)
        except (OSError, TypeError, ValueError):
            return None


def _read_short(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _SHORT).decode().strip()
    finally:
        os.close(file)


class Cursor:
    """The place that a journal and the log have reached together.

    It is written at moments at which the log holds neither more nor less: when it is cut to the
    size that stands here, and all spools are read from the places that stand here on, no byte is
    lost, and none is there twice. Used by one thread at a time, the one that writes to the log.
    """

    def __init__(self, path: Path | str, key: bytes = b"") -> None:
        """`key`: of a journal that begins."""
        self._path = path
        self.key = key
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._last = b""
        self.size = 0
        self.lines = 0
        """The calls by which the function itself has logged something."""
        self.first = 0
        """All of the spools of the commands before this one is in the log."""
        self.places: dict[int, int] = {}
        """How much of the spools of those that are not done is in the log."""
        self.holding: set[int] = set()
        """Commands of which something was read that is not in the log yet."""

    def read(self) -> None:
        """Raises `UnknownJournal`."""
        data = os.pread(self._file, 1 << 20, 0)
        try:
            version, self.size, self.lines, self.first = _OLD_HEAD.unpack_from(data)
            head = _OLD_HEAD if version == _OLD_VERSION else _HEAD
            if head is _HEAD:
                self.key = _HEAD.unpack_from(data)[-1]
            # The first of a number counts: what was longer before may follow.
            places = reversed(list(_PLACE.iter_unpack(data[head.size :])))
            self.places = {number: place for number, place in places if number >= self.first}
        except struct.error:
            raise UnknownJournal(f"{self._path} is damaged") from None
        if version not in {_VERSION, _OLD_VERSION}:
            raise UnknownJournal(f"{self._path} is of version {version}")
        self._last = data

    def copied(self, number: int, place: int, *, holding: bool) -> None:
        """A spool was read up to a place; the log has not all of that if it is `holding`."""
        if holding:
            self.holding.add(number)
        else:
            self.holding.discard(number)
            self.places[number] = place

    def done(self, number: int) -> None:
        """All of a spool is in the log."""
        self.holding.discard(number)
        self.places[number] = _DONE
        while self.places.get(self.first) == _DONE:
            del self.places[self.first]
            self.first += 1

    def is_done(self, number: int) -> bool:
        return number < self.first or self.places.get(number) == _DONE

    def reached(self, size: int, lines: int) -> bool:
        """The log has this size now, and holds all of so many lines. False if that can't be noted
        now, as something was read that it does not hold, or the disk is full.
        """
        if self.holding or self._file < 0:
            return False
        self.size, self.lines = size, lines
        head = _HEAD.pack(_VERSION, size, lines, self.first, self.key)
        data = head + b"".join([_PLACE.pack(*place) for place in self.places.items()])
        # In one piece within a page, which no kill can tear, unless hundreds run at once. The
        # rest of a longer one stays, and counts for nothing: older places of the same commands,
        # and of some of which all is in the log. So it is with what version 1 has written.
        if data != self._last:
            try:
                os.pwrite(self._file, data, 0)
            except OSError:
                return False  # There it is as of an earlier moment, and as true.
            self._last = data
        return True

    def close(self) -> None:
        """Twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Journal:
    """The journal of one job. Belongs to the loop's thread."""

    def __init__(self, folder: Path, key: bytes, cursor: Cursor, found: list[Entry]) -> None:
        """Made by `begin` and `read`."""
        self.folder = folder
        self._at = str(folder)
        self.cursor = cursor
        self.unclaimed = found
        """The commands of an earlier engine that were not asked for again yet."""
        self._key = key
        # No number of a command that was withdrawn is given again: its output counts as copied.
        numbers = [*(entry.number for entry in found), *cursor.places]
        self._next = max([cursor.first, *(number + 1 for number in numbers)])
        self._asked: Counter[str] = Counter()

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """The journal of a job that has none yet, in its folder, which is there. Raises OSError."""
        key = os.urandom(32)
        return cls(folder, key, Cursor(f"{folder}/{_CURSOR}", key), [])

    @staticmethod
    def is_at(folder: Path) -> bool:
        """True if a folder has a journal."""
        return (folder / _CURSOR).exists()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The journal that an earlier engine has left. Commands that it had not begun are given up:
        see `supervisor.Durable`. Raises `UnknownJournal`, and OSError.
        """
        _give_up_new(folder)
        cursor = Cursor(folder / _CURSOR)
        try:
            cursor.read()
            cursor.key = cursor.key or (folder / _KEY).read_bytes()
        except BaseException:
            cursor.close()
            raise
        return cls(
            folder, cursor.key, cursor, sorted(_entries(folder, cursor), key=lambda e: e.number)
        )

    def digest(self, parts: Iterable[bytes]) -> str:
        """A digest of these parts, and of how often it was asked for."""
        text = b"".join([b"%d:%b" % (len(part), part) for part in parts])
        digest = hmac.digest(self._key, text, "sha256").hex()[:24]
        self._asked[digest] += 1
        return f"{digest}-{self._asked[digest]}"

    def claim(self, digest: str) -> Entry | None:
        """The command with this digest, if it stands here: it is asked for again."""
        for entry in self.unclaimed:
            if entry.digest == digest:
                self.unclaimed.remove(entry)
                return entry
        return None

    def new(self, digest: str) -> Entry:
        """The entry of a command that is about to begin. Raises OSError."""
        number, self._next = self._next, self._next + 1
        entry = Entry(f"{self._at}/{number}-{digest}", number, digest)
        os.mkdir(f"{entry.at}{_NEW}", 0o700)  # noqa: PTH102 - once for each command
        self.cursor.places[number] = 0
        return entry

    def withdraw(self, entry: Entry) -> None:
        """Its command was not begun."""
        self.cursor.done(entry.number)
        remove_tree(Path(f"{entry.at}{_NEW}"))

    @property
    def token(self) -> str:
        """Tells the job from all others of all engines, and tells nobody which one it is."""
        return hmac.new(self._key, b"token", "sha256").hexdigest()[:24]

    def place(self, name: str) -> Path:
        """The place of a temporary folder with this name."""
        return self.folder / f"tmp-{self.digest([b'tmp', name.encode()])}"

    def given(self, name: str) -> Path:
        """The file with what a function has given that is to be called once. The same for a name
        each time.
        """
        mac = hmac.new(self._key, name.encode(), "sha256")
        return self.folder / f"{_ONCE}{mac.hexdigest()[:24]}"

    def hold(self, held: Held) -> None:
        """Note what the job holds. Raises OSError."""
        part = self.folder / f"{_HELD}.part"
        part.write_bytes(msgspec.json.encode(held))
        part.rename(self.folder / _HELD)

    @property
    def held(self) -> Held | None:
        """The resource that it has; None without one."""
        try:
            return msgspec.json.decode((self.folder / _HELD).read_bytes(), type=Held)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def close(self) -> None:
        """Nothing more is noted. It stays. Twice is fine."""
        self.cursor.close()


def _give_up_new(folder: Path) -> None:
    """Rename what nobody has begun, so that nobody will."""
    for path in folder.glob(f"*{_NEW}"):
        gone = path.with_name(f"gone-{path.name}")
        with suppress(OSError):
            path.rename(gone)
            remove_tree(gone)


def remove_runs(folders: Iterable[Path]) -> None:
    """Remove run folders with all that is in them, as far as possible. Blocks.

    Thousands of short commands leave one each, while the thread that removes them keeps others from
    working. So those that have nothing unusual in them are removed in as few calls as that takes.
    """
    for folder in folders:
        _remove_run(folder)


def _remove_run(folder: Path) -> None:
    try:
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry)  # noqa: PTH108
                elif entry.name[0].isdigit():
                    _remove_files(entry.path)
                else:
                    remove_tree(Path(entry))
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        remove_tree(folder)


def _remove_files(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in list(entries):
            os.unlink(entry)  # noqa: PTH108
    os.rmdir(folder)  # noqa: PTH106


def _entries(folder: Path, cursor: Cursor) -> Iterator[Entry]:
    for path in folder.iterdir():
        number, _, digest = path.name.partition("-")
        if number.isdecimal() and path.is_dir():
            yield Entry(str(path), int(number), digest, cursor.places.get(int(number), 0))


def parts_of(
    argv: Sequence[str],
    cwd: str,
    env: Iterable[tuple[str, str | None]],
    stdin: bytes | None,
    *,
    has_output: bool,
) -> Iterator[bytes]:
    """All by which a command is the same again. `env` are the variables that the function has
    changed: the engine's own differ from one start to the next.
    """
    yield b"output" if has_output else b"log"
    yield os.fsencode(cwd)
    yield b"%d" % len(argv)
    yield from map(os.fsencode, argv)
    for name, value in sorted(env):
        yield os.fsencode(name)
        yield b"" if value is None else b"=" + os.fsencode(value)
    yield b"" if stdin is None else b"<" + stdin
