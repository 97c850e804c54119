"""Folders that are saved again: what is unchanged is not read, what has changed never missed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Event
from time import time_ns

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.files import FileStore, Tree
from pycurrent.files.content import digest_of, never
from pycurrent.files.index import FolderIndex
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry, listing_text
from pycurrent.files.looking import look_at, told_of_file

from .keeping import Keeper

MANY = 80
"""Files that are enough for a folder to be worth an index."""


def later() -> int:
    """A time by which the times of all files tell that they have not changed since."""
    return time_ns() + 60_000_000_000


def fill(folder: Path) -> Path:
    """Write a folder."""
    for number in range(7):
        (folder / f"d{number}").mkdir(parents=True)
    for number in range(MANY):
        (folder / f"d{number % 7}" / f"{number}").write_text(f"{number % 10}")
    (folder / "link").symlink_to("d1")
    return folder


class Asked(Event):
    """How often somebody wanted to know whether to stop: a walk does so at each file."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0

    def is_set(self) -> bool:
        self.times += 1
        return super().is_set()


def is_walked(keeper: Keeper, folder: Path, *patterns: str) -> bool:
    """Save a folder; True if it was walked through."""
    asked = keeper.stop = Asked()
    keeper.tree(folder, *patterns)
    return asked.times > MANY / 2


@pytest.fixture
def large(keeper: Keeper, folder: Path) -> Path:
    """A folder that was saved, and then was unchanged, so that a look at it is known."""
    keeper.now, keeper.large = later, 1
    fill(folder)
    keeper.tree(folder)
    keeper.tree(folder)
    return folder


def test_an_unchanged_folder_is_not_read_again(keeper: Keeper, folder: Path) -> None:
    """Its files are known by their times, unless these are too young to tell."""
    for number in range(100):
        (folder / f"{number}").write_text(f"{number}")
    tree = keeper.tree(folder)
    assert keeper.tree(folder) == tree
    # As young as it is, a change within the same moment is seen.
    (folder / "7").write_text("8")
    assert keeper.tree(folder) != tree


def test_a_large_folder_that_stays_unchanged_is_not_walked_through(
    keeper: Keeper, large: Path
) -> None:
    """Its tree is the last one, from the third time on."""
    tree = keeper.tree(large)
    assert not is_walked(keeper, large)
    (large / "d1" / "new").write_text("x")
    assert is_walked(keeper, large)
    (large / "d1" / "new").unlink()
    assert keeper.tree(large) == tree


def test_the_files_of_a_very_large_folder_are_known(keeper: Keeper, folder: Path) -> None:
    """They are kept in parts; those that are not as they were are not known."""
    (folder / "a").write_text("x")
    status, file = (folder / "a").stat(), keeper.file(folder / "a")
    tree = Tree(file.digest, 25_000, 25_000)
    index = FolderIndex.read(keeper.store, folder, later())
    for number in range(25_000):
        index.note(f"{number}", status, file)
    index.write([], tree)
    index = FolderIndex.read(keeper.store, folder, later())
    assert index.count == 25_000
    assert all(index.knows(f"{number}", status) for number in range(25_000))
    assert not index.knows("25000", status)
    assert index.unchanged([]) == tree
    assert index.unchanged([LinkEntry("b", "a")]) is None
    (folder / "a").chmod(0o600)
    assert not index.knows("7", (folder / "a").stat())


@pytest.mark.parametrize("index", [b"", b"\0", b"\xff" * 600, b"\0\1\xc1" + bytes(600)])
def test_a_damaged_index_does_no_harm(keeper: Keeper, large: Path, index: bytes) -> None:
    """All files are read again, and the next index is a good one."""
    tree = keeper.tree(large)
    for path in (keeper.store.root / "seen").iterdir():
        path.write_bytes(index)
    assert [keeper.tree(large) for _ in range(2)] == [tree] * 2
    assert not is_walked(keeper, large)


def test_an_index_that_another_job_replaces_meanwhile_is_not_used(
    keeper: Keeper, large: Path
) -> None:
    """Its rest would not be of the head that was read."""
    index = FolderIndex.read(keeper.store, large, later())
    status = (large / "d0" / "7").stat()
    (large / "d0" / "7").write_text("x")
    keeper.tree(large)
    assert not index.knows("d0/7", status)
    assert index.unchanged([]) is None


def test_a_look_does_not_stand_for_other_patterns(keeper: Keeper, large: Path) -> None:
    """They select something else in the same folder; and some select nothing, which is told."""
    trees = {"": keeper.tree(large)}
    for patterns in ("d1/**", "d2/**", "d1/** d2/**", "**", "gone d1/**"):
        for _ in range(3):
            saved = keeper.saved(large, *patterns.split())
            assert saved.unmatched == (("gone",) if "gone" in patterns else ())
        trees[patterns] = saved.tree
    assert len({tree.digest for tree in trees.values()}) == 4
    assert trees["gone d1/**"] == trees["d1/**"]
    assert trees["**"] == trees[""]


def test_what_patterns_pass_by_may_change(keeper: Keeper, large: Path) -> None:
    """The tree stays the same, and the next look is known again."""
    selected = [f"d{number}/**" for number in range(6)]
    trees = [keeper.tree(large, *selected) for _ in range(3)]
    assert not is_walked(keeper, large, *selected)
    (large / "d6" / "new").write_text("x")
    trees += [keeper.tree(large, *selected) for _ in range(2)]
    assert not is_walked(keeper, large, *selected)
    assert len(set(trees)) == 1


def test_what_is_left_out_is_told_each_time(keeper: Keeper, large: Path) -> None:
    """A pipe is in no tree, so a look would not tell of it."""
    os.mkfifo(large / "d1" / "pipe")
    assert [keeper.saved(large).left_out for _ in range(3)] == [("d1/pipe",)] * 3


def test_lost_contents_are_noticed_behind_a_look(keeper: Keeper, large: Path) -> None:
    """Whoever has found that one is lost has noted it: then each content is looked for."""
    tree = keeper.tree(large)
    keeper.object(b"7").unlink()
    keeper.store.note_loss()
    assert keeper.tree(large) == tree
    assert keeper.object(b"7").read_bytes() == b"7"


@pytest.mark.parametrize(
    "script", ["exit 1", "echo oops >&2", "exec kill -9 $$", "", r"printf './d1\0d755\0'"]
)
def test_a_find_that_is_not_that_of_gnu_does_no_harm(
    keeper: Keeper, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """Neither one that fails nor one that prints something else: the folder is walked through."""
    find = tmp_path / "bin" / "find"
    find.parent.mkdir()
    find.write_text(f"#!/bin/sh\n{script}\n")
    find.chmod(0o755)
    monkeypatch.setenv("PATH", str(find.parent))
    keeper.now, keeper.large = later, 1
    trees = []
    fill(folder)
    for _ in range(3):
        assert is_walked(keeper, folder)
        trees.append(keeper.tree(folder))
    (folder / "d1" / "new").write_text("x")
    assert keeper.tree(folder) not in trees
    assert len(set(trees)) == 1


def test_a_find_that_lies_in_the_folder_is_not_started(
    keeper: Keeper, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if the path to programs has folders that are relative."""
    (large / "find").write_text("#!/bin/sh\ntouch started\n")
    (large / "find").chmod(0o755)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}{os.pathsep}")
    for _ in range(3):
        keeper.tree(large)
    assert not (large / "started").exists()
    assert not is_walked(keeper, large)


def test_a_look_counts_only_if_the_walk_has_found_the_same(folder: Path) -> None:
    """What was there for the look alone may come back later, and look the same."""
    (folder / "a").write_text("x")
    (folder / "b").write_text("y")
    (folder / ".git").mkdir()
    look = look_at(folder, ".git", (), never)
    assert look is not None
    told = {
        name: told_of_file((status.st_ino, 1, 0o644, status.st_mtime_ns, status.st_ctime_ns))
        for name in ("a", "b")
        for status in [(folder / name).stat()]
    }
    a = {"a": told["a"]}
    assert look.has_found(told, [])
    assert look.has_found(a, ["b"])
    assert not look.has_found(a, [])
    assert not look.has_found(a, ["b", "c"])
    assert not look.has_found(told, ["c"])
    assert not look.has_found(told | a | {"b": b"f1 0.0"}, [])


# Whatever changes

NUMBERS = st.integers(0, MANY - 10)
ORDER = count()


def all_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def rewrite(folder: Path, number: int) -> None:
    """As long as before. The time of its last change differs: that is asked for until the clock of
    the file system has gone on.
    """
    path = all_in(folder)[number]
    before = path.stat().st_ctime_ns
    path.write_text(chr(ord(path.read_text()) ^ 1))
    while path.stat().st_ctime_ns == before:
        os.utime(path, ns=(0, next(ORDER)))


def remove(folder: Path, number: int) -> None:
    all_in(folder)[number].unlink()


def change_mode(folder: Path, number: int) -> None:
    """Of a file or of its folder."""
    path = all_in(folder)[number]
    path = path if number % 2 else path.parent
    path.chmod(path.stat().st_mode ^ 0o044)


def rename(folder: Path, number: int) -> None:
    path = all_in(folder)[number]
    path.rename(path.with_name(f"new{next(ORDER)}"))


def swap(folder: Path, number: int) -> None:
    """Two files change their names."""
    one, other = all_in(folder)[number : number + 2]
    one.rename(folder / "aside")
    other.rename(one)
    (folder / "aside").rename(other)


def move_folder(folder: Path, number: int) -> None:
    folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    folders[number % len(folders)].rename(folder / f"moved{next(ORDER)}")


def make_folder(folder: Path, number: int) -> None:
    (folder / f"made{next(ORDER)}").mkdir(mode=0o755 if number % 2 else 0o700)


def link(folder: Path, number: int) -> None:
    (folder / "link").unlink(missing_ok=True)
    (folder / "link").symlink_to(f"d{number}")


def nothing(folder: Path, number: int) -> None:
    """Nothing changes."""


Change = Callable[[Path, int], None]
CHANGES: list[Change] = [
    rewrite, remove, change_mode, rename, swap, move_folder, make_folder, link, nothing
]  # fmt: skip


def entries_in(folder: Path) -> Iterator[Entry]:
    """The entries of a folder, as the form of trees says, without regard to any index."""
    for path in folder.rglob("*"):
        name, mode = str(path.relative_to(folder)), stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            yield LinkEntry(name, str(path.readlink()))
        elif not path.is_dir():
            data = path.read_bytes()
            yield FileEntry(name, mode, len(data), digest_of(data))
        elif mode != 0o755 or not any(path.iterdir()):
            yield FolderEntry(name, mode)


@given(
    steps=st.lists(st.tuples(st.sampled_from(CHANGES), NUMBERS), min_size=2, max_size=6),
    now=st.sampled_from([time_ns, later]),
)
@settings(max_examples=20, deadline=None)
def test_no_change_is_missed(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[Change, int]],
    now: Callable[[], int],
) -> None:
    """However a folder has changed, or not, since it was saved: the tree is what is there. Saved
    twice, the next change is one against a look.
    """
    top = tmp_path_factory.mktemp("changes")
    keeper = Keeper(FileStore(top / "files"), Event(), now, large=1)
    folder = fill(top / "folder")
    keeper.tree(folder)
    for change, number in steps:
        change(folder, number)
        expected = digest_of(listing_text(entries_in(folder)))
        assert [keeper.tree(folder).digest for _ in range(2)] == [expected] * 2
