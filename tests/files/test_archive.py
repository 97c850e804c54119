"""Folders as archives, and archives that nobody should trust."""

import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.files import FilesError
from pycurrent.files.archive import Owner, pack, unpack
from pycurrent.files.errors import Stopped
from pycurrent.files.patterns import fixed_folder, outermost

NEVER = Event()


def fill(folder: Path) -> None:
    (folder / "a b" / "ä\n").mkdir(parents=True)
    (folder / "a b" / "ä\n" / ("long" * 50)).write_text("long")
    (folder / "a b" / "-rf").write_text("dash")
    (folder / "a b" / "-rf").chmod(0o751)
    (folder / "link").symlink_to("a b/ä\n")
    (folder / "away").symlink_to("/nowhere/" + "x" * 200)
    (folder / "empty").mkdir(mode=0o700)
    (folder / "sealed").mkdir()
    (folder / "sealed" / "in").write_bytes(b"\0\xff")
    (folder / "sealed").chmod(0o555)


def seen(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = stat.S_IMODE(status.st_mode)
        else:
            found[name] = (stat.S_IMODE(status.st_mode), path.read_bytes())
    return found


def packed(folder: Path, **options: object) -> io.BytesIO:
    target = io.BytesIO()
    pack(folder, target, NEVER, **options)  # type: ignore[arg-type]
    target.seek(0)
    return target


@pytest.mark.parametrize("program", [None, "tar", "busybox"])
def test_all_that_a_tree_has_comes_through(tmp_path: Path, program: str | None) -> None:
    """Names with blanks, line breaks and other letters, permissions, links, empty folders; to a
    `tar`, and back from it, too.
    """
    one, two, three = tmp_path / "one", tmp_path / "two", tmp_path / "three"
    for folder in (one, two, three):
        folder.mkdir()
    fill(one)
    archive = packed(one)
    if program is not None:
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}")
        tar = [program] if program == "tar" else [program, "tar"]
        subprocess.run([*tar, "-x", "-p", "-C", two], input=archive.read(), check=True)
        if program == "busybox":  # It may give no permissions to folders that it has made already.
            (two / "sealed").chmod(0o555)
        assert seen(two) == seen(one)
        again = subprocess.run([*tar, "-c", "-C", two, "."], stdout=subprocess.PIPE, check=True)
        archive = io.BytesIO(again.stdout)
    assert unpack(archive, three, NEVER) == []
    assert seen(three) == seen(one)


def test_folders_that_are_there_are_left_out(tmp_path: Path) -> None:
    """And all belongs to the owner that is named."""
    (tmp_path / "tmp" / "in").mkdir(parents=True)
    (tmp_path / "tmp" / "in" / "a").touch()
    with tarfile.open(fileobj=packed(tmp_path, without={"tmp"}, owner=Owner(7, 8))) as tar:
        assert [(one.name, one.uid, one.gid) for one in tar] == [
            ("tmp/in", 7, 8),
            ("tmp/in/a", 7, 8),
        ]


def test_a_folder_that_nobody_may_write_to_comes_after_all_that_is_in_it(tmp_path: Path) -> None:
    """Its permissions would forbid a `tar` that is not run by root to make that."""
    fill(tmp_path)
    (tmp_path / "sealed").chmod(0o755)
    (tmp_path / "sealed" / "too").mkdir(mode=0o500)
    (tmp_path / "sealed").chmod(0o555)
    with tarfile.open(fileobj=packed(tmp_path)) as tar:
        names = tar.getnames()
    assert names[-3:] == ["sealed/in", "sealed/too", "sealed"]
    assert names.index("a b") < names.index("a b/-rf")
    assert len(names) == len(seen(tmp_path))


def test_holes_stay_holes(tmp_path: Path) -> None:
    """A large file of zeros takes no disk where it is unpacked."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with (one / "disk").open("wb") as file:
        file.truncate(50 << 20)
    archive = tmp_path / "tar"
    with archive.open("wb") as target:
        pack(one, target, NEVER)
    with archive.open("rb") as source:
        unpack(source, two, NEVER)
    status = (two / "disk").stat()
    assert (status.st_size, status.st_blocks) == (50 << 20, 0)


Make = Callable[[tarfile.TarFile], None]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"") -> Make:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size, info.mode = kind, link, len(data), 0o7755
        tar.addfile(info, io.BytesIO(data))

    return add


def archive_of(*members: Make) -> io.BytesIO:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for add in members:
            add(tar)
    target.seek(0)
    return target


@pytest.mark.parametrize(
    "members",
    [
        [member("../out")],
        [member("/out")],
        [member("a/../../out")],
        [member("..", tarfile.DIRTYPE)],
        [member("a", tarfile.SYMTYPE, ".."), member("a/out")],
        [member("a", tarfile.SYMTYPE, ".."), member("a/out", tarfile.SYMTYPE, "x")],
        [member("a", tarfile.SYMTYPE, ".."), member("a", tarfile.DIRTYPE), member("a/out")],
        [member("a/b"), member("a", tarfile.SYMTYPE, "..")],
        [member("a", tarfile.SYMTYPE, "../out"), member("a", data=b"x")],
        [member("a", tarfile.SYMTYPE, "../out"), member("b", tarfile.LNKTYPE, "a")],
        [member("b", tarfile.LNKTYPE, "../../etc/passwd")],
        [member("b", tarfile.LNKTYPE, "/etc/passwd")],
        [member("a"), member("a")],
        [member("a"), member("a/b")],
        [member("a/b"), member("a")],
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, members: list[Make]) -> None:
    """By its name, through links, by other names of files; nothing comes to be outside."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(FilesError):
        unpack(archive_of(*members), folder, NEVER)
    assert os.listdir(tmp_path) == ["folder"]  # noqa: PTH208


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    """Devices and pipes, and permissions that would run a program as another user."""
    archive = archive_of(
        member("null", tarfile.CHRTYPE), member("pipe", tarfile.FIFOTYPE), member("a")
    )
    assert unpack(archive, tmp_path, NEVER) == ["null", "pipe"]
    assert seen(tmp_path) == {"a": (0o755, b"")}


def test_several_names_of_a_file_are_files(tmp_path: Path) -> None:
    """With its contents."""
    archive = archive_of(member("a", data=b"x"), member("in/b", tarfile.LNKTYPE, "./a"))
    assert unpack(archive, tmp_path, NEVER) == []
    assert (tmp_path / "in/b").read_bytes() == b"x"


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_archive_is_an_error_or_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever has changed in it, or where it ends: nothing else is raised, and nothing is made
    outside.
    """
    top = tmp_path_factory.mktemp("x")
    one, two = top / "one", top / "two"
    one.mkdir()
    two.mkdir()
    fill(one)
    content = bytearray(packed(one).read())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] = data.draw(st.integers(0, 255))
    with suppress(FilesError, OSError):
        unpack(io.BytesIO(content), two, NEVER)
    assert sorted(os.listdir(top)) == ["one", "two"]  # noqa: PTH208


def test_work_that_nobody_wants_ends(tmp_path: Path) -> None:
    """Both ways."""
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    archive, stop = packed(tmp_path), Event()
    stop.set()
    with pytest.raises(Stopped):
        pack(tmp_path, io.BytesIO(), stop)
    (tmp_path / "a").unlink()
    with pytest.raises(Stopped):
        unpack(archive, tmp_path, stop)


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("dist/**", "dist"),
        ("a/b/*.txt", "a/b"),
        ("./a/b", "a/b"),
        ("a/", "a"),
        ("**/*.xml", ""),
        ("{a,b}/c", ""),
        ("a/[b]/c", "a"),
    ],
)
def test_a_pattern_tells_where_to_look(pattern: str, folder: str) -> None:
    """As far as it is a path."""
    assert fixed_folder(pattern) == folder


def test_folders_in_others_are_left_out() -> None:
    """What is sent of the outer one has them."""
    assert outermost(["a/b", "a", "ab", "c/d", "a"]) == ["a", "ab", "c/d"]
    assert outermost(["a", ""]) == [""]
