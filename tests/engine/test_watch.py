"""Watching paths: whatever this system tells changes by, the same is told."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from watchfiles import Change

from pycurrent.engine import Config
from pycurrent.engine.monitor import FileMonitor, engine_files
from pycurrent.engine.watching import FileWatcher, Notice, watch_paths
from pycurrent.engine.watching.inotify import InotifyWatcher
from pycurrent.engine.watching.looking import LookingWatcher
from pycurrent.engine.watching.portable import WatchfilesWatcher, _Surroundings
from pycurrent.errors import PycurrentError
from pycurrent.facade import Engine
from pycurrent.term import Current, Ok, component, seq

WATCHERS: list[Callable[[], FileWatcher]] = [
    InotifyWatcher,
    WatchfilesWatcher,
    lambda: LookingWatcher(every=0.01),
]


@pytest.fixture(params=WATCHERS, ids=["inotify", "watchfiles", "looking"])
async def watcher(request: pytest.FixtureRequest) -> AsyncIterator[FileWatcher]:
    watcher: FileWatcher = request.param()
    yield watcher
    watcher.close()


class Told:
    """Counts what a watch tells."""

    def __init__(self) -> None:
        self.count = 0
        self._more = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._more.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until a refresh comes after which this holds."""
        async with asyncio.timeout(20):
            while True:
                await self._more.wait()
                self._more.clear()
                if reached():
                    return

    async def more(self) -> None:
        """Wait for a refresh, and take those that are there with it."""
        await self.until(lambda: True)
        await self.drain()

    async def drain(self) -> None:
        """Take what the kernel has queued. Threads that watch may be late."""
        for _ in range(5):
            await asyncio.sleep(0)
        self._more.clear()


@asynccontextmanager
async def watching(watcher: FileWatcher, *paths: Path) -> AsyncIterator[Told]:
    told = Told()
    async with watcher.watch(lambda: paths, told):
        yield told


async def test_a_file_that_is_written_is_told(watcher: FileWatcher, tmp_path: Path) -> None:
    """Writing to a file in place is a change."""
    path = tmp_path / "file"
    path.write_text("old")
    async with watching(watcher, path) as told:
        path.write_text("new")
        await told.more()


async def test_a_file_that_is_replaced_again_and_again_is_told(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """A rename puts another file in place, and that one is watched from then on."""
    path = tmp_path / "file"
    path.write_text("0")
    async with watching(watcher, path) as told:
        for number in "123":
            other = tmp_path / "other"
            other.write_text(number)
            other.rename(path)
            await told.more()
        path.write_text("in place")
        await told.more()


async def test_a_path_that_does_not_exist_yet_is_told_once_it_does(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """The nearest folder that exists is watched, and then the next, down to the file."""
    path = tmp_path / "a" / "b" / "c" / "file"
    async with watching(watcher, path) as told:
        path.parent.parent.mkdir(parents=True)
        await told.more()
        path.parent.mkdir()
        path.write_text("first")
        await told.until(path.is_file)
        await told.drain()
        path.write_text("second")
        await told.more()


async def test_a_file_that_is_deleted_and_made_anew_is_told(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """Going and coming back are changes, with the folders above too."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("old")
    async with watching(watcher, path) as told:
        path.unlink()
        await told.more()
        path.write_text("new")
        await told.more()
        shutil.rmtree(path.parent)
        await told.until(lambda: not path.parent.exists())
        await told.drain()
        path.parent.mkdir()
        path.write_text("newest")
        await told.until(path.is_file)


async def test_a_folder_further_up_that_is_moved_away_is_told(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """The path then names something else, or nothing; what stands there next is watched."""
    path = tmp_path / "a" / "b" / "file"
    path.parent.mkdir(parents=True)
    path.write_text("old")
    async with watching(watcher, path) as told:
        (tmp_path / "a").rename(tmp_path / "away")
        await told.more()
        path.parent.mkdir(parents=True)
        path.write_text("new")
        await told.until(path.is_file)


async def test_entries_of_a_folder_are_told(watcher: FileWatcher, tmp_path: Path) -> None:
    """Those that are made, written and removed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    async with watching(watcher, folder) as told:
        (folder / "entry").write_text("made")
        await told.more()
        (folder / "entry").write_text("written")
        await told.more()
        (folder / "entry").unlink()
        await told.more()


async def test_the_target_of_a_link_is_watched(watcher: FileWatcher, tmp_path: Path) -> None:
    """A link's target is written, the link is set to another target: both are changes."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    async with watching(watcher, link / "file") as told:
        (tmp_path / "one" / "file").write_text("new")
        await told.more()
        (tmp_path / "next").symlink_to(tmp_path / "two")
        (tmp_path / "next").rename(link)
        await told.more()
        (tmp_path / "two" / "file").write_text("new")
        await told.more()


async def test_a_circle_of_links_is_only_a_missing_file(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """A link that leads to itself is watched like a path that does not exist."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    async with watching(watcher, tmp_path / "a") as told:
        (tmp_path / "a").unlink()
        (tmp_path / "a").write_text("real")
        await told.until((tmp_path / "a").is_file)


async def test_what_is_watched_may_depend_on_what_a_file_says(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """The paths are asked for again after each change."""
    pointer, one, two = (tmp_path / name for name in ("pointer", "one", "two"))
    pointer.write_text("one")
    told = Told()
    async with watcher.watch(lambda: [pointer, tmp_path / pointer.read_text()], told):
        one.write_text("first")
        await told.more()
        other = tmp_path / "other"
        other.write_text("two")
        other.rename(pointer)
        await told.more()
        two.write_text("second")
        await told.more()


async def test_two_watches_of_one_path_both_tell_and_end_alone(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """The end of one watch leaves the other as it is."""
    path = tmp_path / "file"
    async with watching(watcher, path) as one:
        async with watching(watcher, path, tmp_path) as two:
            path.write_text("for both")
            await one.more()
            await two.until(lambda: True)
        count = two.count
        path.write_text("for one")
        await one.more()
        assert two.count == count


async def test_a_closed_watcher_tells_nothing_and_watches_nothing(
    watcher: FileWatcher, tmp_path: Path
) -> None:
    """Closing twice, and before the watches end, is fine."""
    path = tmp_path / "file"
    async with watching(watcher, path) as told:
        watcher.close()
        watcher.close()
        path.write_text("unseen")
        await told.drain()
        assert told.count == 0
    with pytest.raises(PycurrentError, match="closed"):
        async with watching(watcher, path):
            pass


async def test_watch_paths_needs_no_watcher(tmp_path: Path) -> None:
    """A monitor of a few files, in no engine, is one line."""
    told = Told()
    async with watch_paths([tmp_path / "file"], told):
        (tmp_path / "file").write_text("new")
        await told.more()


def test_watchfiles_is_asked_for_what_matters_only(tmp_path: Path) -> None:
    """Neighbours of a path, and what is deeper than the entries of a folder, are filtered out."""
    (tmp_path / "folder").mkdir()
    around = _Surroundings.of([tmp_path / "folder", tmp_path / "a" / "file"])

    def concerns(name: str) -> bool:
        return around.concerns(Change.modified, str(tmp_path / name))

    assert all(map(concerns, ["folder", "folder/entry", "a", "a/file", ""]))
    assert not any(map(concerns, ["neighbour", "folder/deeper/entry", "a/neighbour"]))


# What only inotify does. It is known at once what it has told.


async def test_what_happens_beside_a_path_is_not_told(tmp_path: Path) -> None:
    """Other entries of its folder, and what is deeper than a folder's entries, don't count."""
    watcher = InotifyWatcher()
    path, folder = tmp_path / "file", tmp_path / "folder"
    path.write_text("watched")
    (folder / "deeper").mkdir(parents=True)
    async with watching(watcher, path, folder) as told:
        (tmp_path / "neighbour").write_text("other")
        (tmp_path / "neighbour").unlink()
        (folder / "deeper" / "entry").write_text("nobody's")
        await told.drain()
        assert told.count == 0
        path.write_text("new")
        await told.drain()
        assert told.count == 1
    watcher.close()


async def test_what_is_no_longer_asked_for_is_no_longer_told(tmp_path: Path) -> None:
    """A path that a file has named is left when the file names another one."""
    watcher = InotifyWatcher()
    pointer = tmp_path / "pointer"
    pointer.write_text("one")
    told = Told()
    async with watcher.watch(lambda: [pointer, tmp_path / pointer.read_text()], told):
        pointer.write_text("two")
        await told.drain()
        before = told.count
        (tmp_path / "one").write_text("nobody's")
        await told.drain()
        assert told.count == before
    watcher.close()


async def test_half_written_files_are_told_to_those_who_ask_for_it(tmp_path: Path) -> None:
    """By default a file has changed when its writer closes it; a log is read while it grows."""
    path = tmp_path / "file"
    path.write_text("")
    watcher = InotifyWatcher()
    closed, written = Told(), Told()
    async with (
        watcher.watch(lambda: [path], closed),
        watcher.watch(lambda: [path], written, notice=Notice.WRITTEN),
    ):
        with path.open("a") as file:
            file.write("half")
            file.flush()
            await written.more()
            assert closed.count == 0
        await closed.more()
    watcher.close()


async def test_nothing_is_kept_of_what_is_watched_no_more(tmp_path: Path) -> None:
    """After many watches, of files that come and go, the kernel holds none for us."""
    watcher = InotifyWatcher()
    async with watching(watcher, tmp_path / "stays" / "file"):
        async with watching(watcher, tmp_path / "a" / "file") as told:
            for _ in range(3):
                (tmp_path / "a").mkdir()
                (tmp_path / "a" / "file").write_text("x")
                await told.more()
                shutil.rmtree(tmp_path / "a")
                await told.more()
        held = len(watcher._inodes)
        assert held == len(tmp_path.parents) - 1 + 1  # each folder but the root
        assert watcher._inotify is not None
        assert len(watcher._inotify.watches) == held
    watcher.close()


async def test_an_overflow_of_the_queue_is_a_change_of_everything(tmp_path: Path) -> None:
    """What got lost may have been anything: everybody looks again."""
    watcher = InotifyWatcher()
    path = tmp_path / "file"
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    noise = [tmp_path / "x", tmp_path / "y"]
    noise[0].write_text("")
    async with watching(watcher, path) as told:
        for number in range(limit // 2 + 10):
            # Two events each, which concern nobody here; they come from one folder.
            noise[number % 2].rename(noise[1 - number % 2])
        os.link(noise[0] if noise[0].exists() else noise[1], path)  # lost
        await told.more()
    watcher.close()


async def test_one_inotify_serves_all_inputs_of_an_engine(tmp_path: Path) -> None:
    """A user has few inotify instances: an engine takes one, and gives it back."""
    paths = [tmp_path / f"input{number}" for number in range(3)]
    for path in paths:
        path.write_text("old")

    def monitored(path: Path) -> Current[str]:
        monitor = FileMonitor(read=path.read_text, paths=lambda: [path])
        return component("file", monitor.get)

    async with Engine(lambda: seq(map(monitored, paths)), state_dir=tmp_path / "state") as engine:
        told = Told()
        engine.listen(lambda step: told())
        await told.until(lambda: engine.output == Ok(["old"] * 3))
        paths[1].write_text("new")
        await told.until(lambda: engine.output == Ok(["old", "new", "old"]))
        watcher = engine.service(engine_files)
        assert _instances() == 1
    with pytest.raises(PycurrentError, match="closed"):
        async with watching(watcher, tmp_path):
            pass
    assert _instances() == 0


async def test_an_engine_that_ends_when_it_has_settled_looks_once_more(tmp_path: Path) -> None:
    """It sees what has changed since its reads, its own jobs' work too, and watches nothing."""
    path = tmp_path / "file"
    path.write_text("0")
    files = FileMonitor(read=path.read_text, paths=lambda: [path])

    def count(text: str) -> str:
        if text < "3":
            path.write_text(str(int(text) + 1))
        return text

    def pipeline() -> Current[str]:
        return component("file", files.get).map(count)

    config = Config(once=True)
    async with Engine(pipeline, state_dir=tmp_path / "state", config=config) as engine:
        assert _instances() == 0
        await engine.settled()
        assert engine.output == Ok("3")


async def test_a_look_tells_what_has_changed_since_the_last_one(tmp_path: Path) -> None:
    """Once; and a file that is as new as its file system can tell counts as changed."""
    path = tmp_path / "file"
    path.write_text("old")
    watcher = LookingWatcher(every=1000)
    async with watching(watcher, path) as told:
        path.write_text("new")
        assert watcher.look()
        assert told.count == 1
        while watcher.look():
            pass  # Until the file is old enough.
        count = told.count
        assert not watcher.look()
        assert told.count == count
    assert not watcher.look()
    watcher.close()


async def test_paths_that_can_not_be_told_are_a_change_once(tmp_path: Path) -> None:
    """Who reads the input gets the exception, too."""
    broken = False

    def paths() -> list[Path]:
        if broken:
            raise RuntimeError("broken")
        return [tmp_path / "missing" / "file"]

    watcher, told = LookingWatcher(every=1000), Told()
    async with watcher.watch(paths, told):
        broken = True
        assert watcher.look()
        assert not watcher.look()
    watcher.close()


def _instances() -> int:
    """How many inotify instances this process has."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(link.readlink()) == "anon_inode:inotify"
    return count
