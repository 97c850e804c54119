"""Folders and files that follow what jobs have saved."""

import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.files import File, Tree
from pycurrent.plugins import fs
from pycurrent.plugins.fs.content import Link, Staged
from pycurrent.plugins.fs.managed_folder import ManagedFolder
from pycurrent.plugins.fs.tree import Tree as FolderTree
from pycurrent.term import Current, Failed, Ok, Var, all
from pycurrent.testing import Harness

from ...effort import examples


def fill(folder: Path, version: str) -> None:
    """Files, one of them to be run, a link, an empty folder, and one that nobody may write to."""
    (folder / "pages" / "ä b\nc").mkdir(parents=True)
    (folder / "pages" / "ä b\nc" / "index.html").write_text(f"<p>{version}</p>")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o750)
    (folder / "latest").symlink_to("pages/ä b\nc")
    (folder / "empty").mkdir(mode=0o700)
    (folder / "sealed").mkdir()
    (folder / "sealed" / version).write_text("same")
    (folder / "sealed").chmod(0o555)


@builder("site", level=Level.HARMLESS)
async def site(job: Job, version: str) -> Tree:
    async with job.tempdir() as folder:
        fill(folder, version)
        return await job.save(folder)


@builder("tool", level=Level.HARMLESS)
async def tool(job: Job, version: str) -> File:
    async with job.tempdir() as folder:
        (folder / "x").write_text(version * 3)
        (folder / "x").chmod(0o755)
        return await job.save_file(folder / "x")


def seen(folder: Path) -> dict[str, object]:
    """All that is in a folder, with its kind, its permissions and its contents."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name, mode = str(path.relative_to(folder)), stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = (mode, None if path.is_dir() else path.read_text())
    return found


async def test_a_folder_holds_a_saved_tree_and_nothing_else(tmp_path: Path) -> None:
    """With its links, permissions and empty folders; another tree takes the place of it all."""
    folder, version = tmp_path / "www" / "site", Var("version", "one")
    for name in ("one", "two"):
        fill(tmp_path / name, name)
    state = tmp_path / "s"
    async with Harness(lambda: fs.save_tree(folder, site(version.get())), state_dir=state) as h:
        await h.settle()
        assert h.output == Ok(None)
        assert seen(folder) == seen(tmp_path / "one")
        unchanged = (folder / "run").stat().st_ino
        version.set("two")
        await h.settle()
        assert seen(folder) == seen(tmp_path / "two")
        assert (folder / "run").stat().st_ino == unchanged
        version.set("one")
        await h.settle()
        assert seen(folder) == seen(tmp_path / "one")


async def test_a_file_follows_one_that_a_job_has_saved(tmp_path: Path) -> None:
    """With its permissions, or those that are given."""
    version = Var("version", "one")

    def pipeline() -> Current[object]:
        made = tool(version.get())
        return all([fs.save(tmp_path / "a", made), fs.save(tmp_path / "b", made, mode=0o600)])

    async with Harness(pipeline, state_dir=tmp_path / "s") as h:
        await h.settle()
        version.set("two")
        await h.settle()
        for name, mode in (("a", 0o755), ("b", 0o600)):
            assert (tmp_path / name).read_text() == "twotwotwo"
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode


@pytest.mark.parametrize(
    "damage", ["none", "beside", "missing", "changed", "mode", "link", "folder", "store"]
)
async def test_a_saved_tree_is_put_right_at_the_next_start(tmp_path: Path, damage: str) -> None:
    """If something of it is missing or differs; what others have put beside does not count."""
    folder, state = tmp_path / "site", tmp_path / "s"
    saved = made = 1
    for _ in range(2):
        async with Harness(lambda: fs.save_tree(folder, site("one")), state_dir=state) as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history("fs-save-tree")) == saved
            assert len(h.history("site")) == made
        match damage:
            case "beside":
                (folder / "other").touch()
            case "missing":
                (folder / "run").unlink()
            case "changed":
                (folder / "run").write_text("#!/bin/no\n")
            case "mode":
                (folder / "run").chmod(0o640)
            case "link":
                (folder / "latest").unlink()
                (folder / "latest").symlink_to("run")
            case "folder":
                (folder / "empty").rmdir()
            case "store":
                shutil.rmtree(state / "files")
                made = 2
                saved += 1  # It finds that out.
        saved += damage not in {"none", "beside"}


@pytest.mark.parametrize("damage", ["none", "missing", "changed", "mode"])
async def test_a_saved_file_is_put_right_at_the_next_start(tmp_path: Path, damage: str) -> None:
    """The same."""
    path = tmp_path / "tool"
    for runs in (1, 1 if damage == "none" else 2):
        async with Harness(lambda: fs.save(path, tool("x")), state_dir=tmp_path / "s") as h:
            await h.settle()
            assert h.output == Ok(None)
            assert len(h.history("fs-save")) == runs
        match damage:
            case "missing":
                path.unlink()
            case "changed":
                path.write_text("yyy")
            case "mode":
                path.chmod(0o644)


async def test_what_is_lost_is_made_again_before_it_is_saved(tmp_path: Path) -> None:
    """By the job that had saved it: the folder is right in the end."""
    state, folder = tmp_path / "s", Var("folder", tmp_path / "one")
    async with Harness(lambda: fs.save_tree(folder.get(), site("x")), state_dir=state) as h:
        await h.settle()
        for path in (state / "files" / "objects").rglob("*/*"):
            path.unlink()
        folder.set(tmp_path / "two")
        await h.settle()
        assert h.output == Ok(None)
        assert seen(tmp_path / "two") == seen(tmp_path / "one")
        assert len(h.history("site")) == 2


async def test_files_of_others_stay(tmp_path: Path) -> None:
    """A tree does not take over a folder that has them."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "theirs").touch()
    async with Harness(lambda: fs.save_tree(folder, site("x")), state_dir=tmp_path / "s") as h:
        await h.settle()
        assert isinstance(h.output, Failed)
        assert "has files that save_tree did not put there: theirs" in h.output.message
        assert os.listdir(folder) == ["theirs"]  # noqa: PTH208


NAMES = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join)
PARTS = st.one_of(
    st.tuples(st.binary(max_size=2), st.sampled_from([0o644, 0o600])),
    st.sampled_from(["a", "../b"]).map(Link),
    st.sampled_from([0o755, 0o555]),
)


@given(st.lists(st.dictionaries(NAMES, PARTS, max_size=4), min_size=1, max_size=4))
@settings(max_examples=examples(50), deadline=None)
def test_whatever_follows_is_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, steps: list[dict[str, tuple[bytes, int] | Link | int]]
) -> None:
    """A file where a link was, a folder where a file was, and other permissions."""
    top = tmp_path_factory.mktemp("x")
    for number, step in enumerate(steps):
        files: dict[str, fs.Content | Staged | Link] = {}
        modes: dict[str, int] = {}
        above = {str(folder) for name in step for folder in Path(name).parents}
        for name, part in step.items():
            match part:
                case Link() if name not in above:
                    files[name] = part
                case int():
                    modes[name] = part
                case (data, mode) if name not in above:
                    source = top / f"{number}-{name.replace('/', '-')}"
                    source.write_bytes(data)
                    files[name] = Staged(source, mode)
        tree = FolderTree(len(files), 0, "", files, modes)
        ManagedFolder(top / "to").replace_with(tree, take_over=False)
        assert ManagedFolder(top / "to").replace_with(tree, take_over=False).written == 0
        there = {str(path.relative_to(top / "to")): path for path in (top / "to").rglob("*")}
        assert there.keys() == files.keys() | tree.folders
        for name, file in files.items():
            if isinstance(file, Link):
                assert str(there[name].readlink()) == file.target
            else:
                assert there[name].read_bytes() == file.data.read_bytes()  # type: ignore[union-attr]
                assert stat.S_IMODE(there[name].lstat().st_mode) == file.mode
        for name, mode in modes.items():
            assert stat.S_IMODE(there[name].stat().st_mode) == mode
