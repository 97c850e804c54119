"""`pycurrent files`: the files that jobs have saved, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pycurrent.cache import builder
from pycurrent.engine import Job, Level
from pycurrent.files import Tree
from pycurrent.store import Database, StateDir
from pycurrent.term import Ok
from pycurrent.testing import Harness

from .commands import Command


@builder("site", level=Level.HARMLESS)
async def site(job: Job, key: str) -> Tree:
    async with job.tempdir() as folder:
        (folder / "d").mkdir()
        (folder / "d" / "a.txt").write_text("text of a\n")
        (folder / "d" / "run").write_text("#!/bin/sh\n")
        (folder / "d" / "run").chmod(0o755)
        (folder / "d" / "link").symlink_to("a.txt")
        return await job.save(folder, "d/**")


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """A state directory in which a job has saved a tree."""
    async with Harness(lambda: site("k"), state_dir=tmp_path / "state") as h:
        await h.settle()
        assert isinstance(h.output, Ok)
    return tmp_path / "state"


def test_ls_lists_jobs_and_their_files(pycurrent: Command, state: Path) -> None:
    """The jobs that have saved something; of one its files, with modes and sizes."""
    assert "  3 files (20 B)  d/**\n" in pycurrent("files", "ls", "--state-dir", state).out
    listed = pycurrent("files", "ls", "last", "--state-dir", state)
    assert listed.out.splitlines() == [
        "-rw-r--r--    10 bytes  d/a.txt",
        "lrwxrwxrwx              d/link -> a.txt",
        "-rwxr-xr-x    10 bytes  d/run",
    ]
    found = json.loads(pycurrent("files", "ls", "last", "--json", "--state-dir", state).out)
    assert [entry[1] for entry in found["files"]] == ["d/a.txt", "d/link", "d/run"]


def test_cat_prints_a_file(pycurrent: Command, state: Path) -> None:
    """Byte for byte; what is not there is said."""
    assert pycurrent("files", "cat", "last", "d/a.txt", "--state-dir", state).out == "text of a\n"
    missing = pycurrent("files", "cat", "last", "d/b.txt", "--state-dir", state)
    assert missing.status == 2
    assert "has saved no file d/b.txt: `pycurrent files ls " in missing.err


def test_get_places_files_in_a_folder(pycurrent: Command, state: Path, tmp_path: Path) -> None:
    """All of them, or those that patterns select."""
    pycurrent("files", "get", "last", tmp_path / "all", "--state-dir", state)
    assert (tmp_path / "all" / "d" / "link").read_text() == "text of a\n"
    pycurrent("files", "get", "last", tmp_path / "some", "d/run", "--state-dir", state)
    assert [path.name for path in (tmp_path / "some" / "d").iterdir()] == ["run"]
    wrong = pycurrent("files", "get", "last", tmp_path / "none", "*.whl", "--state-dir", state)
    assert wrong.status == 2
    assert "has saved nothing that matches *.whl" in wrong.err


def test_files_that_are_lost_are_told(pycurrent: Command, state: Path, tmp_path: Path) -> None:
    """By their paths, and with the exit status of a failure."""
    for path in (state / "files" / "objects").rglob("*/*"):
        if path.read_bytes() == b"text of a\n":
            path.unlink()
    for command in (["cat", "last", "d/a.txt"], ["get", "last", tmp_path / "all"]):
        ended = pycurrent("files", *command, "--state-dir", state)
        assert ended.status != 0
        assert "d/a.txt is missing: it was kept, and is lost" in ended.err


def test_du_says_how_much_room_they_take(pycurrent: Command, state: Path) -> None:
    """On the disk, and by operation."""
    first, second = pycurrent("files", "du", "--state-dir", state).out.splitlines()
    assert first.startswith("3 contents on the disk; ")
    assert second.split() == ["20", "bytes", "site"]
    found = json.loads(pycurrent("files", "du", "--json", "--state-dir", state).out)
    assert found["operations"] == [{"op": "site", "saved": 1, "bytes": 20}]


def test_nothing_is_said(pycurrent: Command, tmp_path: Path) -> None:
    """Where no job has saved anything."""
    with_nothing = tmp_path / "state"
    with StateDir.open(with_nothing) as state:
        Database.open(state.database).close()
    for command in ("ls", "du"):
        said = pycurrent("files", command, "--state-dir", with_nothing)
        assert said.err + said.out == "no job has saved files\n"
