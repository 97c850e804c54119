"""Watching files on Linux, where the kernel tells what happens to them.

A watch of the kernel is one of an inode, which keeps it when it is renamed; so each path is walked
from the root, and walked again after each change on the way.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pycurrent.engine.watching.watcher import FileWatcher, Notice, Paths
from pycurrent.errors import PycurrentError

if TYPE_CHECKING:
    from asyncinotify import Event, Inotify, Watch

RETRY = 30.0
"""Seconds after which watching is tried again where the system has refused it midway."""

_log = logging.getLogger(__name__)

_ATTRIB, _CLOSE_WRITE, _MODIFY = 0x4, 0x8, 0x2
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_Q_OVERFLOW, _IGNORED = 0x4000, 0x8000
_DONT_FOLLOW, _MASK_ADD = 0x02000000, 0x20000000

_ENTRIES = _CREATE | _DELETE | _MOVED_FROM | _MOVED_TO | _ATTRIB
"""An entry of a folder comes, goes, is replaced, or changes its permissions."""
_MOVED_AWAY = _MOVE_SELF | _DELETE_SELF
_WRITING = {Notice.CLOSED: _CLOSE_WRITE, Notice.WRITTEN: _CLOSE_WRITE | _MODIFY}

_MOST_LINKS = 40  # as many as the kernel follows
_MOST_WALKS = 100  # of a path whose folders vanish while it is walked


class _Interest(Struct, frozen=True):
    """The events of an inode that somebody wants to know."""

    mask: int
    name: str | None
    """The one entry that matters; None if all do."""


class _Inode:
    """One that is watched, and for whom."""

    __slots__ = ("users", "watch")

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.users: dict[_WatchedPaths, set[_Interest]] = {}


class InotifyWatcher(FileWatcher):
    """By inotify: one instance for all that is watched."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inodes: dict[int, _Inode] = {}
        self._closed = False

    @asynccontextmanager
    async def watch(
        self, paths: Paths, refresh: Callable[[], None], *, notice: Notice = Notice.CLOSED
    ) -> AsyncIterator[None]:
        watched = _WatchedPaths(self, paths, refresh, notice)
        try:
            watched.arm()
            yield
        finally:
            watched.end()

    def close(self) -> None:
        self._closed = True
        self._inodes.clear()
        if self._inotify is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._inotify.fd)
            self._inotify.close()
            self._inotify = None

    def hold(self, user: _WatchedPaths, path: Path, interest: _Interest) -> int:
        """Have the user told of what happens to the inode there; gives its number."""
        from asyncinotify import Mask

        # Only ever more is asked of the kernel for an inode, until nobody needs it.
        mask = Mask(interest.mask | _DONT_FOLLOW | _MASK_ADD)
        try:
            watch = self._opened().add_watch(path, mask)
        except OSError as error:
            raise _explained(error, path) from None
        inode = self._inodes.get(watch.wd)
        if inode is None:
            inode = self._inodes[watch.wd] = _Inode(watch)
        inode.users.setdefault(user, set()).add(interest)
        return watch.wd

    def keep(self, user: _WatchedPaths, number: int, interests: set[_Interest]) -> None:
        """The user wants to know no more than this about an inode."""
        inode = self._inodes.get(number)
        if inode is None:
            return
        if interests:
            inode.users[user] = interests
            return
        inode.users.pop(user, None)
        if not inode.users:
            del self._inodes[number]
            # It fails if the inode is gone, and the watch with it.
            with suppress(OSError):
                self._opened().rm_watch(inode.watch)

    def _opened(self) -> Inotify:
        from asyncinotify import Inotify

        if self._closed:
            raise PycurrentError("the file watcher is closed")
        if self._inotify is None:
            try:
                self._inotify = Inotify(sync_timeout=0)
            except OSError as error:
                raise _explained(error, None) from None
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._inotify.fd, self._receive)
        return self._inotify

    def _receive(self) -> None:
        assert self._inotify is not None
        changed: dict[_WatchedPaths, None] = {}
        # To the last one: what the library has read ahead makes the loop call nobody.
        while (event := self._inotify.sync_get()) is not None:
            changed.update(dict.fromkeys(self._concerned(event)))
        for watched in changed:
            watched.changed()

    def _concerned(self, event: Event) -> list[_WatchedPaths]:
        mask = int(event.mask)
        if mask & _Q_OVERFLOW:
            return [user for inode in self._inodes.values() for user in inode.users]
        number = -1 if event.watch is None else event.watch.wd
        inode = self._inodes.get(number)
        if inode is None:
            return []
        if mask & _IGNORED:
            del self._inodes[number]
            return list(inode.users)
        name = None if event.name is None else str(event.name)
        return [
            user
            for user, interests in inode.users.items()
            if any(mask & one.mask and one.name in (None, name) for one in interests)
        ]


class _WatchedPaths:
    """The paths of one watch, and the inodes on the ways to them."""

    def __init__(
        self, watcher: InotifyWatcher, paths: Paths, refresh: Callable[[], None], notice: Notice
    ) -> None:
        self._watcher = watcher
        self._paths = paths
        self._refresh = refresh
        self._writing = _WRITING[notice]
        self._held: dict[int, set[_Interest]] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._ended = False

    def changed(self) -> None:
        """Something has happened on the way to one of the paths."""
        if self._ended:
            return
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        try:
            self.arm()
        except OSError as error:
            _log.error("%s; trying again in %d seconds", error, RETRY)
            self._retry = asyncio.get_running_loop().call_later(RETRY, self.changed)
        self._refresh()

    def end(self) -> None:
        self._ended = True
        if self._retry is not None:
            self._retry.cancel()
        for number in self._held:
            self._watcher.keep(self, number, set())
        self._held = {}

    def arm(self) -> None:
        """Watch what is on the ways now, and no longer what was there before.

        Each folder is watched before its entry is looked at: what happens after the look is
        told, and brings the next walk.
        """
        before, self._held = self._held, {}
        try:
            for path in self._paths():
                self._walk_to_the_end(path)
        finally:
            for number in before.keys() | self._held.keys():
                self._watcher.keep(self, number, self._held.get(number, set()))

    def _walk_to_the_end(self, path: Path) -> None:
        for _ in range(_MOST_WALKS):
            with suppress(FileNotFoundError):
                self._walk(path.absolute())
                return
        raise OSError(errno.EAGAIN, "its folders keep vanishing while it is looked for", str(path))

    def _walk(self, path: Path) -> None:
        """Raises FileNotFoundError if a folder vanishes meanwhile."""
        place, names = Path(path.anchor), deque(path.parts[1:])
        links = 0
        while names:
            name = names.popleft()
            if name == "..":
                place = place.parent
                continue
            mode = self._look(place, name, last=not names)
            if stat.S_ISDIR(mode):
                place /= name
                if names:
                    self._hold_readable(place, _MOVED_AWAY)
            elif stat.S_ISLNK(mode) and links < _MOST_LINKS:
                links += 1
                self._hold(place, _ENTRIES, name)
                target = (place / name).readlink()
                names.extendleft(reversed(target.parts[1:] if target.anchor else target.parts))
                place = Path(target.anchor) if target.anchor else place
            else:
                self._hold(place, _ENTRIES, name)
                if stat.S_ISREG(mode) and not names:
                    self._hold_readable(place / name, self._writing)
                return
        self._hold_readable(place, _ENTRIES | self._writing)

    def _look(self, place: Path, name: str, *, last: bool) -> int:
        """The mode of what is there, 0 for nothing. Nothing, and the last one, is watched for
        in its folder before the look.
        """
        if not last:
            with suppress(FileNotFoundError):
                return (place / name).lstat().st_mode
        self._hold(place, _ENTRIES, name)
        try:
            return (place / name).lstat().st_mode
        except FileNotFoundError:
            return 0

    def _hold_readable(self, path: Path, mask: int) -> None:
        """Watch it if it can be read; else its folder may tell when that changes."""
        with suppress(PermissionError):
            self._hold(path, mask, None)

    def _hold(self, path: Path, mask: int, name: str | None) -> None:
        interest = _Interest(mask, name)
        number = self._watcher.hold(self, path, interest)
        self._held.setdefault(number, set()).add(interest)


def _explained(error: OSError, path: Path | None) -> OSError:
    """The kernel's "no space left on device" and "too many open files" lead astray."""
    match error.errno:
        case errno.ENOSPC:
            text = "no inotify watch is left: raise the setting fs.inotify.max_user_watches"
        case errno.EMFILE if path is None:
            text = "no inotify instance is left: raise the setting fs.inotify.max_user_instances"
        case _:
            return error
    return OSError(error.errno, text, *([] if path is None else [str(path)]))
