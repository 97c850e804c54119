"""Files that follow the pipeline."""

import os
import stat
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.cache.codec import codec_for
from pycurrent.errors import UsageError
from pycurrent.plugins import fs
from pycurrent.plugins.fs.content import Digest
from pycurrent.plugins.fs.save import Value
from pycurrent.plugins.fs.write import Change, write_if_different
from pycurrent.term import Current, Failed, Ok, Var, all
from pycurrent.testing import Harness

from ...effort import examples


async def test_a_file_follows_what_it_is_to_contain(tmp_path: Path) -> None:
    """Text or bytes; the folder is made if it is missing."""
    path = tmp_path / "new" / "folder" / "page.html"
    contents: Var[str | bytes] = Var("contents", "grün\n")
    async with Harness(lambda: fs.save(path, contents.get()), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        assert path.read_bytes() == "grün\n".encode()
        contents.set(b"\xff\0")
        await h.settle()
        assert path.read_bytes() == b"\xff\0"
        assert list(path.parent.iterdir()) == [path]
        assert f"save {path}" in h.dot()


async def test_a_file_that_is_right_already_is_not_touched(tmp_path: Path) -> None:
    """Who watches it is not woken for nothing."""
    path = tmp_path / "page"
    path.write_text("same")
    os.utime(path, ns=(1, 1))
    inode = path.stat().st_ino
    async with Harness(lambda: fs.save(path, "same"), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert h.output == Ok(None)
        assert "no change" in h.log("save")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (1, inode)


async def test_two_contents_for_one_file_are_an_error(tmp_path: Path) -> None:
    """However the path is written."""
    path = tmp_path / "page"

    def pipeline() -> Current[None]:
        return all([fs.save(path, "one"), fs.save(str(path), "two")])

    async with Harness(pipeline, state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "one" in h.output.message
        assert "two" in h.output.message


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
def test_the_permissions_of_the_file_stay(tmp_path: Path, mode: int) -> None:
    """A script stays executable, a secret secret."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    assert write_if_different(path, fs.Content(b"new")).change is Change.CONTENTS
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


def test_a_new_file_gets_the_permissions_of_new_files(tmp_path: Path) -> None:
    """Not those of temporary ones, which only their owner may read."""
    (tmp_path / "other").touch()
    write_if_different(tmp_path / "file", fs.Content(b"new"))
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_readers_see_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Who has it open goes on to read the old one: it is replaced, not written over."""
    path = tmp_path / "file"
    path.write_text("old")
    with path.open() as reader:
        write_if_different(path, fs.Content(b"new"))
        assert reader.read() == "old"
    assert path.read_text() == "new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is replaced, or made."""
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    for data in (b"one", b"two"):
        assert write_if_different(tmp_path / "link", fs.Content(data)).change is Change.CONTENTS
        assert (tmp_path / "folder" / "file").read_bytes() == data
    assert (tmp_path / "link").is_symlink()


async def test_a_mode_follows_too(tmp_path: Path) -> None:
    """Whether it is all that changes or not; the file is the same one if it is."""
    path = tmp_path / "script"
    text = Var("text", "one")
    for mode in (0o755, 0o600):

        def pipeline(mode: int = mode) -> Current[None]:
            return fs.save(path, text.get(), mode=mode)

        inode = path.stat().st_ino if path.exists() else None
        async with Harness(pipeline, state_dir=tmp_path / "state") as h:
            await h.settle()
            assert h.output == Ok(None)
            assert stat.S_IMODE(path.stat().st_mode) == mode
            assert inode in {None, path.stat().st_ino}
    assert "changed the mode to 600" in h.log("save")
    write_if_different(path, fs.Content("two", 0o640))
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("two", 0o640)


@pytest.mark.parametrize("mode", [755, 644, 0o4755, 0o200, -1])
def test_what_is_no_mode_is_refused(tmp_path: Path, mode: int) -> None:
    """A decimal number that was meant to be octal above all."""
    with pytest.raises(UsageError, match="octal"):
        fs.save(tmp_path / "file", "x", mode=mode)


def test_small_contents_are_recorded_and_large_ones_by_their_digest() -> None:
    """Those that were recorded as they are before there were digests still are."""
    codec = codec_for(Value, what="value")
    assert codec.encode("x") == '"x"'
    assert codec.encode(b"x") == '{"$bytes":"eA=="}'
    digest = Digest.of(fs.Content("x" * 100_000, 0o600))
    assert len(codec.encode(digest)) < 150
    assert codec.decode(codec.encode(digest)) == digest


async def test_large_contents_are_saved_and_known(tmp_path: Path) -> None:
    """Not in the database, but after a restart."""
    for _ in range(2):
        async with Harness(
            lambda: fs.save(tmp_path / "file", "large" * 100_000), state_dir=tmp_path / "state"
        ) as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history("fs-save")) == 1
    assert (tmp_path / "file").stat().st_size == 500_000


async def test_what_can_not_be_saved_is_said_in_a_line(tmp_path: Path) -> None:
    """And nothing is left beside: the path is a folder, or leads through a file."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path / "folder", "Is a directory"),
        (tmp_path / "file" / "x", "Not a directory"),
        (tmp_path / "folder" / ("x" * 300), "File name too long"),
    ):
        pipeline = partial(fs.save, path, "x")
        async with Harness(pipeline, state_dir=tmp_path / "state") as h:
            await h.settle()
            assert h.output == Failed(f"can't save {path}: {why}")
    assert list((tmp_path / "folder").iterdir()) == []


@settings(max_examples=examples(30), deadline=None)  # each writes to the disk
@given(st.lists(st.binary(max_size=3), max_size=5))
def test_the_last_contents_are_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, versions: list[bytes]
) -> None:
    """It is written exactly when the contents differ from those before."""
    path = tmp_path_factory.mktemp("fs") / "file"
    before = None
    for data in versions:
        change = write_if_different(path, fs.Content(data)).change
        assert change is (Change.NONE if data == before else Change.CONTENTS)
        assert path.read_bytes() == data
        before = data


@pytest.mark.parametrize("damage", ["missing", "changed", "mode", "folder", "none"])
async def test_a_lost_file_is_saved_again_at_the_next_start(tmp_path: Path, damage: str) -> None:
    """If it has gone, or has other contents or another mode than was asked for."""
    path = tmp_path / "folder" / "page"
    for number in range(2):
        async with Harness(
            lambda: fs.save(path, "same", mode=0o640), state_dir=tmp_path / "state"
        ) as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history()) == (1 if damage == "none" else 1 + number)
        assert path.read_text() == "same"
        match damage:
            case "missing":
                path.unlink()
            case "changed":
                path.write_text("mesa")
            case "mode":
                path.chmod(0o644)
            case "folder":
                path.unlink()
                path.parent.rmdir()


async def test_a_file_that_can_not_be_seen_counts_as_there(tmp_path: Path) -> None:
    """Nobody knows, and that is said: here its folder leads in a circle."""
    path = tmp_path / "folder" / "page"
    for _ in range(2):
        async with Harness(lambda: fs.save(path, "same"), state_dir=tmp_path / "state") as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history()) == 1
            problems = [problem.message for problem in h.engine.opened.problems]
        if path.parent.is_dir():
            path.unlink()
            path.parent.rmdir()
            path.parent.symlink_to(path.parent)
    assert "operation 'fs-save' can't tell" in problems[0]
