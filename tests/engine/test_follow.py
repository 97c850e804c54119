"""Reading logs as they grow."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent.engine.follow import LogSource, follow, watch_log
from pycurrent.engine.watching import FileWatcher
from pycurrent.engine.watching.inotify import InotifyWatcher
from pycurrent.engine.watching.portable import WatchfilesWatcher

WATCHERS = pytest.mark.parametrize("make", [InotifyWatcher, WatchfilesWatcher])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "job.log"
    path.write_bytes(b"")
    return path


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def test_following_gives_what_is_there_and_what_comes_until_the_end(path: Path) -> None:
    """The last bytes, written just before the job ended, are given too."""
    _append(path, b"skipped first ")
    steps = iter([b"second ", b"", b"last"])
    left = ["second", "nothing", "last"]

    async def changed() -> None:
        _append(path, next(steps))
        left.pop(0)

    got = [
        block
        async for block in follow(
            LogSource(path), offset=8, ended=lambda: not left, changed=changed
        )
    ]

    assert got == [b"first ", b"second ", b"last"]


async def test_what_is_written_before_the_end_is_seen_is_not_lost(path: Path) -> None:
    """A job that writes and ends between a reader's look at both is still read to its end."""

    def ended() -> bool:
        _append(path, b"last words")
        return True

    async def changed() -> None:
        raise AssertionError("nothing to wait for")

    got = [block async for block in follow(LogSource(path), ended=ended, changed=changed)]

    assert got == [b"last words"]


async def test_a_log_that_is_not_there_can_not_be_followed(tmp_path: Path) -> None:
    """A missing file is an error, not an endless wait."""

    async def changed() -> None:
        raise AssertionError("nothing to wait for")

    with pytest.raises(FileNotFoundError):
        await anext(follow(LogSource(tmp_path / "none"), ended=lambda: True, changed=changed))


@WATCHERS
async def test_a_growing_file_is_followed(path: Path, make: Callable[[], FileWatcher]) -> None:
    """Whatever tells of changes here, all bytes arrive in order, and then comes the end."""
    got = b""
    async with asyncio.timeout(20), watch_log(LogSource(path), make=make) as changed:
        _append(path, b"0 ")
        async for block in follow(
            LogSource(path), ended=lambda: b"5" in path.read_bytes(), changed=changed
        ):
            got += block
            number = int(got.split()[-1])
            if number < 5:
                _append(path, b"%d " % (number + 1))

    assert got == b"0 1 2 3 4 5 "


async def test_inotify_tells_of_a_change_made_before_it_is_asked(path: Path) -> None:
    """A change between reading and waiting wakes the reader: it does not wait for a recheck."""
    async with (
        asyncio.timeout(20),
        watch_log(LogSource(path), recheck=3600, make=InotifyWatcher) as changed,
    ):
        _append(path, b"x")
        await changed()


@WATCHERS
async def test_a_watch_returns_without_a_change(
    path: Path, make: Callable[[], FileWatcher]
) -> None:
    """The end of a job is no change of its log: the reader is told to look from time to time."""
    async with asyncio.timeout(20), watch_log(LogSource(path), recheck=0.01, make=make) as changed:
        await changed()
        await changed()
