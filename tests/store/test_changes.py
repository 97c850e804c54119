"""The changes from outside, as the database keeps them."""

from datetime import timedelta
from pathlib import Path

from pycurrent.store import ChangeKind, ChangeRecord, Database, InputRecord

from .conftest import START, Builds


def change(db: Database, summary: str, kind: ChangeKind = ChangeKind.INPUT) -> ChangeRecord:
    record = ChangeRecord(id=db.change_tables.new_id(), at=START, kind=kind, summary=summary)
    db.change_tables.set(record)
    return record


def test_changes_are_read_the_newest_first_by_page(db: Database) -> None:
    """Of one kind, or since a time, if that is asked for."""
    one = change(db, "one")
    two = change(db, "two \udcff", ChangeKind.PERSON)
    later = ChangeRecord(
        id=db.change_tables.new_id(),
        at=START + timedelta(hours=1),
        kind=ChangeKind.TIMER,
        summary="three",
    )
    db.change_tables.set(later)
    assert [found.summary for found in db.changes()] == ["three", "two \\udcff", "one"]
    assert db.changes(limit=1) == [later]
    assert [found.id for found in db.changes(before=later.id)] == [two.id, one.id]
    assert [found.id for found in db.changes(kind=ChangeKind.PERSON)] == [two.id]
    assert db.changes(since=later.at) == [later]


def test_more_may_become_known_of_a_change(db: Database) -> None:
    """Who made it, say, which takes time to find out; before it is written, and after that."""
    record = change(db, "head: 1 → 2")
    for by in ("ann", "bob"):
        db.change_tables.set(
            ChangeRecord(
                id=record.id, at=record.at, kind=record.kind, summary=f"head: {by}'s", by=by
            )
        )
        db.commit()
        (found,) = db.changes()
        assert (found.by, found.summary) == (by, f"head: {by}'s")


def test_an_input_has_its_last_value(db: Database, path: Path) -> None:
    """Before it is written, and in the next run."""
    assert db.change_tables.input("head") is None
    db.change_tables.set_input(InputRecord("head", "1", "d1", START))
    later = InputRecord("head", "2", "d2", START)
    db.change_tables.set_input(later)
    assert db.change_tables.input("head") == later
    record = ChangeRecord(
        id=db.change_tables.new_id(),
        at=START,
        kind=ChangeKind.INPUT,
        input="head",
        old="1",
        new="2",
        summary="head: 1 → 2",
    )
    db.change_tables.set(record)
    assert db.changes() == [record]
    db.close()
    with Database.open(path) as again:
        assert again.change_tables.input("head") == later


def test_jobs_with_the_same_changes_share_a_set(db: Database, builds: Builds) -> None:
    """And are found by each of them."""
    one, two = change(db, "one"), change(db, "two")
    both = db.change_tables.set_of((one.id, two.id))
    assert both == db.change_tables.set_of((one.id, two.id))
    assert both != db.change_tables.set_of((one.id,))
    assert db.change_tables.set_of(()) is None
    assert db.jobs_of_change(one.id) == []


def test_numbers_go_on_in_the_next_run(db: Database, path: Path) -> None:
    """No change gets the number of another."""
    first = change(db, "one")
    number = db.change_tables.set_of((first.id,))
    db.close()
    with Database.open(path) as again:
        assert again.change_tables.new_id() > first.id
        assert again.change_tables.set_of((first.id,)) != number
