"""The things that people set in an engine: until when they hold, and how they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import pycurrent as current
from pycurrent.errors import UsageError
from pycurrent.store import DatabaseReader, OverrideKind
from pycurrent.testing import Harness, HarnessFactory

KIND = OverrideKind.INPUT
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def nothing() -> current.Current[int]:
    return current.constant(1)


def put(h: Harness, subject: str, *, until: datetime | None = None) -> None:
    h.engine.opened.overrides.set(
        KIND, subject, "1", before=None, by="ann", reason="a try", until=until
    )


def subjects(h: Harness) -> list[str]:
    return [record.subject for record in h.engine.opened.overrides.all(KIND)]


async def test_what_is_set_is_listed_by_subject(harness: HarnessFactory) -> None:
    """With all that is known of it, also after a restart."""
    async with harness(nothing) as h:
        put(h, "b", until=BEGIN + HOUR)
        put(h, "a")
        before = h.engine.opened.overrides.all(KIND)
    async with harness(nothing) as h:
        assert h.engine.opened.overrides.all(KIND) == before
        assert [(r.subject, r.value, r.by, r.reason, r.until) for r in before] == [
            ("a", "1", "ann", "a try", None),
            ("b", "1", "ann", "a try", BEGIN + HOUR),
        ]


async def test_it_is_removed_on_disk_once_the_call_has_returned(harness: HarnessFactory) -> None:
    """The audit has both acts; removing what is not set does nothing."""
    async with harness(nothing) as h:
        put(h, "a")
        overrides = h.engine.opened.overrides
        removed = overrides.remove(KIND, "a", by="bob", reason="enough")
        assert removed is not None
        assert removed.by == "ann"
        with DatabaseReader.open(h.engine.opened.state.database) as reader:
            assert reader.overrides() == []
            assert [(r.what, r.who, r.before, r.after, r.reason) for r in reader.audit()] == [
                ("reset input", "bob", "1", None, "enough"),
                ("set input", "ann", None, "1", "a try"),
            ]
        assert overrides.remove(KIND, "a", by="bob") is None
        assert len(h.engine.audit()) == 2


async def test_it_ends_by_itself(harness: HarnessFactory) -> None:
    """At its time, in the audit too; another one without a time stays."""
    async with harness(nothing) as h:
        told: list[str] = []
        h.engine.opened.overrides.listen(KIND, told.append)
        put(h, "a", until=BEGIN + HOUR)
        put(h, "b")
        await h.advance(HOUR - timedelta(seconds=1))
        assert subjects(h) == ["a", "b"]
        await h.advance(timedelta(seconds=1))
        assert subjects(h) == ["b"]
        assert told == ["a", "b", "a"]
        act = h.engine.audit()[0]
        assert (act.what, act.who, act.via) == ("reset input", "pycurrent", "time")
        assert act.reason == "it was set until 2026-01-01 01:00:00 UTC"


async def test_what_is_set_again_ends_at_its_new_time(harness: HarnessFactory) -> None:
    """Or never, if it has none any more."""
    async with harness(nothing) as h:
        for subject in ("a", "b"):
            put(h, subject, until=BEGIN + HOUR)
        put(h, "a", until=BEGIN + 2 * HOUR)
        put(h, "b")
        await h.advance(HOUR)
        assert subjects(h) == ["a", "b"]
        await h.advance(HOUR)
        assert subjects(h) == ["b"]


async def test_a_time_that_passes_while_no_engine_runs_counts(harness: HarnessFactory) -> None:
    """It has ended before the first step of the next one."""
    async with harness(nothing) as h:
        put(h, "a", until=BEGIN + HOUR)
    async with harness(nothing, start=BEGIN + 2 * HOUR) as h:
        assert subjects(h) == []
        assert h.engine.audit()[0].what == "reset input"


@pytest.mark.parametrize(
    ("until", "told"),
    [
        (BEGIN, "until=2026-01-01 00:00:00 UTC has passed: give a time to come"),
        (datetime(2026, 1, 2), "until=2026-01-02 00:00:00 has no time zone"),
    ],
)
async def test_a_time_that_can_not_be_meant_is_refused(
    until: datetime, told: str, harness: HarnessFactory
) -> None:
    """And nothing is set."""
    async with harness(nothing) as h:
        with pytest.raises(UsageError, match=told):
            put(h, "a", until=until)
        assert subjects(h) == []
