"""What an engine and a reader need on disk: an engine to write, a reader only to read."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent.store import Database, DatabaseReader, StateDir, StoreReadOnly

from .conftest import Builds, RunUnprivileged

OPEN = """
import sys
from pathlib import Path
from pycurrent.store import Database, StoreReadOnly
try:
    Database.open(Path(sys.argv[1]))
except StoreReadOnly as error:
    print(error)
"""


@pytest.mark.parametrize("files", [["x.db"], ["x.db-wal"], ["x.db-shm"], ["x.db", "x.db-wal"]])
def test_files_that_cant_be_written_are_refused(
    tmp_path: Path, files: list[str], run_unprivileged: RunUnprivileged
) -> None:
    """Before anything is run, with what to do: an engine of another user left them, say."""
    path = tmp_path / "x.db"
    with Database.open(path) as database:
        Builds(database).build()
        database.commit()
        left = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for file, content in left.items():
        file.write_bytes(content)
    for name in files:
        (tmp_path / name).chmod(0o444)
    ended = run_unprivileged(OPEN, path)
    assert ended.stderr == ""
    assert f"the database {path} can't be written (" in ended.stdout
    assert "chown" in ended.stdout


def test_a_read_only_disk_is_refused(tmp_path: Path, read_only: Callable[[Path], Path]) -> None:
    """Be it that only the folder of the database is on it."""
    with StateDir.open(tmp_path / "state") as state, Database.open(state.database) as database:
        Builds(database).build()
    place = read_only(state.database.parent)
    with pytest.raises(StoreReadOnly, match="mount their disk for writing"):
        Database.open(place / state.database.name)


def test_a_new_database_needs_a_folder_that_can_be_written(
    tmp_path: Path, read_only: Callable[[Path], Path]
) -> None:
    """SQLite itself only says that it can't open the file."""
    (tmp_path / "db").mkdir()
    with pytest.raises(StoreReadOnly, match="can't be written"):
        Database.open(read_only(tmp_path / "db") / "x.db")


def test_opening_to_write_writes(path: Path) -> None:
    """A lock, a mode and a mount can each be in the way: only writing tells."""
    for _ in range(2):
        with Database.open(path) as database:
            assert database.setting("opened")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM setting").fetchone() == (3,)
    connection.close()


READ = """
import sys
from pathlib import Path
from pycurrent.store import DatabaseReader
with DatabaseReader.open(Path(sys.argv[1])) as reader:
    for record in reader.history():
        print(record.key, record.outcome)
"""


def leave_whole(folder: Path) -> None:
    """An engine has ended."""
    with Database.open(folder / "x.db") as database:
        Builds(database).build()


def leave_log(folder: Path) -> None:
    """An engine was killed: most is in the log."""
    leave_both(folder)
    shutil.copy(folder.with_name("x.db-shm"), folder)


def leave_both(folder: Path) -> None:
    """A copy of the database and its log was made while an engine ran."""
    with Database.open(folder.with_name("x.db")) as database:
        Builds(database).build()
        database.commit()
        for name in ("x.db", "x.db-wal", "x.db-shm"):
            shutil.copy(folder.with_name(name), folder.with_name(f"copy of {name}"))
    for name in ("x.db", "x.db-wal", "x.db-shm"):
        folder.with_name(f"copy of {name}").rename(folder.with_name(name))
    for name in ("x.db", "x.db-wal"):
        shutil.copy(folder.with_name(name), folder)


LEFT = pytest.mark.parametrize("leave", [leave_whole, leave_log, leave_both])


@LEFT
def test_a_reader_needs_no_right_to_write(
    tmp_path: Path, leave: Callable[[Path], None], run_unprivileged: RunUnprivileged
) -> None:
    """Be it that the engine ended, was killed, or that this is a copy."""
    folder = tmp_path / "db"
    folder.mkdir()
    leave(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    ended = run_unprivileged(READ, folder / "x.db")
    assert (ended.stderr, ended.stdout) == ("", 'a "frobbed"\n')
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    folder.chmod(0o755)


@LEFT
def test_a_reader_needs_no_disk_that_can_be_written(
    tmp_path: Path, leave: Callable[[Path], None], read_only: Callable[[Path], Path]
) -> None:
    """The same, of root on a mount that is read only."""
    folder = tmp_path / "db"
    folder.mkdir()
    leave(folder)
    with DatabaseReader.open(read_only(folder) / "x.db") as reader:
        assert [record.outcome for record in reader.history()] == ['"frobbed"']


def test_a_reader_without_rights_sees_what_an_engine_commits(
    tmp_path: Path, read_only: Callable[[Path], Path]
) -> None:
    """It looks at the same files as the engine."""
    folder = tmp_path / "db"
    folder.mkdir()
    with Database.open(folder / "x.db") as database:
        builds = Builds(database)
        with DatabaseReader.open(read_only(folder) / "x.db") as reader:
            assert reader.history() == []
            builds.build()
            database.commit()
            assert len(reader.history()) == 1


def test_a_database_that_cant_be_read_is_named(
    tmp_path: Path, run_unprivileged: RunUnprivileged
) -> None:
    """With what to do."""
    leave_whole(tmp_path)
    (tmp_path / "x.db").chmod(0)
    ended = run_unprivileged(READ, tmp_path / "x.db")
    assert f"the database {tmp_path / 'x.db'} can't be read" in ended.stderr
