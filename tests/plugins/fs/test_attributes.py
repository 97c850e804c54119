"""What stays of a file when its contents change, and what is looked at before."""

import errno
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pycurrent.plugins import fs
from pycurrent.plugins.fs.attributes import Attributes
from pycurrent.plugins.fs.managed_folder import ManagedFolder
from pycurrent.plugins.fs.tree import Tree
from pycurrent.plugins.fs.write import Change, write_if_different
from pycurrent.term import Failed, Failure, Ok
from pycurrent.testing import Harness

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

Save = Callable[[Path, str], object]


def save(path: Path, text: str) -> object:
    return write_if_different(path, fs.Content(text))


def save_in_tree(path: Path, text: str) -> object:
    return ManagedFolder(path.parent).replace_with(Tree.of({path.name: text}), take_over=False)


both = pytest.mark.parametrize("save", [save, save_in_tree])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One in a folder of its own that both ways to save have made."""
    path = tmp_path / "site" / "file"
    path.parent.mkdir()
    save_in_tree(path, "old")
    return path


def extended(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@only_root
@both
def test_owner_and_group_of_a_file_stay(file: Path, save: Save) -> None:
    """The service that reads it still can, and nobody else can."""
    os.chown(file, 1234, 2345)
    file.chmod(0o4640)
    save(file, "new")
    status = file.stat()
    assert (file.read_text(), status.st_uid, status.st_gid) == ("new", 1234, 2345)
    assert stat.S_IMODE(status.st_mode) == 0o4640


@both
def test_extended_attributes_stay(file: Path, save: Save) -> None:
    """Access lists are among them; what vouches for the contents is not."""
    who, can = 1234, 6
    entries = [(1, 6, -1), (2, can, who), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(file, "user.origin", b"\0\xff")
        os.setxattr(file, "system.posix_acl_access", acl)
    except OSError as error:
        pytest.skip(f"this file system has no access lists: {error}")
    before = extended(file)
    if os.geteuid() == 0:
        capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
        os.setxattr(file, "security.capability", capability)
    mode = file.stat().st_mode
    save(file, "new")
    assert (file.read_text(), extended(file), file.stat().st_mode) == ("new", before, mode)


@only_root
def test_folders_of_a_tree_keep_what_they_have(tmp_path: Path) -> None:
    """The folder itself, and those in it."""
    folder = tmp_path / "site"
    for text in ("old", "new"):
        ManagedFolder(folder).replace_with(Tree.of({"pages/a": text, "b": "same"}), take_over=False)
        if text == "old":
            for number, made in enumerate((folder, folder / "pages")):
                os.chown(made, 1000 + number, 2000 + number)
                made.chmod(0o2750)
    for number, made in enumerate((folder, folder / "pages")):
        status = made.stat()
        assert (status.st_uid, status.st_gid) == (1000 + number, 2000 + number)
        assert stat.S_IMODE(status.st_mode) == 0o2750
    assert (folder / "pages" / "a").read_text() == "new"


AS_NOBODY = """
import os, sys
from pathlib import Path
from pycurrent.plugins import fs
from pycurrent.plugins.fs.write import write_if_different
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
print(*write_if_different(Path(sys.argv[1]), fs.Content("new")).lost, sep=";")
"""


@only_root
def test_what_can_not_be_given_is_nobody_elses(file: Path, tmp_path: Path) -> None:
    """Somebody who may write in the folder, but may not give files away."""
    os.chown(file, 1234, 2345)
    file.chmod(0o6674)
    file.parent.chmod(0o777)
    for folder in [file.parent, *file.parent.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o005)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "group 2345;owner 1234\n"
    status = file.stat()
    assert (file.read_text(), status.st_uid) == ("new", 65534)
    assert stat.S_IMODE(status.st_mode) == 0o644


def test_attributes_that_are_given_elsewhere(tmp_path: Path) -> None:
    """A mode that is asked for goes before the one that was there."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch(0o640)
    other.touch()
    with other.open("wb") as opened:
        assert Attributes.of(one).give_to(opened.fileno(), 0o600) == []
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


# What is there


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        # A name of its own length is too long for a socket.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        made.bind(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)


def _device(path: Path) -> None:
    path.symlink_to("/dev/full")


@pytest.mark.parametrize(
    ("make", "kind"), [(_pipe, "a pipe"), (_socket, "a socket"), (_device, "a device")]
)
async def test_what_is_no_file_is_refused_unread(
    tmp_path: Path, make: Callable[[Path], None], kind: str
) -> None:
    """A pipe would be waited for, and a device has no end."""
    path = tmp_path / "it"
    make(path)
    before = path.lstat()
    async with Harness(partial(fs.save, path, "x"), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Failed(f"can't save {path.resolve()}: it is {kind}, not a file")
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime,
    )


def test_a_large_file_is_not_read_to_see_that_it_differs(tmp_path: Path) -> None:
    """Its size says so."""
    path = tmp_path / "file"
    with path.open("wb") as large:
        large.truncate(1 << 42)
    assert write_if_different(path, fs.Content("small")).change is Change.CONTENTS
    assert path.read_text() == "small"


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_contents_of_any_size_are_compared(tmp_path: Path, size: int) -> None:
    """To their end."""
    path, data = tmp_path / "file", bytes(size)
    assert write_if_different(path, fs.Content(data)).change is Change.CONTENTS
    assert write_if_different(path, fs.Content(data)).change is Change.NONE
    if size:
        last = data[:-1] + b"x"
        assert write_if_different(path, fs.Content(last)).change is Change.CONTENTS


@both
def test_links_in_a_circle_are_told(tmp_path: Path, save: Save) -> None:
    """As any other path that leads nowhere."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    path = tmp_path / "a" if save is globals()["save"] else tmp_path / "a" / "file"
    with pytest.raises(OSError, match="levels of symbolic links") as told:
        save(path, "x")
    assert told.value.errno == errno.ELOOP


@pytest.mark.parametrize("name", ["x" * 250, "x" * 255, "ü" * 127])
async def test_long_names(tmp_path: Path, name: str) -> None:
    """What is made beside has a name, too."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for text in ("one", "two"):
        async with Harness(
            partial(fs.save, folder / name, text), state_dir=tmp_path / "state"
        ) as h:
            await h.settle()
            assert h.output == Ok(None)
        assert (folder / name).read_text() == text
        async with Harness(
            partial(fs.save_tree, tmp_path / name, {"a": text}), state_dir=tmp_path / "state"
        ) as h:
            await h.settle()
            assert h.output == Ok(None)
        assert (tmp_path / name / "a").read_text() == text
    assert [path.name for path in folder.iterdir()] == [name]


MOUNTED = """
import sys
from pathlib import Path
from pycurrent.plugins import fs
from pycurrent.plugins.fs.write import write_if_different
from pycurrent.term import Failure
try:
    write_if_different(Path(sys.argv[1]), fs.Content("new"))
except Failure as failure:
    print(failure)
"""


@only_root
def test_a_file_that_is_mounted_by_itself_is_told(tmp_path: Path) -> None:
    """As into a container: it can't be replaced, and how it can be is said."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("old")
    other.write_text("mounted")
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    script = 'mount --bind "$2" "$1" && exec "$3" -c "$4" "$1"'
    words = [str(path), str(other), sys.executable, MOUNTED]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr and done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert done.stdout == (
        f"can't save {path}: it is mounted by itself, so it can't be replaced: mount its folder "
        "instead\n"
    )
    assert (path.read_text(), other.read_text()) == ("old", "mounted")


def test_a_folder_in_place_of_a_file_is_left(tmp_path: Path) -> None:
    """Whatever is in it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").touch()
    with pytest.raises(IsADirectoryError):
        write_if_different(tmp_path / "folder", fs.Content("x"))
    with pytest.raises(Failure, match="did not put there"):
        ManagedFolder(tmp_path / "folder").replace_with(Tree.of({"y": ""}), take_over=False)
