"""Who may read what an engine makes: its owner, or the owner's group."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycurrent import Job, Level, builder
from pycurrent.store import Database, Sharing, StateDir
from pycurrent.testing import Harness

from .conftest import Builds


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    mask: int = request.param
    before = os.umask(mask)
    yield mask
    os.umask(before)


def modes(folder: Path) -> tuple[set[int], set[int]]:
    """Of all folders, and of all files."""
    found: tuple[set[int], set[int]] = (set(), set())
    for path in (folder, *folder.rglob("*")):
        if "tmp" not in path.relative_to(folder).parts[:1] or path.name == "tmp":
            found[path.is_file()].add(path.stat().st_mode & 0o7777)
    return found


def fill(folder: Path, sharing: Sharing) -> tuple[set[int], set[int]]:
    with (
        StateDir.open(folder, sharing=sharing) as state,
        Database.open(state.database, sharing=sharing) as database,
    ):
        Builds(database).build()
        database.commit()
        return modes(folder)


def test_a_state_directory_is_for_its_owner(tmp_path: Path, umask: int) -> None:
    """Whatever the umask: database, its log, the lock ..."""
    assert fill(tmp_path / "a" / "state", Sharing.OWNER) == ({0o700}, {0o600})


def test_it_can_be_shared_with_the_group(tmp_path: Path, umask: int) -> None:
    """Whatever the umask, which is for what nobody has asked for."""
    assert fill(tmp_path / "a" / "state", Sharing.GROUP) == ({0o750}, {0o640})


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o2770])
def test_a_folder_that_was_made_by_hand_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """What is made in it is as private as ever."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    folders, files = fill(state, Sharing.OWNER)
    assert state.stat().st_mode & 0o7777 == mode
    assert {folder & 0o777 for folder in folders} == {mode & 0o777, 0o700}
    assert files == {0o600}


def test_what_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """People may have shared it, or closed it."""
    state = tmp_path / "state"
    fill(state, Sharing.OWNER)
    for path in (state, state / "db", state / "job"):
        path.chmod(0o755)
    (state / "db" / "pycurrent.db").chmod(0o644)
    folders, files = fill(state, Sharing.OWNER)
    assert folders == {0o700, 0o755}
    assert files == {0o600, 0o644}


async def test_logs_are_as_private_and_commands_keep_the_umask(
    tmp_path: Path, harness_umask: None
) -> None:
    """A job that makes files for others still can."""
    made = tmp_path / "made"

    @builder("touch", level=Level.HARMLESS)
    async def touch(job: Job) -> None:
        await job.exec(["touch", made])

    async with Harness(touch, state_dir=tmp_path / "state") as h:
        await h.settle()
        folders = {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()}
        logs = {log.stat().st_mode & 0o777 for log in (tmp_path / "state").rglob("*.log")}
    assert folders == {0o700, 0o600}
    assert logs == {0o600}
    assert made.stat().st_mode & 0o777 == 0o644


@pytest.fixture
def harness_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)
