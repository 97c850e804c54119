"""Copies of the database: whole, of one moment, and never over another file."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pycurrent.errors import UsageError
from pycurrent.store import (
    Database,
    DatabaseReader,
    StateDirError,
    StoreDamaged,
    StoreGone,
)
from pycurrent.store.backup import back_up

from .conftest import Builds, MountTmpfs


def outcomes(path: Path) -> list[str | None]:
    with DatabaseReader.open(path) as reader:
        return [record.outcome for record in reader.history()]


def test_a_backup_has_what_an_engine_has_committed(
    db: Database, builds: Builds, path: Path, tmp_path: Path
) -> None:
    """In one file, for its owner only, while the engine goes on."""
    builds.build("a", '"first"')
    db.commit()
    copy = tmp_path / "copy.db"
    assert back_up(path, copy) == copy.stat().st_size
    builds.build("b", '"second"')
    db.commit()
    assert outcomes(copy) == ['"first"']
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.glob("*copy*")) == ["copy.db"]


def test_a_backup_is_restored_by_putting_it_in_place(path: Path, tmp_path: Path) -> None:
    """An engine goes on from it."""
    with Database.open(path) as database:
        record = Builds(database).build()
        database.commit()
        back_up(path, tmp_path / "copy.db")
    for file in tmp_path.glob("pycurrent.db*"):
        file.unlink()
    (tmp_path / "copy.db").rename(path)
    with Database.open(path) as database:
        assert database.lookup("frob", record.key_digest) == record


@pytest.mark.parametrize("kind", ["file", "folder", "link to nothing"])
def test_a_backup_takes_no_other_file_s_place(
    db: Database, path: Path, tmp_path: Path, kind: str
) -> None:
    """It is refused, and nothing is left."""
    target = tmp_path / "taken"
    match kind:
        case "file":
            target.write_text("mine")
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to(tmp_path / "nothing")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match="name another one for the backup"):
        back_up(path, target)
    assert sorted(tmp_path.iterdir()) == before


def test_a_backup_that_cant_be_made_says_why(
    db: Database, path: Path, tmp_path: Path, mount_tmpfs: MountTmpfs
) -> None:
    """No folder, no room, no right: with what to do, and nothing is left."""
    with pytest.raises(UsageError, match="No such file or directory; name a file in a folder"):
        back_up(path, tmp_path / "nowhere" / "copy.db")
    small = mount_tmpfs("size=32k")
    with pytest.raises(UsageError, match="No space left on device"):
        back_up(path, small / "copy.db")
    assert list(small.iterdir()) == []


def test_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    """Nothing is made, then."""
    with pytest.raises(StateDirError, match="nothing has been run"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_no_backup(path: Path, tmp_path: Path) -> None:
    """However large it is: the copy is looked through."""
    with Database.open(path) as database:
        builds = Builds(database)
        for n in range(4000):
            builds.build(str(n), "x" * 500)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    with pytest.raises(StoreDamaged, match="is damaged"):
        back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_database_of_an_older_version_can_be_backed_up(path: Path, tmp_path: Path) -> None:
    """Before it is brought up to date."""
    Database.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    back_up(path, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_disk_that_is_read_only_can_be_backed_up(
    path: Path, tmp_path: Path, read_only: Callable[[Path], Path]
) -> None:
    """Only the backup is written."""
    folder = tmp_path / "db"
    folder.mkdir()
    with Database.open(folder / "x.db") as database:
        Builds(database).build()
    back_up(read_only(folder) / "x.db", tmp_path / "copy.db")
    assert outcomes(tmp_path / "copy.db") == ['"frobbed"']


def test_tidied_a_database_is_whole_in_one_file(
    db: Database, builds: Builds, path: Path, tmp_path: Path
) -> None:
    """What an engine does at rest: a copy of the file alone is a backup, then."""
    builds.build()
    db.commit()
    db.tidy().join()
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    subprocess.run(["cp", path, copy], check=True)
    assert outcomes(copy) == ['"frobbed"']
    assert os.stat(f"{path}-wal").st_size == 0  # noqa: PTH116
    builds.build("b")
    db.commit()
    assert len(outcomes(path)) == 2


def test_a_database_that_was_removed_is_not_made_anew(path: Path) -> None:
    """By a checkpoint that comes later."""
    database = Database.open(path)
    Builds(database).build()
    database.commit()
    path.unlink()
    database.tidy().join()
    assert not path.exists()
    with pytest.raises(StoreGone):
        database.close()
