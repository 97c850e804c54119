"""Files on a file system that can share blocks: XFS, mounted from an image."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from pycurrent.files import FilesLost, FileStore, place, save

from ..debian import MissingPart, have

SIZE = 3 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with reflinks. Not every machine lets root mount an image."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount an image")
    try:
        have({"mkfs.xfs": "xfsprogs"})
    except MissingPart as why:
        pytest.skip(str(why))
    image, disk = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(512 << 20)
    disk.mkdir()
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, disk], check=False).returncode:
        pytest.skip("this machine can't mount an image")
    yield disk
    subprocess.run(["umount", disk], check=True)


def free(disk: Path) -> int:
    os.sync()
    told = os.statvfs(disk)
    return told.f_bfree * told.f_frsize


def test_a_tree_takes_no_more_room_wherever_it_is_placed(disk: Path) -> None:
    """Nor in the store; each content is read the first time, and damage is found."""
    source, store, stop = disk / "source", FileStore(disk / "files"), Event()
    source.mkdir()
    (source / "large").write_bytes(os.urandom(SIZE))
    before = free(disk)
    lock = store.hold(stop)
    with store.writing() as writer:
        tree = save(store, writer, source, (), stop).tree
    os.close(lock)
    for number in range(5):
        place(store, tree, disk / f"placed{number}", stop)
    assert before - free(disk) < SIZE
    assert (disk / "placed4" / "large").read_bytes() == (source / "large").read_bytes()
    (content,) = [path for path in (disk / "files").rglob("*") if path.stat().st_size == SIZE]
    content.chmod(0o600)
    with content.open("r+b") as file:
        file.write(b"damaged")
    with pytest.raises(FilesLost):
        place(store, tree, disk / "last", stop)
