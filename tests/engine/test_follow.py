"""Reading logs: as they grow, their ends, and for patterns."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.engine.follow import follow, tail, watch_file
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

    got = [block async for block in follow(path, offset=8, ended=lambda: not left, changed=changed)]

    assert got == [b"first ", b"second ", b"last"]


async def test_what_is_written_before_the_end_is_seen_is_not_lost(path: Path) -> None:
    """A job that writes and ends between a reader's look at both is still read to its end."""

    def ended() -> bool:
        _append(path, b"last words")
        return True

    async def changed() -> None:
        raise AssertionError("nothing to wait for")

    got = [block async for block in follow(path, ended=ended, changed=changed)]

    assert got == [b"last words"]


async def test_a_log_that_is_not_there_can_not_be_followed(tmp_path: Path) -> None:
    """A missing file is an error, not an endless wait."""

    async def changed() -> None:
        raise AssertionError("nothing to wait for")

    with pytest.raises(FileNotFoundError):
        await anext(follow(tmp_path / "none", ended=lambda: True, changed=changed))


@WATCHERS
async def test_a_growing_file_is_followed(path: Path, make: Callable[[], FileWatcher]) -> None:
    """Whatever tells of changes here, all bytes arrive in order, and then comes the end."""
    got = b""
    async with asyncio.timeout(20), watch_file(path, make=make) as changed:
        _append(path, b"0 ")
        async for block in follow(path, ended=lambda: b"5" in path.read_bytes(), changed=changed):
            got += block
            number = int(got.split()[-1])
            if number < 5:
                _append(path, b"%d " % (number + 1))

    assert got == b"0 1 2 3 4 5 "


async def test_inotify_tells_of_a_change_made_before_it_is_asked(path: Path) -> None:
    """A change between reading and waiting wakes the reader: it does not wait for a recheck."""
    async with asyncio.timeout(20), watch_file(path, recheck=3600, make=InotifyWatcher) as changed:
        _append(path, b"x")
        await changed()


@WATCHERS
async def test_a_watch_returns_without_a_change(
    path: Path, make: Callable[[], FileWatcher]
) -> None:
    """The end of a job is no change of its log: the reader is told to look from time to time."""
    async with asyncio.timeout(20), watch_file(path, recheck=0.01, make=make) as changed:
        await changed()
        await changed()


@given(st.lists(st.text(alphabet="ab", max_size=3), max_size=6), st.booleans(), st.integers(-1, 8))
def test_tail_is_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool, count: int
) -> None:
    """`tail` gives what splitting into lines and taking the last ones gives."""
    text = "\n".join(lines) + ("\n" if ended else "")
    path = tmp_path_factory.mktemp("log") / "job.log"
    path.write_text(text)

    expected = text.splitlines(keepends=True)[-count:] if count > 0 else []
    assert tail(path, count).decode() == "".join(expected)


def test_tail_reads_across_blocks_and_no_further_than_its_limit(path: Path) -> None:
    """Long lines are given whole as long as they are within the limit, and cut beyond it."""
    line = b"x" * 100_000 + b"\n"
    path.write_bytes(line * 5)

    assert tail(path, 2) == line * 2
    assert tail(path, 2, limit=150_000) == (line * 2)[-150_000:]
