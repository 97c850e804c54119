"""Trees as people look at them: by path, by folder, and as archives."""

import io
import os
import tarfile
import zipfile
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycurrent.files import FilesLost, FileStore, save
from pycurrent.files.archives import ArchiveForm, archive
from pycurrent.files.listed import Inside, Listed
from pycurrent.files.listing import Entry, FileEntry, FolderEntry, LinkEntry
from pycurrent.files.placing import entries_of

DIGEST = "a" * 64


def file(path: str, size: int = 1) -> FileEntry:
    return FileEntry(path, 0o644, size, DIGEST)


TREE = Listed(
    [
        file("a-b/x"),
        file("a/b/c", 5),
        file("a/d", 2),
        FolderEntry("empty", 0o755),
        LinkEntry("latest", "a"),
        LinkEntry("loop", "loop"),
        file("z"),
    ]
)


def test_files_are_found_through_links() -> None:
    """By the path, also where a folder of it is a link; never out of the tree, nor in circles."""
    assert TREE.find("a/b/c") == file("a/b/c", 5)
    assert TREE.find("latest/b/../d") == file("a/d", 2)
    for nothing in ("a", "a/x", "loop", "loop/x", "../z", "latest", "a/d/x", ""):
        assert TREE.find(nothing) is None


def test_folders_are_found_through_links() -> None:
    """Empty ones too, and the whole."""
    found = [TREE.folder(path) for path in ("", "a/", "latest/b", "empty", "z", "nope", "loop")]
    assert found == ["", "a", "a/b", "empty", None, None, None]
    assert [entry.path for entry in TREE.below("a")] == ["a/b/c", "a/d"]
    assert len(TREE.below("")) == 7


def test_what_is_in_a_folder() -> None:
    """Folders first, by name, with what is in them together."""
    assert TREE.children("") == [
        Inside("a", 2, 7),
        Inside("a-b", 1, 1),
        Inside("empty", 0, 0),
        LinkEntry("latest", "a"),
        LinkEntry("loop", "loop"),
        file("z"),
    ]
    assert TREE.children("a") == [Inside("b", 1, 5), file("a/d", 2)]


@given(st.sets(st.text("ab-0/", min_size=1, max_size=6)))
def test_each_file_is_in_its_folder_and_those_above(texts: set[str]) -> None:
    """Whatever their names are, as walking down shows all files once."""
    names = {text for text in texts if not {""} & set(text.split("/"))}
    files = sorted(one for one in names if not any(two.startswith(f"{one}/") for two in names))
    tree = Listed([file(path) for path in files])

    def walk(folder: str) -> list[str]:
        found = []
        for child in tree.children(folder):
            if isinstance(child, Inside):
                below = walk(f"{folder}/{child.name}".strip("/"))
                assert len(below) == child.count
                found += below
            else:
                found.append(child.path)
        return found

    assert sorted(walk("")) == files
    assert all(tree.find(path) == file(path) for path in files)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[FileStore, list[Entry]]:
    """A store with a tree: files, large and with odd names, a link, and an empty folder."""
    folder = tmp_path / "from"
    (folder / "d" / "empty").mkdir(parents=True)
    (folder / "d" / "run").write_text("#!/bin/sh\n")
    (folder / "d" / "run").chmod(0o755)
    (folder / "d" / ("ü" * 120)).write_text("long")
    (folder / "large").write_bytes(os.urandom(1 << 20) + bytes(1 << 20))
    (folder / "link").symlink_to("d/run")
    store = FileStore(tmp_path / "store")
    store.make()
    with store.writing() as writer:
        tree = save(store, writer, folder, (), Event()).tree
    return store, entries_of(store, tree)


def test_a_tar_has_all_that_is_in_the_tree(
    kept: tuple[FileStore, list[Entry]], tmp_path: Path
) -> None:
    """With modes and links, and the same bytes each time."""
    store, entries = kept
    made = b"".join(archive(store, entries, ArchiveForm.TAR))
    assert made == b"".join(archive(store, entries, ArchiveForm.TAR))
    with tarfile.open(fileobj=io.BytesIO(made)) as packed:
        packed.extractall(tmp_path / "to", filter="data")
    check(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "to" / "link").readlink() == Path("d/run")


def test_a_zip_has_all_that_is_in_the_tree(
    kept: tuple[FileStore, list[Entry]], tmp_path: Path
) -> None:
    """With modes and links, as far as those who unpack it take them."""
    store, entries = kept
    made = b"".join(archive(store, entries, ArchiveForm.ZIP))
    assert made == b"".join(archive(store, entries, ArchiveForm.ZIP))
    with zipfile.ZipFile(io.BytesIO(made)) as packed:
        assert packed.testzip() is None
        for entry in entries:
            name = f"{entry.path}/" if isinstance(entry, FolderEntry) else entry.path
            content = packed.read(name)
            if isinstance(entry, FileEntry):
                assert content == (tmp_path / "from" / entry.path).read_bytes()
                assert packed.getinfo(name).external_attr >> 16 & 0o777 == entry.mode
        assert packed.read("link") == b"d/run"


def check(one: Path, two: Path) -> None:
    for path in one.rglob("*"):
        other = two / path.relative_to(one)
        assert path.is_dir() == other.is_dir()
        if path.is_file():
            assert path.read_bytes() == other.read_bytes()
            assert path.stat().st_mode == other.stat().st_mode


def test_an_archive_is_made_in_pieces(kept: tuple[FileStore, list[Entry]]) -> None:
    """None of them holds a large file, and nothing stays open where nobody takes the rest."""
    store, entries = kept
    pieces = archive(store, entries, ArchiveForm.TAR)
    assert len(next(pieces)) < 1 << 20
    pieces.close()


def test_an_open_content_is_compared_with_its_digest(kept: tuple[FileStore, list[Entry]]) -> None:
    """A large one once, and again when its file has changed; a damaged one is removed."""
    store, entries = kept
    for entry in entries:
        if not isinstance(entry, FileEntry):
            continue
        path = store.path_of(entry.digest)
        pieces = archive(store, [entry], ArchiveForm.TAR)
        assert b"".join(pieces)
        path.chmod(0o600)
        path.write_bytes(b"x" * entry.size)
        with pytest.raises(FilesLost, match="damaged"):
            b"".join(archive(store, [entry], ArchiveForm.ZIP))
        with pytest.raises(FilesLost, match="missing"):
            b"".join(archive(store, [entry], ArchiveForm.TAR))
