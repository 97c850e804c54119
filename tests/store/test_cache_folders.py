"""Cache folders on the disk: their size, their removal, and what `gc` makes of them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent.store import Database, Sharing, StateDir
from pycurrent.store.cache_folders import CacheFolder, CacheFolders
from pycurrent.store.gc import GcMode, GcReport, collect_garbage
from pycurrent.store.trees import size_of_tree

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    with StateDir.open(tmp_path) as state, closing(Database.open(state.database)):
        yield state


@pytest.fixture
def folders(state: StateDir) -> CacheFolders:
    return CacheFolders(state.cache)


def used(folders: CacheFolders, key: str, *, size: int = 10, ago: timedelta = DAY) -> CacheFolder:
    """One that was used for a while, and holds so much."""
    folders.make_room("pip")
    folder = folders.of("pip", key)
    folder.make(key, Sharing.OWNER)
    (folder.path / "deep").mkdir()
    (folder.path / "deep" / "file").write_bytes(b"x" * size)
    folder.lock.touch()
    folder.note_use(key, Sharing.OWNER)
    when = (NOW - ago).timestamp()
    os.utime(folder.path.with_name(f"{folder.path.name}.json"), (when, when))
    return folder


def gc(state: StateDir, mode: GcMode = GcMode.DELETE) -> GcReport:
    return collect_garbage(state, older_than=7 * DAY, now=NOW, mode=mode)


def test_gc_removes_folders_that_were_not_used_for_so_long(
    state: StateDir, folders: CacheFolders
) -> None:
    """With their locks and notes; a dry run only counts them."""
    old = used(folders, "old", size=1000, ago=8 * DAY)
    young = used(folders, "young", ago=6 * DAY)
    report = gc(state, GcMode.DRY_RUN)
    assert (report.cache_folders, report.cache_bytes) == (1, 1000)
    assert old.path.is_dir()
    report = gc(state)
    assert (report.cache_folders, report.cache_bytes) == (1, 1000)
    assert [folder.path for folder in folders.all()] == [young.path]
    assert {path.name.partition(".")[0] for path in old.path.parent.iterdir()} == {young.path.name}


def test_gc_leaves_a_folder_that_is_in_use(state: StateDir, folders: CacheFolders) -> None:
    """However long ago that began."""
    old = used(folders, "old", ago=80 * DAY)
    with old.lock.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        for mode in (GcMode.DRY_RUN, GcMode.DELETE):
            assert gc(state, mode).cache_folders == 0
    assert gc(state).cache_folders == 1


def test_gc_removes_what_a_killed_removal_has_left(state: StateDir, folders: CacheFolders) -> None:
    """A folder is renamed before it is removed."""
    left = used(folders, "young").path.parent / "gone-0123456789abcdef"
    (left / "deep").mkdir(parents=True)
    gc(state, GcMode.DRY_RUN)
    assert left.exists()
    gc(state)
    assert not left.exists()
    assert len(list(folders.all())) == 1


def test_gc_goes_through_no_link(state: StateDir, folders: CacheFolders, tmp_path: Path) -> None:
    """A job may have put one there to what is not ours."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"x" * 5000)
    old = used(folders, "old", size=10, ago=80 * DAY)
    (old.path / "link").symlink_to(outside)
    assert size_of_tree(old.path) < 1000
    gc(state)
    assert not old.path.exists()
    assert (outside / "file").exists()


def test_a_lost_or_broken_note_is_measured_again(folders: CacheFolders) -> None:
    """The note is no more than a memory."""
    folder = used(folders, "a", size=1234)
    note = folder.path.with_name(f"{folder.path.name}.json")
    for text in ("", "[]", '{"size": "1"}', "null"):
        note.write_text(text)
        assert folder.size == 1234
    note.unlink()
    assert folder.size == 1234
    assert folder.last_used == folder.path.stat().st_mtime


def test_keys_lead_nowhere_else(folders: CacheFolders) -> None:
    """Any text is a key, and each has its own folder."""
    keys = ["", "..", "../../etc", "a/b", "\0", "\ud800", "x" * 10_000]
    paths = {folders.of("pip", key).path for key in keys}
    assert len(paths) == len(keys)
    assert {path.parent for path in paths} == {folders.root / "pip"}


def test_a_folder_is_removed_once(folders: CacheFolders) -> None:
    """Twice does no harm."""
    folder = used(folders, "a")
    assert folder.remove()
    assert not folder.path.exists()
    assert folder.remove()
    assert list(folders.all()) == []
