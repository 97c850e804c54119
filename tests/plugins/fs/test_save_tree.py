"""Folders that follow the pipeline."""

import errno
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.engine import Level
from pycurrent.plugins import fs
from pycurrent.plugins.fs.exchange import exchange
from pycurrent.plugins.fs.managed_folder import ManagedFolder, Replacement
from pycurrent.plugins.fs.save_tree import Files, FsSaveTree
from pycurrent.plugins.fs.tree import Tree
from pycurrent.term import Current, Failed, Failure, Ok, Var, all
from pycurrent.testing import Harness, check_operation

from ...effort import examples

NAMES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map("/".join)
CONTENTS = st.binary(max_size=2)


def keep(folder: Path, files: Files, *, take_over: bool = False) -> Replacement:
    return ManagedFolder(folder).replace_with(Tree.of(files), take_over=take_over)


def files_in(folder: Path) -> dict[str, str]:
    """What is there, folders that are empty, too."""
    return {
        str(path.relative_to(folder)): "" if path.is_dir() else path.read_text()
        for path in folder.rglob("*")
        if not path.is_dir() or not any(path.iterdir())
    }


def beside(folder: Path) -> set[str]:
    return {path.name for path in (folder.parent / f".{folder.name}.pycurrent").iterdir()}


async def test_a_folder_follows_what_it_is_to_contain(tmp_path: Path) -> None:
    """New files come, changed ones are replaced, and those that left go, with their folders."""
    folder = tmp_path / "new" / "site"
    files: Var[Mapping[str, str | bytes | fs.Content]] = Var(
        "files", {"index.html": "grün", "old/page": b"x", "run": fs.Content("#!/bin/sh", 0o755)}
    )
    async with Harness(lambda: fs.save_tree(folder, files.get()), state_dir=tmp_path / "s") as h:
        await h.settle()
        assert h.output == Ok(None)
        assert files_in(folder) == {"index.html": "grün", "old/page": "x", "run": "#!/bin/sh"}
        assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o755
        files.set({"index.html": "green", "run": "#!/bin/sh", "a/b/c": ""})
        await h.settle()
        assert files_in(folder) == {"index.html": "green", "run": "#!/bin/sh", "a/b/c": ""}
        assert "wrote 2 files, removed 1, left 1 as they were" in h.log("save")
        assert f"save {folder}" in h.dot()


async def test_what_is_in_the_files_is_not_recorded(tmp_path: Path) -> None:
    """But its digest: a restart knows that nothing has changed, whatever the size."""
    folder = tmp_path / "site"
    big = {"big": "secret" * 100_000}
    for _ in range(2):
        async with Harness(lambda: fs.save_tree(folder, big), state_dir=tmp_path / "s") as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history("fs-save-tree")) == 1
    database = (tmp_path / "s" / "db").glob("*")
    assert not any(b"secretsecret" in file.read_bytes() for file in database)


def test_what_stays_the_same_is_not_touched(tmp_path: Path) -> None:
    """Neither the files of a tree that has changed, nor the folder of one that has not."""
    folder = tmp_path / "site"
    keep(folder, {"same": "x", "other": "one"})
    same = (folder / "same").stat()
    assert keep(folder, {"same": "x", "other": "two"}) == Replacement(1, 0, 1, None)
    assert (folder / "same").stat().st_ino == same.st_ino
    assert (folder / "same").stat().st_mtime_ns == same.st_mtime_ns
    inode = folder.stat().st_ino
    assert keep(folder, {"same": "x", "other": "two"}) == Replacement(0, 0, 2, None)
    assert folder.stat().st_ino == inode
    assert beside(folder) == {"names.json"}


def test_a_mode_alone_is_a_change(tmp_path: Path) -> None:
    """And one that is not given stays, that of the folder too."""
    folder = tmp_path / "site"
    keep(folder, {"run": fs.Content("x", 0o600)})
    folder.chmod(0o750)
    assert keep(folder, {"run": fs.Content("x", 0o700)}).written == 1
    assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o700
    keep(folder, {"run": "y"})
    assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_a_file_may_become_a_folder_and_back(tmp_path: Path) -> None:
    """As the names collide only if they are there at once."""
    folder = tmp_path / "site"
    for files in ({"a": "x"}, {"a/b": "x"}, {"a": "x"}, {}):
        keep(folder, files)
        assert files_in(folder) == files


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../../b", "/etc/passwd", "", ".", "..", "a//b", "a/", "./a", "a\0", "\ud800"],
)
async def test_names_can_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """They may come from outside: nothing is written then."""
    folder = tmp_path / "site"
    current = fs.save_tree(folder, {name: "x", "good": "y"})
    async with Harness(lambda: current, state_dir=tmp_path / "s") as h:
        await h.settle()
        assert h.output == Failed(
            f"{name!r} is not a path within a folder: write one like pages/a.html"
        )
    assert not folder.exists()


def test_a_name_is_a_file_or_a_folder() -> None:
    """Not both at once."""
    with pytest.raises(Failure, match="a/b can't be both a file and the folder of a/b/c/d"):
        Tree.of({"a/b": "x", "a/b/c/d": "y", "a/b-c": "z"})


async def test_two_trees_for_one_folder_are_an_error(tmp_path: Path) -> None:
    """However the path is written."""
    folder = tmp_path / "site"

    def pipeline() -> Current[object]:
        return all([fs.save_tree(folder, {"a": "x"}), fs.save_tree(str(folder), {"a": "y"})])

    async with Harness(pipeline, state_dir=tmp_path / "s") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "is set to two values at once" in h.output.message
    assert not folder.exists()


async def test_a_folder_with_files_of_others_is_refused(tmp_path: Path) -> None:
    """A mistyped path costs nobody anything, and leaves nothing."""
    folder = tmp_path / "home"
    folder.mkdir()
    for number in range(7):
        (folder / f"letter-{number}").write_text("dear")
    current = fs.save_tree(folder, {"letter-1": "x", "page": "y"})
    async with Harness(lambda: current, state_dir=tmp_path / "s") as h:
        await h.settle()
        assert h.output == Failed(
            f"{folder} has files that save_tree did not put there: letter-0, letter-1, letter-2, "
            "letter-3, letter-4, and 2 more: move them away, name another folder, or "
            "set take_over=True; then rebuild"
        )
    assert set(files_in(folder).values()) == {"dear"}
    assert {path.name for path in tmp_path.iterdir()} == {"home", "s"}


def test_a_file_that_somebody_adds_is_not_removed(tmp_path: Path) -> None:
    """The folder stays as it is until it has gone; a link is a file, wherever it leads."""
    folder = tmp_path / "site"
    keep(folder, {"page": "one", "sub/page": "x"})
    for path in (folder / "notes", folder / "sub" / "notes"):
        path.symlink_to(tmp_path)
        with pytest.raises(Failure, match="notes"):
            keep(folder, {"page": "two"})
        path.unlink()
    assert files_in(folder) == {"page": "one", "sub/page": "x"}
    keep(folder, {"page": "two"})
    assert files_in(folder) == {"page": "two"}


def test_what_is_taken_over_is_kept_beside(tmp_path: Path) -> None:
    """Even where a file of ours has its name now."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letter").write_text("dear")
    (folder / "page").write_text("theirs")
    (folder / "same").write_text("same")
    done = keep(folder, {"page": "ours", "same": "same"}, take_over=True)
    assert files_in(folder) == {"page": "ours", "same": "same"}
    assert done.displaced is not None
    assert files_in(done.displaced) == {"letter": "dear", "page": "theirs"}


def test_a_folder_that_is_right_already_becomes_ours(tmp_path: Path) -> None:
    """Nothing that anybody has is lost by that."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "page").write_text("one")
    assert keep(folder, {"page": "one"}) == Replacement(0, 0, 1, None)
    assert keep(folder, {"page": "two"}) == Replacement(1, 0, 0, None)


def test_links_within_the_folder_are_not_followed(tmp_path: Path) -> None:
    """Neither to write nor to remove."""
    folder, others = tmp_path / "site", tmp_path / "others"
    keep(folder, {"a/page": "one", "page": "one"})
    others.mkdir()
    (others / "page").write_text("one")
    (folder / "page").unlink()
    (folder / "page").symlink_to(others / "page")
    keep(folder, {"a/page": "one", "page": "two"})
    assert files_in(folder) == {"a/page": "one", "page": "two"}
    (folder / "a" / "page").unlink()
    (folder / "a").rmdir()
    (folder / "a").symlink_to(others)
    with pytest.raises(Failure, match="save_tree did not put there: a:"):
        keep(folder, {"a/page": "two"})
    keep(folder, {"a/page": "two"}, take_over=True)
    assert files_in(others) == {"page": "one"}
    assert files_in(folder) == {"a/page": "two"}


def test_a_link_to_the_folder_stays_one(tmp_path: Path) -> None:
    """What it leads to is replaced, or made."""
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "site")
    for text in ("one", "two"):
        keep(tmp_path / "link", {"page": text})
        assert files_in(tmp_path / "deep" / "site") == {"page": text}
    assert (tmp_path / "link").is_symlink()


async def test_what_can_not_be_a_folder_is_said_in_a_line(tmp_path: Path) -> None:
    """It is a file, or leads through one; or all of the machine."""
    (tmp_path / "file").touch()
    mounted = "it is a mount point, or comes with the image of a container: name a folder within it"
    for path, why in (
        (tmp_path / "file", f"can't save {tmp_path}/file: Not a directory"),
        (tmp_path / "file" / "x", f"can't save {tmp_path}/file/x: Not a directory"),
        (Path("/"), f"/ can't be replaced: {mounted}"),
        (Path("/proc"), f"/proc can't be replaced: {mounted}"),
    ):
        pipeline = partial(fs.save_tree, path, {"page": "x"})
        async with Harness(pipeline, state_dir=tmp_path / "s") as h:
            await h.settle()
            assert h.output == Failed(why)


def test_a_tree_that_can_not_be_written_changes_nothing(tmp_path: Path) -> None:
    """And nothing of it is left."""
    folder = tmp_path / "site"
    keep(folder, {"page": "one"})
    with pytest.raises(OSError, match="too long"):
        keep(folder, {"a": "x", "page": "two", "x" * 300: ""})
    assert files_in(folder) == {"page": "one"}
    assert beside(folder) == {"names.json"}


def test_without_exchange_the_old_folder_is_moved_away_first(tmp_path: Path) -> None:
    """As on file systems that know no better; interrupted in between, the next run heals it."""
    folder = tmp_path / "site"
    keep(folder, {"page": "one"})
    slow = ManagedFolder(folder, lambda one, other: False)
    slow.replace_with(Tree.of({"page": "two"}), take_over=False)
    assert files_in(folder) == {"page": "two"}
    folder.rename(tmp_path / ".site.pycurrent" / "old")
    (tmp_path / ".site.pycurrent" / "new").mkdir()
    (tmp_path / ".site.pycurrent" / "new" / "page").write_text("half")
    assert keep(folder, {"page": "two"}) == Replacement(0, 0, 1, None)
    assert beside(folder) == {"names.json"}


def test_a_folder_that_can_not_be_moved_stays(tmp_path: Path) -> None:
    """As one that comes with the image of a container: nothing is left beside."""
    folder = tmp_path / "site"
    keep(folder, {"page": "one"})

    def refused(one: Path, other: Path) -> bool:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    with pytest.raises(Failure, match="comes with the image of a container"):
        ManagedFolder(folder, refused).replace_with(Tree.of({"page": "two"}), take_over=False)
    assert files_in(folder) == {"page": "one"}
    assert beside(folder) == {"names.json"}


def test_a_file_that_somebody_adds_at_the_last_moment_is_kept(tmp_path: Path) -> None:
    """The folder was looked through already: it is beside, and not removed."""
    folder = tmp_path / "site"
    keep(folder, {"page": "one"})

    def late(one: Path, other: Path) -> bool:
        (folder / "notes").write_text("dear")
        return exchange(one, other)

    done = ManagedFolder(folder, late).replace_with(Tree.of({"page": "two"}), take_over=False)
    assert files_in(folder) == {"page": "two"}
    assert done.displaced is not None
    assert files_in(done.displaced) == {"notes": "dear"}


def test_a_reader_sees_one_tree_or_the_other(tmp_path: Path) -> None:
    """Who holds the folder open while it changes goes on in the old one."""
    folder = tmp_path / "site"
    keep(folder, {"a": "one", "b": "one"})
    with (folder / "a").open() as a, (folder / "b").open() as b:
        keep(folder, {"a": "two", "b": "two"})
        assert (a.read(), b.read()) == ("one", "one")
    assert files_in(folder) == {"a": "two", "b": "two"}


KILLED = """
import os, signal, sys
from pathlib import Path
from pycurrent.plugins.fs.managed_folder import ManagedFolder
from pycurrent.plugins.fs.tree import Tree

left = int(sys.argv[2])
CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "open", "os.chmod"}

def count(event, arguments):
    global left
    if event in CHANGES:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

files = {"same": "x", "changed": "two", "new/file": "two"}
sys.addaudithook(count)
ManagedFolder(Path(sys.argv[1])).replace_with(Tree.of(files), take_over=False)
print("done")
"""


def test_killed_at_any_moment_it_leaves_one_of_the_trees(tmp_path: Path) -> None:
    """And the next run brings the new one, with nothing left beside."""
    old = {"same": "x", "changed": "one", "gone/file": "one"}
    new = {"same": "x", "changed": "two", "new/file": "two"}
    seen = set()
    for moment in range(0, 100, 3):
        folder = tmp_path / str(moment) / "site"
        keep(folder, old)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, folder, str(moment)], capture_output=True, check=False
        )
        there = files_in(folder)
        assert there in (old, new)
        seen.add((done.returncode, there == new))
        keep(folder, new)
        assert files_in(folder) == new
        assert beside(folder) == {"names.json"}
        if done.returncode == 0:
            break
    assert seen == {(-signal.SIGKILL, False), (-signal.SIGKILL, True), (0, True)}


@settings(max_examples=examples(40), deadline=None)  # each writes to the disk
@given(st.lists(st.dictionaries(NAMES, CONTENTS, max_size=4), max_size=4))
def test_the_last_tree_is_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, trees: list[dict[str, bytes]]
) -> None:
    """Whatever was there before: or, if it can be no tree, the one before it."""
    folder = tmp_path_factory.mktemp("fs") / "site"
    there: dict[str, bytes] = {}
    for files in trees:
        try:
            keep(folder, files)
        except Failure:
            continue
        there = files
        assert {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        } == there
        assert beside(folder) == {"names.json"}


async def test_saving_a_tree_keeps_the_rules(tmp_path: Path) -> None:
    """Those of all operations."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").touch()
    await check_operation(
        FsSaveTree(Level.AVERAGE, False, Tree.of({"a": "x"})),
        tmp_path / "site",
        Tree.of({"a": "x"}),
        others=[(tmp_path / "site", Tree.of({"a": "y"}))],
        failing=(tmp_path / "theirs", Tree.of({"a": "x"})),
        state_dir=tmp_path / "checks",
    )


@pytest.mark.parametrize("damage", ["missing", "changed", "mode", "link", "none", "other"])
async def test_a_damaged_tree_is_saved_again_at_the_next_start(tmp_path: Path, damage: str) -> None:
    """As it was recorded; what is beside its files does not count."""
    folder = tmp_path / "site"
    files: Files = {"a/b": "one", "c": fs.Content("two", 0o600)}
    for number in range(2):
        async with Harness(lambda: fs.save_tree(folder, files), state_dir=tmp_path / "s") as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history()) == (1 if damage in {"none", "other"} else 1 + number)
        assert (folder / "a/b").read_text() == "one"
        assert (folder / "c").stat().st_mode & 0o777 == 0o600
        match damage:
            case "missing":
                (folder / "a/b").unlink()
            case "changed":
                (folder / "a/b").write_text("eno")
            case "mode":
                (folder / "c").chmod(0o644)
            case "link":
                (folder / "c").unlink()
                (folder / "c").symlink_to("a/b")
            case "other":
                (folder / "more").touch()
