"""The sessions and tokens in the database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pycurrent.store import (
    AccessDatabase,
    Database,
    SessionRecord,
    StateDir,
    StateDirError,
    StateDirLocked,
    TokenRecord,
)
from pycurrent.store.schema import migrations, open_for_writing

NOW = datetime(2026, 11, 22, 8, 47, 3, 123456, UTC)
DAY = timedelta(days=1)


@pytest.fixture
def access(tmp_path: Path) -> Iterator[AccessDatabase]:
    with AccessDatabase.open_or_make(tmp_path) as database:
        yield database


def session(digest: str = "d", *, user: str = "local:alice", at: datetime = NOW) -> SessionRecord:
    return SessionRecord(digest, user, "Alice \udcff", at, at + DAY)


def test_a_session_is_found_until_it_is_over(access: AccessDatabase) -> None:
    """By the digest of its cookie, to the microsecond."""
    access.add_session(session())
    found = access.session("d", NOW + DAY - timedelta(microseconds=1))
    assert found == SessionRecord("d", "local:alice", "Alice \\udcff", NOW, NOW + DAY)
    assert access.session("d", NOW + DAY) is None
    assert access.session("other", NOW) is None


def test_a_session_can_be_prolonged_and_ended(access: AccessDatabase) -> None:
    """Ending it twice is fine."""
    access.add_session(session())
    access.extend_session("d", NOW + 2 * DAY)
    assert access.session("d", NOW + DAY) is not None
    assert [access.end_session("d"), access.end_session("d")] == [True, False]
    assert access.session("d", NOW) is None


def test_all_sessions_of_somebody_end_and_those_of_others_stay(access: AccessDatabase) -> None:
    """For a new password."""
    for digest, user in (("a", "local:alice"), ("b", "local:alice"), ("c", "local:bob")):
        access.add_session(session(digest, user=user))
    assert access.end_sessions("local:alice") == 2
    assert [access.session(digest, NOW) is not None for digest in "abc"] == [False, False, True]


def test_sessions_that_are_over_are_forgotten(access: AccessDatabase, tmp_path: Path) -> None:
    """When the next one begins: the table does not grow for ever."""
    access.add_session(session("old"))
    access.add_session(session("new", at=NOW + 2 * DAY))
    state = StateDir.read(tmp_path)
    connection = open_for_writing(state.database, busy_seconds=1)
    assert connection.execute("SELECT digest FROM web_session").fetchall() == [("new",)]
    connection.close()


def test_tokens_are_found_listed_and_removed(access: AccessDatabase) -> None:
    """A name is given once."""
    forever = TokenRecord("bot", "viewer", NOW, None, None)
    short = TokenRecord("tmp", "builder", NOW, NOW + DAY, None)
    assert access.add_token(short, "s")
    assert access.add_token(forever, "f")
    assert not access.add_token(forever, "another")
    assert access.tokens() == [forever, short]
    assert access.token("s", NOW) == short
    assert access.token("s", NOW + DAY) is None
    access.use_token("bot", NOW)
    found = access.token("f", NOW + 1000 * DAY)
    assert found is not None
    assert found.used == NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    assert [access.remove_token("bot"), access.remove_token("bot")] == [True, False]


def test_tokens_are_made_while_an_engine_writes(tmp_path: Path) -> None:
    """Also while it holds a view of the file; and the engine goes on writing."""
    with StateDir.open(tmp_path) as state, Database.open(state.database) as engine:
        assert engine.lookup("op", "key") is None
        with AccessDatabase.open_or_make(tmp_path) as access:
            assert access.add_token(TokenRecord("bot", "viewer", NOW, None, None), "f")
            engine.remember("a", "b")
            engine.commit()
            assert len(access.tokens()) == 1


def test_an_older_database_is_brought_up_to_date_unless_an_engine_has_it(tmp_path: Path) -> None:
    """Only who holds the lock changes the schema."""
    with StateDir.open(tmp_path) as state:
        with closing(sqlite3.connect(state.database)) as connection:
            connection.executescript(f"{migrations()[0].read_text()}; PRAGMA user_version = 1;")
        with pytest.raises(StateDirLocked):
            AccessDatabase.open_or_make(tmp_path)
    with pytest.raises(StateDirError, match="older"):
        AccessDatabase.open(StateDir.read(tmp_path))
    with AccessDatabase.open_or_make(tmp_path) as access:
        assert access.tokens() == []
    assert len(migrations()) >= 2
