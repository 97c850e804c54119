"""Databases that engines of tests begin with."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import pycurrent as current
from pycurrent.store import Database, StateDir, StateDirError
from pycurrent.testing import Harness
from pycurrent.testing.new_database import lay_database


def described(path: Path) -> list[object]:
    """All that a new database is, except the time of its first engine."""
    with closing(sqlite3.connect(path)) as connection:
        pragmas = ("user_version", "journal_mode", "auto_vacuum", "page_size", "integrity_check")
        return [
            *connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"),
            *(connection.execute(f"PRAGMA {name}").fetchone() for name in pragmas),
            path.stat().st_mode,
        ]


def test_it_is_the_one_that_an_engine_makes(tmp_path: Path) -> None:
    """Schema, mode and all."""
    with StateDir.open(tmp_path / "made") as state:
        Database.open(state.database).close()
    for name in ("first", "second"):
        lay_database(tmp_path / name)
        laid = tmp_path / name / "db" / "pycurrent.db"
        assert described(laid) == described(tmp_path / "made" / "db" / "pycurrent.db")


async def test_what_is_there_stays(tmp_path: Path) -> None:
    """A harness that is started again goes on with its database."""
    async with Harness(lambda: current.constant(1), state_dir=tmp_path) as h:
        await h.settle()
    before = (tmp_path / "db" / "pycurrent.db").read_bytes()
    lay_database(tmp_path)
    assert (tmp_path / "db" / "pycurrent.db").read_bytes() == before


def test_a_folder_that_is_no_state_directory_is_refused(tmp_path: Path) -> None:
    """As an engine refuses it."""
    (tmp_path / "state").write_text("")
    with pytest.raises(StateDirError):
        lay_database(tmp_path / "state")
