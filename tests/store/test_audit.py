"""The audit: rows that are only ever added, chained by hashes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pycurrent.store import AccessDatabase, AuditRecord, Database, DatabaseReader, StateDir

from .conftest import SECOND, START

ACT = AuditRecord(at=START, who="ada", role="admin", via="api", what="cancel", subject="job 1")


def written(path: Path, *records: AuditRecord) -> None:
    with Database.open(path) as database:
        for record in records:
            database.add_audit(record)


def tampered(path: Path, *statements: str) -> None:
    """Somebody with the rights of the file's owner, who knows SQLite."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER audit_not_changed")
        connection.execute("DROP TRIGGER audit_not_removed")
        for statement in statements:
            connection.execute(statement)


def test_acts_are_read_as_they_were_written(path: Path) -> None:
    """With their numbers and hashes, the newest first; texts that no database takes are escaped."""
    acts = [
        ACT,
        replace(ACT, who="bob \udcff", role=None, before="a", after="b", reason="ü", refused="no"),
    ]
    written(path, *acts)
    with DatabaseReader.open(path) as reader:
        second, first = reader.audit()
    assert replace(first, id=0, hash="") == acts[0]
    assert replace(second, id=0, hash="") == replace(acts[1], who="bob \\udcff")
    assert (first.id, second.id) == (1, 2)
    assert len({first.hash, second.hash}) == 2


def test_acts_are_found_by_who_what_on_what_and_when(path: Path) -> None:
    """All filters that are given apply; pages follow each other without a gap."""
    acts = [
        replace(ACT, at=START + n * SECOND, who=f"user {n % 2}", subject=f"job {n % 3}")
        for n in range(12)
    ]
    written(path, *acts)
    with DatabaseReader.open(path) as reader:
        assert [row.id for row in reader.audit(who="user 1", subject="job 0")] == [10, 4]
        assert reader.audit(what="approve") == []
        since, until = START + 3 * SECOND, START + 5 * SECOND
        assert [row.id for row in reader.audit(since=since, until=until)] == [5, 4]
        pages, last = list[int](), 99
        while page := reader.audit(before=last, limit=5):
            pages += [row.id for row in page]
            last = page[-1].id
    assert pages == list(range(12, 0, -1))


def test_the_audit_is_read_with_what_is_not_yet_written(db: Database) -> None:
    """A reader in the engine misses nothing."""
    db.add_audit(ACT)
    assert [row.who for row in db.audit()] == ["ada"]


def test_rows_can_be_neither_changed_nor_removed_by_a_statement(path: Path) -> None:
    """Neither by a slip in our own code."""
    written(path, ACT)
    with closing(sqlite3.connect(path)) as connection:
        for statement in ("UPDATE audit SET who = 'eve'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_the_chain_goes_on_over_all_who_write(path: Path, tmp_path: Path) -> None:
    """An engine, the next one, and a command line beside it."""
    with StateDir.open(tmp_path / "state") as state:
        with Database.open(state.database) as database:
            database.add_audit(ACT)
            database.commit()
            with AccessDatabase.open(state) as beside:
                beside.add_audit(ACT)
            database.add_audit(ACT)
        with Database.open(state.database) as database:
            database.add_audit(ACT)
            chain = database.check_audit(kept=database.audit()[2].hash)
    assert (chain.rows, chain.broken_at, chain.has_kept) == (4, None, True)


@given(
    st.integers(2, 6).flatmap(
        lambda rows: st.tuples(st.just(rows), st.integers(1, rows), st.integers(0, 11))
    )
)
def test_a_row_that_was_changed_breaks_the_chain_there(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[int, int, int]
) -> None:
    """Whichever of its columns it was."""
    rows, number, column = drawn
    path = tmp_path_factory.mktemp("audit") / "pycurrent.db"
    written(path, *[replace(ACT, subject=f"job {n}") for n in range(rows)])
    names = ("id", "at", "who", "role", "via", "what", "subject", "before", "after", "reason")
    name = (*names, "refused", "hash")[column]
    value = 99 if name == "id" else "'2026-11-22T08:47:04.123456Z'" if name == "at" else "'x'"
    tampered(path, f"UPDATE audit SET {name} = {value} WHERE id = {number}")
    with DatabaseReader.open(path) as reader:
        chain = reader.check_audit()
    assert (chain.rows, chain.broken_at) == (number - 1, number)


def test_a_row_that_was_removed_breaks_the_chain_there(path: Path) -> None:
    """Also if the numbers were closed up."""
    written(path, *[replace(ACT, subject=f"job {n}") for n in range(5)])
    tampered(path, "DELETE FROM audit WHERE id = 2", "UPDATE audit SET id = id - 1 WHERE id > 2")
    with DatabaseReader.open(path) as reader:
        assert reader.check_audit().broken_at == 2


def test_newest_rows_that_were_cut_off_are_missed_by_a_hash_that_was_kept(path: Path) -> None:
    """The chain alone can't show that."""
    written(path, ACT, ACT, ACT)
    with DatabaseReader.open(path) as reader:
        kept = reader.check_audit().head
    tampered(path, "DELETE FROM audit WHERE id = 3")
    with DatabaseReader.open(path) as reader:
        chain = reader.check_audit(kept=kept)
    assert (chain.rows, chain.broken_at, chain.has_kept) == (2, None, False)
