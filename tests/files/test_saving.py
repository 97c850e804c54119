"""Folders become trees, and trees become folders again."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.errors import UsageError
from pycurrent.files import File, FilesError, FilesLost, FileStore, Tree
from pycurrent.files.content import BLOCK
from pycurrent.files.errors import Stopped

from .keeping import Keeper, found_in

NAMES = st.sampled_from(
    ["a", "b", "B", "c.txt", "ä", "a\u0308", ".hidden", "-", "two words", "x\n"]
)
FILES = st.tuples(st.sampled_from([0o644, 0o755, 0o600, 0o444]), st.binary(max_size=20))
FOLDERS = st.recursive(
    st.dictionaries(NAMES, FILES, max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(FILES, inner), max_size=4),
    max_leaves=12,
)


def write(folder: Path, content: dict[str, object]) -> None:
    folder.mkdir(exist_ok=True)
    for name, one in content.items():
        if isinstance(one, dict):
            write(folder / name, one)
        else:
            assert isinstance(one, tuple)
            mode, data = one
            (folder / name).write_bytes(data)
            (folder / name).chmod(mode)


@given(content=FOLDERS)
@settings(max_examples=60, deadline=None)
def test_what_is_saved_is_placed_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    """Files with their modes, empty folders, and all names; equal content is an equal tree."""
    top = tmp_path_factory.mktemp("round")
    keeper = Keeper(FileStore(top / "files"), Event())
    write(top / "one", content)
    write(top / "two", content)
    tree = keeper.tree(top / "one")
    assert keeper.tree(top / "two") == tree
    keeper.place(tree, top / "placed")
    assert found_in(top / "placed") == found_in(top / "one")


def test_a_tree_counts_its_files(keeper: Keeper, folder: Path) -> None:
    """Links too, folders not; its size is that of the files."""
    (folder / "a").write_text("12345")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "b").write_text("678")
    (folder / "link").symlink_to("deep/b")
    tree = keeper.tree(folder)
    assert (tree.count, tree.size) == (3, 8)
    assert str(tree) == "3 files (8 B)"


def test_modes_of_folders_are_kept(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """Of those that can't be written, too."""
    (folder / "closed" / "in").mkdir(parents=True)
    (folder / "closed" / "in" / "a").write_text("x")
    (folder / "closed").chmod(0o555)
    (folder / "closed" / "in").chmod(0o700)
    placed = keeper.place(keeper.tree(folder), tmp_path / "placed")
    assert found_in(placed) == found_in(folder)


@pytest.mark.parametrize("umask", [0, 0o22, 0o77, 0o777])
def test_modes_of_files_are_kept_whatever_the_umask(
    keeper: Keeper, folder: Path, tmp_path: Path, umask: int
) -> None:
    """Of each file, also where the umask leaves some modes alone and others not."""
    modes = (0o644, 0o600, 0o777, 0o444, 0o644, 0o600, 0, 0o777)
    for number, mode in enumerate(modes):
        for path in (folder / f"{number}", folder / "d" / f"{number}"):
            path.parent.mkdir(exist_ok=True)
            path.write_text("x")
            path.chmod(mode)
    tree, target = keeper.tree(folder), tmp_path / "target"
    (target / "d").mkdir(parents=True)
    before = os.umask(umask)
    try:
        keeper.place(tree, target)
    finally:
        os.umask(before)
    assert found_in(target) == found_in(folder)


def test_links_stay_links(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """Those to folders too, and those to nothing; none is gone through."""
    (folder / "lib").mkdir()
    (folder / "lib" / "a.so.1").write_text("code")
    (folder / "lib" / "a.so").symlink_to("a.so.1")
    (folder / "current").symlink_to("lib")
    (folder / "nothing").symlink_to("gone/x")
    (folder / "round").symlink_to("round")
    placed = keeper.place(keeper.tree(folder), tmp_path / "placed")
    assert found_in(placed) == found_in(folder)


@pytest.mark.parametrize(
    ("links", "bad"),
    [
        ({"out": "/etc/passwd"}, "out"),
        ({"out": "../x"}, "out"),
        ({"a/out": "../../x"}, "a/out"),
        # By way of another link, at which `..` leads elsewhere than it seems.
        ({"deep/er/in": "../../top", "deep/er/out": "in/../.."}, "deep/er/out"),
    ],
)
def test_links_that_lead_out_are_refused(
    keeper: Keeper, folder: Path, links: dict[str, str], bad: str
) -> None:
    """However they do it, and by name."""
    for folders in ("a", "deep/er", "top"):
        (folder / folders).mkdir(parents=True)
    for path, target in links.items():
        (folder / path).symlink_to(target)
    with pytest.raises(FilesError, match=f"the link {bad} leads out of the folder"):
        keeper.tree(folder)


def test_a_link_in_the_way_is_not_gone_through(
    keeper: Keeper, folder: Path, tmp_path: Path
) -> None:
    """Nothing outside of the target is written: neither by a folder's link nor by a file's."""
    (folder / "d").mkdir()
    (folder / "d" / "f").write_text("new")
    (folder / "g").write_text("new")
    tree = keeper.tree(folder)
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (outside / "g").write_text("old")
    (target / "g").symlink_to(outside / "g")
    (target / "d").symlink_to(outside)
    with pytest.raises(FilesError, match="d is not a folder"):
        keeper.place(tree, target)
    (target / "d").unlink()
    keeper.place(tree, target)
    assert found_in(target) == found_in(folder)
    assert found_in(outside) == {"g": (0o644, b"old")}


def test_files_in_the_way_are_replaced_and_others_stay(
    keeper: Keeper, folder: Path, tmp_path: Path
) -> None:
    """As with `cp -r`."""
    (folder / "a").write_text("new")
    target = tmp_path / "target"
    target.mkdir()
    (target / "a").write_text("old and long")
    (target / "b").write_text("stays")
    keeper.place(keeper.tree(folder), target)
    assert {path.name: path.read_text() for path in target.iterdir()} == {"a": "new", "b": "stays"}


def test_a_folder_in_the_way_of_a_file_is_kept(
    keeper: Keeper, folder: Path, tmp_path: Path
) -> None:
    """It may hold anything."""
    (folder / "a").write_text("file")
    (tmp_path / "target" / "a").mkdir(parents=True)
    with pytest.raises(FilesError, match="a is a folder: a file of the tree is to be there"):
        keeper.place(keeper.tree(folder), tmp_path / "target")


def test_what_is_placed_is_not_the_stores(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """A job may change it: the next one gets what was saved."""
    (folder / "a").write_text("as saved")
    tree = keeper.tree(folder)
    placed = keeper.place(tree, tmp_path / "one") / "a"
    with placed.open("r+") as file:
        file.write("changed!")
    assert (keeper.place(tree, tmp_path / "two") / "a").read_text() == "as saved"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), {"a.txt", "b.md", "d/c.txt", "d/e/f.txt", "d/.h"}),
        (("*.txt",), {"a.txt"}),
        (("**/*.txt",), {"a.txt", "d/c.txt", "d/e/f.txt"}),
        (("d/**",), {"d/c.txt", "d/e/f.txt", "d/.h"}),
        (("d",), {"d/c.txt", "d/e/f.txt", "d/.h"}),
        (("d/",), {"d/c.txt", "d/e/f.txt", "d/.h"}),
        (("./d/e",), {"d/e/f.txt"}),
        (("d/*",), {"d/c.txt", "d/e/f.txt", "d/.h"}),
        (("*.{txt,md}",), {"a.txt", "b.md"}),
        (("[ab].*",), {"a.txt", "b.md"}),
        (("b.md", "d/e"), {"b.md", "d/e/f.txt"}),
        (("d/.*",), {"d/.h"}),
    ],
)
def test_patterns_select(
    keeper: Keeper, folder: Path, tmp_path: Path, patterns: tuple[str, ...], expected: set[str]
) -> None:
    """Files by their paths; a folder with all that is in it."""
    (folder / "d" / "e").mkdir(parents=True)
    for name in ("a.txt", "b.md", "d/c.txt", "d/e/f.txt", "d/.h"):
        (folder / name).write_text(name)
    placed = keeper.place(keeper.tree(folder, *patterns), tmp_path / "placed")
    found = {str(path.relative_to(placed)) for path in placed.rglob("*") if path.is_file()}
    assert found == expected


def test_patterns_that_match_nothing_are_told(keeper: Keeper, folder: Path) -> None:
    """Those and no others; the tree is empty if all of them are such."""
    (folder / "a").write_text("x")
    assert keeper.saved(folder, "a", "b", "c/**").unmatched == ("b", "c/**")
    assert keeper.tree(folder, "b").count == 0


@pytest.mark.parametrize("pattern", ["../x", "/etc/**", "a/../../b", "", "a//b"])
def test_patterns_that_lead_out_are_refused(keeper: Keeper, folder: Path, pattern: str) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match="is not a pattern of files within a folder"):
        keeper.tree(folder, pattern)


def test_what_is_no_file_is_left_out_and_told(keeper: Keeper, folder: Path) -> None:
    """Pipes and sockets: nothing waits for them."""
    (folder / "a").write_text("x")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(folder / "socket"))
        saved = keeper.saved(folder)
    assert sorted(saved.left_out) == ["pipe", "socket"]
    assert saved.tree.count == 1


def test_the_repository_is_left_out(keeper: Keeper, folder: Path) -> None:
    """At the top: a checkout is saved without its history, and nothing else of that name."""
    for name in (".git/config", "a/.git/config"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("x")
    assert keeper.tree(folder).count == 1


def test_names_that_are_no_text_are_refused(keeper: Keeper, folder: Path) -> None:
    """A tree means the same everywhere."""
    os.close(os.open(os.fsencode(folder) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(FilesError, match="is not text in UTF-8"):
        keeper.tree(folder)


def test_a_folder_that_is_missing_is_told(keeper: Keeper, folder: Path) -> None:
    """And so is a file that is none."""
    with pytest.raises(FilesError, match="gone is not a folder"):
        keeper.tree(folder / "gone")
    with pytest.raises(FilesError, match="is not a file"):
        keeper.file(folder)
    with pytest.raises(FilesError, match="can't be read"):
        keeper.file(folder / "gone")


def test_a_file_is_saved_by_itself(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """With its mode; where it is placed, folders are made."""
    (folder / "run").write_text("#!")
    (folder / "run").chmod(0o755)
    file = keeper.file(folder / "run")
    assert (file.size, file.mode) == (2, 0o755)
    placed = keeper.place(file, tmp_path / "deep" / "er")
    assert placed.read_text() == "#!"
    assert placed.stat().st_mode & 0o777 == 0o755


# Contents


def test_equal_contents_are_kept_once(keeper: Keeper, folder: Path) -> None:
    """Whatever their names and modes."""
    for number in range(5):
        (folder / f"{number}").write_text("the same")
        (folder / f"{number}").chmod(0o600 + number)
    keeper.tree(folder)
    assert len(keeper.objects) == 2  # with the listing


def test_large_files_are_kept_whole(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """Part by part, so that memory stays flat; and again once that is known to be whole."""
    data = os.urandom(3 * BLOCK + 17)
    (folder / "large").write_bytes(data)
    tree = keeper.tree(folder)
    for name in ("one", "two"):
        assert (keeper.place(tree, tmp_path / name) / "large").read_bytes() == data


def test_holes_stay_holes(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """A sparse file takes little room, in the store and where it is placed."""
    with (folder / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(50_000_000)
        file.write(b"middle")
        file.truncate(100_000_000)
    tree = keeper.tree(folder)
    for name in ("one", "two"):
        placed = keeper.place(tree, tmp_path / name) / "sparse"
        status = placed.stat()
        assert status.st_size == 100_000_000
        assert status.st_blocks * 512 < 10_000_000
        with placed.open("rb") as file:
            assert file.read(5) == b"begin"
            file.seek(50_000_000)
            assert file.read(7) == b"middle\0"
    assert sum(path.stat().st_blocks for path in keeper.objects) * 512 < 10_000_000


@pytest.mark.parametrize("size", [10, 2 * BLOCK])
@pytest.mark.parametrize("harm", ["removed", "damaged", "cut"])
def test_what_is_lost_is_told(
    keeper: Keeper, folder: Path, tmp_path: Path, size: int, harm: str
) -> None:
    """By the tree that was asked for, with the path; what was damaged can be saved anew."""
    data = os.urandom(size)
    (folder / "a").write_bytes(data)
    tree = keeper.tree(folder)
    keeper.place(tree, tmp_path / "before")
    lost = keeper.object(data)
    lost.chmod(0o600)
    match harm:
        case "removed":
            lost.unlink()
        case "damaged":
            with lost.open("r+b") as file:
                file.write(bytes([data[0] ^ 1]))
        case _:
            os.truncate(lost, size - 1)
    with pytest.raises(FilesLost, match=r"a is (missing|damaged)") as error:
        keeper.place(tree, tmp_path / "target")
    assert error.value.digest == tree.digest
    assert keeper.tree(folder) == tree
    assert (keeper.place(tree, tmp_path / "after") / "a").read_bytes() == data


def test_a_listing_that_is_lost_is_told(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """It is a content like others."""
    (folder / "a").write_text("x")
    tree = keeper.tree(folder)
    keeper.store.path_of(tree.digest).unlink()
    with pytest.raises(FilesLost, match=r"the listing of 1 file \(1 B\) is missing"):
        keeper.place(tree, tmp_path / "target")


def test_a_file_that_changes_while_it_is_read_is_refused(keeper: Keeper, folder: Path) -> None:
    """Half of one content and half of another would be nobody's."""
    path = folder / "a"
    path.write_bytes(os.urandom(4 * BLOCK))

    class Changing(Event):
        def is_set(self) -> bool:
            with path.open("r+b") as file:
                file.write(os.urandom(8))
            return False

    keeper.stop = Changing()
    with pytest.raises(FilesError, match="has changed while it was read"):
        keeper.tree(folder)
    assert list((keeper.store.root / "tmp").iterdir()) == []


def test_saving_and_placing_stop_when_told_to(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    """And leave nothing behind in the store."""
    (folder / "a").write_text("x")
    tree = keeper.tree(folder)
    before = keeper.objects
    (folder / "b").write_text("new")
    keeper.stop.set()
    with pytest.raises(Stopped):
        keeper.tree(folder)
    with pytest.raises(Stopped):
        keeper.place(tree, tmp_path / "target")
    assert keeper.objects == before
    assert list((keeper.store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("digest", ["", "../../x", "A" * 64, 7])
def test_what_is_no_digest_is_refused(digest: object) -> None:
    """It would be a part of a path."""
    with pytest.raises(UsageError, match="takes a SHA-256"):
        Tree(digest, 1, 1)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="takes a SHA-256"):
        File(digest, 1)  # type: ignore[arg-type]
