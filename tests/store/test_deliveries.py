"""The deliveries of webhooks: known by their ids, until their time is over."""

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from pycurrent.store import Database, DeliveryRecord
from pycurrent.store.deliveries import KEPT

from .conftest import SECOND, START

SENDER = "https://forge.example.org"


def delivery(id: str, *, after: timedelta = timedelta(), work: str | None = None) -> DeliveryRecord:
    """A delivery that asks for work, or whose work is done."""
    at = START + after
    done = at if work is None else None
    return DeliveryRecord(
        sender=SENDER, id=id, event="push", received=at, work=work, done=done, person="ann"
    )


def test_a_delivery_is_known_by_its_sender_and_id(db: Database, path: Path) -> None:
    """Before the commit as after it, and to the next engine; others are not."""
    db.deliveries.set(delivery("d-1"))
    assert not db.deliveries.is_written((SENDER, "d-1"))
    for _ in range(2):
        assert db.deliveries.knows((SENDER, "d-1"))
        assert not db.deliveries.knows((SENDER, "d-2"))
        assert not db.deliveries.knows(("https://other.example.org", "d-1"))
        db.commit()
    assert db.deliveries.is_written((SENDER, "d-1"))
    with Database.open(path) as again:
        assert again.deliveries.knows((SENDER, "d-1"))


def test_work_is_left_until_it_is_done(db: Database, path: Path) -> None:
    """The oldest comes first; of work that was begun the newest state counts."""
    first, second = delivery("d-2", work='["a"]'), delivery("d-1", after=SECOND, work='["b"]')
    for one in (first, second, delivery("d-3")):
        db.deliveries.set(one)
    db.commit()
    assert db.deliveries.unfinished(SENDER) == [first, second]
    assert db.deliveries.unfinished("https://other.example.org") == []
    db.deliveries.set(replace(first, work=None, done=START + SECOND))
    db.deliveries.set(begun := replace(second, work='["c"]'))
    db.commit()
    with Database.open(path) as again:
        assert again.deliveries.unfinished(SENDER) == [begun]


def test_old_deliveries_make_room_for_new_ones(db: Database) -> None:
    """After a week, two for each that comes; never those whose work is to be done."""
    db.deliveries.set(delivery("left", work='["a"]'))
    for number in range(5):
        db.deliveries.set(delivery(f"old-{number}"))
    db.commit()
    db.deliveries.set(delivery("late", after=KEPT))
    db.commit()
    assert db.deliveries.knows((SENDER, "old-0"))
    for number, left in enumerate([3, 1, 0]):
        db.deliveries.set(delivery(f"new-{number}", after=KEPT + (number + 1) * SECOND))
        db.commit()
        assert sum(db.deliveries.knows((SENDER, f"old-{n}")) for n in range(5)) == left
    assert db.deliveries.knows((SENDER, "left"))
    assert db.deliveries.knows((SENDER, "late"))
